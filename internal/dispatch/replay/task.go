package replay

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// Room is the name of the room of notes in which a [Desk] keeps its tasks.
const Room = "replay"

// State is how a task stands.
type State string

// The states of a task.
const (
	// Planned was not started yet.
	Planned State = "planned"
	// Running is under way.
	Running State = "running"
	// Interrupted ended before its end, by itself, by a failure or because it was killed. It can be
	// started again and goes on.
	Interrupted State = "interrupted"
	// Cancelled was ended by [Desk.Cancel]. It can be started again and goes on.
	Cancelled State = "cancelled"
	// Done has nothing left to do.
	Done State = "done"
)

// Task is a replay that was planned, as it is stored: which letters, how, and how far it is.
type Task struct {
	ID string `json:"id"`
	// Filter says which letters, of those up to UpTo in the stream that was created at Created.
	Filter  Filter    `json:"filter"`
	UpTo    uint64    `json:"up_to"`
	Created time.Time `json:"created"`
	// Rate, Limit and IncludeExpired are as in [Options].
	Rate           float64 `json:"rate,omitzero"`
	Limit          int     `json:"limit,omitzero"`
	IncludeExpired bool    `json:"include_expired,omitzero"`
	// By is who planned it, At when, and Expected what it was to do then; zero where nobody looked.
	By       string    `json:"by,omitempty"`
	At       time.Time `json:"at"`
	Expected Counts    `json:"expected"`

	State State `json:"state"`
	// Host and PID are where it runs or ran last, Started when it was started last, and Updated
	// when it said so.
	Host    string    `json:"host,omitempty"`
	PID     int       `json:"pid,omitzero"`
	Started time.Time `json:"started,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
	// Counts are what was done so far, in all runs together. A run that is killed may lack what it
	// did in its last second.
	Counts Counts `json:"counts"`
	// Before is how many letters had come back when it was started last.
	Before int `json:"before,omitzero"`
	// Error is why it was interrupted.
	Error string `json:"error,omitempty"`
}

// Filter is [dispatch.LetterFilter] as it is stored.
type Filter struct {
	Vendor      string         `json:"vendor,omitempty"`
	Certificate string         `json:"certificate,omitempty"`
	Reason      hongyan.Reason `json:"reason,omitempty"`
	App         string         `json:"app,omitempty"`
	User        string         `json:"user,omitempty"`
	Message     string         `json:"message,omitempty"`
	Since       time.Time      `json:"since,omitzero"`
	Until       time.Time      `json:"until,omitzero"`
}

// NewTask plans what the options say, for the letters up to a bound.
func NewTask(opts Options, by string, now time.Time) *Task {
	return &Task{
		ID: strings.ToLower(rand.Text()[:8]), Filter: Filter(opts.Filter), UpTo: opts.Bound.Sequence, Created: opts.Bound.Created,
		Rate: opts.Rate, Limit: opts.Limit, IncludeExpired: opts.IncludeExpired, By: by, At: now.UTC().Round(0), State: Planned,
	}
}

// Options are those of the run that is still to be made.
func (t *Task) Options() Options {
	o := Options{Filter: dispatch.LetterFilter(t.Filter), Rate: t.Rate, IncludeExpired: t.IncludeExpired, Bound: Bound{t.UpTo, t.Created}}
	if t.Limit > 0 {
		o.Limit = max(0, t.Limit-t.Counts.Replayed-t.Counts.AlreadyBack)
	}
	return o
}

// over says whether the limit of a task was reached.
func (t *Task) over() bool {
	return t.Limit > 0 && t.Counts.Replayed+t.Counts.AlreadyBack >= t.Limit
}

// After joins the counts of a run with those of the runs before it: what came back adds up, and
// what stayed was met again.
func (c Counts) After(before Counts) Counts {
	c.Matched += before.Replayed + before.AlreadyBack
	c.Replayed += before.Replayed
	c.AlreadyBack += before.AlreadyBack
	c.Split += before.Split
	c.Devices += before.Devices
	return c
}

// Notes are where tasks are kept; *bus.Notes implements it.
type Notes interface {
	// Put stores value under key for ttl, instead of what was there.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Create is Put that fails with taken when there is a note already.
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) (taken bool, err error)
	// Get returns a note's value, nil when there is none.
	Get(ctx context.Context, key string) ([]byte, error)
	// Remove removes the note; none there is no error.
	Remove(ctx context.Context, key string) error
	// List returns all notes by their keys.
	List(ctx context.Context) (map[string][]byte, error)
}

// Errors of a [Desk].
var (
	// ErrNoTask is a task that does not exist, or no longer.
	ErrNoTask = errors.New("there is no such replay; it was not planned, or more than three days ago")
	// ErrCancelled ends a run that was cancelled.
	ErrCancelled = errors.New("the replay was cancelled")
	// ErrRuns is a task that another process runs.
	ErrRuns = errors.New("the replay runs already")
	// ErrDone is a task that has nothing left to do.
	ErrDone = errors.New("the replay is done")
)

// Desk keeps the tasks of replays where every tool sees them: one plans, the same or another one
// runs, and any looks at its progress or cancels it. A task is run by one process at a time, which
// renews a lease; one that was killed is known by its lease being over. It may be used by many
// goroutines at once.
//
//	run.<id>      the task with its progress, for three days after its last change
//	lease.<id>    held by the process that runs it
//	cancel.<id>   asks that process to stop
type Desk struct {
	Notes Notes
	// Host and PID name this process.
	Host string
	PID  int
	// Now is nil for time.Now.
	Now func() time.Time
}

const (
	taskKept = 72 * time.Hour
	// deskTick is how often a run says how far it is and looks whether it is cancelled.
	deskTick = time.Second
	// leaseTTL is how long a process that says nothing counts as running.
	leaseTTL = 10 * time.Second
	// cancelKept is how long a process has to hear that it is cancelled.
	cancelKept = time.Minute
	// deskCall is how long a call of the notes may take.
	deskCall = 5 * time.Second
)

func runKey(id string) string    { return "run." + id }
func leaseKey(id string) string  { return "lease." + id }
func cancelKey(id string) string { return "cancel." + id }

// leaseNote is what the process says that runs a task.
type leaseNote struct {
	Host string    `json:"host"`
	PID  int       `json:"pid"`
	At   time.Time `json:"at"`
}

func (d *Desk) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// Save stores a task as it is.
func (d *Desk) Save(ctx context.Context, t *Task) error {
	data, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("write replay %s: %w", t.ID, err)
	}
	return d.Notes.Put(ctx, runKey(t.ID), data, taskKept)
}

// Tasks are all there are, the newest first. One that ran and whose lease is over is Interrupted.
func (d *Desk) Tasks(ctx context.Context) ([]Task, error) {
	notes, err := d.Notes.List(ctx)
	if err != nil {
		return nil, err
	}
	var tasks []Task
	for key, value := range notes {
		if !strings.HasPrefix(key, runKey("")) {
			continue
		}
		var t Task
		if err := json.Unmarshal(value, &t); err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		if _, runs := notes[leaseKey(t.ID)]; !runs && t.State == Running {
			t.State, t.Error = Interrupted, "its process has said nothing for ten seconds: it was killed, or lost NATS"
		}
		tasks = append(tasks, t)
	}
	slices.SortFunc(tasks, func(a, b Task) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	return tasks, nil
}

// Task is one of Tasks; the error is ErrNoTask where there is none.
func (d *Desk) Task(ctx context.Context, id string) (*Task, error) {
	tasks, err := d.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	for i := range tasks {
		if tasks[i].ID == id {
			return &tasks[i], nil
		}
	}
	return nil, ErrNoTask
}

// Cancel ends a task, wherever it runs, and returns it as it ended. What is in hand is finished. It
// waits for that until ctx ends.
func (d *Desk) Cancel(ctx context.Context, id string) (*Task, error) {
	for asked := false; ; {
		t, err := d.Task(ctx, id)
		switch {
		case err != nil:
			return nil, err
		case t.State == Cancelled && asked:
			return t, nil
		case t.State == Done || t.State == Cancelled:
			return t, fmt.Errorf("it is %s: %w", t.State, ErrDone)
		case t.State != Running:
			t.State, t.Error = Cancelled, ""
			return t, d.Save(ctx, t)
		}
		if !asked {
			if err := d.Notes.Put(ctx, cancelKey(id), []byte("{}"), cancelKept); err != nil {
				return nil, err
			}
			asked = true
		}
		if !sleep.For(ctx, deskTick/4) {
			return nil, ctx.Err()
		}
	}
}

// lease takes the lease of a task. While another process has it, it waits whether that renews it,
// which gives ErrRuns, or is gone.
func (d *Desk) lease(ctx context.Context, id string) error {
	var first []byte
	for {
		taken, err := d.Notes.Create(ctx, leaseKey(id), d.leaseValue(), leaseTTL)
		if err != nil || !taken {
			return err
		}
		holder, err := d.Notes.Get(ctx, leaseKey(id))
		if err != nil {
			return err
		}
		if first == nil {
			first = holder
		}
		var l leaseNote
		if holder != nil && string(holder) != string(first) && json.Unmarshal(holder, &l) == nil {
			return fmt.Errorf("%w, on %s as process %d", ErrRuns, l.Host, l.PID)
		}
		if !sleep.For(ctx, deskTick/2) {
			return ctx.Err()
		}
	}
}

func (d *Desk) leaseValue() []byte {
	data, err := json.Marshal(leaseNote{d.Host, d.PID, d.now().UTC()})
	if err != nil {
		return []byte("{}") // a host and two numbers can be written
	}
	return data
}

// Run carries out what is left of a task, and keeps its progress where others see it. r does the
// work; its Progress is told the counts of all runs together. The task is returned as it ended. The
// error is ErrCancelled where somebody cancelled it, and ctx's where that ended; then, and after a
// failure, it can be run again.
func (d *Desk) Run(ctx context.Context, r *Replay, id string) (*Task, error) {
	if err := d.lease(ctx, id); err != nil {
		return nil, err
	}
	finish := func(do func(context.Context)) {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), deskCall)
		defer cancel()
		do(last)
	}
	defer finish(func(last context.Context) { _ = d.Notes.Remove(last, leaseKey(id)) }) // else it ends by itself
	t, err := d.Task(ctx, id)
	if err != nil {
		return nil, err
	}
	if t.State == Done {
		return t, ErrDone
	}
	if err := d.Notes.Remove(ctx, cancelKey(id)); err != nil { // of an earlier run
		return nil, err
	}
	before := t.Counts
	t.Before = before.Replayed + before.AlreadyBack
	t.State, t.Error, t.Host, t.PID, t.Started, t.Updated = Running, "", d.Host, d.PID, d.now().UTC(), d.now().UTC()
	if err := d.Save(ctx, t); err != nil {
		return nil, err
	}
	w := &watcher{desk: d, task: *t, before: before}
	running, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		w.run(running, cancel)
	}()
	set := *r
	set.Progress = func(c Counts) {
		w.note(c)
		if r.Progress != nil {
			r.Progress(c.After(before))
		}
	}
	if !t.over() {
		_, err = set.Run(running, t.Options())
	}
	cause := context.Cause(running)
	cancel(nil)
	<-watched
	if errors.Is(cause, ErrCancelled) {
		err = ErrCancelled
	}
	*t = w.now()
	switch t.Updated = d.now().UTC(); {
	case err == nil:
		t.State = Done
	case errors.Is(err, ErrCancelled):
		t.State = Cancelled
	default:
		t.State, t.Error = Interrupted, err.Error()
	}
	finish(func(last context.Context) {
		if saving := d.Save(last, t); saving != nil {
			err = errors.Join(err, fmt.Errorf("say how the replay ended: %w", saving))
		}
	})
	return t, err
}
