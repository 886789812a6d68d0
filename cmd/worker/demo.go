package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/terminal"
)

// show is what `worker dev` shows: it registers sample users, sends messages through the real
// pipeline in five steps, and prints the pushes.
type show struct {
	s       *service
	box     *sandbox.Server
	out     io.Writer
	options devOptions
	pageURL string
	// password opens the worker's page /explain.
	password string
	// owners maps each token to the name of the device's owner.
	owners map[string]string
	// refused is the user of the message that a vendor refused.
	refused string
	// fakes are the vendors, each with a user who has one of its phones.
	fakes []sandbox.Fake
}

func (d *show) run(ctx context.Context) error {
	d.owners = map[string]string{}
	pushes := make(chan sandbox.Push, 4096)
	stop := d.box.Watch(pushes)
	defer stop()
	if err := d.register(ctx); err != nil {
		return err
	}
	d.addresses()
	for _, step := range []func(context.Context, chan sandbox.Push) error{d.conversation, d.call, d.chat, d.largeGroup, d.thousand} {
		if err := step(ctx, pushes); err != nil {
			return err
		}
	}
	d.hints()
	for {
		select {
		case push := <-pushes:
			d.print(push)
		case <-ctx.Done():
			return nil
		}
	}
}

func (d *show) register(ctx context.Context) error {
	subjects := d.s.topology().Subjects
	unread := 2
	for _, f := range d.fakes {
		u := f.User
		device := hongyan.Device{Certificate: certificate(f), Token: f.Token(u.ID), Platform: u.Platform, Locale: u.Locale, RegisteredAt: time.Now().UTC()}
		d.owners[device.Token] = u.Name
		if u.VoIP != "" {
			device.VoIP = &hongyan.VoIP{Certificate: u.VoIP, Token: f.Token(u.ID + "-voip")}
			d.owners[device.VoIP.Token] = u.Name
		}
		if err := d.put(ctx, subjects.Device(sandbox.DemoApp, u.ID, u.Device), device); err != nil {
			return err
		}
		if err := d.put(ctx, subjects.Presence(sandbox.DemoApp, u.ID, u.Device), hongyan.Presence{State: hongyan.StateBackground, Unread: &unread, At: time.Now().UTC()}); err != nil {
			return err
		}
	}
	return nil
}

// certificate is the demo's certificate for a vendor's phones.
func certificate(f sandbox.Fake) string { return "demo-" + f.Vendor }

func (d *show) put(ctx context.Context, subject string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return d.s.bus.Put(ctx, subject, data)
}

// send publishes messages of an app.
func (d *show) send(ctx context.Context, app string, messages ...hongyan.Message) error {
	out := make([]dispatch.Outgoing, len(messages))
	for i, m := range messages {
		m.SentAt = time.Now().UTC()
		var err error
		if out[i], err = d.outgoing(app, m.ID, m); err != nil {
			return err
		}
	}
	return errors.Join(d.s.bus.Publish(ctx, out)...)
}

// outgoing is an event of an app with the message's id.
func (d *show) outgoing(app, id string, event any) (dispatch.Outgoing, error) {
	data, err := json.Marshal(event)
	return dispatch.Outgoing{Subject: d.s.topology().Subjects.Message(app), ID: app + "/" + id, Data: data}, err
}

func (d *show) message(id, sender, nickname string, kind hongyan.ContentType, text string) hongyan.Message {
	m := hongyan.Message{
		ID: fmt.Sprintf("dev-%s-%d", id, time.Now().UnixNano()), Sender: hongyan.Sender{ID: sender, Nickname: nickname},
		Conversation: hongyan.Conversation{Type: hongyan.ConversationGroup, ID: "g-hiking", Name: "周末爬山 Hiking"},
		Content:      hongyan.Content{Type: kind, Text: text}, Unread: map[string]int{},
		OfflinePush: hongyan.OfflinePush{Ext: `{"conversationID":"g-hiking"}`},
	}
	for _, f := range d.fakes {
		m.Recipients = append(m.Recipients, f.User.ID)
		m.Unread[f.User.ID] = 3
	}
	return m
}

// conversation is the first step: three messages in a group with a phone of each vendor.
func (d *show) conversation(ctx context.Context, pushes chan sandbox.Push) error {
	d.title(fmt.Sprintf("A group conversation: Alice is online, %d phones are not", len(d.fakes)))
	for _, m := range []hongyan.Message{
		d.message("1", "alice", "Alice", hongyan.ContentText, "周六八点山门口见？ Saturday at eight? 🏔️"),
		d.message("2", "alice", "Alice", hongyan.ContentImage, ""),
		d.message("3", "bob", "Bob", hongyan.ContentText, "I bring the tea 🍵"),
	} {
		if err := d.send(ctx, sandbox.DemoApp, m); err != nil {
			return err
		}
		want := len(d.fakes)
		if m.Sender.ID == "bob" {
			want-- // nobody is told of his own words
		}
		if err := d.show(ctx, pushes, want); err != nil {
			return err
		}
	}
	return nil
}

// call is the second step: a call rings, on the iPhone through PushKit.
func (d *show) call(ctx context.Context, pushes chan sandbox.Push) error {
	d.title("A call, in the urgent lane")
	m := d.message("call", "alice", "Alice", hongyan.ContentCall, "")
	m.Content.Call = &hongyan.Call{Media: "video", Action: hongyan.CallInvite, ID: fmt.Sprintf("call-%d", time.Now().UnixNano())}
	if err := d.send(ctx, sandbox.DemoApp, m); err != nil {
		return err
	}
	return d.show(ctx, pushes, len(d.fakes))
}

