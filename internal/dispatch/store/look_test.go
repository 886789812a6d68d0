package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// recordsFunc are records that the test writes.
type recordsFunc func(app string, partition int, since time.Time, each func(dispatch.Record) bool) error

func (f recordsFunc) Records(_ context.Context, app string, partition int, since time.Time, each func(dispatch.Record) bool) error {
	return f(app, partition, since, each)
}

func end(message, user, device string, status hongyan.Status, stored time.Time) dispatch.Record {
	return dispatch.Record{Stored: stored, Outcome: hongyan.Outcome{MessageID: message, App: "demo", Status: status, Devices: []hongyan.DeviceOutcome{{User: user, Device: device}}}}
}

// looker answers from records, with trouble at a time.
func looker(records Records, trouble time.Time) *Looker {
	return &Looker{Records: records, Trouble: func() time.Time { return trouble }, Log: slog.New(slog.DiscardHandler), Now: time.Now}
}

// question asks about a user's partition.
func question(message, user string, since time.Time, answer func(*Answer)) *Question {
	q := &Question{App: "demo", Message: message, Since: since, Answer: answer, Ended: func() {}}
	q.Partitions[hongyan.Partition(user)] = true
	return q
}

// A read goes through 200,000 records. What lies beyond is not known, and the answer says so.
func TestLookIsBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before int // records of others before the last one
		unread bool
	}{
		"all":    {lookLimit - 1, false},
		"beyond": {lookLimit, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began, read := time.Now(), 0
				l := looker(recordsFunc(func(_ string, _ int, _ time.Time, each func(dispatch.Record) bool) error {
					more := each(end("m", "u", "first", hongyan.StatusAccepted, began))
					other := end("other", "u", "d", hongyan.StatusAccepted, began)
					for read = 1; more && read < c.before; read++ {
						more = each(other)
					}
					if more {
						each(end("m", "u", "last", hongyan.StatusAccepted, began))
					}
					return nil
				}), time.Time{})
				var got *Answer
				l.Look(t.Context(), question("m", "u", began, func(a *Answer) { got = a }))
				l.Wait()
				if got == nil || !got.Has("u", "first") || got.Has("u", "last") == c.unread || got.Unread != c.unread {
					t.Errorf("after %d records the answer is %+v", read, got)
				}
				if read > lookLimit {
					t.Errorf("%d records were read", read)
				}
			})
		})
	}
}

// After trouble a look waits, so that whoever still has records can store them: ten seconds, two
// for what is urgent. Trouble that is longer ago than a claim says nothing.
func TestLookWaitsAfterTrouble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ago      time.Duration // negative for no trouble at all
		urgent   bool
		min, max time.Duration
	}{
		"none":        {-1, false, 0, time.Second},
		"chat":        {0, false, 10 * time.Second, 11 * time.Second},
		"urgent":      {0, true, 2 * time.Second, 3 * time.Second},
		"part":        {4 * time.Second, false, 6 * time.Second, 7 * time.Second},
		"long_past":   {12 * time.Second, false, 0, time.Second},
		"urgent_past": {3 * time.Second, true, 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var trouble time.Time
				if c.ago >= 0 {
					trouble = began.Add(-c.ago)
				}
				l := looker(recordsFunc(func(string, int, time.Time, func(dispatch.Record) bool) error { return nil }), trouble)
				var took time.Duration
				q := question("m", "u", began, func(*Answer) { took = time.Since(began) })
				q.Urgent = c.urgent
				l.Look(t.Context(), q)
				l.Wait()
				if took < c.min || took > c.max {
					t.Errorf("the answer took %v, want %v to %v", took, c.min, c.max)
				}
			})
		})
	}
}

// What is urgent does not wait for the chat that waits, and chat not for what comes later.
func TestLooksDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		l := looker(recordsFunc(func(string, int, time.Time, func(dispatch.Record) bool) error { return nil }), began)
		took := map[string]time.Duration{}
		for _, name := range []string{"chat", "urgent"} {
			q := question("m", "u", began, func(*Answer) { took[name] = time.Since(began) })
			q.Urgent = name == "urgent"
			l.Look(t.Context(), q)
		}
		l.Wait()
		if took["urgent"] < 2*time.Second || took["urgent"] > 4*time.Second || took["chat"] < 10*time.Second || took["chat"] > 12*time.Second {
			t.Errorf("the answers took %v", took)
		}
	})
}

