package directory

import (
	"sync"
	"time"
)

// quiet lets one line of a kind into the log in a minute, and counts the rest. There are few kinds.
type quiet struct {
	mu    sync.Mutex
	kinds map[string]said
}

type said struct {
	at   time.Time
	more int // since then
}

// say says whether a line may be written now, and how many were not since the last one.
func (q *quiet) say(kind string, now time.Time) (unsaid int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s, known := q.kinds[kind]
	if known && now.Sub(s.at) < time.Minute {
		s.more++
		q.kinds[kind] = s
		return 0, false
	}
	if q.kinds == nil {
		q.kinds = map[string]said{}
	}
	q.kinds[kind] = said{at: now}
	return s.more, true
}
