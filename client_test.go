package hongyan_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/natsd"
)

// server starts an embedded server without streams.
func server(t testing.TB) string {
	t.Helper()
	srv, err := natsd.Start(natsd.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return srv.URL()
}

// installation starts a server with the streams of an installation.
func installation(t testing.TB) (string, *bus.Bus) {
	t.Helper()
	url := server(t)
	b, err := bus.Connect(t.Context(), bus.Options{URL: url, Once: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.Ensure(t.Context(), []string{"oppo"}); err != nil {
		t.Fatal(err)
	}
	return url, b
}

func connect(t testing.TB, url string) *hongyan.Client {
	t.Helper()
	c, err := hongyan.Connect(url, hongyan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func hello() *hongyan.Message {
	return &hongyan.Message{
		ID: "m-1", Conversation: hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c2c_alice"}, Sender: hongyan.Sender{ID: "alice"},
		Recipients: []string{"bob"}, Content: hongyan.Content{Type: hongyan.ContentText, Text: "Hello"},
	}
}

// stored reads the last message on a subject as a worker would find it.
func stored(t *testing.T, url, stream, subject string) *jetstream.RawStreamMsg {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSendStoresTheMessageOnce(t *testing.T) {
	t.Parallel()
	url, _ := installation(t)
	c := connect(t, url)
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithSpanContext(t.Context(), span)
	first, err := c.Send(ctx, "demo", hello())
	if err != nil || first.Duplicate || first.Sequence != 1 {
		t.Fatalf("first Send: %+v, %v", first, err)
	}
	second, err := c.Send(ctx, "demo", hello())
	if err != nil || !second.Duplicate || second.Sequence != 1 {
		t.Fatalf("second Send: %+v, %v; want a duplicate of the first", second, err)
	}
	m := stored(t, url, "PUSH_MESSAGES", "push.message.demo")
	if got, want := m.Header.Get("traceparent"), "00-01000000000000000000000000000000-0200000000000000-01"; got != want {
		t.Errorf("traceparent %q, want %q", got, want)
	}
	want := `{"id":"m-1","conversation":{"type":"c2c","id":"c2c_alice"},"sender":{"id":"alice"},"recipients":["bob"],"content":{"type":"text","text":"Hello"}}`
	if diff := cmp.Diff(want, string(m.Data)); diff != "" {
		t.Errorf("the message on the wire (-want +got):\n%s", diff)
	}
}

func TestSendWithoutASpanHasNoTraceparent(t *testing.T) {
	t.Parallel()
	url, _ := installation(t)
	if _, err := connect(t, url).Send(t.Context(), "demo", hello()); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, url, "PUSH_MESSAGES", "push.message.demo").Header.Get("traceparent"); got != "" {
		t.Errorf("traceparent %q, want none", got)
	}
}

func TestSendWithoutAStreamSaysSoAtOnce(t *testing.T) {
	t.Parallel()
	c := connect(t, server(t))
	began := time.Now()
	_, err := c.Send(t.Context(), "demo", hello())
	if !errors.Is(err, hongyan.ErrNoStream) {
		t.Fatalf("got %v, want ErrNoStream", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v to say so", took)
	}
}

func TestSendOutlastsARestartOfTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv, err := natsd.Start(natsd.Options{Dir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	url := srv.URL()
	b, err := bus.Connect(t.Context(), bus.Options{URL: url, Once: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Ensure(t.Context(), []string{"oppo"}); err != nil {
		t.Fatal(err)
	}
	b.Close()
	c := connect(t, url)
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := c.Send(context.Background(), "demo", hello())
		sent <- err
	}()
	time.Sleep(500 * time.Millisecond)
	again, err := natsd.Start(natsd.Options{Dir: dir, Listen: strings.TrimPrefix(url, "nats://")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	if err := <-sent; err != nil {
		t.Fatalf("Send over a restart: %v", err)
	}
}

func TestSendStopsWithItsContext(t *testing.T) {
	t.Parallel()
	url, _ := installation(t)
	c := connect(t, url)
	c.Close() // whatever comes now cannot be stored
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.Send(ctx, "demo", hello()); err == nil {
		t.Fatal("Send on a closed connection succeeded")
	}
}

func TestDirectoryWritesAreWhatTheDirectoryReads(t *testing.T) {
	t.Parallel()
	url, b := installation(t)
	c := connect(t, url)
	ctx := t.Context()
	user, phone := "bob@example.com", "phone 1"
	reg := hongyan.Device{Certificate: "35001", Token: "tok", Platform: "android", VoIP: &hongyan.VoIP{Certificate: "35009", Token: "v"}}
	for what, err := range map[string]error{
		"SetDevice":   c.SetDevice(ctx, "demo", user, phone, reg),
		"SetPresence": c.SetPresence(ctx, "demo", user, phone, hongyan.Presence{State: hongyan.StateForeground, Gateway: "gw.7"}),
		"SetSettings": c.SetSettings(ctx, "demo", user, hongyan.Settings{Conversations: map[string]hongyan.Mute{"g-7": hongyan.MuteAll}}),
		"Gateway":     c.RenewGateway(ctx, "demo", "gw.7", hongyan.Lease{}, 10*time.Second),
	} {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	lookup := func() *directory.User {
		t.Helper()
		ref := directory.Ref{App: "demo", User: user}
		users, err := directory.New(b, hongyan.Subjects{}, directory.Options{}).Lookup(ctx, []directory.Ref{ref})
		if err != nil {
			t.Fatal(err)
		}
		return users[0]
	}
	u := lookup()
	if len(u.Devices) != 1 || u.Devices[0].ID != phone || u.Devices[0].Registration.Token != "tok" || !u.Devices[0].Foreground {
		t.Errorf("devices: %+v, want one in the foreground by its gateway", u.Devices)
	}
	if u.Settings.Conversations["g-7"] != hongyan.MuteAll {
		t.Errorf("settings: %+v", u.Settings)
	}
	if err := c.RenewGateway(ctx, "demo", "gw.7", hongyan.Lease{}, 0); err != nil {
		t.Fatal(err)
	}
	if lookup().Devices[0].Foreground {
		t.Error("the device is in the foreground although its gateway's lease ended")
	}
	if err := c.RemoveDevice(ctx, "demo", user, phone); err != nil {
		t.Fatal(err)
	}
	if u := lookup(); len(u.Devices) != 0 {
		t.Errorf("devices after the removal: %+v", u.Devices)
	}
}

func TestKeepGatewayEndsTheLeaseWithItsContext(t *testing.T) {
	t.Parallel()
	url, b := installation(t)
	c := connect(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.KeepGateway(ctx, "demo", "gw-1", 3*time.Second) }()
	lease := func() string {
		read, err := b.LastValues(t.Context(), []string{"push.gateway.demo.gw-1"})
		values := read.Values
		if err != nil || len(values) == 0 {
			return ""
		}
		return string(values[0].Data)
	}
	for deadline := time.Now().Add(5 * time.Second); lease() == "" && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if lease() == "" {
		t.Fatal("no lease")
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := lease(); got != "" {
		t.Errorf("lease %q after the gateway went", got)
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	url, _ := installation(t)
	c := connect(t, url)
	if err := c.Signal(t.Context(), "demo", hongyan.Signal{Type: hongyan.SignalRecall, MessageID: "m-1"}); err != nil {
		t.Fatal(err)
	}
	if got, want := string(stored(t, url, "PUSH_MESSAGES", "push.signal.demo").Data), `{"type":"recall","message_id":"m-1"}`; got != want {
		t.Errorf("recall %s, want %s", got, want)
	}
	if err := c.Signal(t.Context(), "demo", hongyan.Signal{Type: hongyan.SignalRead, User: "bob", Conversation: "g-7",
		At: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}); err != nil {
		t.Fatal(err)
	}
	if got, want := string(stored(t, url, "PUSH_MESSAGES", "push.signal.demo").Data),
		`{"type":"read","conversation":"g-7","user":"bob","at":"2026-11-23T08:00:00Z"}`; got != want {
		t.Errorf("read mark %s, want %s", got, want)
	}
}

func TestInvalidValuesAreRefusedWithAllTheirFaults(t *testing.T) {
	t.Parallel()
	url, _ := installation(t)
	c := connect(t, url)
	ctx := t.Context()
	send := func(app string, change func(*hongyan.Message)) error {
		m := hello()
		change(m)
		_, err := c.Send(ctx, app, m)
		return err
	}
	large := hongyan.Settings{Conversations: map[string]hongyan.Mute{}}
	for i := range 300 {
		large.Conversations[strings.Repeat("g", 1000)+strconv.Itoa(i)] = hongyan.MuteAll
	}
	many := make([]string, hongyan.MaxRecipients+1)
	for i := range many {
		many[i] = "u"
	}
	negative := -1
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"everything-missing", func() error { _, err := c.Send(ctx, "demo", &hongyan.Message{}); return err }(),
			[]string{"id is missing", "conversation.type is missing", "sender.id is missing", "recipients is missing", "content.type is missing"}},
		{"app", send("de.mo", func(*hongyan.Message) {}), []string{"app is not 1 to 64 of"}},
		{"recipients", send("demo", func(m *hongyan.Message) { m.Recipients = many }), []string{"recipients has 10001 users, the most is 10000"}},
		{"long-user", send("demo", func(m *hongyan.Message) { m.Recipients = []string{"", strings.Repeat("b", 257)} }), []string{"recipients has no user"}},
		{"call", send("demo", func(m *hongyan.Message) {
			m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: "smell"}}
		}),
			[]string{"content.call.action", "content.call.media is none of audio, video", "content.call.call_id"}},
		{"too-large", send("demo", func(m *hongyan.Message) { m.Content.Text = strings.Repeat("x", 9<<20) }), []string{"the most is 4194304"}},
		{"device", c.SetDevice(ctx, "demo", "", "d", hongyan.Device{VoIP: &hongyan.VoIP{}}),
			[]string{"user is missing", "certificate is missing", "voip needs a certificate"}},
		{"presence", c.SetPresence(ctx, "demo", "bob", "d", hongyan.Presence{State: "asleep", Unread: &negative}), []string{"state is none of", "unread is negative"}},
		{"settings", c.SetSettings(ctx, "demo", "bob", hongyan.Settings{QuietHours: &hongyan.QuietWindow{From: "25:00", To: "8", Timezone: "Moon/Crater"},
			Conversations: map[string]hongyan.Mute{"g": "loud"}}), []string{"quiet_hours.from", "quiet_hours.to", "quiet_hours.timezone", "conversations has a value"}},
		{"large-settings", c.SetSettings(ctx, "demo", "bob", large),
			[]string{"the most is 262144"}},
		{"lease", c.RenewGateway(ctx, "demo", "gw", hongyan.Lease{}, time.Millisecond), []string{"the least is 1s"}},
		{"recall", c.Signal(ctx, "demo", hongyan.Signal{Type: hongyan.SignalRecall}), []string{"message_id is missing"}},
		{"read", c.Signal(ctx, "demo", hongyan.Signal{Type: hongyan.SignalRead, User: "bob"}), []string{"conversation is missing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !errors.Is(c.err, hongyan.ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid", c.err)
			}
			for _, want := range c.want {
				if !strings.Contains(c.err.Error(), want) {
					t.Errorf("%q does not say %q", c.err, want)
				}
			}
		})
	}
}

func TestConnectHidesThePassword(t *testing.T) {
	t.Parallel()
	_, err := hongyan.Connect("nats://user:hunter2@127.0.0.1:1", hongyan.Options{}, nats.Timeout(200*time.Millisecond))
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("got %v, want an error with the address and without the password", err)
	}
}
