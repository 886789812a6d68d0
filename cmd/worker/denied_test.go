package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
)

// denies tries, as each user, what is not theirs. The server must refuse each.
func (p *production) denies() {
	// What no app's user may, whether it is its own app's or not.
	installation := []string{
		"push.job.huawei.demo-huawei.normal", "push.later.at.job.huawei.demo-huawei.normal.x", "push.dead.huawei.demo-huawei.bad_token", "push.piece.demo.1",
		"push.outcome.demo.accepted.1", "push.note.tokenlock.demo-huawei", "push.note.hold.app.demo", "push.note.replay.cancel.x", "push.count.x", "push.probe", "push.change.user.demo.bob.device.phone", "push.mark.demo.x",
		"push.marked.demo.x", "push.replay.mark", "$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.PUSH_DEAD", "$JS.API.STREAM.MSG.GET.PUSH_DEAD",
		"$JS.API.DIRECT.GET.PUSH_DIRECTORY", "$JS.API.DIRECT.GET.PUSH_DIRECTORY.push.user.demo.bob.device.phone", "$JS.API.STREAM.PURGE.PUSH_DIRECTORY",
		"$JS.API.STREAM.DELETE.PUSH_MESSAGES", "$JS.API.STREAM.CREATE.X", "$JS.API.CONSUMER.CREATE.PUSH_MESSAGES.x", "$JS.API.CONSUMER.MSG.NEXT.PUSH_MESSAGES.chat-demo",
		"$JS.ACK.PUSH_MESSAGES.chat-demo.1.1.1.1.1", "$SYS.REQ.SERVER.PING",
	}
	neighbour := []string{
		"push.message.other", "push.urgent.other", "push.signal.other", "push.user.other.bob.device.phone", "push.user.other.bob.presence.phone",
		"push.user.other.bob.settings", "push.gateway.other.gw-7",
	}
	ears := []string{
		">", "push.>", "push.message.demo", "push.user.demo.>", "push.gateway.demo.*", "push.change.>", "push.marked.>", "push.job.>", "push.dead.>", "push.outcome.>",
		"push.outcome.other.*.*", "$JS.API.>", "$JS.ACK.>", "$SYS.>",
	}
	makeStreams := []string{"$JS.API.STREAM.CREATE.PUSH_DEAD", "$JS.API.STREAM.UPDATE.PUSH_DEAD"}
	destroy := []string{
		"$JS.API.STREAM.DELETE.PUSH_DEAD", "$JS.API.STREAM.PURGE.PUSH_MESSAGES", "$JS.API.STREAM.PURGE.PUSH_DIRECTORY", "$JS.API.STREAM.PURGE.PUSH_OUTCOMES",
		"$JS.API.STREAM.MSG.DELETE.PUSH_MESSAGES", "$JS.API.STREAM.MSG.DELETE.PUSH_OUTCOMES", "$SYS.REQ.SERVER.PING",
	}
	removeLetters := []string{"$JS.API.STREAM.PURGE.PUSH_DEAD", "$JS.API.STREAM.MSG.DELETE.PUSH_DEAD"}
	apps := []string{"push.message.demo", "push.urgent.demo", "push.signal.demo", "push.gateway.demo.gw-7"}
	erase := []string{"$JS.API.STREAM.MSG.DELETE.PUSH_DIRECTORY", "$JS.API.STREAM.MSG.DELETE.PUSH_TOKENS"}
	for user, tries := range map[string]struct{ publish, subscribe [][]string }{
		"demo-publisher": {[][]string{installation, neighbour, destroy, erase}, [][]string{ears}},
		"demo-gateway": {[][]string{installation, neighbour, destroy, erase, {"push.message.demo", "push.urgent.demo", "push.signal.demo", "push.user.demo.bob.device.phone",
			"push.user.demo.bob.settings"}}, [][]string{ears, {"push.outcome.demo.*.*"}}},
		"worker":   {[][]string{apps, makeStreams, destroy, removeLetters, {"push.replay.mark"}}, [][]string{{">", "push.>", "push.user.>", "push.message.>", "$JS.API.>", "$JS.ACK.>", "$SYS.>"}}},
		"operator": {[][]string{destroy, {"push.outcome.demo.accepted.1", "push.note.tokenlock.demo-huawei", "$JS.API.CONSUMER.CREATE.PUSH_MESSAGES.x"}}, [][]string{{">", "push.>", "$JS.API.>", "$SYS.>"}}},
		"support": {[][]string{apps, neighbour, installation[:14], makeStreams, destroy, erase, removeLetters, {"push.user.demo.bob.device.phone", "push.user.demo.bob.presence.phone", "push.user.demo.bob.settings",
			"$JS.API.CONSUMER.CREATE.PUSH_MESSAGES.x"}},
			[][]string{ears}},
	} {
		nc := p.dial(user)
		refused := func(right, subject string, try func() error) {
			p.t.Helper()
			if err := errors.Join(try(), nc.Flush()); err != nil {
				p.t.Errorf("%s, %s: %v", user, subject, err)
			}
			// The server's refusal comes before its answer to the flush.
			if got := hongyan.PermissionErrorFrom(nc.LastError()); got == nil || got.Right != right || got.Subject != subject {
				p.t.Errorf("%s may %s %s; the last refusal is %v", user, right, subject, got)
			}
		}
		for _, subjects := range tries.publish {
			for _, subject := range subjects {
				refused("publish", subject, func() error { return nc.Publish(subject, nil) })
			}
		}
		for _, subjects := range tries.subscribe {
			for _, subject := range subjects {
				refused("subscribe", subject, func() error { _, err := nc.SubscribeSync(subject); return err })
			}
		}
	}
}

