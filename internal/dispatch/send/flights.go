package send

import "sync"

// idleFlights is how many goroutines without a call are kept: their stacks have grown already,
// which a new one's has not.
const idleFlights = 256

// Flights are the goroutines in which calls are made, for all senders of a worker. The zero value
// is ready. It may be used by many goroutines.
type Flights struct {
	mu     sync.Mutex
	idle   []chan *call
	closed bool
	all    sync.WaitGroup
}

// fly makes a call in a goroutine of its own.
func (f *Flights) fly(c *call) {
	f.mu.Lock()
	if n := len(f.idle); n > 0 {
		seat := f.idle[n-1]
		f.idle = f.idle[:n-1]
		f.mu.Unlock()
		seat <- c
		return
	}
	f.mu.Unlock()
	f.all.Go(func() { f.run(c) })
}

func (f *Flights) run(c *call) {
	seat := make(chan *call, 1)
	for ok := true; ok; c, ok = <-seat {
		c.lane.call(c)
		f.mu.Lock()
		if f.closed || len(f.idle) >= idleFlights {
			f.mu.Unlock()
			return
		}
		f.idle = append(f.idle, seat)
		f.mu.Unlock()
	}
}

// Close ends the goroutines without a call, and waits for those that have one. No call may begin
// any more.
func (f *Flights) Close() {
	f.mu.Lock()
	f.closed = true
	for _, seat := range f.idle {
		close(seat)
	}
	f.idle = nil
	f.mu.Unlock()
	f.all.Wait()
}
