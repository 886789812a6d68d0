package h2conn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

var post = func() *Preset {
	p, err := NewPreset("POST", Field{Name: "apns-topic", Value: "com.example.im"})
	if err != nil {
		panic(err)
	}
	return p
}()

// push sends a body to a path and returns the status. The peer's answer names the path that was
// asked for; one that names another is the answer to another push. A push that nobody answers fails
// after an hour: the PINGs of a live connection would keep a bubble's time going for ever.
func push(ctx context.Context, tr *Transport, path, body string) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	resp := &Response{}
	err := tr.Do(ctx, &Request{Preset: post, Path: path, Body: []byte(body)}, resp)
	if err == nil && resp.Get("for") != path {
		return nil, fmt.Errorf("the answer for %s reached %s", resp.Get("for"), path)
	}
	return resp, err
}

// wantOK pushes once.
func wantOK(t *testing.T, tr *Transport) {
	t.Helper()
	if resp, err := push(t.Context(), tr, "/ok", "{}"); err != nil || resp.Status != 200 {
		t.Errorf("got %v, want an answer 200", err)
	}
}

// wantError pushes once and wants a failure.
func wantError(t *testing.T, tr *Transport, o Outcome, is func(error) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := push(ctx, tr, "/fails", "{}")
	var e *Error
	if !errors.As(err, &e) || e.Outcome != o || !is(err) {
		t.Errorf("got %v (%+v), want the outcome %v", err, e, o)
	}
}

func asGoAway(debug string) func(error) bool {
	return func(err error) bool {
		var away *GoAwayError
		return errors.As(err, &away) && string(away.Debug) == debug
	}
}

func asReset(code http2.ErrCode) func(error) bool {
	return func(err error) bool {
		var reset *ResetError
		return errors.As(err, &reset) && reset.Code == code
	}
}

func asProtocol(code http2.ErrCode) func(error) bool {
	return func(err error) bool {
		var p *ProtocolError
		return errors.As(err, &p) && p.Code == code
	}
}

func as(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// storm pushes n times at once, and returns what became of each.
func storm(ctx context.Context, tr *Transport, n int) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = push(ctx, tr, fmt.Sprintf("/%d", i), "{}") })
	}
	wg.Wait()
	return errs
}

// failed are the errors among them.
func failed(errs []error) []error {
	var bad []error
	for _, err := range errs {
		if err != nil {
			bad = append(bad, err)
		}
	}
	return bad
}

// after answers a request a moment later, so that the streams of a storm overlap.
func (c *peerConn) after(d time.Duration, r *request) {
	c.p.serving.Go(func() {
		time.Sleep(d)
		c.answer(r, "200", "")
	})
}

func streams(n uint32) []http2.Setting {
	return []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: n}}
}
