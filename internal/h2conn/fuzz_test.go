package h2conn

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// hostile is a peer that sends what it was given, whatever it is asked. Its second connection fails
// like the first; there is no third.
type hostile struct {
	script  []byte
	serving sync.WaitGroup
	dials   int
}

var errNoMore = errors.New("no more connections")

func (h *hostile) dial(context.Context, string, string) (net.Conn, error) {
	if h.dials++; h.dials > 2 {
		return nil, errNoMore
	}
	ours, theirs := net.Pipe()
	h.serving.Go(func() { io.Copy(io.Discard, theirs) })
	h.serving.Go(func() {
		defer theirs.Close()
		if _, err := theirs.Write(h.script); err != nil {
			return
		}
		time.Sleep(time.Hour) // and then says nothing more
	})
	return ours, nil
}

// against pushes to a hostile peer. Every push must end in time, with an answer or an error of
// ours.
func against(t *testing.T, script []byte) {
	synctest.Test(t, func(t *testing.T) {
		h := &hostile{script: script}
		tr, err := New("http://push.example", Options{Dial: h.dial, MaxConns: 2, MaxAnswer: 1000, MaxHeader: 1000, MaxAge: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		before := allocated()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				began := time.Now()
				var resp Response
				err := tr.Do(ctx, &Request{Preset: post, Path: "/", Body: bytes.Repeat([]byte("x"), 300)}, &resp)
				var e *Error
				if err != nil && !errors.As(err, &e) {
					t.Errorf("an error of another kind: %v", err)
				}
				if err == nil && (resp.Status < 200 || resp.Status > 999 || len(resp.Body) > 1000) {
					t.Errorf("an answer that is none: %+v", resp)
				}
				if took := time.Since(began); took > 30*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if s := tr.Stats(); s.Active != 0 || s.Waiting != 0 {
			t.Errorf("something is left: %+v", s)
		}
		tr.Close()
		h.serving.Wait()
		if grown := allocated() - before; grown > 8<<20+200*uint64(len(script)) {
			t.Errorf("%d bytes allocated over a script of %d", grown, len(script))
		}
	})
}

// frames makes a script of frames from any bytes: type, flags, stream, length, content, and so on.
// The first is SETTINGS, without which nothing else would be looked at.
func frames(data []byte) []byte {
	var out bytes.Buffer
	w := http2.NewFramer(&out, nil)
	w.WriteSettings()
	for len(data) >= 4 {
		kind, flags, stream, n := data[0]%12, data[1], uint32(data[2]), int(data[3])
		data = data[4:]
		n = min(n, len(data))
		content := data[:n]
		data = data[n:]
		if stream > 20 { // mostly those that exist
			stream %= 4
		}
		switch http2.FrameType(kind) { // make it valid at least now and then
		case http2.FrameWindowUpdate, http2.FrameRSTStream:
			if n < 4 {
				content = binary.BigEndian.AppendUint32(nil, uint32(n)<<uint(flags%32))
			}
			content = content[:4]
		case http2.FramePing:
			content = append(content[:len(content):len(content)], make([]byte, 8)...)[:8]
		}
		w.WriteRawFrame(http2.FrameType(kind), http2.Flags(flags), stream, content)
	}
	return out.Bytes()
}

// seeds are the beginnings of answers that are right, so that the fuzzer can spoil them.
func seeds(add func([]byte)) {
	add(nil)
	add([]byte{1, 0x5, 1, 1, 0x88})                                        // 200 on stream 1
	add([]byte{1, 0x4, 1, 1, 0x88, 0, 1, 1, 2, '{', '}'})                  // with a body
	add([]byte{1, 0x4, 1, 1, 0x88, 1, 5, 1, 5, 0x00, 1, 'a', 1, 'b'})      // with a trailer
	add([]byte{1, 0, 1, 1, 0x88, 9, 0, 1, 0, 9, 4, 1, 0, 0, 1, 1, 0})      // with CONTINUATION
	add([]byte{1, 5, 1, 1, 0x88, 7, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0})      // and a GOAWAY
	add([]byte{3, 0, 1, 4, 0, 0, 0, 7, 3, 0, 3, 4, 0, 0, 0, 7})            // REFUSED_STREAM
	add([]byte{4, 0, 0, 6, 0, 4, 0, 0, 0, 0, 8, 0, 1, 0, 8, 3, 0, 0})      // windows
	add([]byte{4, 0, 0, 6, 0, 1, 0, 0, 0, 0, 6, 0, 0, 8, 6, 1, 0, 8})      // a table of nothing, PING
	add([]byte{1, 0xd, 1, 3, 1, 0x88, 0, 5, 5, 2, 2, 2, 11, 0, 0, 1, 'u'}) // padding, PRIORITY, others
}

// FuzzFrames: frames of any kind, in any order, on any stream.
func FuzzFrames(f *testing.F) {
	seeds(func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, data []byte) { against(t, frames(data)) })
}

// FuzzBytes: anything at all, after the beginning of a connection or without it.
func FuzzBytes(f *testing.F) {
	seeds(func(b []byte) { f.Add(frames(b), false) })
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), false)
	f.Add([]byte("\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\xff\xff\xff"), true)
	f.Fuzz(func(t *testing.T, data []byte, settled bool) {
		if settled {
			data = append(frames(nil), data...)
		}
		against(t, data)
	})
}

// FuzzHeaderBlock: the block of an answer's header, cut into frames anywhere.
func FuzzHeaderBlock(f *testing.F) {
	f.Add([]byte{0x88, 0x40, 1, 'a', 1, 'b'}, uint8(3))
	f.Add([]byte{0x3f, 0xe1, 0x1f, 0x88}, uint8(1))
	f.Fuzz(func(t *testing.T, block []byte, cut uint8) {
		var out bytes.Buffer
		w := http2.NewFramer(&out, nil)
		w.WriteSettings()
		n := min(int(cut), len(block))
		w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:n], EndHeaders: n == len(block), EndStream: true})
		for block = block[n:]; len(block) > 0; {
			n = min(1+int(cut), len(block))
			w.WriteContinuation(1, n == len(block), block[:n])
			block = block[n:]
		}
		against(t, out.Bytes())
	})
}
