package h2conn

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// conn is one connection. Its fields are guarded by Transport.mu where nothing else is said.
//
//	cold ──first answer──▶ warm ──GOAWAY, age, failures──▶ retired ──last answer──▶ closing ─▶ gone
//	  one request           as many as the peer allows       none
type conn struct {
	t      *Transport
	nc     net.Conn
	raw    net.Conn      // below TLS
	framer *http2.Framer // read by the reader, written with the lock held
	reads  atomic.Uint64 // how often something came

	enc     *encoder
	block   []byte // of the header that is being written
	out     buffer // frames that wait to be written
	handed  int64  // bytes ever taken out of it and given to the network
	writing bool   // the writer knows that there is something
	ready   chan struct{}
	gone    chan struct{} // closed when the reader has ended

	streams map[uint32]*call
	nextID  uint32
	blocked []*call // of them, those whose body is not sent yet
	started uint64  // calls ever
	answers uint64  // of them, those that were answered

	// What the peer allows.
	limit      int   // streams
	window     int64 // bytes of DATA on the whole connection
	initial    int64 // … on a new stream
	maxFrame   int
	headerList uint32
	settled    bool // its first SETTINGS came

	received int64 // bytes of DATA frames whose room was not given back
	credit   int64 // of them, those that can be given back
	burden   int   // frames of the peer that brought nothing, see bear

	warm     bool
	aged     bool
	retired  bool
	closing  bool // the writer shall close it when everything is written
	dead     bool // the reader has ended, or was given up
	failures int  // calls in a row whose time ran out
	counted  bool // it is one of Transport.failures
	away     *GoAwayError
	writeErr error

	keeper keeper // of the writer
	head   head   // of the reader
}

const (
	// streamWindow is what the peer may send on one stream, beside Options.MaxAnswer: one byte more
	// shows that the answer is too long.
	streamWindow = 1
	// connWindow is what it may send on all streams whose answers are incomplete.
	connWindow = 1 << 20
	// creditStep is how much room is given back at once.
	creditStep = connWindow / 4
	// minFrame is the largest frame that every peer takes (RFC 9113, 4.2).
	minFrame = 16 << 10
	// lastID is where stream ids end. The next request needs another connection.
	lastID = 1<<31 - 1
	// maxBurden is how many frames that bring nothing a peer may send, beyond those that requests
	// account for, between two looks of the keeper.
	maxBurden = 10_000
)

// buffer collects what the Framer writes.
type buffer struct{ b []byte }

func (b *buffer) Write(p []byte) (int, error) {
	b.b = append(b.b, p...)
	return len(p), nil
}

// counted counts the reads.
type counted struct {
	io.Reader
	n *atomic.Uint64
}

func (r counted) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.n.Add(1)
	}
	return n, err
}

// newConn begins HTTP/2 on a connection. The caller starts its two loops.
func newConn(t *Transport, nc net.Conn) *conn {
	c := &conn{
		t: t, nc: nc, raw: nc, enc: newEncoder(t.literals), ready: make(chan struct{}, 1), gone: make(chan struct{}),
		streams: map[uint32]*call{}, nextID: 1, limit: t.opts.MaxStreams,
		window: 65535, initial: 65535, maxFrame: minFrame, headerList: 1<<32 - 1,
	}
	if tc, ok := nc.(*tls.Conn); ok {
		c.raw = tc.NetConn()
	}
	c.framer = http2.NewFramer(&c.out, bufio.NewReaderSize(counted{nc, &c.reads}, minFrame))
	c.framer.SetMaxReadFrameSize(minFrame)
	c.framer.SetReuseFrames()
	c.head.decoder = hpack.NewDecoder(tableMax, c.head.emit)
	c.head.max = uint32(t.opts.MaxHeader)
	c.head.decoder.SetMaxStringLength(t.opts.MaxHeader)
	now := time.Now()
	c.keeper = keeper{pingIdle: t.opts.PingIdle, pingTimeout: t.opts.PingTimeout, idle: t.opts.IdleTimeout, look: now, heard: now, calm: now}
	if t.opts.MaxAge > 0 {
		c.keeper.expires = now.Add(time.Duration(float64(t.opts.MaxAge) * (0.9 + 0.2*rand.Float64())))
	}
	c.out.b = append(c.out.b, http2.ClientPreface...)
	// Writes into a buffer do not fail, and the frames are valid: the errors of the Framer's write
	// methods are always nil here.
	c.framer.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(t.opts.MaxAnswer + streamWindow)},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: uint32(t.opts.MaxHeader)},
	)
	c.framer.WriteWindowUpdate(0, connWindow-65535)
	c.wake()
	return c
}