// One read for each app and partition answers for all that waits, from the oldest time that one
// asks about; each learns only what is since its own.
func TestOneLookForMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began, reads := time.Now(), 0
		l := looker(recordsFunc(func(_ string, _ int, since time.Time, each func(dispatch.Record) bool) error {
			reads++
			if !since.Equal(began) {
				t.Errorf("it reads since %v, want %v", since, began)
			}
			for i := range 10 {
				each(end(fmt.Sprint("m-", i), "u", "d", hongyan.StatusAccepted, began.Add(2*time.Second)))
			}
			return nil
		}), time.Time{})
		known := 0
		for i := range 10 {
			l.Look(t.Context(), question(fmt.Sprint("m-", i), "u", began.Add(time.Duration(i)*500*time.Millisecond), func(a *Answer) {
				if a.Has("u", "d") {
					known++
				}
			}))
		}
		l.Wait()
		if reads != 1 || known != 5 {
			t.Errorf("%d reads, %d answers know an end; want 1 and 5", reads, known)
		}
	})
}

// A read that fails is tried again until it succeeds or the worker ends; nobody takes it for
// "nothing became of it".
func TestLookThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began, reads := time.Now(), 0
		l := looker(recordsFunc(func(string, int, time.Time, func(dispatch.Record) bool) error {
			if reads++; reads < 4 || time.Since(began) > time.Minute {
				return errors.New("nobody answers")
			}
			return nil
		}), time.Time{})
		answered, ended := 0, 0
		ask := func() {
			q := question("m", "u", began, func(*Answer) { answered++ })
			q.Ended = func() { ended++ }
			l.Look(ctx, q)
		}
		ask()
		l.Wait()
		if answered != 1 || reads != 4 {
			t.Errorf("%d answers after %d reads, want 1 after 4", answered, reads)
		}
		time.Sleep(2 * time.Minute)
		ask()
		time.Sleep(10 * time.Second)
		cancel()
		l.Wait()
		if answered != 1 || ended != 1 {
			t.Errorf("%d answers, %d ended; want 1 and 1", answered, ended)
		}
	})
}

// The waiting records of a later job say that its devices are taken care of, those of the job that
// asks and of earlier ones say nothing, however late they were stored; a user's end as a whole is
// that of each device; a tried record is no end.
func TestWhatALookLearns(t *testing.T) {
	t.Parallel()
	now := time.Now()
	name := func(turn int) string { return (&dispatch.Job{StoredAs: "x", Turn: turn}).WaitName() }
	waits := func(turn int) dispatch.Record {
		r := end("m", "u", "d", hongyan.StatusWaiting, now)
		r.Job = name(turn)
		return r
	}
	for what, c := range map[string]struct {
		record dispatch.Record
		job    string
		has    bool
	}{
		"accepted":      {end("m", "u", "d", hongyan.StatusAccepted, now), "", true},
		"dead":          {end("m", "u", "d", hongyan.StatusDead, now), "", true},
		"suppressed":    {end("m", "u", "d", hongyan.StatusSuppressed, now), "", true},
		"whole_user":    {end("m", "u", "", hongyan.StatusSuppressed, now), "", true},
		"other_device":  {end("m", "u", "e", hongyan.StatusAccepted, now), "", false},
		"other_user":    {end("m", "v", "d", hongyan.StatusAccepted, now), "", false},
		"before":        {end("m", "u", "d", hongyan.StatusAccepted, now.Add(-time.Second)), "", false},
		"waits":         {waits(9), "", true},
		"waits_here":    {waits(9), name(9), false},
		"waits_in_next": {waits(10), name(9), true},
		"stored_late":   {waits(9), name(10), false},
	} {
		q := question("m", "u", now, nil)
		q.Job, q.answer = c.job, new(Answer)
		q.learn(&c.record)
		if got := q.answer.Has("u", "d"); got != c.has {
			t.Errorf("%s: Has is %v, want %v", what, got, c.has)
		}
	}
}
