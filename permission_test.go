package hongyan_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
)

// guarded starts a server with the streams of an installation, and users whose name is their
// password: worker may do everything, each other one what its permissions say.
func guarded(t *testing.T, users map[string]*natsserver.Permissions) (url func(user string) string) {
	t.Helper()
	list := []*natsserver.User{{Username: "worker", Password: "worker"}}
	for name, p := range users {
		list = append(list, &natsserver.User{Username: name, Password: name, Permissions: p})
	}
	srv, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true, Users: list})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	url = func(user string) string { return fmt.Sprintf("nats://%s:%s@%s", user, user, srv.Addr()) }
	b, err := bus.Connect(t.Context(), bus.Options{URL: url("worker"), Once: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Ensure(t.Context(), []string{"oppo"}); err != nil {
		t.Fatal(err)
	}
	return url
}

func allow(subjects ...string) *natsserver.SubjectPermission {
	return &natsserver.SubjectPermission{Allow: subjects}
}

// lacks fails the test unless err names the missing right, and came long before a try's timeout.
func lacks(t *testing.T, began time.Time, err error, right, subject string) {
	t.Helper()
	var refused *hongyan.PermissionError
	if !errors.As(err, &refused) || !errors.Is(err, nats.ErrPermissionViolation) || refused.Right != right || subject != "" && refused.Subject != subject {
		t.Errorf("%v, want a missing right to %s %s", err, right, subject)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v to say so", took)
	}
}

// A subject that the user may not publish on is told at once, and the other subjects still work.
func TestClientLacksTheRightToPublish(t *testing.T) {
	t.Parallel()
	url := guarded(t, map[string]*natsserver.Permissions{"im": {Publish: allow("push.message.demo", "$JS.API.>")}})
	c := connect(t, url("im"))
	began := time.Now()
	_, err := c.Send(t.Context(), "other", hello())
	lacks(t, began, err, "publish", "push.message.other")
	if _, err := c.Send(t.Context(), "demo", hello()); err != nil {
		t.Errorf("a subject that is allowed: %v", err)
	}
	began = time.Now()
	lacks(t, began, c.KeepGateway(t.Context(), "demo", "gw-1", time.Minute), "publish", "push.gateway.demo.gw-1")
}

// Many calls that are refused side by side each hear of their own subject.
func TestClientLacksManyRights(t *testing.T) {
	t.Parallel()
	url := guarded(t, map[string]*natsserver.Permissions{"im": {Publish: allow("push.message.>")}})
	c := connect(t, url("im"))
	began := time.Now()
	var calls sync.WaitGroup
	for i := range 100 {
		calls.Go(func() {
			user := fmt.Sprintf("u%d", i)
			err := c.SetDevice(t.Context(), "demo", user, "phone", hongyan.Device{Certificate: "35001", Token: "t"})
			lacks(t, began, err, "publish", "push.user.demo."+user+".device.phone")
		})
	}
	calls.Wait()
}

// Without the right to subscribe to its inbox a client hears no answer: told at once, each time.
func TestClientLacksItsInbox(t *testing.T) {
	t.Parallel()
	url := guarded(t, map[string]*natsserver.Permissions{"im": {Publish: allow("push.>"), Subscribe: allow("_INBOX_im.>")}})
	c := connect(t, url("im"))
	for range 2 {
		began := time.Now()
		_, err := c.Send(t.Context(), "demo", hello())
		lacks(t, began, err, "subscribe", "")
	}
	own, err := hongyan.Connect(url("im"), hongyan.Options{}, nats.CustomInboxPrefix("_INBOX_im"))
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if _, err := own.Send(t.Context(), "demo", hello()); err != nil {
		t.Errorf("with the inbox that is allowed: %v", err)
	}
}

// On a caller's connection the caller's handler is still called.
func TestClientOnAConnectionWithAHandler(t *testing.T) {
	t.Parallel()
	url := guarded(t, map[string]*natsserver.Permissions{"im": {Publish: allow("push.message.demo")}})
	heard := make(chan error, 10)
	nc, err := nats.Connect(url("im"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { heard <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c, err := hongyan.New(nc, hongyan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	lacks(t, began, c.Signal(t.Context(), "demo", hongyan.Signal{Type: hongyan.SignalRecall, MessageID: "m-1"}), "publish", "push.signal.demo")
	select {
	case err := <-heard:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("the caller's handler hears %v", err)
		}
	case <-time.After(3 * time.Second):
		t.Error("the caller's handler is not called")
	}
}

// A user who may not ask for streams does not wait for that answer at each try.
func TestClientMayNotAskForStreams(t *testing.T) {
	t.Parallel()
	url := guarded(t, map[string]*natsserver.Permissions{"im": {Publish: allow("push.>", "nowhere.>")}})
	c, err := hongyan.Connect(url("im"), hongyan.Options{Prefix: "nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = c.Send(ctx, "demo", hello())
	if !errors.Is(err, jetstream.ErrNoStreamResponse) {
		t.Errorf("%v, want what the server says of the subject", err)
	}
}

func TestPermissionErrorFrom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want hongyan.PermissionError
	}{
		{fmt.Errorf("%w: Permissions Violation for Publish to %q", nats.ErrPermissionViolation, `push.a"b`), hongyan.PermissionError{Right: "publish", Subject: `push.a"b`}},
		{fmt.Errorf(`%w: Permissions Violation for Subscription to "x.*" using queue "q"`, nats.ErrPermissionViolation), hongyan.PermissionError{Right: "subscribe", Subject: "x.*"}},
		{fmt.Errorf(`%w: Permissions Violation for something new`, nats.ErrPermissionViolation), hongyan.PermissionError{}},
		{errors.New(`Permissions Violation for Publish to "x"`), hongyan.PermissionError{}},
		{nil, hongyan.PermissionError{}},
	} {
		got := hongyan.PermissionErrorFrom(c.err)
		if got == nil {
			got = &hongyan.PermissionError{}
		}
		if *got != c.want {
			t.Errorf("%v: %+v, want %+v", c.err, got, c.want)
		}
	}
}
