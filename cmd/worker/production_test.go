package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

// production is an installation on three servers that run deploy/nats-production.conf: a worker,
// the sandbox, and two apps, demo and other.
type production struct {
	t    *testing.T
	nats *bustest.Production
	box  *sandbox.Server
	dir  string
	page string // the worker's own
}

// productionTexts are the configuration as it is, and with a second app, made as it says: the
// marked block is copied and the name replaced.
func productionTexts(t *testing.T) (one, two []byte) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/nats-production.conf")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)  # -+ app demo begins.*app demo ends -+\n`).FindString(string(text))
	if block == "" {
		t.Fatal("there is no block to copy")
	}
	return text, []byte(strings.Replace(string(text), block, block+strings.ReplaceAll(block, "demo", "other"), 1))
}

// TestProduction: under the users of deploy/nats-production.conf everybody can do what they are
// for, and nothing else.
func TestProduction(t *testing.T) {
	t.Parallel()
	one, two := productionTexts(t)
	p := &production{t: t, nats: bustest.StartProduction(t, one), dir: t.TempDir(), page: freePort(t)}
	demo, err := sandbox.NewDemo(time.Now(), all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	p.box = sandbox.New(sandbox.Options{Keep: -1, Unpaced: true}, demo.Fakes()...)
	listener, err := p.box.Start(sandbox.ListenOptions{Authority: demo.Authority()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = listener.Stop(ctx)
	})
	place := sandbox.Place{URL: listener.TLSURL(), Dir: filepath.Join(p.dir, "sandbox")}
	if err := demo.WriteFiles(place.Dir, place); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"worker", "operator"} {
		yaml := fmt.Appendf(nil, "nats: {url: %q, replicas: 3, user: %s, password_file: %q, tls: {ca_file: %q}}\nhttp: {listen: %q}\n%s", p.nats.URL, user,
			p.nats.PasswordFile[user], p.nats.CAFile, p.page, demo.Apps(place))
		if err := os.WriteFile(p.config(user), yaml, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.setup()
	p.coversTheStreams()
	p.nats.Reload(t, two)
	p.nats.Reload(t, two) // docs/deploy.md says why
	p.worker()
	p.servesTheNewApp()
	p.works()
	p.isEncrypted()
	p.denies()
	p.keepsTheInstallationApart()
	p.letsNobodyIn()
}

func (p *production) config(user string) string { return filepath.Join(p.dir, user+".yaml") }

// setup makes the streams as operator, because the workers' user may not.
func (p *production) setup() {
	p.t.Helper()
	var out bytes.Buffer
	if code := run([]string{"setup", "--config", p.config("operator")}, &out, &out); code != 0 {
		p.t.Fatalf("worker setup as operator: %s", &out)
	}
}

// worker runs a worker until the test ends.
func (p *production) worker() {
	t := p.t
	t.Helper()
	conf, err := config.Load(p.config("worker"), kinds)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	var said lockedBuffer
	go func() {
		ended <- serve(ctx, conf, slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn})), nil)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the worker says:\n%s", tail(said.String()))
		}
	})
	until(t, "the worker is ready", func() bool {
		status, _, err := get("http://" + p.page + "/readyz")
		return err == nil && status == http.StatusOK
	})
}

// coversTheStreams compares the users' rights with the streams that setup made.
func (p *production) coversTheStreams() {
	t := p.t
	t.Helper()
	js, err := jetstream.New(p.dial("operator"))
	if err != nil {
		t.Fatal(err)
	}
	streams, n := js.ListStreams(t.Context()), 0
	for info := range streams.Info() {
		n++
		for _, subject := range info.Config.Subjects {
			switch strings.Split(subject, ".")[1] {
			case "message", "urgent", "signal", "user", "gateway": // what apps say
			default:
				if subject != "push.later.due.>" && !p.nats.MayPublish("worker", subject) { // the server writes those that are due
					t.Errorf("the worker lacks the right to publish on %s, of the stream %s", subject, info.Config.Name)
				}
			}
		}
		if r := info.Config.RePublish; r != nil && !p.nats.MaySubscribe("worker", r.Destination) {
			t.Errorf("the worker lacks the right to subscribe to %s, of the stream %s", r.Destination, info.Config.Name)
		}
	}
	if err := streams.Err(); err != nil || n < 10 {
		t.Errorf("%d streams: %v", n, err)
	}
}

