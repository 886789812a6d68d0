package send

import (
	"math"
	"time"
)

const (
	// ahead is for how long a lane keeps devices at hand where the certificate has a rate. What it
	// holds no other worker can send: one that took all there is would send it with its own share
	// of the rate, while the shares of the others go to waste.
	ahead = time.Second
	// busyAfter is how long a job of a message waits at hand for a place before the lane counts as
	// full: it is stored then, so that its message does not hold up what goes elsewhere.
	busyAfter = 2 * time.Second
	// bulkTurn is how many calls for messages to few users may go before one for a message to many,
	// where both wait.
	bulkTurn = 3
)

// hand is what a lane has at hand: delivered, and on no call yet. The lane's lock guards it.
type hand struct {
	// few are the jobs of messages to few users, bulk those of messages to many; neither holds up
	// the other.
	few, bulk line
	turn      int // calls for few since the last for bulk
	devices   int
	// stored is how many pieces come from PUSH_JOBS.
	stored int
	// perJob is a moving average of a stored job's devices; 0 before the first.
	perJob float64
}

func (h *hand) empty() bool { return h.few.len() == 0 && h.bulk.len() == 0 }

// queue is the one in which a job waits.
func (h *hand) queue(w *work) *line {
	if w.job.Bulk {
		return &h.bulk
	}
	return &h.few
}

// push adds the pieces of a job.
func (h *hand) push(w *work, ps []piece) {
	h.devices += len(w.job.Targets)
	if w.stored {
		h.stored += len(ps)
		n := float64(len(w.job.Targets))
		if h.perJob == 0 {
			h.perJob = n
		}
		h.perJob += (n - h.perJob) / 16
	}
	h.queue(w).push(ps...)
}

// next is the queue whose turn it is. It must not be empty.
func (h *hand) next() *line {
	if h.bulk.len() > 0 && (h.few.len() == 0 || h.turn >= bulkTurn) {
		h.turn = 0
		return &h.bulk
	}
	h.turn++
	return &h.few
}

// used counts n targets of a piece as gone.
func (h *hand) used(p *piece, n int) {
	h.devices -= n
	if n > 0 && len(p.targets) == 0 && p.w.stored {
		h.stored--
	}
}

// back puts pieces of a call, of which there are some, before all others.
func (h *hand) back(ps []piece) {
	h.count(ps)
	h.queue(ps[0].w).back(ps)
}

// again adds pieces of one job, of which there are some, that were at hand before.
func (h *hand) again(ps []piece) {
	h.count(ps)
	h.queue(ps[0].w).push(ps...)
}

func (h *hand) count(ps []piece) {
	for _, p := range ps {
		h.devices += len(p.targets)
		if p.w.stored {
			h.stored++
		}
	}
}

// remove takes out the pieces that leave says, oldest first.
func (h *hand) remove(leave func(p *piece) bool) []piece {
	out := append(h.few.remove(leave), h.bulk.remove(leave)...)
	for _, p := range out {
		h.devices -= len(p.targets)
		if p.w.stored {
			h.stored--
		}
	}
	return out
}

// room is how many stored jobs more are of use at a pace in devices a second, when jobs are on
// their way to the hand already. It is 0 until an eighth of what may be at hand is used up, so that
// jobs are not pulled one by one.
func (h *hand) room(pace float64, jobs int) int {
	capacity := pace * ahead.Seconds()
	switch {
	case capacity <= 0:
		return 0
	case h.perJob == 0: // nobody knows yet how large jobs are
		return max(0, 1-jobs)
	}
	there := float64(h.devices) + float64(jobs)*h.perJob
	if there > 0 && capacity-there < max(1, capacity/8) {
		return 0
	}
	return max(1, int((capacity-there)/h.perJob))
}

// takes says whether devices of a message may be taken to hand at a pace in devices a second.
func (h *hand) takes(pace float64) bool {
	return math.IsInf(pace, 1) || h.devices == 0 || float64(h.devices) < pace*ahead.Seconds()
}
