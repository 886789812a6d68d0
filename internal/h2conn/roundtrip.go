package h2conn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"
)

// round is what RoundTrip uses again and again.
type round struct {
	req  Request
	resp Response
	body bytes.Buffer
}

var rounds = sync.Pool{New: func() any { return new(round) }}

// RoundTrip implements [http.RoundTripper] for requests to the Transport's host. The answer is
// complete when it returns: its body is read from memory, and need not be closed. It sends no
// accept-encoding, and does not decompress.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	r := rounds.Get().(*round)
	defer r.free()
	if err := r.read(req, t.opts.MaxBody); err != nil {
		return nil, err
	}
	if req.URL.Scheme != t.scheme || address(req.URL) != t.address || req.Host != "" && req.Host != req.URL.Host {
		return nil, errors.New("h2conn: the request is for another host")
	}
	preset, err := t.plainPreset(req.Method)
	if err != nil {
		return nil, err
	}
	r.req = Request{Preset: preset, Path: req.URL.RequestURI(), Fields: r.req.Fields[:0], Body: r.body.Bytes(), plain: true}
	if !validPath(r.req.Path) {
		return nil, errors.New("h2conn: the path is invalid")
	}
	if err := r.fields(req); err != nil {
		return nil, err
	}
	if err := t.do(req.Context(), &r.req, &r.resp); err != nil {
		return nil, err
	}
	return r.response(req), nil
}

// free keeps what is not large for the next request.
func (r *round) free() {
	if r.body.Cap() <= keepBuffer {
		rounds.Put(r)
	}
}

// read reads the body and closes it.
func (r *round) read(req *http.Request, limit int) error {
	r.body.Reset()
	if req.Body == nil {
		return nil
	}
	_, err := r.body.ReadFrom(io.LimitReader(req.Body, int64(limit)+1))
	if closing := req.Body.Close(); err == nil {
		err = closing
	}
	switch n := r.body.Len(); {
	case err != nil:
		return fmt.Errorf("h2conn: read the request's body: %w", err)
	case n > limit:
		return fmt.Errorf("h2conn: the request's body is longer than %d bytes", limit)
	case req.ContentLength > 0 && req.ContentLength != int64(n):
		return errors.New("h2conn: the request's body is not as long as its ContentLength")
	}
	return nil
}

// plainPreset has nothing but the method, and is the same for all requests with it.
func (t *Transport) plainPreset(method string) (*Preset, error) {
	if method == "" {
		method = http.MethodGet
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.plain[method]
	if ok {
		return p, nil
	}
	if method == http.MethodConnect {
		return nil, errors.New("h2conn: CONNECT is not supported")
	}
	p, err := NewPreset(method)
	if err == nil && len(t.plain) < maxPresets {
		t.plain[method] = p
	}
	return p, err
}

// defaultUserAgent is what net/http sends when a request names none.
const defaultUserAgent = "Go-http-client/2.0"

// fields collects the header's fields.
func (r *round) fields(req *http.Request) error {
	agent := defaultUserAgent
	for name, values := range req.Header {
		lower := lowerName(name)
		if !httpguts.ValidHeaderFieldName(lower) {
			return errors.New("h2conn: a field has an invalid name")
		}
		switch lower {
		case "user-agent":
			agent = ""
			if len(values) > 0 {
				agent = values[0]
			}
			continue
		case "host", "content-length", "connection", "proxy-connection", "transfer-encoding", "upgrade", "keep-alive", "te":
			continue // of one connection, or told by the request itself (RFC 9113, 8.2.2)
		}
		for _, v := range values {
			r.req.Fields = append(r.req.Fields, Field{Name: lower, Value: v, Sensitive: lower == "cookie" || lower == "proxy-authorization"})
		}
	}
	if agent != "" {
		r.req.Fields = append(r.req.Fields, Field{Name: "user-agent", Value: agent})
	}
	if n := len(r.req.Body); n > 0 {
		r.req.Fields = append(r.req.Fields, Field{Name: "content-length", Value: strconv.Itoa(n)})
	}
	for _, f := range r.req.Fields {
		if !httpguts.ValidHeaderFieldValue(f.Value) {
			return fmt.Errorf("h2conn: invalid value of the field %s", f.Name)
		}
	}
	return nil
}

// response makes the answer net/http's. It takes the body's memory along.
func (r *round) response(req *http.Request) *http.Response {
	a := &r.resp
	resp := &http.Response{
		StatusCode: a.Status, Proto: "HTTP/2.0", ProtoMajor: 2, Header: header(a.Header), ContentLength: int64(len(a.Body)),
		Body: http.NoBody, Request: req,
	}
	resp.Status = statusText(a.Status)
	if len(a.Trailer) > 0 {
		resp.Trailer = header(a.Trailer)
	}
	if len(a.Body) > 0 {
		resp.Body = io.NopCloser(bytes.NewReader(a.Body))
		a.Body = nil
	}
	return resp
}

func statusText(status int) string {
	if status == http.StatusOK {
		return "200 OK"
	}
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

func header(fields []Field) http.Header {
	h := make(http.Header, len(fields))
	values := make([]string, 0, len(fields)) // one for all, as nearly every name has one
	for _, f := range fields {
		name := canonicalName(f.Name)
		if had := h[name]; had != nil {
			h[name] = append(had, f.Value)
			continue
		}
		values = append(values, f.Value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	return h
}

// mostNames is how many spellings of field names are remembered; a peer that invents more of them
// gets a new string for each.
const mostNames = 256

// spellings remember how field names are written otherwise: the usual ones need no new string each
// time.
type spellings struct {
	write func(string) string
	known sync.Map // from string to string
	n     atomic.Int32
}

var (
	lower     = spellings{write: strings.ToLower}
	canonical = spellings{write: http.CanonicalHeaderKey}
)

func (s *spellings) of(name string) string {
	if known, ok := s.known.Load(name); ok {
		return known.(string)
	}
	written := s.write(name)
	if s.n.Load() < mostNames {
		s.n.Add(1)
		s.known.Store(strings.Clone(name), written)
	}
	return written
}

func lowerName(name string) string { return lower.of(name) }

func canonicalName(name string) string { return canonical.of(name) }