// largeGroup is the fourth step: one message to a thousand members over all vendors.
func (d *show) largeGroup(ctx context.Context, pushes chan sandbox.Push) error {
	n := d.options.members
	if n <= 0 {
		return nil
	}
	d.title(fmt.Sprintf("One message to a group of %d members on %d vendors", n, len(d.fakes)))
	m := d.message("large", "alice", "Alice", hongyan.ContentText, "全体成员请注意：集合时间改为九点。")
	m.Conversation = hongyan.Conversation{Type: hongyan.ConversationGroup, ID: "g-all", Name: "爬山总群"}
	m.Recipients, m.Unread = nil, nil
	for i := range n {
		m.Recipients = append(m.Recipients, fmt.Sprintf("member-%d", i))
	}
	if err := d.phones(ctx, m.Recipients, func(i int) sandbox.Fake { return d.fakes[i%len(d.fakes)] }); err != nil {
		return err
	}
	began := time.Now()
	if err := d.send(ctx, sandbox.DemoApp, m); err != nil {
		return err
	}
	counts := map[string]int{}
	got, err := d.collect(ctx, pushes, n, func(push sandbox.Push) { counts[push.Vendor]++ })
	if err != nil {
		return err
	}
	took := time.Since(began)
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", v, counts[v]))
	}
	fmt.Fprintf(d.out, "  %d of %d members have it after %s: %s\n", got, n, took.Round(time.Millisecond), strings.Join(parts, ", "))
	return nil
}

// phones registers a phone for each user, of the vendor that of says.
func (d *show) phones(ctx context.Context, users []string, of func(i int) sandbox.Fake) error {
	subjects := d.s.topology().Subjects
	records := make([]dispatch.Outgoing, len(users))
	for i, user := range users {
		f := of(i)
		data, err := json.Marshal(hongyan.Device{Certificate: certificate(f), Token: f.Token(user), Locale: f.User.Locale, RegisteredAt: time.Now().UTC()})
		if err != nil {
			return err
		}
		records[i] = dispatch.Outgoing{Subject: subjects.Device(sandbox.DemoApp, user, "phone"), Data: data}
	}
	return errors.Join(d.s.bus.Publish(ctx, records)...)
}

// show prints the next n pushes.
func (d *show) show(ctx context.Context, pushes chan sandbox.Push, n int) error {
	got, err := d.collect(ctx, pushes, n, d.print)
	if err == nil && got < n {
		fmt.Fprintf(d.out, "  (%d of %d arrived within the time; the log and the page's list of broken rules say more)\n", got, n)
	}
	return err
}

// collect hands on the next n pushes, for up to 30 seconds.
func (d *show) collect(ctx context.Context, pushes chan sandbox.Push, n int, each func(sandbox.Push)) (got int, err error) {
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for got < n {
		select {
		case push := <-pushes:
			each(push)
			if !push.Repeat {
				got++
			}
		case <-limit.C:
			return got, nil
		case <-ctx.Done():
			return got, ctx.Err()
		}
	}
	return got, nil
}

func (d *show) title(text string) { fmt.Fprintf(d.out, "\n%s\n", text) }

func (d *show) print(push sandbox.Push) {
	owner := d.owners[push.Token]
	if owner == "" {
		owner = "?"
	}
	mark := "🔔"
	if push.Call {
		mark = "📞"
	}
	repeat := ""
	if push.Repeat {
		repeat = " (again; it replaces the first)"
	}
	fmt.Fprintf(d.out, "  %s %-8s %-6s %s │ %s%s\n", mark, push.Vendor, owner, terminal.Line(push.Title), terminal.Line(push.Body), repeat)
}

func (d *show) addresses() {
	fmt.Fprintf(d.out, `
  Page           %s/sandbox/   the phones, live
  NATS           nats://%s
  Why or why not http://%s/explain   any name, password %s
  Metrics        http://%[3]s/metrics
`, d.pageURL, d.options.nats, d.options.http, d.password)
}

func (d *show) hints() {
	refused := ""
	if d.refused != "" {
		refused = "\n  # the one message among a thousand that was refused\n  go run ./cmd/publisher explain --app demo --user " + d.refused + "\n"
	}
	fmt.Fprintf(d.out, `
Everything keeps running; Ctrl-C ends it. Try, in another terminal:

  go run ./cmd/publisher send --app demo --from alice --to bob --text "Hello Bob"
  go run ./cmd/publisher explain --app demo --user bob
  go run ./cmd/publisher device list --app demo --user bob
  go run ./cmd/publisher dead list --app demo
  nats pub push.message.demo '{"id":"m-1","conversation":{"type":"c2c","id":"c"},"sender":{"id":"alice"},"recipients":["bob"],"content":{"type":"text","text":"Hi"}}'
%[3]s
  # make a vendor hang, send to everybody, and see that nobody else waits
  curl -X POST %[1]s/sandbox/api/faults -d '{"vendor":"%[2]s","kind":"hang"}'
  curl -X DELETE %[1]s/sandbox/api/faults

`, d.pageURL, d.fakes[len(d.fakes)/2].Vendor, refused)
}
