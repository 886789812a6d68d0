package hongyan_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/hongyan-im/hongyan"
)

// told is what a follower of outcomes is told, one after the other.
type told struct {
	outcome hongyan.Outcome
	err     error
}

// follow follows an app's outcomes on a connection until the test or the context ends; the channel
// is closed then.
func follow(ctx context.Context, t *testing.T, nc *nats.Conn, app string) <-chan told {
	t.Helper()
	c, err := hongyan.New(nc, hongyan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := c.Outcomes(ctx, app)
	if err != nil {
		t.Fatal(err)
	}
	all := make(chan told)
	go func() {
		defer close(all)
		for o, err := range outcomes {
			select {
			case all <- told{o, err}:
			case <-t.Context().Done():
				return
			}
		}
	}()
	return all
}

// next is the next thing that is told.
func next(t *testing.T, all <-chan told) told {
	t.Helper()
	select {
	case got, open := <-all:
		if !open {
			t.Fatal("nothing more is told")
		}
		return got
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is told")
	}
	return told{}
}

func dial(t *testing.T, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// record is the body of an accepted push's outcome.
func record(app, id string) string {
	return fmt.Sprintf(`{"message_id":%q,"app":%q,"status":"accepted","devices":[{"user":"bob","device":"phone","reason":"accepted"}]}`+"\n", id, app)
}

func say(t *testing.T, nc *nats.Conn, subject, body string) {
	t.Helper()
	if err := nc.Publish(subject, []byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

// A follower is told each outcome of its app, and where one may be missing, and goes on.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	url, _ := installation(t)
	worker, nc := dial(t, url), dial(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	all := follow(ctx, t, nc, "demo")
	say(t, worker, "push.outcome.other.accepted.3", record("other", "m-0"))
	say(t, worker, "push.outcome.demo.accepted.3", record("demo", "m-1")+record("demo", "m-2"))
	for _, id := range []string{"m-1", "m-2"} {
		if got := next(t, all); got.err != nil || got.outcome.MessageID != id || got.outcome.App != "demo" || got.outcome.Devices[0].Reason != hongyan.Accepted {
			t.Errorf("told %+v, want %s", got, id)
		}
	}
	say(t, worker, "push.outcome.demo.dead.0", record("demo", "m-3")+"{")
	if got := next(t, all); got.err != nil || got.outcome.MessageID != "m-3" {
		t.Errorf("told %+v, want m-3", got)
	}
	if got := next(t, all); !errors.Is(got.err, hongyan.ErrMissed) {
		t.Errorf("a record that cannot be read: told %+v", got)
	}
	if err := nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	if got := next(t, all); !errors.Is(got.err, hongyan.ErrMissed) {
		t.Errorf("a connection that was lost: told %+v", got)
	}
	say(t, worker, "push.outcome.demo.accepted.3", record("demo", "m-4"))
	if got := next(t, all); got.err != nil || got.outcome.MessageID != "m-4" {
		t.Errorf("told %+v, want m-4", got)
	}
	cancel()
	if got, open := <-all; open {
		t.Errorf("after its end: told %+v", got)
	}
}

// What comes faster than it is taken is not kept without bound, and the follower is told.
func TestOutcomesTooFast(t *testing.T) {
	t.Parallel()
	url, _ := installation(t)
	worker, nc := dial(t, url), dial(t, url)
	c, err := hongyan.New(nc, hongyan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	outcomes, err := c.Outcomes(ctx, "demo")
	if err != nil {
		t.Fatal(err)
	}
	const n = 3000
	for i := range n {
		if err := worker.Publish("push.outcome.demo.accepted.3", []byte(record("demo", fmt.Sprint("m-", i)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(worker.Flush(), nc.Flush()); err != nil {
		t.Fatal(err)
	}
	taken, missed, asked := 0, false, false
	for o, err := range outcomes {
		switch {
		case errors.Is(err, hongyan.ErrMissed):
			missed = true
		case err != nil:
			t.Fatal(err)
		default:
			taken++
		}
		if o.MessageID == "last" {
			break
		}
		if missed && taken > 0 && !asked { // then there is room for one more
			asked = true
			say(t, worker, "push.outcome.demo.accepted.3", record("demo", "last"))
		}
	}
	if taken == 0 || taken >= n || !missed {
		t.Errorf("%d of %d were told, missed: %v", taken, n, missed)
	}
}

// Whoever may not hear outcomes is told so at once; so is one who follows when the connection ends.
func TestOutcomesEnd(t *testing.T) {
	t.Parallel()
	url := guarded(t, map[string]*natsserver.Permissions{"im": {Publish: allow("push.>"), Subscribe: allow("_INBOX.>", "push.outcome.demo.*.*")}})
	nc := dial(t, url("im"))
	c, err := hongyan.New(nc, hongyan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err = c.Outcomes(t.Context(), "other")
	lacks(t, began, err, "subscribe", "push.outcome.other.*.*")
	if _, err := c.Outcomes(t.Context(), "no.app"); !errors.Is(err, hongyan.ErrInvalid) {
		t.Errorf("a bad name: %v", err)
	}
	all := follow(t.Context(), t, nc, "demo")
	nc.Close()
	if got := next(t, all); !errors.Is(got.err, nats.ErrConnectionClosed) {
		t.Errorf("told %+v", got)
	}
	if got, open := <-all; open {
		t.Errorf("after its end: told %+v", got)
	}
}

// What the server refused before is not taken for its word on the follower.
func TestOutcomesAfterARefusal(t *testing.T) {
	t.Parallel()
	url := guarded(t, map[string]*natsserver.Permissions{"im": {Publish: allow("push.message.demo"), Subscribe: allow("_INBOX.>", "push.outcome.demo.*.*")}})
	nc := dial(t, url("im"))
	say(t, nc, "push.outcome.demo.*.*", "")
	if refused := hongyan.PermissionErrorFrom(nc.LastError()); refused == nil || refused.Subject != "push.outcome.demo.*.*" {
		t.Fatalf("the server refused %v", nc.LastError())
	}
	all := follow(t.Context(), t, nc, "demo")
	say(t, dial(t, url("worker")), "push.outcome.demo.accepted.3", record("demo", "m-1"))
	if got := next(t, all); got.err != nil || got.outcome.MessageID != "m-1" {
		t.Errorf("told %+v", got)
	}
}
