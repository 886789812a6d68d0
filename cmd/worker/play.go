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

// play is what `worker dev` shows: sample users, and three acts of messages through the real
// pipeline.
type play struct {
	s       *service
	box     *sandbox.Server
	out     io.Writer
	options devOptions
	place   string
	// owners maps tokens to who holds the device.
	owners map[string]string
}

// cast is a user for each vendor.
var cast = []struct{ user, name, device, certificate, locale string }{
	{"bob", "Bob", "iphone", "demo-apns", "en-US"},
	{"carol", "Carol", "pixel", "demo-fcm", "en-GB"},
	{"dan", "丹丹", "mate60", "demo-huawei", "zh-CN"},
	{"erin", "小艾", "matepad", "demo-harmony", "zh-CN"},
	{"frank", "方可", "magic6", "demo-honor", "zh-CN"},
	{"grace", "葛蕾", "xiaomi15", "demo-xiaomi", "zh-CN"},
	{"heidi", "海迪", "findx7", "demo-oppo", "zh-CN"},
	{"ivan", "伊万", "x100", "demo-vivo", "zh-CN"},
	{"judy", "朱迪", "meizu21", "demo-meizu", "zh-CN"},
}

func (p *play) run(ctx context.Context) error {
	p.owners = map[string]string{}
	pushes := make(chan sandbox.Push, 4096)
	stop := p.box.Watch(pushes)
	defer stop()
	if err := p.register(ctx); err != nil {
		return err
	}
	p.where()
	for _, act := range []func(context.Context, chan sandbox.Push) error{p.conversation, p.call, p.largeGroup} {
		if err := act(ctx, pushes); err != nil {
			return err
		}
	}
	p.next()
	for {
		select {
		case push := <-pushes:
			p.print(push)
		case <-ctx.Done():
			return nil
		}
	}
}

func (p *play) register(ctx context.Context) error {
	subjects := p.s.topology().Subjects
	for _, c := range cast {
		d := hongyan.Device{Certificate: c.certificate, Token: sandbox.DemoToken(vendorOf(c.certificate), c.user), Platform: "android", Locale: c.locale, RegisteredAt: time.Now().UTC()}
		p.owners[d.Token] = c.name
		if c.certificate == "demo-apns" {
			d.Platform = "ios"
			d.VoIP = &hongyan.VoIP{Certificate: "demo-apns-voip", Token: sandbox.DemoToken("apns", c.user+"-voip")}
			p.owners[d.VoIP.Token] = c.name
		}
		if err := p.put(ctx, subjects.Device(sandbox.DemoApp, c.user, c.device), d); err != nil {
			return err
		}
		if err := p.put(ctx, subjects.Presence(sandbox.DemoApp, c.user, c.device), hongyan.Presence{State: hongyan.Background, Unread: 2, At: time.Now().UTC()}); err != nil {
			return err
		}
	}
	return nil
}

// vendorOf is the vendor of a demo certificate.
func vendorOf(certificate string) string { return strings.TrimPrefix(certificate, "demo-") }

func (p *play) put(ctx context.Context, subject string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return p.s.bus.Put(ctx, subject, data)
}

func (p *play) send(ctx context.Context, m hongyan.Message) error {
	m.SentAt = time.Now().UTC()
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return errors.Join(p.s.bus.Publish(ctx, []dispatch.Outgoing{{Subject: p.s.topology().Subjects.Message(sandbox.DemoApp), ID: m.ID, Data: data}})...)
}

func (p *play) message(id, sender, nickname, kind, text string) hongyan.Message {
	m := hongyan.Message{
		ID: fmt.Sprintf("dev-%s-%d", id, time.Now().UnixNano()), Sender: hongyan.Sender{ID: sender, Nickname: nickname},
		Conversation: hongyan.Conversation{Type: hongyan.Group, ID: "g-hiking", Name: "周末爬山 Hiking"},
		Content:      hongyan.Content{Type: kind, Text: text}, Unread: map[string]int{},
		OfflinePush: hongyan.OfflinePush{Ext: `{"conversationID":"g-hiking"}`},
	}
	for _, c := range cast {
		m.Recipients = append(m.Recipients, c.user)
		m.Unread[c.user] = 3
	}
	return m
}

// conversation is act one: three messages in a group of nine phones.
func (p *play) conversation(ctx context.Context, pushes chan sandbox.Push) error {
	p.title("A group conversation: Alice is online, nine phones are not")
	for _, m := range []hongyan.Message{
		p.message("1", "alice", "Alice", hongyan.Text, "周六八点山门口见？ Saturday at eight? 🏔️"),
		p.message("2", "alice", "Alice", hongyan.Image, ""),
		p.message("3", "bob", "Bob", hongyan.Text, "I bring the tea 🍵"),
	} {
		if err := p.send(ctx, m); err != nil {
			return err
		}
		want := len(cast)
		if m.Sender.ID == "bob" {
			want-- // nobody is told of his own words
		}
		if err := p.show(ctx, pushes, want); err != nil {
			return err
		}
	}
	return nil
}

