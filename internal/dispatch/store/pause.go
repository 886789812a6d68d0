package store

import "context"

// Debtor is who makes attempts and may have to pause.
type Debtor struct {
	// Vendor is whose jobs it sends.
	Vendor string
	owes   int // jobs and letters of its own that are not stored; the recorder's lock guards it
}

// Pause waits while attempts must not be made: while too much waits to be stored, or while a stream
// does not take what the owner owes. It returns false when ctx ends before. A nil owner is the
// router. paused, which may be nil, is told when it begins to wait and when that is over.
func (r *Recorder) Pause(ctx context.Context, owner *Debtor, paused func(bool)) bool {
	said := false
	defer func() {
		if said {
			paused(false)
		}
	}()
	for {
		r.mu.Lock()
		if !r.paused(owner) {
			r.mu.Unlock()
			return true
		}
		if r.freed == nil {
			r.freed = make(chan struct{})
		}
		freed := r.freed
		r.mu.Unlock()
		if !said && paused != nil {
			said = true
			paused(true)
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

func (r *Recorder) paused(owner *Debtor) bool {
	if r.bytes >= maxUnstored {
		return true
	}
	if owner == nil || len(r.owed) == 0 {
		return false
	}
	return owner.owes > 0 || r.owed[jobStream(owner.Vendor)] > 0
}
