package replay

import (
	"context"
	"sync"
	"time"
)

// watcher says how far the run of a task is, keeps its lease, and ends it where it is cancelled.
type watcher struct {
	desk   *Desk
	before Counts // of the runs before

	mu   sync.Mutex
	task Task
}

// note takes over the counts of the run.
func (w *watcher) note(c Counts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.task.Counts = c.After(w.before)
}

// now is the task as it stands.
func (w *watcher) now() Task {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.task
}

// run watches until ctx ends. What fails is tried again at the next tick: the run goes on, since
// each letter comes back once whoever looks.
func (w *watcher) run(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(deskTick)
	defer tick.Stop()
	said := w.before
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		call, done := context.WithTimeout(ctx, deskCall)
		_ = w.desk.Notes.Put(call, leaseKey(w.task.ID), w.desk.leaseValue(), leaseTTL)
		if asked, err := w.desk.Notes.Get(call, cancelKey(w.task.ID)); err == nil && asked != nil {
			cancel(ErrCancelled)
		} else if t := w.now(); t.Counts != said {
			t.Updated = w.desk.now().UTC()
			if w.desk.Save(call, &t) == nil {
				said = t.Counts
			}
		}
		done()
	}
}
