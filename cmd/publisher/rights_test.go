package main

import (
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/hongyan-im/hongyan/internal/bus"
)

// A right that the NATS user lacks is told at once, with the subject, by every command.
func TestMissingRights(t *testing.T) {
	t.Parallel()
	user := func(name string, publish, subscribe []string) *natsserver.User {
		return &natsserver.User{Username: name, Password: name, Permissions: &natsserver.Permissions{
			Publish: &natsserver.SubjectPermission{Allow: publish}, Subscribe: &natsserver.SubjectPermission{Allow: subscribe}}}
	}
	srv, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Users: []*natsserver.User{
			{Username: "worker", Password: "worker"},
			user("nobody", []string{"nothing"}, []string{">"}),
			user("looker", []string{"$JS.API.STREAM.INFO.>"}, []string{">"}),
			user("deaf", []string{">"}, []string{"nothing"}),
		}})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	url := func(user string) string { return "nats://" + user + ":" + user + "@" + srv.Addr().String() }
	b, err := bus.Connect(t.Context(), bus.Options{URL: url("worker"), Once: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Ensure(t.Context(), []string{"oppo"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ user, args, right, subject string }{
		{"nobody", "send --app demo --from alice --to bob --text Hi", "publish", "push.message.demo"},
		{"nobody", "device set --app demo --user bob --device phone --certificate c --token t", "publish", "push.user.demo.bob.device.phone"},
		{"nobody", "device list --app demo --user bob", "publish", "$JS.API.STREAM.INFO.PUSH_DIRECTORY"},
		{"nobody", "presence --app demo --user bob --device phone --state background", "publish", "push.user.demo.bob.presence.phone"},
		{"nobody", "settings --app demo --user bob", "publish", "$JS.API.STREAM.INFO.PUSH_DIRECTORY"},
		{"nobody", "recall --app demo --message m-1", "publish", "push.signal.demo"},
		{"nobody", "explain --app demo --user bob", "publish", "$JS.API.STREAM.INFO.PUSH_DIRECTORY"},
		{"nobody", "dead list", "publish", "$JS.API.STREAM.INFO.PUSH_DEAD"},
		{"nobody", "replay --yes", "publish", "$JS.API.STREAM.INFO."},
		{"nobody", "limits", "publish", "$JS.API."},
		{"looker", "device list --app demo --user bob", "publish", "$JS.API.DIRECT.GET.PUSH_DIRECTORY"},
		{"looker", "dead list", "publish", "$JS.API."},
		{"looker", "limits", "publish", "$JS.API.DIRECT.GET.PUSH_NOTES"},
		{"deaf", "send --app demo --from alice --to bob --text Hi", "subscribe", "_INBOX."},
		{"deaf", "device list --app demo --user bob", "subscribe", "_INBOX."},
	} {
		began := time.Now()
		r := &rig{t: t, url: url(c.user)}
		got := r.fails(strings.Fields(c.args), "lacks the right to "+c.right, c.subject, "permissions."+c.right)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: it took %v to say so", c.args, took)
		}
		if strings.Contains(got.err, "deadline") || strings.Contains(got.err, "interrupted") {
			t.Errorf("%s: %s", c.args, got.err)
		}
	}
}
