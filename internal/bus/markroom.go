package bus

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
)

// markRoom keeps PUSH_MARKS bounded for each app: a flood of signals takes away that app's own
// oldest marks, and no other's.
type markRoom struct {
	mu    sync.Mutex
	total laterCount
	of    map[string]*laterCount // by app
}

// roomMarks makes room for one more mark, where it has to. What fails stays for the next one.
func (b *Bus) roomMarks(ctx context.Context, subject string) {
	x, err := b.topology.Subjects.Parse(subject)
	if err != nil || x.Kind != hongyan.KindMark {
		return
	}
	limit := uint64(cmp.Or(b.topology.MaxMarks, marksPerApp))
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r := &b.markRoom
	r.mu.Lock()
	defer r.mu.Unlock()
	total := r.total.refresh(func() (uint64, error) {
		s, err := b.js.Stream(ctx, b.topology.Marks())
		if err != nil {
			return 0, err
		}
		return s.CachedInfo().State.Msgs, nil
	})
	r.total.n++
	if total < limit { // then no app alone has as many
		clear(r.of)
		return
	}
	if r.of == nil {
		r.of = map[string]*laterCount{}
	}
	count := r.of[x.App]
	if count == nil {
		count = &laterCount{}
		r.of[x.App] = count
	}
	filter := b.topology.Subjects.MarksOf(x.App)
	n := count.refresh(func() (uint64, error) { return b.count(ctx, b.topology.Marks(), filter) })
	if count.n++; n < limit {
		return
	}
	kept := limit - limit/10
	s, err := b.js.Stream(ctx, b.topology.Marks())
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(filter), jetstream.WithPurgeKeep(kept))
	}
	if err != nil {
		b.log.Warn("the oldest marks of an app cannot be removed", "app", x.App, "marks", n, "error", err)
		return
	}
	b.log.Warn("an app has too many recalls and read marks, its oldest are forgotten", "app", x.App, "marks", n, "kept", kept)
	delete(r.of, x.App)
	r.total = laterCount{}
}
