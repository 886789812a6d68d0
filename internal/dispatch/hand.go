package dispatch

import (
	"math"
	"sync/atomic"
	"time"
)

// ahead is for how long a lane keeps devices at hand where the certificate has a rate. What it
// holds no other worker can send: one that took all there is would send it with its own share of
// the rate, while the shares of the others go to waste.
const ahead = time.Second

// hand counts the devices that a lane has at hand: delivered, and on no call yet.
type hand struct {
	devices atomic.Int64
	// perJob is a moving average of a job's devices, the bits of a float64; 0 before the first.
	perJob atomic.Uint64
}

// took adds a job's devices. It belongs to the lane's goroutine.
func (h *hand) took(devices int) {
	h.devices.Add(int64(devices))
	mean := math.Float64frombits(h.perJob.Load())
	if mean == 0 {
		mean = float64(devices)
	}
	h.perJob.Store(math.Float64bits(mean + (float64(devices)-mean)/16))
}

// less takes away devices that are on their way, or came to an end without a call.
func (h *hand) less(devices int) { h.devices.Add(-int64(devices)) }

// room is how many jobs more are of use at a pace in devices a second, when jobs are on their way
// to the hand already. It is 0 until an eighth of what may be at hand is used up, so that jobs are
// not pulled one by one.
func (h *hand) room(pace float64, jobs int) int {
	perJob := math.Float64frombits(h.perJob.Load())
	capacity := pace * ahead.Seconds()
	switch {
	case capacity <= 0:
		return 0
	case perJob == 0: // nobody knows yet how large jobs are
		return max(0, 1-jobs)
	}
	there := float64(h.devices.Load()) + float64(jobs)*perJob
	if there > 0 && capacity-there < max(1, capacity/8) {
		return 0
	}
	return max(1, int((capacity-there)/perJob))
}

// more is how many jobs more the lane can use now.
func (l *lane) more() int {
	if l.s.Limiter == nil {
		return l.source.Hold()
	}
	pace := l.s.Limiter.Pace(l.s.Certificate.ID, max(l.limits.Batch, l.limits.Mixed, 1))
	if math.IsInf(pace, 1) {
		return l.source.Hold()
	}
	return l.hand.room(pace, len(l.out))
}