// takes reports whether a call can start now.
func (c *conn) takes(k *call) bool {
	if c.retired || len(c.streams) >= c.limit || len(c.out.b) > maxOut {
		return false
	}
	if !c.warm && len(c.streams) > 0 {
		return false
	}
	// A body that waits for room would keep its stream for nothing.
	return c.window >= int64(min(len(k.req.Body), minFrame))
}

// rank orders the connections for a new call.
func (c *conn) rank() int {
	switch {
	case c.aged:
		return 2
	case c.warm:
		return 1
	}
	return 0
}

// start puts a call's frames into the buffer.
func (c *conn) start(k *call) {
	req := k.req
	if c.headerList < 1<<32-1 && c.t.listSize(req) > uint64(c.headerList) {
		c.t.end(k, &Error{NotSent, ErrHeaderTooLarge})
		return
	}
	block := c.encode(req)
	k.state, k.conn, k.id, k.window, k.start = active, c, c.nextID, c.initial, c.handed+int64(len(c.out.b))
	k.answered, k.length, k.received, k.mark = false, -1, 0, c.answers
	k.resp.Status, k.resp.Header, k.resp.Trailer, k.resp.Body = 0, k.resp.Header[:0], k.resp.Trailer[:0], k.resp.Body[:0]
	c.nextID += 2
	c.started++
	c.streams[k.id] = k
	first := block[:min(len(block), c.maxFrame)]
	rest := block[len(first):]
	c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: k.id, BlockFragment: first, EndHeaders: len(rest) == 0, EndStream: len(req.Body) == 0})
	for len(rest) > 0 {
		next := rest[:min(len(rest), c.maxFrame)]
		rest = rest[len(next):]
		c.framer.WriteContinuation(k.id, len(rest) == 0, next)
	}
	k.unsent = req.Body
	if len(k.unsent) > 0 && !c.send(k) {
		k.blocked = true
		c.blocked = append(c.blocked, k)
	}
	c.wake()
	if c.nextID > lastID {
		c.retire()
	}
}

// encode writes a request's header. The path comes first, because a Preset has both pseudo fields,
// which must be before all others, and others.
func (c *conn) encode(req *Request) []byte {
	e := c.enc
	b := e.begin(c.block[:0])
	b = appendLiteral(b, withoutIndexing, staticNames[":path"], Field{Name: ":path", Value: req.Path})
	b = e.preset(b, req.Preset, c.t.scheme, c.t.authority)
	if req.Literal != nil {
		b = append(b, req.Literal.block...)
	}
	for i := range req.Fields {
		switch f := req.Fields[i]; {
		case !req.plain:
			b = e.literal(b, f)
		case f.Name == "authorization":
			b = e.repeated(b, f)
		default:
			b = e.append(b, f)
		}
	}
	c.block = b
	return b
}

// listSize is the size of a request's header (RFC 9113, 6.5.2).
func (t *Transport) listSize(req *Request) uint64 {
	n := Field{Name: ":path", Value: req.Path}.Size() + Field{Name: ":scheme", Value: t.scheme}.Size() + Field{Name: ":authority", Value: t.authority}.Size()
	if req.Literal != nil {
		n += req.Literal.size
	}
	size := uint64(n)
	for _, fields := range [][]Field{req.Preset.fields, req.Fields} {
		for _, f := range fields {
			size += uint64(f.Size())
		}
	}
	return size
}

// send puts as much of a call's body into the buffer as the peer has room for. It reports whether
// that was all.
func (c *conn) send(k *call) bool {
	for {
		n := min(len(k.unsent), c.maxFrame, int(min(c.window, k.window)))
		if n <= 0 {
			return false
		}
		last := n == len(k.unsent)
		c.framer.WriteData(k.id, last, k.unsent[:n])
		k.unsent = k.unsent[n:]
		c.window -= int64(n)
		k.window -= int64(n)
		c.relieve(4)
		if last {
			return true
		}
	}
}

// unblock sends more of the bodies that wait for room, oldest first.
func (c *conn) unblock() {
	if len(c.blocked) == 0 {
		return
	}
	before := len(c.out.b)
	c.blocked = slices.DeleteFunc(c.blocked, func(k *call) bool {
		if c.window <= 0 || k.window <= 0 || !c.send(k) {
			return false
		}
		k.blocked = false
		return true
	})
	if len(c.out.b) > before {
		c.wake()
	}
}

