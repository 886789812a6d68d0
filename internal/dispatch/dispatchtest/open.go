package dispatchtest

import "slices"

// left are a stream's messages that are not done, and some that are. The lock is held.
func (q *Queue) left(stream string) []*Message {
	open, done := q.open[stream], 0
	for _, m := range open {
		if m.Done {
			done++
		}
	}
	if done > 64 && done > len(open)/2 {
		open = slices.DeleteFunc(open, func(m *Message) bool { return m.Done })
		q.open[stream] = open
	}
	return open
}
