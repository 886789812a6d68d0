package replay_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/replay"
)

func (y *yard) desk(pid int) *replay.Desk {
	return &replay.Desk{Notes: y.bus.Notes(replay.Room), Host: "box", PID: pid}
}

// plan keeps a plan and returns its id.
func (y *yard) plan(opts replay.Options) string {
	y.t.Helper()
	opts, expected, err := y.replay().Plan(y.t.Context(), opts)
	if err != nil {
		y.t.Fatal(err)
	}
	task := replay.NewTask(opts, "olga", time.Now())
	task.Expected = expected
	if err := y.desk(1).Save(y.t.Context(), task); err != nil {
		y.t.Fatal(err)
	}
	return task.ID
}

func (y *yard) task(id string) *replay.Task {
	y.t.Helper()
	task, err := y.desk(1).Task(y.t.Context(), id)
	if err != nil {
		y.t.Fatal(err)
	}
	return task
}

// once fails unless n messages have one job each.
func (y *yard) once(n int) {
	y.t.Helper()
	jobs := y.jobs("oppo")
	for message, times := range jobs {
		if times != 1 {
			y.t.Errorf("%s came back %d times", message, times)
		}
	}
	if len(jobs) != n {
		y.t.Errorf("%d letters came back, want %d", len(jobs), n)
	}
}

// A plan is started, watched and cancelled from elsewhere, and goes on; it means what died before
// it was made.
func TestTaskIsCancelledAndGoesOn(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	const n = 400
	y.die("oppo", "attempts_exhausted", n, time.Now().Add(time.Hour))
	id := y.plan(replay.Options{Rate: 100})
	if task := y.task(id); task.State != replay.Planned || task.Expected.Replayed != n || task.By != "olga" || task.UpTo != n {
		t.Errorf("the plan: %+v", task)
	}
	late := job("oppo", "late", "user-late", time.Now().Add(time.Hour))
	data, err := late.Encode()
	if err != nil {
		t.Fatal(err)
	}
	y.publish(dispatch.Outgoing{Subject: "push.dead.oppo.35001.attempts_exhausted", Data: data, Header: map[string]string{
		dispatch.HeaderReason: "attempts_exhausted", dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: "late"}})

	type end struct {
		task *replay.Task
		err  error
	}
	ended := make(chan end, 1)
	told := make(chan struct{}, 1)
	r := y.replay()
	r.Progress = func(replay.Counts) {
		select {
		case told <- struct{}{}:
		default:
		}
	}
	go func() {
		task, err := y.desk(2).Run(context.Background(), r, id)
		ended <- end{task, err}
	}()
	<-told
	if _, err := y.desk(3).Run(t.Context(), y.replay(), id); !errors.Is(err, replay.ErrRuns) {
		t.Errorf("a second process runs it too: %v", err)
	}
	running := y.task(id)
	if running.State != replay.Running || running.Host != "box" || running.PID != 2 || running.Started.IsZero() {
		t.Errorf("while it runs: %+v", running)
	}
	cancelled, err := y.desk(4).Cancel(t.Context(), id)
	if err != nil || cancelled.State != replay.Cancelled {
		t.Fatalf("cancelled: %+v, %v", cancelled, err)
	}
	e := <-ended
	if !errors.Is(e.err, replay.ErrCancelled) || e.task.Counts.Replayed != cancelled.Counts.Replayed || e.task.Counts.Replayed == n {
		t.Fatalf("the run ended with %v: %+v", e.err, e.task)
	}
	y.once(e.task.Counts.Replayed)

	task, err := y.desk(5).Run(t.Context(), y.replay(), id)
	if err != nil || task.State != replay.Done || task.Counts.Replayed+task.Counts.AlreadyBack != n || task.Counts.Matched != n {
		t.Fatalf("going on: %+v, %v", task, err)
	}
	y.once(n)
	if y.letters() != 1 {
		t.Errorf("%d letters are left, want the one that died after the plan", y.letters())
	}
	if _, err := y.desk(6).Run(t.Context(), y.replay(), id); !errors.Is(err, replay.ErrDone) {
		t.Errorf("once more: %v", err)
	}
	if _, err := y.desk(6).Cancel(t.Context(), id); !errors.Is(err, replay.ErrDone) {
		t.Errorf("cancelling what is done: %v", err)
	}
	if _, err := y.desk(6).Run(t.Context(), y.replay(), "nobody"); !errors.Is(err, replay.ErrNoTask) {
		t.Errorf("of no task: %v", err)
	}
}

// A run that was killed between a publication and its deletion is known by its lease, and goes on
// within its limit.
func TestTaskAfterAKill(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	const n, limit, published = 60, 40, 25
	y.die("oppo", "attempts_exhausted", n, time.Now().Add(time.Hour))
	id := y.plan(replay.Options{Limit: limit})
	if task := y.task(id); task.Expected.Replayed != limit || task.UpTo != limit {
		t.Errorf("the plan: %+v", task)
	}
	// The process dies: its last words are lost, and its lease stays until it is over.
	dying := y.desk(2)
	dying.Notes = &lastWords{Notes: y.bus.Notes(replay.Room)}
	if _, err := dying.Run(t.Context(), y.killed(published, ""), id); err == nil {
		t.Fatal("the run that was killed succeeded")
	}
	if task := y.task(id); task.State != replay.Running {
		t.Errorf("right after the kill: %+v", task)
	}
	task, err := y.desk(3).Run(t.Context(), y.replay(), id) // it waits for the lease
	if err != nil || task.State != replay.Done || task.Counts.AlreadyBack != published || task.Counts.Replayed != limit-published {
		t.Fatalf("going on: %+v, %v", task, err)
	}
	y.once(limit)
	if y.letters() != n-limit {
		t.Errorf("%d letters are left, want %d", y.letters(), n-limit)
	}
}

// lastWords are the notes of a process that says nothing after it said that it runs.
type lastWords struct {
	replay.Notes
	puts int
}

func (l *lastWords) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if l.puts++; l.puts > 1 {
		return errKilled
	}
	return l.Notes.Put(ctx, key, value, ttl)
}

func (l *lastWords) Remove(ctx context.Context, key string) error {
	if l.puts > 0 {
		return errKilled
	}
	return l.Notes.Remove(ctx, key)
}

// A plan of a stream that is gone means other letters, and is refused; one that nobody started is
// cancelled at once.
func TestTaskOfAnotherStream(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.die("oppo", "attempts_exhausted", 2, time.Now().Add(time.Hour))
	id := y.plan(replay.Options{})
	task := y.task(id)
	task.Created = task.Created.Add(-time.Hour)
	if err := y.desk(1).Save(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	ended, err := y.desk(1).Run(t.Context(), y.replay(), id)
	if !errors.Is(err, replay.ErrOtherStream) || ended.State != replay.Interrupted || ended.Error == "" {
		t.Errorf("it ended with %v: %+v", err, ended)
	}
	y.once(0)
	if task, err := y.desk(2).Cancel(t.Context(), y.plan(replay.Options{})); err != nil || task.State != replay.Cancelled {
		t.Errorf("a plan that is cancelled: %+v, %v", task, err)
	}
	if tasks, err := y.desk(2).Tasks(t.Context()); err != nil || len(tasks) != 2 || tasks[0].State != replay.Cancelled || tasks[1].State != replay.Interrupted {
		t.Errorf("tasks: %+v, %v", tasks, err)
	}
}
