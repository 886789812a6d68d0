package bus_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/natsd"
)

func letterBus(t *testing.T, ensure bool) *bus.Bus {
	t.Helper()
	srv, err := natsd.Start(natsd.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	b, err := bus.Connect(t.Context(), bus.Options{URL: srv.URL(), Once: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if ensure {
		if err := b.Ensure(t.Context(), []string{"oppo"}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestLettersWithoutAStream(t *testing.T) {
	t.Parallel()
	b := letterBus(t, false)
	if _, err := b.LetterBox(t.Context()); !errors.Is(err, bus.ErrNoStream) {
		t.Errorf("LetterBox: %v, want ErrNoStream", err)
	}
	if err := b.Records(t.Context(), "demo", 0, time.Time{}, nil); !errors.Is(err, bus.ErrNoStream) {
		t.Errorf("Records: %v, want ErrNoStream", err)
	}
	// Jobs of a vendor that is not configured are none.
	if err := b.Waiting(t.Context(), hongyan.Subject{Kind: hongyan.KindJob, Vendor: "oppo", Certificate: "*", Lane: "*"}, time.Time{}, nil); err != nil {
		t.Errorf("Waiting: %v, want nothing", err)
	}
	if err := b.Require(t.Context(), "PUSH_DEAD"); !errors.Is(err, bus.ErrNoStream) {
		t.Errorf("Require: %v, want ErrNoStream", err)
	}
}

func TestLetters(t *testing.T) {
	t.Parallel()
	b := letterBus(t, true)
	box, err := b.LetterBox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	put := func(reason string, n int) {
		t.Helper()
		var msgs []dispatch.Outgoing
		for i := range n {
			msgs = append(msgs, dispatch.Outgoing{Subject: "push.dead.oppo.1." + reason, ID: fmt.Sprintf("%s/%d", reason, i), Data: []byte("x"),
				Header: map[string]string{dispatch.HeaderReason: reason}})
		}
		if errs := b.Publish(t.Context(), msgs); errs != nil {
			t.Fatal(errors.Join(errs...))
		}
	}
	put("refused", 5)
	time.Sleep(20 * time.Millisecond)
	between := time.Now()
	time.Sleep(20 * time.Millisecond)
	put("expired", 3)
	for _, c := range []struct {
		name    string
		subject string
		from    uint64
		since   time.Time
		n       int
		want    []uint64
	}{
		{"all", "push.dead.*.*.*", 0, time.Time{}, 10, []uint64{1, 2, 3, 4, 5, 6, 7, 8}},
		{"some", "push.dead.*.*.*", 0, time.Time{}, 2, []uint64{1, 2}},
		{"from", "push.dead.*.*.*", 4, time.Time{}, 2, []uint64{4, 5}},
		{"subject", "push.dead.*.*.expired", 0, time.Time{}, 10, []uint64{6, 7, 8}},
		{"since", "push.dead.*.*.*", 0, between, 10, []uint64{6, 7, 8}},
		{"since-of-a-subject", "push.dead.*.*.refused", 0, between, 10, nil},
		{"since-the-future", "push.dead.*.*.*", 0, time.Now().Add(time.Hour), 10, nil},
		{"end", "push.dead.*.*.*", 9, time.Time{}, 10, nil},
	} {
		got, err := box.Letters(t.Context(), c.subject, c.from, c.since, c.n)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var seqs []uint64
		for _, l := range got {
			seqs = append(seqs, l.Sequence)
			if len(l.Header) != 1 || l.Header[dispatch.HeaderReason] == "" {
				t.Errorf("%s: headers %v, want the letter's own only", c.name, l.Header)
			}
		}
		if fmt.Sprint(seqs) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.name, seqs, c.want)
		}
	}
	for range 2 { // a second time is no error
		if err := box.Delete(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := box.Count(t.Context(), "push.dead.*.*.refused"); n != 4 || err != nil {
		t.Errorf("count %d, %v; want 4", n, err)
	}
	if n, err := box.Purge(t.Context(), "push.dead.*.*.refused", 4); n != 3 || err != nil {
		t.Errorf("purged %d, %v; want 3", n, err)
	}
	if last, created, err := box.Bounds(t.Context()); last != 8 || created.IsZero() || err != nil {
		t.Errorf("bounds %d, %v, %v", last, created, err)
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	b := letterBus(t, true)
	box, err := b.LetterBox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if marks, err := box.Marks(t.Context()); len(marks) != 0 || err != nil {
		t.Fatalf("marks before the first: %v, %v", marks, err)
	}
	first, err := box.Mark(t.Context(), []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := box.Mark(t.Context(), []byte("b")); err != nil {
		t.Fatal(err)
	}
	if err := box.Unmark(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	marks, err := box.Marks(t.Context())
	if err != nil || len(marks) != 1 || string(marks[0].Data) != "b" || marks[0].Stored.IsZero() {
		t.Errorf("marks %+v, %v; want b", marks, err)
	}
}

func TestWaitingSeesJobsThatComeLater(t *testing.T) {
	t.Parallel()
	b := letterBus(t, true)
	now := dispatch.Outgoing{Subject: "push.job.oppo.1.normal", ID: "now", Data: []byte("now")}
	later := b.Later(dispatch.Outgoing{Subject: "push.job.oppo.1.urgent", ID: "later", Data: []byte("later")}, time.Now().Add(time.Hour))
	other := dispatch.Outgoing{Subject: "push.job.oppo.2.normal", ID: "other", Data: []byte("other")}
	if errs := b.Publish(t.Context(), []dispatch.Outgoing{now, later, other}); errs != nil {
		t.Fatal(errors.Join(errs...))
	}
	got := map[string]string{}
	visit := func(w dispatch.Waiting) bool { got[w.ID] = string(w.Data); return true }
	if err := b.Waiting(t.Context(), hongyan.Subject{Kind: hongyan.KindJob, Vendor: "oppo", Certificate: "1", Lane: "*"}, time.Time{}, visit); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got["now"] != "now" || got["later"] != "later" {
		t.Errorf("waiting %v, want now and later", got)
	}
	seen := 0
	if err := b.Waiting(t.Context(), hongyan.Subject{Kind: hongyan.KindJob, Vendor: "oppo", Certificate: "*", Lane: "*"}, time.Time{}, func(dispatch.Waiting) bool { seen++; return false }); err != nil || seen != 1 {
		t.Errorf("after the first, which asked for no more, %d were given, %v", seen, err)
	}
}

// A message of gathered records is read line by line, each with its job, of one app and partition
// and since a time.
func TestRecordsOfAPartition(t *testing.T) {
	t.Parallel()
	b := letterBus(t, true)
	store := func(app, user string, status hongyan.Status, jobs, body string) {
		t.Helper()
		m := dispatch.Outgoing{Subject: hongyan.Subjects{}.Outcome(app, status, hongyan.Partition(user)), Data: []byte(body)}
		if jobs != "" {
			m.Header = map[string]string{dispatch.HeaderJob: jobs}
		}
		if _, _, err := b.PublishSync(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	store("demo", "bob", hongyan.StatusWaiting, "h1 h2", `{"message_id":"m-1","app":"demo","status":"waiting","devices":[{"user":"bob","device":"a"},{"user":"bob","device":"b"}]}
{"message_id":"m-2","app":"demo","status":"waiting","devices":[{"user":"bob","device":"a"}]}`)
	store("demo", "bob", hongyan.StatusAccepted, "", `{"message_id":"m-1","app":"demo","status":"accepted","devices":[{"user":"bob","device":"a"}]}`)
	store("demo", "carol", hongyan.StatusAccepted, "", `{"message_id":"m-1","app":"demo","status":"accepted","devices":[{"user":"carol","device":"a"}]}`)
	store("other", "bob", hongyan.StatusAccepted, "", `{"message_id":"m-1","app":"other","status":"accepted","devices":[{"user":"bob","device":"a"}]}`)
	read := func(since time.Time, most int) (got []string, last time.Time) {
		t.Helper()
		if err := b.Records(t.Context(), "demo", hongyan.Partition("bob"), since, func(r dispatch.Record) bool {
			got, last = append(got, fmt.Sprintf("%s %s %d %s", r.MessageID, r.Status, len(r.Devices), r.Job)), r.Stored
			return len(got) < most
		}); err != nil {
			t.Fatal(err)
		}
		return got, last
	}
	got, last := read(time.Time{}, 10)
	if diff := cmp.Diff([]string{"m-1 waiting 2 h1", "m-2 waiting 1 h2", "m-1 accepted 1 "}, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if got, _ := read(last, 10); len(got) != 1 {
		t.Errorf("since the last: %v, want one", got)
	}
	if got, _ := read(time.Time{}, 1); len(got) != 1 {
		t.Errorf("until one was read: %v", got)
	}
}
