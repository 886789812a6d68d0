package bus

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func record(sequence, before int, more ...string) *nats.Msg {
	m := &nats.Msg{Data: []byte("{}"), Header: nats.Header{
		"Nats-Subject": {"push.user.demo.bob.settings"}, "Nats-Sequence": {fmt.Sprint(sequence)}, "Nats-Last-Sequence": {fmt.Sprint(before)},
		"Nats-Time-Stamp": {"2026-11-23T08:00:00.5Z"},
	}}
	for i := 0; i < len(more); i += 2 {
		m.Header.Set(more[i], more[i+1])
	}
	return m
}

func statusMsg(code, description string, more ...string) *nats.Msg {
	m := &nats.Msg{Header: nats.Header{"Status": {code}, "Description": {description}}}
	for i := 0; i < len(more); i += 2 {
		m.Header.Set(more[i], more[i+1])
	}
	return m
}

func eob(pending, last, upTo int) *nats.Msg {
	return statusMsg("204", "EOB", "Nats-Num-Pending", fmt.Sprint(pending), "Nats-Last-Sequence", fmt.Sprint(last), "Nats-UpTo-Sequence", fmt.Sprint(upTo))
}

// Only a whole answer is one; everything else is an error, and an error holds no values.
func TestAnswer(t *testing.T) {
	t.Parallel()
	unreadable := errors.New("any error")
	for name, c := range map[string]struct {
		parts  []*nats.Msg
		values int
		upTo   uint64
		err    error
	}{
		"whole":                {parts: []*nats.Msg{record(3, 0), record(7, 3), eob(0, 7, 9)}, values: 2, upTo: 9},
		"none":                 {parts: []*nats.Msg{statusMsg("404", "No Results")}},
		"one_failed_to_load":   {parts: []*nats.Msg{statusMsg("404", "Message Not Found")}, err: errTorn},
		"a_later_one_failed":   {parts: []*nats.Msg{record(3, 0), statusMsg("404", "Message Not Found")}, err: errTorn},
		"no_results_after_one": {parts: []*nats.Msg{record(3, 0), statusMsg("404", "No Results")}, err: errTorn},
		"a_hole":               {parts: []*nats.Msg{record(3, 0), record(9, 7)}, err: errTorn},
		"a_hole_at_the_end":    {parts: []*nats.Msg{record(3, 0), eob(0, 7, 9)}, err: errTorn},
		"cut_by_bytes":         {parts: []*nats.Msg{record(3, 0), eob(5, 3, 9)}, err: errTooMany},
		"too_many":             {parts: []*nats.Msg{statusMsg("413", "Too Many Results")}, err: errTooMany},
		"an_election":          {parts: []*nats.Msg{statusMsg("503", "")}, err: nats.ErrNoResponders},
		"a_bad_request":        {parts: []*nats.Msg{statusMsg("408", "Bad Request")}, err: unreadable},
		"another_error":        {parts: []*nats.Msg{record(3, 0), statusMsg("500", "disk")}, err: unreadable},
		"no_sequence":          {parts: []*nats.Msg{record(3, 0, "Nats-Sequence", "x")}, err: errTorn},
		"no_time":              {parts: []*nats.Msg{record(3, 0, "Nats-Time-Stamp", "x")}, err: errTorn},
		"an_end_without_upto":  {parts: []*nats.Msg{record(3, 0), statusMsg("204", "EOB", "Nats-Num-Pending", "0", "Nats-Last-Sequence", "3")}, err: unreadable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &answer{}
			for i, m := range c.parts {
				if over := a.take(m, "push.probe"); over != (i == len(c.parts)-1) {
					t.Fatalf("after part %d over is %v", i, over)
				}
			}
			if len(a.values) != c.values || a.upTo != c.upTo || (a.err == nil) != (c.err == nil) || c.err != nil && !errors.Is(c.err, unreadable) && !errors.Is(a.err, c.err) {
				t.Errorf("%d values, up to %d, %v", len(a.values), a.upTo, a.err)
			}
		})
	}
	forged := record(3, 0)
	forged.Header["Nats-Sequence"] = []string{"99", "3"} // a publisher's own header stands first
	if v, _, err := readValue(forged, "s"); err != nil || v.Revision != 3 {
		t.Errorf("a forged sequence is believed: %d, %v", v.Revision, err)
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	for ttl, want := range map[string]time.Duration{
		"": 0, "never": 0, "Never": 0, "15": 15 * time.Second, "1h0m0.9s": time.Hour, "-1": 0, "x": 0, "99999999999999": 0,
	} {
		if got := lifetime(ttl); got != want {
			t.Errorf("%q is %v, want %v", ttl, got, want)
		}
	}
}

// Requests become as large as answers allow, and no larger twice.
func TestPagesLearn(t *testing.T) {
	t.Parallel()
	for name, perUser := range map[string]int{"few": 1, "usual": 3, "many": 11, "very_many": 400} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p pages
			refused, requests := 0, 0
			for lap := range 30 {
				if lap == 1 && refused > 6 || lap > 1 && refused > 0 {
					t.Fatalf("%d requests were refused in lap %d", refused, lap)
				}
				refused = 0
				for users := 1000; users > 0; requests++ {
					n := min(users, p.size())
					if n*perUser > 1024 {
						refused++
						p.tooMany(n)
						continue
					}
					p.read(n, n*perUser)
					users -= n
				}
			}
			if most := 30 * (1000/min(mostFilters, max(1, recordsPerRead/perUser)) + 4); requests > most {
				t.Errorf("%d requests, want at most %d", requests, most)
			}
		})
	}
	var p pages
	p.tooMany(1) // a single huge user says nothing of the others
	if p.size() != recordsPerRead/3 {
		t.Errorf("a huge user makes requests of %d", p.size())
	}
}

// A hole, a stream made anew, silence: what may have been missed is noticed.
func TestHearing(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	live := func() *hearing {
		h := &hearing{probe: 11}
		for seq := uint64(9); seq <= 11; seq++ {
			if h.begins() {
				t.Fatal("it begins before its own change was heard")
			}
			if err := h.change(seq, at); err != nil {
				t.Fatal(err)
			}
		}
		if !h.begins() || h.begins() {
			t.Fatal("it does not begin once")
		}
		return h
	}
	if err := live().change(13, at); !errors.Is(err, errMissed) {
		t.Errorf("a hole: %v", err)
	}
	if err := live().change(10, at.Add(-time.Second)); err != nil {
		t.Errorf("an old leader's last word: %v", err)
	}
	if err := live().change(1, at.Add(time.Second)); !errors.Is(err, errAnew) {
		t.Errorf("a stream made anew: %v", err)
	}
	h := live()
	if err := errors.Join(h.compare(12), h.change(12, at), h.compare(12)); err != nil {
		t.Errorf("a change that was under way: %v", err)
	}
	h = live()
	if err := h.compare(12); err != nil {
		t.Fatal(err)
	}
	if err := h.compare(12); !errors.Is(err, errMissed) {
		t.Errorf("a change that does not arrive: %v", err)
	}
	h = live()
	h.asked = 11
	if err := errors.Join(h.compare(3), h.compare(11), h.compare(3), h.compare(3)); err != nil {
		t.Errorf("a replica that is behind for a moment: %v", err)
	}
	if err := h.compare(3); !errors.Is(err, errAnew) {
		t.Errorf("a stream that stays behind: %v", err)
	}
}