// drop takes a call from the connection, which may end with it. From here on no frame of its stream
// reaches the call.
func (c *conn) drop(k *call) {
	delete(c.streams, k.id)
	if k.blocked {
		k.blocked = false
		i := slices.Index(c.blocked, k)
		c.blocked = slices.Delete(c.blocked, i, i+1)
	}
	c.giveBack(k.received)
	if c.retired && len(c.streams) == 0 {
		c.close()
	}
}

// giveBack lets the peer send more, once it is worth a frame.
func (c *conn) giveBack(n int64) {
	c.credit += n
	if c.credit >= creditStep && !c.closing {
		c.framer.WriteWindowUpdate(0, uint32(c.credit))
		c.received -= c.credit
		c.credit = 0
		c.wake()
	}
}

// cancel ends a call's stream from our side.
func (c *conn) cancel(k *call) { c.reset(k, http2.ErrCodeCancel) }

func (c *conn) reset(k *call, code http2.ErrCode) {
	c.framer.WriteRSTStream(k.id, code)
	c.wake()
	c.drop(k)
}

// retire lets the connection end when its last request has.
func (c *conn) retire() {
	if c.retired {
		return
	}
	c.retired = true
	if i := slices.Index(c.t.conns, c); i >= 0 {
		c.t.conns = slices.Delete(c.t.conns, i, i+1)
	}
	if len(c.streams) == 0 {
		c.close()
	}
}

// disappoint counts a connection that ends before it has answered anything, so that the next one is
// opened a little later.
func (c *conn) disappoint() {
	if !c.warm && !c.counted {
		c.counted = true
		c.t.failures++
	}
}

// close has the writer close the connection when everything is written.
func (c *conn) close() {
	if !c.closing {
		c.closing = true
		c.framer.WriteGoAway(0, http2.ErrCodeNo, nil)
		c.wake()
	}
}

// fail ends the connection and all its calls. Those of which no byte was written go to another one.
func (c *conn) fail(err error) {
	if c.dead {
		return
	}
	t := c.t
	cause := c.cause(err)
	c.dead = true
	delete(t.all, c)
	if !c.closing {
		c.disappoint()
	}
	calls := c.after(0)
	c.retire()
	var broken *ProtocolError
	if errors.As(err, &broken) {
		c.framer.WriteGoAway(0, broken.Code, nil)
	}
	c.closing = true
	c.wake()
	var alert *AlertError
	hopeless := errors.As(cause, &alert) && alert.Certificate()
	for _, k := range calls {
		c.drop(k)
		switch {
		case hopeless && !c.warm: // the peer read none of it
			t.end(k, &Error{Refused, cause})
		case k.start >= c.handed:
			t.again(k, NotSent, cause)
		default:
			t.end(k, &Error{Unknown, cause})
		}
	}
	if hopeless && !c.warm {
		t.failWaiting(Refused, cause)
	}
	t.fill()
}

// after returns the calls of all streams above one, newest first.
func (c *conn) after(id uint32) []*call {
	var calls []*call
	for _, k := range c.streams {
		if k.id > id {
			calls = append(calls, k)
		}
	}
	slices.SortFunc(calls, func(a, b *call) int { return int(b.id) - int(a.id) })
	return calls
}

// cause is the best that is known of why the connection ended: our own finding, what the peer said,
// what the network said.
func (c *conn) cause(err error) error {
	var broken *ProtocolError
	var alert *AlertError
	switch {
	case errors.As(err, &broken), errors.Is(err, ErrClosed), errors.Is(err, ErrSilent):
		return err
	case c.away != nil:
		return c.away
	case errors.As(named(err), &alert):
		return alert
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrLost
	case c.writeErr != nil:
		return c.writeErr
	}
	return err
}

// bear counts a frame of the peer that brings no request forward: PING, SETTINGS, WINDOW_UPDATE,
// whatever is unknown, empty, or comes too late. A peer may send them, but not without end.
func (c *conn) bear() error {
	if c.burden++; c.burden > maxBurden {
		return broken(http2.ErrCodeEnhanceYourCalm, "a flood of frames that bring nothing")
	}
	return nil
}

// relieve allows the frames that usually come with a request.
func (c *conn) relieve(n int) { c.burden = max(c.burden-n, 0) }