// servesTheNewApp tries, on each server, whether what the new app says is stored and what becomes
// of it is heard.
func (p *production) servesTheNewApp() {
	t := p.t
	worker := p.dial("worker")
	for _, server := range p.nats.Servers {
		for user, subject := range map[string]string{"other-publisher": "push.user.other.bob.settings", "other-gateway": "push.gateway.other.gw-1"} {
			if _, err := p.dialAt(server.ClientURL(), user).Request(subject, nil, 10*time.Second); err != nil {
				t.Errorf("%s: %s: %v", server.Name(), subject, err)
			}
		}
		sub, err := p.dialAt(server.ClientURL(), "other-publisher").SubscribeSync("push.outcome.other.*.*")
		if err != nil {
			t.Fatal(err)
		}
		until(t, "outcomes of the new app are heard at "+server.Name(), func() bool {
			if err := errors.Join(worker.Publish("push.outcome.other.accepted.1", []byte("{}")), worker.Flush()); err != nil {
				t.Fatal(err)
			}
			_, err := sub.NextMsg(100 * time.Millisecond)
			return err == nil
		})
	}
}

// client is the Go client of a user.
func (p *production) client(user string) *hongyan.Client {
	p.t.Helper()
	c, err := hongyan.Connect(p.nats.URL, hongyan.Options{Credentials: hongyan.Credentials(p.nats.Credentials(user))})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.Close)
	return c
}

