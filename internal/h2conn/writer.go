package h2conn

import (
	"runtime"
	"time"
)

// wake tells the writer that there is something in the buffer.
func (c *conn) wake() {
	if !c.writing {
		c.writing = true
		c.ready <- struct{}{}
	}
}

// writeLoop writes what gathers in the buffer, until the connection shall be closed, and closes it.
// It is the only goroutine that writes to the network, and keeps the connection's time.
func (c *conn) writeLoop() {
	timer := time.NewTimer(c.keeper.next())
	defer timer.Stop()
	w := writer{c: c}
	for {
		select {
		case <-c.ready:
		case <-timer.C:
			c.t.mu.Lock()
			silent := c.keep(time.Now())
			c.t.mu.Unlock()
			if silent {
				c.raw.Close()
				return
			}
			timer.Reset(c.keeper.next())
			continue
		}
		// Whoever else is about to send something does so first.
		runtime.Gosched()
		for {
			out, closing := w.take(time.Now())
			if len(out) == 0 {
				if closing {
					c.nc.Close()
					return
				}
				break
			}
			if _, err := c.nc.Write(out); err != nil {
				c.lose(err)
				return
			}
			w.put(out)
		}
	}
}

// writer has what belongs to the write loop alone.
type writer struct {
	c        *conn
	spare    []byte // for the frames that come while the others are written
	deadline time.Time
}

// take returns what is to be written, and whether the connection shall be closed after it.
func (w *writer) take(now time.Time) (out []byte, closing bool) {
	c := w.c
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	if len(c.out.b) == 0 {
		c.writing = false
		return nil, c.closing
	}
	out, c.out.b, w.spare = c.out.b, w.spare[:0], nil
	c.handed += int64(len(out))
	if len(out) > maxOut {
		c.t.fill()
	}
	// Moving the deadline costs more than all the rest here, so it is done now and then. When the
	// connection ends, Close may have set a nearer one.
	if timeout := c.t.opts.PingTimeout; !c.closing && w.deadline.Sub(now) < timeout {
		w.deadline = now.Add(2 * timeout)
		c.raw.SetWriteDeadline(w.deadline) // on a closed connection the write fails
	}
	return out, c.closing
}

// put takes a buffer back, unless it has grown large.
func (w *writer) put(out []byte) {
	if cap(out) <= keepBuffer {
		w.spare = out
	}
}

// keepBuffer is the largest buffer that is kept for the next write.
const keepBuffer = 128 << 10

// lastWords is how long the reader may look for the reason after a write has failed.
const lastWords = time.Second

// lose takes note of a write that failed, and gives the reader time to find out why: the peer may
// have sent a GOAWAY or a TLS alert before it closed the connection.
func (c *conn) lose(err error) {
	c.t.mu.Lock()
	c.writeErr = err
	c.retire()
	c.t.fill()
	c.t.mu.Unlock()
	c.raw.SetReadDeadline(time.Now().Add(lastWords)) // it fails if the reader is about to end anyway
	<-c.gone
	c.raw.Close()
}

// stop ends the connection soon, even if the peer takes nothing any more.
func (c *conn) stop() {
	c.fail(ErrClosed)
	c.raw.SetDeadline(time.Now().Add(lastWords)) // on a closed connection there is nothing to stop
}