// keepsTheInstallationApart tries to have the server write its answers where the asker may not.
// The server sends an answer to whatever subject the asker names; only accounts keep them apart.
func (p *production) keepsTheInstallationApart() {
	t := p.t
	b := p.operator()
	const phone, lock = "push.user.demo.bob.device.phone", "push.note.tokenlock.demo-huawei"
	// The way of an answer depends on where asker and stream are, so each comes to each server. The
	// last one is asked for honestly: a stream answers in the order in which it stores, so once
	// that answer is here the others went wherever they go.
	trick := func(user string, server int, ask string, answers ...string) {
		t.Helper()
		nc, body := p.dialAt(p.nats.Servers[server].ClientURL(), user), ""
		if strings.HasPrefix(ask, "push.signal.") {
			body = `{"type":"recall","message_id":"m-0"}`
		}
		for _, answer := range answers {
			if err := nc.PublishRequest(ask, answer, []byte(body)); err != nil {
				t.Errorf("%s: %v", user, err)
			}
		}
		if _, err := nc.Request(ask, []byte(body), 10*time.Second); err != nil {
			t.Errorf("%s, %s: %v", user, ask, err)
		}
	}
	forbidden := []string{phone, lock, "push.message.demo", "$JS.API.STREAM.PURGE.PUSH_DIRECTORY"}
	for server := range p.nats.Servers {
		trick("other-publisher", server, "push.signal.other", forbidden...)
		trick("other-gateway", server, "push.gateway.other.gw-1", forbidden...)
		trick("demo-gateway", server, "push.gateway.demo.gw-1", forbidden...)
		trick("support", server, "$JS.API.STREAM.INFO.PUSH_DEAD", forbidden...)
	}
	// In an account it works, which shows that it would be seen: the operator asks after all others
	// were answered.
	for server := range p.nats.Servers {
		for i, ask := range []string{"push.signal.other", "push.gateway.other.gw-1", "$JS.API.STREAM.INFO.PUSH_DEAD"} {
			trick("operator", server, ask, fmt.Sprintf("push.user.other.eve.device.%d-%d", server, i))
		}
		trick("operator", server, "push.signal.other", "push.message.other")
	}
	read := func(stream, filter string) []bus.Entry {
		t.Helper()
		entries, err := b.Read(t.Context(), stream, filter, 1, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return entries
	}
	until(t, "the operator's answers are stored", func() bool { return len(read("PUSH_DIRECTORY", "push.user.other.eve.device.*")) == 9 })
	malformed := func() []bus.Entry { return read("PUSH_DEAD", "push.dead.none.none.malformed") }
	until(t, "the operator's answers are read as messages", func() bool { return len(malformed()) >= 3 })
	if got := read("PUSH_DIRECTORY", phone); len(got) != 1 || !strings.Contains(string(got[0].Data), bobsToken) {
		t.Errorf("bob's registration is %+v", got)
	}
	if got := read("PUSH_NOTES", lock); len(got) != 0 {
		t.Errorf("the lock of a login is %+v", got)
	}
	for _, m := range malformed() {
		if app := m.Header["Push-App"]; len(app) != 1 || app[0] != "other" {
			t.Errorf("a message that nobody sent, of app %s: %s", app, m.Data)
		}
	}
}

// letsNobodyIn comes without a password, without TLS, and as a server.
func (p *production) letsNobodyIn() {
	t := p.t
	if p.nats.Monitor != "127.0.0.1" {
		t.Errorf("the monitor listens on %q", p.nats.Monitor)
	}
	clear := strings.ReplaceAll(p.nats.URL, "tls://", "nats://")
	for name, c := range map[string]struct {
		url     string
		options []nats.Option
	}{
		"nobody":           {p.nats.URL, []nats.Option{nats.RootCAs(p.nats.CAFile)}},
		"a wrong password": {p.nats.URL, []nats.Option{nats.RootCAs(p.nats.CAFile), nats.UserInfo("worker", "wrong")}},
		"the routes' user": {p.nats.URL, []nats.Option{nats.RootCAs(p.nats.CAFile), nats.UserInfo("route", "route0password")}},
	} {
		if nc, err := nats.Connect(c.url, c.options...); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				nc.Close()
			}
		}
	}
	if nc, err := nats.Connect(clear, nats.UserInfo("worker", "worker-password")); err == nil {
		t.Error("a client that does not know the authority is in")
		nc.Close()
	}
	for name, c := range map[string]struct {
		certificate bool
		says        string
	}{"without TLS": {false, "TLS route handshake error"}, "without a password": {true, "authentication error"}} {
		count := func() (n int) {
			for _, line := range p.nats.Errors() {
				if strings.Contains(line, c.says) {
					n++
				}
			}
			return n
		}
		before := count()
		rogue := p.nats.StartRogue(t, c.certificate)
		for limit := time.Now().Add(30 * time.Second); count() == before && time.Now().Before(limit); time.Sleep(20 * time.Millisecond) { // polling the servers
		}
		if count() == before {
			t.Errorf("a server %s: the servers say only %q", name, p.nats.Errors())
		}
		// It dials again and again, and counts a route until it hears that it is refused.
		n := rogue.NumRoutes()
		for limit := time.Now().Add(30 * time.Second); n != 0 && time.Now().Before(limit); n = rogue.NumRoutes() {
			time.Sleep(20 * time.Millisecond) // polling the server
		}
		if n != 0 {
			t.Errorf("a server %s has %d routes", name, n)
		}
		rogue.Shutdown()
		rogue.WaitForShutdown()
	}
}