// publisher runs the tool as a user.
func (p *production) publisher(user string, args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	at := []string{"--nats", p.nats.URL, "--nats-user", user, "--nats-password-file", p.nats.PasswordFile[user], "--nats-ca-file", p.nats.CAFile}
	out, err := exec.CommandContext(ctx, publisher.binary(p.t, "../publisher"), append(at, args...)...).CombinedOutput()
	if err != nil {
		p.t.Errorf("%s: publisher %s: %v\n%s", user, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// dial is a bare connection of a user.
func (p *production) dial(user string) *nats.Conn { return p.dialAt(p.nats.URL, user) }

func (p *production) dialAt(url, user string) *nats.Conn {
	p.t.Helper()
	options, err := p.nats.Credentials(user).Options(url, func(key string) string { return key })
	if err != nil {
		p.t.Fatal(err)
	}
	nc, err := nats.Connect(url, append(options, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(nc.Close)
	return nc
}

// bobsToken is registered in the app demo.
var bobsToken = all.Token("huawei", "bob/phone")

// secret is what a message of the app demo says.
const secret = "the reactor is in the third cellar"

// works goes the ways of messages, signals, leases, dead letters and replays.
func (p *production) works() {
	t := p.t
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// What the app's neighbours hear meanwhile.
	var snoops []*nats.Subscription
	for _, user := range []string{"other-publisher", "other-gateway"} {
		snoop, err := p.dial(user).SubscribeSync("_INBOX.>")
		must(err)
		snoops = append(snoops, snoop)
	}
	backend, gateway, b := p.client("demo-publisher"), p.client("demo-gateway"), p.operator()
	outcomes, err := backend.Outcomes(ctx, "demo")
	must(err)
	told := map[string]hongyan.Outcome{}
	become := func(id string, status hongyan.Status) {
		t.Helper()
		for o, err := range outcomes {
			must(err)
			told[o.MessageID] = o
			if o.MessageID == id && o.Status == status {
				break
			}
		}
		if o := told[id]; o.Status != status {
			t.Fatalf("%s became %+v, want %s", id, o, status)
		}
		outcomes, err = backend.Outcomes(ctx, "demo") // a sequence is ranged over once
		must(err)
	}
	send := func(m hongyan.Message) {
		t.Helper()
		m.Content.Text = secret
		_, err := backend.Send(ctx, "demo", &m)
		must(err)
	}

	must(backend.SetDevice(ctx, "demo", "bob", "phone", hongyan.Device{Certificate: "demo-huawei", Token: bobsToken}))
	must(backend.SetSettings(ctx, "demo", "bob", hongyan.Settings{}))
	must(gateway.SetPresence(ctx, "demo", "bob", "phone", hongyan.Presence{State: hongyan.StateBackground, Gateway: "gw-7"}))
	must(gateway.RenewGateway(ctx, "demo", "gw-7", hongyan.Lease{}, time.Minute))
	send(chat("m-1", "bob"))
	become("m-1", hongyan.StatusAccepted)
	call := chat("m-2", "bob")
	call.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: "audio", Action: hongyan.CallInvite, ID: "call-1"}}
	_, err = backend.Send(ctx, "demo", &call)
	must(err)
	become("m-2", hongyan.StatusAccepted)
	must(backend.Signal(ctx, "demo", hongyan.Signal{Type: hongyan.SignalRecall, MessageID: "m-9"}))
	must(backend.Signal(ctx, "demo", hongyan.Signal{Type: hongyan.SignalRead, User: "frank", Conversation: "c2c_alice", At: time.Now()}))

	// A message that is divided, to users without a phone.
	crowd := make([]string, 600)
	for i := range crowd {
		crowd[i] = fmt.Sprint("user-", i)
	}
	send(chat("m-3", crowd...))
	become("m-3", hongyan.StatusSuppressed)

	// A dead token is removed, a refused push is replayed.
	dead := all.Token("huawei", "dan/phone")
	must(backend.SetDevice(ctx, "demo", "dan", "phone", hongyan.Device{Certificate: "demo-huawei", Token: dead}))
	must(backend.SetPresence(ctx, "demo", "dan", "phone", hongyan.Presence{State: hongyan.StateBackground}))
	p.box.Kill("huawei", dead)
	send(chat("m-4", "dan"))
	become("m-4", hongyan.StatusDead)
	p.forgets(b, "dan")
	p.box.Arm(sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultCode, Code: "BadExpirationDate", Times: 1})
	must(backend.SetDevice(ctx, "demo", "erin", "iphone", hongyan.Device{Certificate: "demo-apns", Token: all.Token("apns", "erin/iphone")}))
	must(backend.SetDevice(ctx, "demo", "frank", "phone", hongyan.Device{Certificate: "demo-huawei", Token: all.Token("huawei", "frank/phone")}))
	send(chat("m-5", "erin"))
	become("m-5", hongyan.StatusDead)
	if got := p.publisher("support", "dead", "list"); !strings.Contains(got, "m-5") {
		t.Errorf("dead list as support:\n%s", got)
	}
	p.publisher("operator", "replay", "--message", "m-5", "--yes")
	become("m-5", hongyan.StatusAccepted)
	p.publisher("operator", "dead", "purge", "--message", "m-4", "--yes")

	// What waits long is stored with a time.
	p.box.Arm(sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultServerError, Status: http.StatusServiceUnavailable, RetryAfter: 90, Times: 1})
	send(chat("m-6", "erin"))
	become("m-6", hongyan.StatusWaiting)

	// Bob's phone goes to gina and comes back, each time with the presence of whoever had it.
	for _, move := range [][2]string{{"bob", "gina"}, {"gina", "bob"}} {
		must(backend.SetDevice(ctx, "demo", move[1], "phone", hongyan.Device{Certificate: "demo-huawei", Token: bobsToken}))
		p.forgets(b, move[0])
		must(gateway.SetPresence(ctx, "demo", move[1], "phone", hongyan.Presence{State: hongyan.StateBackground}))
	}

	if got := p.publisher("support", "explain", "--app", "demo", "--user", "bob", "--message", "m-1"); !strings.Contains(got, "accepted") {
		t.Errorf("explain as support:\n%s", got)
	}
	p.publisher("support", "explain", "--app", "demo", "--user", "erin")
	if got := p.publisher("support", "device", "list", "--app", "demo", "--user", "bob"); !strings.Contains(got, "demo-huawei") {
		t.Errorf("device list as support:\n%s", got)
	}
	p.publisher("support", "limits")
	p.publisher("support", "user", "show", "--app", "demo", "--user", "bob")
	p.publisher("operator", "user", "erase", "--app", "demo", "--user", "frank", "--yes")
	p.publisher("operator", "limits")
	p.publisher("operator", "limits", "hold", "--app", "demo", "--reason", "a test")
	p.publisher("operator", "limits", "release", "--app", "demo")
	p.publisher("operator", "settings", "--app", "demo", "--user", "bob", "--mute", "g-1")
	p.publisher("demo-publisher", "send", "--app", "demo", "--from", "alice", "--to", "bob", "--text", "Hi")
	for _, line := range p.nats.Errors() {
		if strings.Contains(strings.ToLower(line), "violation") {
			t.Errorf("a right is missing: %s", line)
		}
	}
	for _, snoop := range snoops {
		if n, _, err := snoop.Pending(); err != nil || n > 0 {
			m, _ := snoop.NextMsg(time.Second) // only for the message below
			t.Errorf("a neighbour's inboxes got %d messages, such as %v; %v", n, m, err)
		}
	}
}

// forgets waits until nothing is known of a user's phone any more.
func (p *production) forgets(b *bus.Bus, user string) {
	p.t.Helper()
	until(p.t, "registration and presence of "+user+" are removed", func() bool {
		entries, err := b.Read(p.t.Context(), b.Topology().Directory(), "push.user.demo."+user+".*.phone", 1, 10)
		return err == nil && !slices.ContainsFunc(entries, func(e bus.Entry) bool { return len(e.Data) > 0 })
	})
}

// isEncrypted looks for tokens and texts on the servers' disks.
func (p *production) isEncrypted() {
	files := 0
	for i := range p.nats.Servers {
		err := filepath.WalkDir(p.nats.Store(i), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if bytes.Contains(data, []byte(bobsToken)) || bytes.Contains(data, []byte(secret)) {
				p.t.Errorf("%s holds a token or text in clear", path)
			}
			files++
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.t.Error(err)
		}
	}
	if files < 10 {
		p.t.Errorf("only %d files were looked at", files)
	}
}

// operator is a bus of the operator's.
func (p *production) operator() *bus.Bus {
	p.t.Helper()
	b, err := bus.Connect(p.t.Context(), bus.Options{URL: p.nats.URL, Credentials: p.nats.Credentials("operator"), Once: true})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(b.Close)
	return b
}
