package h2conn

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// head collects one header of the peer's, over HEADERS and CONTINUATION frames. It belongs to the
// reader.
type head struct {
	decoder *hpack.Decoder
	max     uint32

	stream  uint32
	end     bool // the stream ends with it
	bytes   int  // encoded
	status  int
	fields  []Field
	size    uint32
	regular bool // a field that is not a pseudo field has come
	err     error
}

func (h *head) begin(stream uint32, end bool) {
	h.stream, h.end = stream, end
	h.bytes, h.status, h.size, h.regular, h.err = 0, 0, 0, false, nil
	h.fields = h.fields[:0]
	h.decoder.SetEmitEnabled(true)
}

// emit takes a field from the decoder, which goes on to keep its table right when the header as a
// whole is no longer wanted.
func (h *head) emit(f Field) {
	h.size += f.Size()
	switch {
	case h.size > h.max:
		h.refuse(ErrAnswerTooLarge)
	case f.IsPseudo():
		status, err := strconv.Atoi(f.Value)
		if f.Name != ":status" || h.status != 0 || h.regular || err != nil || len(f.Value) != 3 || status < 100 {
			h.refuse(fmt.Errorf("%w: a wrong pseudo field", ErrMalformed))
		}
		h.status = status
	case !validName(f.Name) || !httpguts.ValidHeaderFieldValue(f.Value):
		h.refuse(fmt.Errorf("%w: a wrong field", ErrMalformed))
	default:
		h.regular = true
		h.fields = append(h.fields, f)
	}
}

func (h *head) refuse(err error) {
	if h.err == nil {
		h.err = err
	}
	h.decoder.SetEmitEnabled(false)
}

// validName reports whether a name is a token in lower case (RFC 9113, 8.2.1).
func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c >= 'A' && c <= 'Z' || !httpguts.IsTokenRune(rune(c)) {
			return false
		}
	}
	return name != ""
}

// validPath reports whether a path can stand in a request.
func validPath(path string) bool {
	for i := 0; i < len(path); i++ {
		if path[i] <= ' ' || path[i] >= 0x7f {
			return false
		}
	}
	return path != "" && path[0] == '/'
}

// readLoop reads frames until the connection ends, and then ends its calls.
func (c *conn) readLoop() {
	defer close(c.gone)
	err := c.read()
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	c.fail(err)
}

func (c *conn) read() error {
	for {
		fh, err := c.framer.ReadFrameHeader()
		var frame http2.Frame
		if err == nil {
			frame, err = c.framer.ReadFrameForHeader(fh)
		}
		if err != nil {
			err = c.unreadable(fh, err)
		} else {
			err = c.dispatch(frame)
		}
		if err != nil {
			return err
		}
	}
}

// unreadable turns what the Framer says of a frame into the end of the connection, or of one stream
// where the rules ask for that.
func (c *conn) unreadable(fh http2.FrameHeader, err error) error {
	var stream http2.StreamError
	var whole http2.ConnectionError
	switch {
	case errors.As(err, &stream) && fh.Type == http2.FrameWindowUpdate: // of zero bytes
		c.t.mu.Lock()
		defer c.t.mu.Unlock()
		if k := c.streams[stream.StreamID]; k != nil {
			c.reset(k, stream.Code)
			c.t.end(k, &Error{Unknown, broken(stream.Code, "a WINDOW_UPDATE of nothing")})
			c.t.fill()
		}
		return c.bear()
	case errors.As(err, &stream):
		return broken(stream.Code, "an invalid %v frame", fh.Type)
	case errors.As(err, &whole):
		if detail := c.framer.ErrorDetail(); detail != nil {
			return broken(http2.ErrCode(whole), "%v", detail)
		}
		return broken(http2.ErrCode(whole), "an invalid %v frame", fh.Type)
	case errors.Is(err, http2.ErrFrameTooLarge):
		return broken(http2.ErrCodeFrameSize, "a frame of %d bytes", fh.Length)
	case errors.Is(err, io.ErrUnexpectedEOF) && fh.Length < 6 && fh.Flags&(http2.FlagDataPadded|http2.FlagHeadersPriority) != 0:
		// Either the connection ended here, or the frame is shorter than its flags say.
		return broken(http2.ErrCodeFrameSize, "a short %v frame", fh.Type)
	}
	return err
}

