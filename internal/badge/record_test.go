package badge

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

// message is sent and stored at a time.
func message(id, conversation string, seconds float64) Message {
	return Message{ID: id, Conversation: conversation, Sent: at(seconds), Stored: at(seconds)}
}

// step changes a record.
type step func(*Record) bool

func count(m Message) step { return func(r *Record) bool { return r.Count(m) } }
func report(n int, seconds float64) step {
	return func(r *Record) bool { return r.Report(Report{n, at(seconds)}) }
}
func read(conversation string, seconds float64) step {
	return func(r *Record) bool { return r.Read(Mark{conversation, at(seconds)}) }
}
func forget(id string) step { return func(r *Record) bool { return r.Forget(id) } }

func TestNumber(t *testing.T) {
	t.Parallel()
	late := message("m", "a", 3)
	late.Sent = at(1)
	for name, c := range map[string]struct {
		steps []step
		want  int
	}{
		"nothing":               {nil, 0},
		"messages":              {[]step{count(message("1", "a", 1)), count(message("2", "b", 2))}, 2},
		"the_same_twice":        {[]step{count(message("1", "a", 1)), count(message("1", "a", 1))}, 1},
		"report_and_since":      {[]step{report(5, 1), count(message("1", "a", 2))}, 6},
		"report_holds_earlier":  {[]step{count(message("1", "a", 1)), report(5, 2)}, 5},
		"counted_after_report":  {[]step{report(5, 2), count(message("1", "a", 1))}, 5},
		"sent_before_it_stored": {[]step{report(5, 2), count(late)}, 6}, // after it
		"report_of_nothing":     {[]step{count(message("1", "a", 1)), report(0, 2)}, 0},
		"older_report":          {[]step{report(5, 2), report(9, 1)}, 5},
		"newer_report":          {[]step{report(9, 1), report(5, 2)}, 5},
		"read":                  {[]step{count(message("1", "a", 1)), count(message("2", "b", 1)), read("a", 2)}, 1},
		"read_up_to_a_time":     {[]step{count(message("1", "a", 1)), count(message("2", "a", 3)), read("a", 2)}, 1},
		"read_by_when_sent":     {[]step{count(late), read("a", 2)}, 0},
		"read_before_counted":   {[]step{read("a", 2), count(message("1", "a", 1))}, 0},
		"read_leaves_report":    {[]step{report(4, 1), count(message("1", "a", 2)), read("a", 3)}, 4},
		"older_mark":            {[]step{read("a", 3), read("a", 1), count(message("1", "a", 2))}, 0},
		"forgotten":             {[]step{count(message("1", "a", 1)), count(message("2", "a", 1)), forget("1"), forget("9")}, 1},
		"at_most":               {[]step{report(998, 1), count(message("1", "a", 2)), count(message("2", "a", 2)), count(message("3", "a", 2))}, Most},
		"too_high_a_report":     {[]step{report(100_000, 1)}, Most},
		"negative_report":       {[]step{report(-1, 1)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r Record
			for _, s := range c.steps {
				s(&r)
			}
			if got := r.Number(); got != c.want {
				t.Errorf("the number is %d, want %d", got, c.want)
			}
		})
	}
}

// Whatever the order in which things arrive, and however often each, the number is the same: that
// of the last report and of what was stored since, is not read and not forgotten.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	for range 2000 {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 0))
		var steps []step
		marks := map[string]float64{}
		var base Report
		messages := map[string]Message{}
		for n := range rng.IntN(80) {
			when := float64(rng.IntN(300))
			switch conversation := fmt.Sprint("c", rng.IntN(4)); rng.IntN(12) {
			case 0:
				x := Report{rng.IntN(20), at(when)}
				steps = append(steps, func(r *Record) bool { return r.Report(x) })
				if x.At.After(base.At) || x.At.Equal(base.At) && x.Unread < base.Unread {
					base = x
				}
			case 1, 2:
				steps = append(steps, read(conversation, when))
				marks[conversation] = max(marks[conversation], when)
				if when == 0 {
					marks[conversation] = max(marks[conversation], 1e-9)
				}
			default:
				m := message(fmt.Sprint("m", n), conversation, when)
				m.Stored = m.Stored.Add(time.Duration(rng.IntN(5)) * time.Second)
				messages[m.ID] = m
				steps = append(steps, count(m))
			}
		}
		want := base.Unread
		for _, m := range messages {
			read, known := marks[m.Conversation]
			if m.Stored.After(base.At) && (!known || m.Sent.After(at(read))) {
				want++
			}
		}
		for range rng.IntN(20) { // some come again
			if len(steps) > 0 {
				steps = append(steps, steps[rng.IntN(len(steps))])
			}
		}
		rng.Shuffle(len(steps), func(i, k int) { steps[i], steps[k] = steps[k], steps[i] })
		r := new(Record)
		for _, s := range steps {
			before := r.encode()
			next := r.clone()
			changed := s(next)
			if !slices.Equal(r.encode(), before) {
				t.Fatalf("seed %d: a step on a clone changed the record", seed)
			}
			if changed == slices.Equal(next.encode(), before) {
				t.Fatalf("seed %d: a step says %v of whether it changed the record", seed, changed)
			}
			r = again(t, next)
		}
		if got := r.Number(); got != want {
			t.Fatalf("seed %d: the number is %d, want %d", seed, got, want)
		}
	}
}

