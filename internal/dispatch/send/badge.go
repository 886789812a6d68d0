package send

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// Badges know the numbers on the icons of users, for an app that counts; *badge.Book implements it.
type Badges interface {
	// Numbers are the users' numbers, in order, no older than the call; -1 where this worker cannot
	// know.
	Numbers(ctx context.Context, users []badge.Ref) ([]int, error)
	// Held is a user's number as this worker knew it last, if it does.
	Held(user badge.Ref) (n int, ok bool)
	// Forget takes a recalled message away from what is counted for users of an app, and calls done
	// when that is stored or with the error why not. It must not wait.
	Forget(app, message string, users []string, done func(error))
}

// numberTimeout is how long a call waits for its numbers. Then it carries those that this worker
// knew last.
const numberTimeout = 2 * time.Second

// ringTimeout is numberTimeout for a call: what it shows does not count, and its time is short.
const ringTimeout = 100 * time.Millisecond

// counts says whether calls of the lane carry numbers that workers count.
func (l *lane) counts() bool { return l.s.Badges != nil && l.limits.Badge }

func (l *lane) badgeRef(user string) badge.Ref {
	return badge.Ref{App: l.s.Certificate.App, User: user}
}

// guess gives the targets of a job the numbers that this worker knew last, by which they are
// divided into calls.
func (l *lane) guess(w *work) {
	if !l.counts() || l.limits.Partition == nil {
		return
	}
	numbers := make([]int, len(w.job.Targets))
	for i := range w.job.Targets {
		t := &w.job.Targets[i]
		t.Badge = nil
		if n, ok := l.s.Badges.Held(l.badgeRef(t.User)); ok {
			numbers[i] = n
			t.Badge = &numbers[i]
		}
	}
}

// number puts the numbers of this moment into a call. Where it can carry one for all devices only,
// it keeps those with the one that most have; the others come next. It returns false where the
// worker ended before the numbers were known.
func (l *lane) number(c *call) bool {
	if !l.counts() {
		return true
	}
	users := make([]badge.Ref, len(c.works))
	for k, w := range c.works {
		users[k] = l.badgeRef(w.job.Targets[c.index[k]].User)
	}
	patience := numberTimeout
	if slices.ContainsFunc(c.works, func(w *work) bool { return w.job.Notification.Urgent }) {
		patience = ringTimeout
	}
	ctx, cancel := context.WithTimeout(l.s.hard, patience)
	defer cancel()
	numbers, err := l.s.Badges.Numbers(ctx, users)
	if err != nil {
		if l.s.hard.Err() != nil {
			return false
		}
		l.s.Log.Warn("what is counted on icons cannot be read, pushes carry what was known last", "certificate", l.s.Certificate.ID, "error", err)
		numbers = make([]int, len(users))
		for k := range numbers {
			numbers[k] = -1
		}
	}
	for k := range c.batch.Devices {
		// Another read, or a count, may have brought something newer since this one was answered.
		// What this worker pushes last must not be older than what it pushed before.
		if n, known := l.s.Badges.Held(users[k]); known {
			numbers[k] = n
		}
		if c.batch.Devices[k].Badge = nil; numbers[k] >= 0 {
			c.batch.Devices[k].Badge = &numbers[k]
		}
	}
	l.divide(c)
	return true
}

// divide leaves in a call the devices of one partition, that with the most of them, and puts the
// others before all that waits.
func (l *lane) divide(c *call) {
	if l.limits.Partition == nil || len(c.works) == 1 {
		return
	}
	hosts := make([]string, len(c.works))
	count := map[string]int{}
	most := ""
	for k := range c.works {
		hosts[k] = l.limits.Partition(c.batch.Devices[k])
		if count[hosts[k]]++; k == 0 || count[hosts[k]] > count[most] {
			most = hosts[k]
		}
	}
	if len(count) == 1 {
		return
	}
	var others []int
	for k := range c.works {
		if hosts[k] != most {
			others = append(others, k)
		}
	}
	slices.SortStableFunc(others, func(a, b int) int { return cmp.Compare(hosts[a], hosts[b]) })
	elsewhere := func(k int) bool { return hosts[k] != most }
	l.uncap(c, elsewhere)
	back := l.piecesOf(c, others, c.with)
	c.compact(elsewhere)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hand.back(back)
	l.run()
}

// forgetAgain is how long after a failure it is tried again to take a message away from what is
// counted.
const forgetAgain = time.Second

// forget takes a recalled message away from what is counted for users, before it is recorded that
// they are not pushed to. It returns when that is stored, or when the worker ended.
func (s *Sender) forget(message string, users []string) {
	for said := false; ; said = true {
		stored := make(chan error, 1)
		s.Badges.Forget(s.Certificate.App, message, users, func(err error) { stored <- err })
		err := <-stored
		if err == nil {
			return
		}
		if !said && s.hard.Err() == nil {
			s.Log.Warn("a recalled message is still counted on icons, trying again", "certificate", s.Certificate.ID, "message_id", message, "users", len(users), "error", err)
		}
		if !sleep.For(s.hard, forgetAgain) {
			return
		}
	}
}