// dispatch acts on a frame.
func (c *conn) dispatch(frame http2.Frame) error {
	switch f := frame.(type) { // what needs no lock
	case *http2.HeadersFrame:
		if !c.settled {
			return errNotSettled(f)
		}
		c.head.begin(f.StreamID, f.StreamEnded())
		return c.fragment(f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.ContinuationFrame:
		return c.fragment(f.HeaderBlockFragment(), f.HeadersEnded())
	}
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	if s, ok := frame.(*http2.SettingsFrame); ok {
		return c.settings(s)
	}
	if !c.settled {
		return errNotSettled(frame)
	}
	switch f := frame.(type) {
	case *http2.DataFrame:
		return c.data(f)
	case *http2.WindowUpdateFrame:
		return c.windowUpdate(f)
	case *http2.RSTStreamFrame:
		return c.rstStream(f)
	case *http2.GoAwayFrame:
		return c.goAway(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			c.framer.WritePing(true, f.Data)
			c.wake()
		}
	case *http2.PushPromiseFrame:
		return broken(http2.ErrCodeProtocol, "a PUSH_PROMISE, which our SETTINGS forbid")
	}
	return c.bear()
}

// errNotSettled: a connection begins with SETTINGS (RFC 9113, 3.4).
func errNotSettled(f http2.Frame) error {
	return broken(http2.ErrCodeProtocol, "the first frame is %v and not SETTINGS", f.Header().Type)
}

// fragment takes a part of a header. It is called without the lock.
func (c *conn) fragment(part []byte, last bool) error {
	h := &c.head
	// Even an encoding without any compression is hardly longer than what it stands for.
	if h.bytes += len(part); h.bytes > 2*int(h.max) {
		return broken(http2.ErrCodeEnhanceYourCalm, "a header without end")
	}
	_, err := h.decoder.Write(part)
	if err == nil && last {
		err = h.decoder.Close()
	}
	switch {
	case errors.Is(err, hpack.ErrStringLength):
		return broken(http2.ErrCodeEnhanceYourCalm, "a header field is too long")
	case err != nil:
		return broken(http2.ErrCodeCompression, "a header that cannot be decoded")
	}
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	if !last {
		return c.bear()
	}
	return c.headers(h)
}

// Everything from here on is called with the lock held.

// find returns the call of a stream, or nil if it has ended. A stream that never began is a mistake
// of the peer's.
func (c *conn) find(id uint32, t http2.FrameType) (*call, error) {
	if k := c.streams[id]; k != nil {
		return k, nil
	}
	if id%2 == 0 || id >= c.nextID {
		return nil, broken(http2.ErrCodeProtocol, "%v on stream %d, which was never opened", t, id)
	}
	return nil, c.bear()
}

func (c *conn) headers(h *head) error {
	k, err := c.find(h.stream, http2.FrameHeaders)
	if k == nil {
		return err
	}
	switch {
	case h.err != nil:
		return c.refuse(k, h.err)
	case k.answered && (h.status != 0 || !h.end):
		return c.refuse(k, fmt.Errorf("%w: a second header", ErrMalformed))
	case k.answered:
		k.resp.Trailer = append(k.resp.Trailer, h.fields...)
	case h.status == 0:
		return c.refuse(k, fmt.Errorf("%w: no status", ErrMalformed))
	case h.status < 200:
		if h.end || h.status == 101 {
			return c.refuse(k, fmt.Errorf("%w: a wrong interim status", ErrMalformed))
		}
		return c.bear()
	default:
		k.answered = true
		k.resp.Status = h.status
		k.resp.Header = append(k.resp.Header, h.fields...)
		for _, f := range h.fields {
			if f.Name != "content-length" {
				continue
			}
			n, err := strconv.ParseUint(f.Value, 10, 63)
			if err != nil || k.length >= 0 && k.length != int64(n) {
				return c.refuse(k, fmt.Errorf("%w: a wrong content-length", ErrMalformed))
			}
			k.length = int64(n)
		}
	}
	if h.end {
		return c.finish(k)
	}
	return nil
}

func (c *conn) data(f *http2.DataFrame) error {
	n := int64(f.Length) // with padding
	if c.received += n; c.received > connWindow {
		return broken(http2.ErrCodeFlowControl, "more DATA than the connection has room for")
	}
	k, err := c.find(f.StreamID, http2.FrameData)
	if k == nil {
		c.giveBack(n)
		return err
	}
	k.received += n
	k.resp.Body = append(k.resp.Body, f.Data()...)
	limit := c.t.opts.MaxAnswer
	switch {
	case !k.answered:
		return c.refuse(k, fmt.Errorf("%w: a body before the header", ErrMalformed))
	case len(k.resp.Body) > limit, k.received > int64(limit+streamWindow):
		return c.refuse(k, ErrAnswerTooLarge)
	case f.StreamEnded():
		return c.finish(k)
	case len(f.Data()) == 0:
		return c.bear()
	}
	return nil
}

// finish ends a call whose answer is complete.
func (c *conn) finish(k *call) error {
	if n := int64(len(k.resp.Body)); k.length >= 0 && k.length != n && !(n == 0 && bodiless(k)) {
		return c.refuse(k, fmt.Errorf("%w: the body is not as long as its content-length", ErrMalformed))
	}
	t := c.t
	if len(k.unsent) > 0 {
		c.reset(k, http2.ErrCodeCancel) // the peer needs no more to know the answer
	} else {
		c.drop(k)
	}
	c.relieve(16)
	c.failures = 0
	c.answers++
	t.answers++
	t.starved = 0
	if !c.warm {
		c.warm = true
		t.failures = 0
	}
	if t.opts.Spent != nil && t.opts.Spent(k.resp.Status, k.resp.Body) {
		c.retire()
	}
	t.end(k, nil)
	t.fill()
	return nil
}

// bodiless reports whether an answer may tell the length of a body that it does not have (RFC 9110,
// 8.6).
func bodiless(k *call) bool {
	return k.req.Preset.fields[0].Value == http.MethodHead || k.resp.Status == http.StatusNotModified
}

// refuse ends a call whose answer cannot be used. The connection goes on.
func (c *conn) refuse(k *call, cause error) error {
	code := http2.ErrCodeProtocol
	if errors.Is(cause, ErrAnswerTooLarge) {
		code = http2.ErrCodeCancel
	}
	c.reset(k, code)
	c.t.end(k, &Error{Unknown, cause})
	c.t.fill()
	return c.bear()
}

func (c *conn) rstStream(f *http2.RSTStreamFrame) error {
	k, err := c.find(f.StreamID, f.Type)
	if k == nil {
		return err
	}
	c.drop(k)
	cause := &ResetError{Code: f.ErrCode}
	if f.ErrCode == http2.ErrCodeRefusedStream {
		if !c.warm { // what refuses even a single request is of no use
			c.disappoint()
			c.retire()
		}
		c.t.again(k, Refused, cause)
	} else {
		c.t.end(k, &Error{Unknown, cause})
	}
	c.t.fill()
	return nil
}

func (c *conn) windowUpdate(f *http2.WindowUpdateFrame) error {
	if f.StreamID == 0 {
		if c.window += int64(f.Increment); c.window > 1<<31-1 {
			return broken(http2.ErrCodeFlowControl, "a window above 2^31-1")
		}
		c.unblock()
		c.t.fill()
		return c.bear()
	}
	k, err := c.find(f.StreamID, f.Type)
	if k == nil {
		return err
	}
	if k.window += int64(f.Increment); k.window > 1<<31-1 {
		c.reset(k, http2.ErrCodeFlowControl)
		c.t.end(k, &Error{Unknown, broken(http2.ErrCodeFlowControl, "a stream's window above 2^31-1")})
		c.t.fill()
		return nil
	}
	if k.blocked {
		c.unblock()
	}
	return c.bear()
}

func (c *conn) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		if !c.settled {
			return errNotSettled(f)
		}
		return c.bear()
	}
	c.settled = true
	for i := range f.NumSettings() {
		s := f.Setting(i)
		if err := s.Valid(); err != nil {
			return broken(http2.ErrCodeProtocol, "an invalid value of %v", s.ID)
		}
		switch s.ID {
		case http2.SettingHeaderTableSize:
			c.enc.resize(s.Val)
		case http2.SettingEnablePush:
			if s.Val != 0 {
				return broken(http2.ErrCodeProtocol, "a server with ENABLE_PUSH")
			}
		case http2.SettingMaxConcurrentStreams:
			c.limit = int(min(s.Val, uint32(c.t.opts.MaxStreams)))
		case http2.SettingInitialWindowSize:
			change := int64(s.Val) - c.initial
			c.initial = int64(s.Val)
			for _, k := range c.streams {
				if k.window += change; k.window > 1<<31-1 {
					return broken(http2.ErrCodeFlowControl, "a stream's window above 2^31-1")
				}
			}
		case http2.SettingMaxFrameSize:
			c.maxFrame = int(min(s.Val, 4*minFrame))
		case http2.SettingMaxHeaderListSize:
			c.headerList = s.Val
		}
	}
	c.framer.WriteSettingsAck()
	c.wake()
	c.unblock()
	c.t.fill()
	return c.bear()
}

// maxDebug is how much of a GOAWAY's debug data is kept.
const maxDebug = 4 << 10

// goAway ends the use of the connection for new requests. Those that the peer certainly did not
// process go to another one; the others may still be answered. A peer that closes in peace sends
// one GOAWAY with the highest possible stream first, and another one later.
func (c *conn) goAway(f *http2.GoAwayFrame) error {
	t := c.t
	last, debug := f.LastStreamID, f.DebugData()
	if c.away != nil && len(debug) == 0 {
		debug = c.away.Debug
	}
	c.away = &GoAwayError{Code: f.ErrCode, Last: last, Debug: append([]byte(nil), debug[:min(len(debug), maxDebug)]...)}
	fatal := t.opts.Fatal != nil && t.opts.Fatal(c.away)
	c.disappoint()
	calls := c.after(last)
	c.retire()
	for _, k := range calls {
		c.drop(k)
		if fatal {
			t.end(k, &Error{Refused, c.away})
		} else {
			t.again(k, Refused, c.away)
		}
	}
	if fatal && !c.warm {
		t.failWaiting(Refused, c.away)
	}
	t.fill()
	return c.bear()
}
