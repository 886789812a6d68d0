package replay_test

import (
	"context"
	"errors"
	"fmt"
	"github.com/hongyan-im/hongyan/internal/dispatch/replay"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/natsd"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// yard is an installation on a real embedded server, with dead letters to replay.
type yard struct {
	t   *testing.T
	bus *bus.Bus
	box *bus.LetterBox
}

func newYard(t *testing.T) *yard {
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
	if err := b.Ensure(t.Context(), []string{"oppo", "vivo"}); err != nil {
		t.Fatal(err)
	}
	box, err := b.LetterBox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &yard{t, b, box}
}

func (y *yard) publish(msgs ...dispatch.Outgoing) {
	y.t.Helper()
	if errs := y.bus.Publish(y.t.Context(), msgs); errs != nil {
		y.t.Fatal(errors.Join(errs...))
	}
}

func job(vendor, message, user string, deadline time.Time) *dispatch.Job {
	return &dispatch.Job{
		ID: message, App: "demo", Vendor: vendor, Certificate: "35001", Lane: hongyan.LaneNormal, Published: deadline.Add(-time.Hour), Attempts: 8,
		Notification: &vendors.Notification{Key: "k", MessageID: message, Title: "t", Body: "b", Deadline: deadline},
		Targets:      []dispatch.Target{{User: user, Device: "phone", Token: "tok"}},
	}
}

// die stores dead letters m-0 to m-(n-1).
func (y *yard) die(vendor, reason string, n int, deadline time.Time) {
	y.t.Helper()
	var msgs []dispatch.Outgoing
	for i := range n {
		j := job(vendor, fmt.Sprintf("m-%d", i), fmt.Sprintf("user-%d", i), deadline)
		data, err := j.Encode()
		if err != nil {
			y.t.Fatal(err)
		}
		msgs = append(msgs, dispatch.Outgoing{Subject: "push.dead." + vendor + ".35001." + reason, Data: data, Header: map[string]string{
			dispatch.HeaderReason: reason, dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: j.Notification.MessageID}})
	}
	y.publish(msgs...)
}

func (y *yard) replay() *replay.Replay {
	return &replay.Replay{Letters: y.box, Journal: y.box, Trail: y.bus, Queue: y.bus, Devices: directory.New(y.bus, hongyan.Subjects{}, directory.Options{}),
		Served: func(context.Context) (replay.Served, error) {
			return func(app, vendor, certificate string) bool { return app+" "+vendor+" "+certificate != "demo vivo gone" }, nil
		}}
}

// letters counts the dead letters, jobs lists the messages of the jobs that wait.
func (y *yard) letters() int {
	y.t.Helper()
	n, err := y.box.Count(y.t.Context(), "push.dead.>")
	if err != nil {
		y.t.Fatal(err)
	}
	return int(n)
}

func (y *yard) jobs(vendor string) map[string]int {
	y.t.Helper()
	got := map[string]int{}
	err := y.bus.Waiting(y.t.Context(), hongyan.Subject{Kind: hongyan.KindJob, Vendor: vendor, Certificate: "*", Lane: "*"}, time.Time{}, func(w dispatch.Waiting) bool {
		j, err := dispatch.DecodeJob(w.Data)
		if err != nil {
			y.t.Error(err)
			return false
		}
		got[j.Notification.MessageID]++
		return true
	})
	if err != nil {
		y.t.Fatal(err)
	}
	return got
}

func (y *yard) marks() int {
	y.t.Helper()
	marks, err := y.box.Marks(y.t.Context())
	if err != nil {
		y.t.Fatal(err)
	}
	return len(marks)
}

func once(n int) map[string]int {
	want := map[string]int{}
	for i := range n {
		want[fmt.Sprintf("m-%d", i)] = 1
	}
	return want
}

func TestReplayBringsEachLetterBackOnce(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	const n = 1300 // more than two pages
	y.die("oppo", "attempts_exhausted", n, time.Now().Add(time.Hour))
	var told atomic.Int64
	r := y.replay()
	r.Progress = func(c replay.Counts) { told.Store(int64(c.Replayed)) }
	counts, err := r.Run(t.Context(), replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(replay.Counts{Matched: n, Replayed: n, Devices: n}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(once(n), y.jobs("oppo")); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	if y.letters() != 0 || y.marks() != 0 || told.Load() != n {
		t.Errorf("%d letters and %d marks are left, progress said %d", y.letters(), y.marks(), told.Load())
	}
	// Nothing is left for a second run.
	if counts, err := y.replay().Run(t.Context(), replay.Options{}); err != nil || counts != (replay.Counts{}) {
		t.Errorf("second run: %+v, %v", counts, err)
	}
}

func TestReplayKeepsToItsFilterAndLimit(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	later := time.Now().Add(time.Hour)
	y.die("oppo", "attempts_exhausted", 5, later)
	y.die("vivo", "unavailable", 4, later)
	y.die("vivo", "expired", 3, time.Now().Add(-time.Minute))
	run := func(opts replay.Options) replay.Counts {
		t.Helper()
		counts, err := y.replay().Run(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		return counts
	}
	dry := run(replay.Options{DryRun: true})
	if want := (replay.Counts{Matched: 12, Replayed: 9, Expired: 3, Devices: 9}); dry != want {
		t.Errorf("dry run %+v, want %+v", dry, want)
	}
	if y.letters() != 12 || len(y.jobs("oppo"))+len(y.jobs("vivo")) != 0 || y.marks() != 0 {
		t.Fatal("a dry run changed something")
	}
	if got := run(replay.Options{Filter: dispatch.LetterFilter{Message: "m-3"}}); got.Replayed != 2 {
		t.Errorf("by message: %+v, want 2", got)
	}
	if got := run(replay.Options{Filter: dispatch.LetterFilter{Vendor: "oppo"}, Limit: 2}); got.Replayed != 2 {
		t.Errorf("with a limit: %+v, want 2", got)
	}
	if diff := cmp.Diff(map[string]int{"m-0": 1, "m-1": 1, "m-3": 1}, y.jobs("oppo")); diff != "" {
		t.Errorf("jobs, the oldest first (-want +got):\n%s", diff)
	}
	if got := run(replay.Options{Filter: dispatch.LetterFilter{Until: time.Now().Add(-time.Hour)}}); got.Matched != 0 {
		t.Errorf("until an hour ago: %+v, want none", got)
	}
	if got := run(replay.Options{Filter: dispatch.LetterFilter{Reason: "expired", Since: time.Now().Add(-time.Hour)}, IncludeExpired: true}); got.Replayed != 3 {
		t.Errorf("with expired ones: %+v, want 3", got)
	}
	if got := y.letters(); got != 12-2-2-3 {
		t.Errorf("%d letters are left", got)
	}
}

func TestReplayKeepsToItsRate(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.die("oppo", "attempts_exhausted", 20, time.Now().Add(time.Hour))
	began := time.Now()
	if _, err := y.replay().Run(t.Context(), replay.Options{Rate: 40}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("20 letters at 40 per second took %v", took)
	}
}

func TestReplayMalformed(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.publish(dispatch.Outgoing{Subject: "push.dead.none.none.malformed", Data: []byte("{\x00"), Header: map[string]string{
		dispatch.HeaderSubject: "push.message.demo", dispatch.HeaderApp: "demo", dispatch.HeaderReason: "malformed"}},
		dispatch.Outgoing{Subject: "push.dead.none.none.malformed", Data: []byte("?")},
		dispatch.Outgoing{Subject: "push.dead.oppo.35001.bad_payload", Data: []byte("no job")})
	counts, err := y.replay().Run(t.Context(), replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := (replay.Counts{Matched: 3, Replayed: 1, Unreadable: 2}); counts != want {
		t.Errorf("counts %+v, want %+v", counts, want)
	}
	var got []string
	if err := y.bus.Waiting(t.Context(), hongyan.Subject{Kind: hongyan.KindMessage, App: "demo"}, time.Time{}, func(w dispatch.Waiting) bool {
		got = append(got, string(w.Data))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"{\x00"}, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestReplayUsesTheNewTokenAndSplits(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	j := job("oppo", "m-1", "bob", time.Now().Add(time.Hour))
	j.Targets = append(j.Targets, dispatch.Target{User: "carol", Device: "phone", Token: "dead"})
	data, err := j.Encode()
	if err != nil {
		t.Fatal(err)
	}
	y.publish(dispatch.Outgoing{Subject: "push.dead.oppo.35001.bad_token", Data: data, Header: map[string]string{
		dispatch.HeaderReason: "bad_token", dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: "m-1", dispatch.HeaderError: "gone"}})
	if err := y.bus.Put(t.Context(), "push.user.demo.bob.device.phone", []byte(`{"certificate":"35001","token":"fresh"}`)); err != nil {
		t.Fatal(err)
	}
	counts, err := y.replay().Run(t.Context(), replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := (replay.Counts{Matched: 1, Replayed: 1, Split: 1, Devices: 1}); counts != want {
		t.Errorf("counts %+v, want %+v", counts, want)
	}
	var tokens []string
	if err := y.bus.Waiting(t.Context(), hongyan.Subject{Kind: hongyan.KindJob, Vendor: "oppo", Certificate: "35001", Lane: "normal"}, time.Time{}, func(w dispatch.Waiting) bool {
		j, err := dispatch.DecodeJob(w.Data)
		if err != nil {
			t.Error(err)
			return false
		}
		for _, target := range j.Targets {
			tokens = append(tokens, target.User+" "+target.Token)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"bob fresh"}, tokens); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	rest, err := y.box.Letters(t.Context(), "push.dead.>", 0, time.Time{}, 10)
	if err != nil || len(rest) != 1 || rest[0].Header[dispatch.HeaderError] != "gone" {
		t.Fatalf("the rest: %+v, %v; want one letter with its headers", rest, err)
	}
	// Carol's stays, however often.
	counts, err = y.replay().Run(t.Context(), replay.Options{})
	if want := (replay.Counts{Matched: 1, NoRegistration: 1}); err != nil || counts != want {
		t.Errorf("second run: %+v, %v; want %+v", counts, err, want)
	}
}

var errKilled = errors.New("killed")

// killer lets a number of letters be published and then lets nothing through any more, as when the
// process dies: what was published is stored, but no letter is deleted and no mark removed.
type killer struct {
	*bus.LetterBox
	*bus.Bus
	left   atomic.Int64
	rename string // replaces the ids, as if the two minutes of their memory were over
	mu     sync.Mutex
	dead   chan struct{}
}

func (k *killer) Publish(ctx context.Context, msgs []dispatch.Outgoing) []error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch left := k.left.Add(-1); {
	case left == -1:
		close(k.dead)
		fallthrough
	case left < 0:
		return []error{dispatch.ErrFull} // not worth a second try
	}
	renamed := make([]dispatch.Outgoing, len(msgs))
	for i, m := range msgs {
		m.ID = k.rename + m.ID
		renamed[i] = m
	}
	return k.Bus.Publish(ctx, renamed)
}

func (k *killer) Delete(context.Context, uint64) error {
	<-k.dead
	return errors.Join(errKilled, dispatch.ErrFull)
}

func (y *yard) killed(after int64, dyingRename string) *replay.Replay {
	k := &killer{LetterBox: y.box, Bus: y.bus, rename: dyingRename, dead: make(chan struct{})}
	k.left.Store(after)
	r := y.replay()
	r.Letters, r.Queue = k, k
	return r
}

func TestReplayKilledHalfwayIsRunAgain(t *testing.T) {
	t.Parallel()
	const n, published = 300, 120
	for _, c := range []struct {
		name string
		// meanwhile is what the workers did between the two runs.
		meanwhile func(y *yard)
		// old says that the stream has forgotten the ids.
		old bool
		// back is how many the second run finds to have come back.
		back int
	}{
		// The ids are still known.
		{name: "at-once", back: published},
		// The ids are forgotten, but the jobs wait.
		{name: "later", old: true, back: published},
		// The ids are forgotten, and the jobs were done: half accepted, half dead again.
		{name: "later-and-done", old: true, back: published, meanwhile: func(y *yard) { y.work() }},
		// The ids are forgotten, and the jobs were tried in vain: they wait for another try, under
		// another id.
		{name: "later-and-tried", old: true, back: published, meanwhile: func(y *yard) { y.postpone() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			y.die("oppo", "attempts_exhausted", n, time.Now().Add(time.Hour))
			rename := ""
			if c.old {
				rename = "forgotten/"
			}
			if _, err := y.killed(published, rename).Run(t.Context(), replay.Options{}); !errors.Is(err, dispatch.ErrFull) {
				t.Fatalf("the run that was killed: %v", err)
			}
			if got := len(y.jobs("oppo")); got != published || y.letters() != n || y.marks() != 1 {
				t.Fatalf("after the kill %d jobs, %d letters, %d marks; want %d, %d, 1", got, y.letters(), y.marks(), published, n)
			}
			before := y.jobs("oppo")
			if c.meanwhile != nil {
				c.meanwhile(y)
			}
			counts, err := y.replay().Run(t.Context(), replay.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if counts.AlreadyBack != c.back || counts.Replayed != n-c.back || counts.Matched != n {
				t.Errorf("the second run: %+v; want %d already back of %d", counts, c.back, n)
			}
			got := y.jobs("oppo")
			if c.name == "later-and-done" {
				for m := range before { // these are done
					got[m]++
				}
			}
			if diff := cmp.Diff(once(n), got); diff != "" {
				t.Errorf("jobs in all (-want +got):\n%s", diff)
			}
		})
	}
}

// take consumes all jobs and gives them to do.
func (y *yard) take(do func(*dispatch.Job)) {
	y.t.Helper()
	con, err := y.bus.JobConsumer(y.t.Context(), "oppo", "35001", hongyan.LaneNormal, 1000)
	if err != nil {
		y.t.Fatal(err)
	}
	n := len(y.jobs("oppo"))
	ctx, cancel := context.WithCancel(y.t.Context())
	out := make(chan dispatch.Delivery, con.Hold())
	var running sync.WaitGroup
	running.Go(func() { con.Run(ctx, out) })
	for range n {
		d := <-out
		j, err := dispatch.DecodeJob(d.Data())
		if err != nil {
			y.t.Fatal(err)
		}
		do(j)
		if err := d.Ack(); err != nil {
			y.t.Fatal(err)
		}
	}
	cancel()
	running.Wait()
	flush, done := context.WithTimeout(y.t.Context(), 5*time.Second)
	defer done()
	if err := y.bus.Flush(flush); err != nil {
		y.t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); len(y.jobs("oppo")) > 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
}

// work does all jobs; every second one is accepted.
func (y *yard) work() {
	y.t.Helper()
	// nearer than that, a dead outcome might be the letter's own
	time.Sleep(2100 * time.Millisecond)
	accepted := false
	y.take(func(j *dispatch.Job) {
		status := hongyan.StatusDead
		if accepted = !accepted; accepted {
			status = hongyan.StatusAccepted
		}
		target := j.Targets[0]
		data := fmt.Sprintf(`{"message_id":%q,"app":"demo","status":%q,"devices":[{"user":%q,"device":%q}]}`, j.Notification.MessageID, status, target.User, target.Device)
		y.publish(dispatch.Outgoing{Subject: hongyan.Subjects{}.Outcome("demo", status, hongyan.Partition(target.User)), Data: []byte(data)})
	})
}

// postpone gives all jobs back for later, half of them far later.
func (y *yard) postpone() {
	y.t.Helper()
	far := false
	var again []dispatch.Outgoing
	y.take(func(j *dispatch.Job) {
		j.Attempts++
		data, err := j.Encode()
		if err != nil {
			y.t.Fatal(err)
		}
		m := dispatch.Outgoing{Subject: "push.job.oppo.35001.normal", ID: "again/" + j.ID, Data: data}
		if far = !far; far {
			m = y.bus.Later(m, time.Now().Add(time.Hour))
		}
		again = append(again, m)
	})
	y.publish(again...)
}

// A mark of letters that were not published after all must not keep them from coming back.
func TestReplayOfMarkedLettersThatNeverWent(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.die("oppo", "bad_token", 3, time.Now().Add(time.Hour))
	for i := range 3 {
		if err := y.bus.Put(t.Context(), fmt.Sprintf("push.user.demo.user-%d.device.phone", i), []byte(`{"certificate":"35001","token":"fresh"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := y.killed(0, "").Run(t.Context(), replay.Options{}); err == nil {
		t.Fatal("the run that was killed succeeded")
	}
	counts, err := y.replay().Run(t.Context(), replay.Options{})
	if err != nil || counts.Replayed != 3 || counts.AlreadyBack != 0 {
		t.Errorf("%+v, %v; want 3 replayed", counts, err)
	}
}

func TestReplayStopsWithItsContextAndGoesOn(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	const n = 40
	y.die("oppo", "attempts_exhausted", n, time.Now().Add(time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	r := y.replay()
	r.Progress = func(c replay.Counts) {
		if c.Replayed == 5 {
			cancel()
		}
	}
	counts, err := r.Run(ctx, replay.Options{Rate: 100})
	if !errors.Is(err, context.Canceled) || counts.Replayed < 5 || counts.Replayed == n || counts.Failed != 0 {
		t.Fatalf("interrupted: %+v, %v", counts, err)
	}
	if got := y.letters(); got != n-counts.Replayed || y.marks() != 0 {
		t.Errorf("%d letters and %d marks are left, want %d and 0", got, y.marks(), n-counts.Replayed)
	}
	if _, err := y.replay().Run(t.Context(), replay.Options{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(once(n), y.jobs("oppo")); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
}

func TestReplaysSideBySide(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	const n = 800
	y.die("oppo", "attempts_exhausted", n, time.Now().Add(time.Hour))
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if _, err := y.replay().Run(t.Context(), replay.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if diff := cmp.Diff(once(n), y.jobs("oppo")); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	if got := y.letters(); got != 0 {
		t.Errorf("%d letters are left", got)
	}
}

func TestReplayWithoutTheVendorsStreamKeepsTheLetters(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.die("meizu", "attempts_exhausted", 2, time.Now().Add(time.Hour))
	r := y.replay()
	r.Patience = time.Second
	counts, err := r.Run(t.Context(), replay.Options{})
	if err == nil || !strings.Contains(err.Error(), "push.job.meizu.35001.normal") || counts.Failed != 2 {
		t.Errorf("%+v, %v; want 2 failures that name the subject", counts, err)
	}
	if got := y.letters(); got != 2 {
		t.Errorf("%d letters are left, want 2", got)
	}
}

// Letters of a certificate that no worker serves stay, and those of the others come back.
func TestReplayLeavesWhatNobodyServes(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.die("oppo", "unknown_certificate", 3, time.Now().Add(time.Hour))
	gone := job("vivo", "m-9", "bob", time.Now().Add(time.Hour))
	gone.Certificate = "gone"
	data, err := gone.Encode()
	if err != nil {
		t.Fatal(err)
	}
	y.publish(dispatch.Outgoing{Subject: "push.dead.vivo.gone.unknown_certificate", Data: data, Header: map[string]string{dispatch.HeaderApp: "demo"}})
	counts, err := y.replay().Run(t.Context(), replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(replay.Counts{Matched: 4, Replayed: 3, Devices: 3, UnknownCertificate: 1}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if y.letters() != 1 || len(y.jobs("vivo")) != 0 {
		t.Errorf("%d letters, %d jobs of the certificate that is gone", y.letters(), len(y.jobs("vivo")))
	}
	r := y.replay()
	r.Served = func(context.Context) (replay.Served, error) { return nil, errors.New("no worker runs") }
	if _, err := r.Run(t.Context(), replay.Options{}); err == nil || y.letters() != 1 {
		t.Errorf("without a worker: %v, %d letters", err, y.letters())
	}
}