// call is act two: a call rings, on the iPhone through PushKit.
func (p *play) call(ctx context.Context, pushes chan sandbox.Push) error {
	p.title("A call, in the urgent lane")
	m := p.message("call", "alice", "Alice", hongyan.CallType, "")
	m.Content.Call = &hongyan.Call{Media: "video", Action: hongyan.Invite, ID: fmt.Sprintf("call-%d", time.Now().UnixNano())}
	if err := p.send(ctx, m); err != nil {
		return err
	}
	return p.show(ctx, pushes, len(cast))
}

// largeGroup is act three: one message to a thousand members over all vendors.
func (p *play) largeGroup(ctx context.Context, pushes chan sandbox.Push) error {
	n := p.options.members
	if n <= 0 {
		return nil
	}
	p.title(fmt.Sprintf("One message to a group of %d members on nine vendors", n))
	m := p.message("large", "alice", "Alice", hongyan.Text, "全体成员请注意：集合时间改为九点。")
	m.Conversation = hongyan.Conversation{Type: hongyan.Group, ID: "g-all", Name: "爬山总群"}
	m.Recipients, m.Unread = nil, nil
	subjects := p.s.topology().Subjects
	msgs := make([]dispatch.Outgoing, n)
	for i := range n {
		user := fmt.Sprintf("member-%d", i)
		c := cast[i%len(cast)]
		data, err := json.Marshal(hongyan.Device{Certificate: c.certificate, Token: sandbox.DemoToken(vendorOf(c.certificate), user), Locale: c.locale, RegisteredAt: time.Now().UTC()})
		if err != nil {
			return err
		}
		msgs[i] = dispatch.Outgoing{Subject: subjects.Device(sandbox.DemoApp, user, "phone"), Data: data}
		m.Recipients = append(m.Recipients, user)
	}
	if err := errors.Join(p.s.bus.Publish(ctx, msgs)...); err != nil {
		return err
	}
	began := time.Now()
	if err := p.send(ctx, m); err != nil {
		return err
	}
	counts := map[string]int{}
	got, err := p.collect(ctx, pushes, n, func(push sandbox.Push) { counts[push.Vendor]++ })
	if err != nil {
		return err
	}
	took := time.Since(began)
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", v, counts[v]))
	}
	fmt.Fprintf(p.out, "  %d of %d members have it after %s: %s\n", got, n, took.Round(time.Millisecond), strings.Join(parts, ", "))
	return nil
}

// show prints the next n pushes.
func (p *play) show(ctx context.Context, pushes chan sandbox.Push, n int) error {
	got, err := p.collect(ctx, pushes, n, p.print)
	if err == nil && got < n {
		fmt.Fprintf(p.out, "  (%d of %d arrived within the time; the log and the page's list of broken rules say more)\n", got, n)
	}
	return err
}

// collect hands on the next n pushes, for up to 30 seconds.
func (p *play) collect(ctx context.Context, pushes chan sandbox.Push, n int, each func(sandbox.Push)) (got int, err error) {
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

func (p *play) title(text string) { fmt.Fprintf(p.out, "\n%s\n", text) }

func (p *play) print(push sandbox.Push) {
	owner := p.owners[push.Token]
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
	fmt.Fprintf(p.out, "  %s %-8s %-6s %s │ %s%s\n", mark, push.Vendor, owner, terminal.Line(push.Title), terminal.Line(push.Body), repeat)
}

func (p *play) where() {
	fmt.Fprintf(p.out, `
  Page           %s/sandbox/   the phones, live
  NATS           nats://%s
  Metrics        http://%s/metrics
`, p.place, p.options.nats, p.options.http)
}

func (p *play) next() {
	fmt.Fprintf(p.out, `
Everything keeps running; Ctrl-C ends it. Try, in another terminal:

  go run ./cmd/publisher send --app demo --from alice --to bob --text "Hello Bob"
  go run ./cmd/publisher explain --app demo --user bob
  go run ./cmd/publisher device list --app demo --user bob
  nats pub push.message.demo '{"id":"m-1","conversation":{"type":"c2c","id":"c"},"sender":{"id":"alice"},"recipients":["bob"],"content":{"type":"text","text":"Hi"}}'

  # make Huawei hang, send to everybody, and see that nobody else waits
  curl -X POST %[1]s/sandbox/api/faults -d '{"vendor":"huawei","kind":"hang"}'
  curl -X DELETE %[1]s/sandbox/api/faults

`, p.place)
}