// again is the record as it is after it was stored.
func again(t *testing.T, r *Record) *Record {
	t.Helper()
	got, err := decode(r.encode())
	if err != nil {
		t.Fatal(err)
	}
	if got.Number() != r.Number() || !slices.Equal(got.encode(), r.encode()) {
		t.Fatalf("stored and read, %+v is %+v", *r, *got)
	}
	return got
}

// A user who does not look has a small record, and the right number up to the most.
func TestManyMessages(t *testing.T) {
	t.Parallel()
	r := new(Record)
	largest := 0
	for n := range 2 * Most {
		r.Count(message(fmt.Sprint("m", n), fmt.Sprint("c", n%200), float64(60*n)))
		r = again(t, r)
		if got, want := r.Number(), min(n+1, Most); got != want {
			t.Fatalf("after %d messages the number is %d, want %d", n+1, got, want)
		}
		largest = max(largest, len(r.encode()))
	}
	if largest > 6000 {
		t.Errorf("the record has up to %d bytes", largest)
	}
	newest := float64(60 * 2 * Most)
	for n := range 200 {
		r.Read(Mark{fmt.Sprint("c", n), at(newest)})
	}
	if got := r.Number(); got != 0 {
		t.Errorf("with everything read the number is %d", got)
	}
}

// Whoever gets many messages in a short time has a record that knows each of them, so that none
// counts twice before the number is at its most.
func TestBurst(t *testing.T) {
	t.Parallel()
	r := new(Record)
	for round := range 3 {
		for n := range Most - 1 {
			if r.Count(message(fmt.Sprint("m", n), "c", 1+float64(n)/10)) != (round == 0) {
				t.Fatalf("round %d: message %d counts: %v", round, n, round != 0)
			}
		}
	}
	if got := r.Number(); got != Most-1 {
		t.Errorf("the number is %d", got)
	}
}

// Conversations that were folded are read as a whole.
func TestReadOldMessages(t *testing.T) {
	t.Parallel()
	r := new(Record)
	for n := range 200 {
		r.Count(message(fmt.Sprint("m", n), []string{"a", "b"}[n%2], float64(60*n)))
	}
	if len(r.known) > mostKnown {
		t.Fatalf("%d messages are known one by one", len(r.known))
	}
	r.Read(Mark{"a", at(60 * 200)})
	if got := r.Number(); got != 100 {
		t.Errorf("the number is %d, want 100", got)
	}
}

// What there is no room for is put together: it counts until a number is reported.
func TestManyConversations(t *testing.T) {
	t.Parallel()
	r := new(Record)
	const messages = 900
	for n := range messages {
		r.Count(message(fmt.Sprint("m", n), fmt.Sprint("c", n), float64(60*n)))
	}
	if got := len(r.conversations); got > mostConversations+1 {
		t.Errorf("it knows %d conversations", got)
	}
	again(t, r)
	newest := float64(60 * messages)
	for n := range messages {
		r.Read(Mark{fmt.Sprint("c", n), at(newest)})
	}
	if got := r.Number(); got > messages-mostKnown-mostConversations+1 {
		t.Errorf("with everything read the number is %d", got)
	}
	if r.Report(Report{0, at(newest)}); r.Number() != 0 {
		t.Errorf("after a report of nothing the number is %d", r.Number())
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	r := new(Record)
	r.Report(Report{3, at(0)})
	r.Count(message("1", "a", 1))
	r.Read(Mark{"b", at(2)})
	whole := r.encode()
	for n := range len(whole) {
		if _, err := decode(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes are read as a record", n, len(whole))
		}
	}
	if _, err := decode(append(slices.Clone(whole), 0)); err == nil {
		t.Error("a byte too many is read as a record")
	}
	newer := slices.Clone(whole)
	newer[0]++
	if _, err := StoredNumber(newer); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer form: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	r := new(Record)
	r.Count(message("1", "a", 1))
	f.Add(r.encode())
	f.Fuzz(func(_ *testing.T, data []byte) {
		if r, err := decode(data); err == nil {
			r.Count(message("x", "y", 5))
			_, _ = decode(r.encode())
		}
	})
}
