package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
)

const (
	// chatMessages is how many messages the chat of the third step has.
	chatMessages = 10
	// quiet is for how long no push may arrive until a step is over for which nobody knows how many
	// there will be: a vendor may fold some away.
	quiet = 3 * time.Second
)

// tray is what a phone shows of a chat.
type tray struct {
	pushes int
	cards  map[string]bool // by the key that replaces
	groups map[string]bool
}

// String is what stands in the tray, in words.
func (t *tray) String() string {
	if t == nil || t.pushes == 0 {
		return "nothing"
	}
	text := fmt.Sprintf("%d cards", len(t.cards))
	if len(t.cards) == 1 {
		text = "1 card"
	}
	if len(t.groups) > 0 && len(t.cards) > 1 {
		text += " in a group"
	}
	if again := t.pushes - len(t.cards); again > 0 {
		text += fmt.Sprintf(", replaced %d times", again)
	}
	if missing := chatMessages - t.pushes; missing > 0 {
		text += fmt.Sprintf(" (the vendor folds away %d)", missing)
	}
	return text
}

// chat is the third step: messages of one chat to a phone of each vendor, in an app that shows each
// and in one in which the newest takes the place of the others.
func (d *show) chat(ctx context.Context, pushes chan sandbox.Push) error {
	d.title(fmt.Sprintf("%d messages of one chat: each by itself, and with policy.collapse: conversation", chatMessages))
	subjects := d.s.topology().Subjects
	type screen struct{ app, vendor string }
	screens := map[string]screen{} // by token
	trays := map[screen]*tray{}
	for _, app := range []string{sandbox.DemoApp, sandbox.DemoCollapse} {
		m := d.message("chat-"+app, "alice", "Alice", hongyan.ContentText, "")
		m.Conversation = hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c2c_alice"}
		m.Recipients, m.Unread = nil, nil
		for _, f := range d.fakes {
			user := "reader-of-" + f.Vendor
			token := f.Token(app + user)
			id := certificate(f)
			if app == sandbox.DemoCollapse {
				id = "collapse-" + f.Vendor
			}
			screens[token] = screen{app, f.Vendor}
			m.Recipients = append(m.Recipients, user)
			if err := d.put(ctx, subjects.Device(app, user, "phone"), hongyan.Device{Certificate: id, Token: token, Locale: f.User.Locale, RegisteredAt: time.Now().UTC()}); err != nil {
				return err
			}
		}
		messages := make([]hongyan.Message, chatMessages)
		for i := range messages {
			messages[i] = m
			messages[i].ID = fmt.Sprintf("%s-%d", m.ID, i)
			messages[i].Content.Text = fmt.Sprintf("第 %d 句。 Line %d.", i+1, i+1)
		}
		if err := d.send(ctx, app, messages...); err != nil {
			return err
		}
	}
	err := d.settle(ctx, pushes, 2*chatMessages*len(d.fakes), quiet, func(push sandbox.Push) {
		s, ours := screens[push.Token]
		if !ours {
			return
		}
		t := trays[s]
		if t == nil {
			t = &tray{cards: map[string]bool{}, groups: map[string]bool{}}
			trays[s] = t
		}
		t.pushes++
		t.cards[push.Key] = true
		if push.Group != "" {
			t.groups[push.Group] = true
		}
	})
	if err != nil {
		return err
	}
	for _, f := range d.fakes {
		fmt.Fprintf(d.out, "  %-8s %s; collapsed: %s\n", f.Vendor, trays[screen{sandbox.DemoApp, f.Vendor}], trays[screen{sandbox.DemoCollapse, f.Vendor}])
	}
	return nil
}

// settle hands on the next n pushes, repeats too, or fewer where none comes for a time.
func (d *show) settle(ctx context.Context, pushes chan sandbox.Push, n int, quiet time.Duration, each func(sandbox.Push)) error {
	over := time.NewTimer(30 * time.Second) // until the first
	defer over.Stop()
	for got := 0; got < n; got++ {
		select {
		case push := <-pushes:
			each(push)
			over.Reset(quiet)
		case <-over.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

const (
	// guests is how many messages the fifth step sends, spoilt which of them the vendor refuses.
	guests = 1000
	spoilt = 617
)

// thousand is the last step: as many messages at a vendor that takes different ones in a call, one
// of which it refuses. The others are accepted.
func (d *show) thousand(ctx context.Context, pushes chan sandbox.Push) error {
	var f sandbox.Fake
	for _, one := range d.fakes {
		if one.Mixed && one.Refused != "" {
			f = one
		}
	}
	if f.Vendor == "" || d.options.members <= 0 {
		return nil
	}
	d.title(fmt.Sprintf("%d messages at %s, one of which it refuses", guests, f.Name))
	users := make([]string, guests)
	messages := make([]dispatch.Outgoing, guests)
	var refused string
	for i := range users {
		users[i] = fmt.Sprintf("guest-%d", i)
		m := d.message(fmt.Sprintf("guest-%d", i), "alice", "Alice", hongyan.ContentText, "明天见！ See you tomorrow!")
		m.Conversation = hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c2c_alice"}
		m.Recipients, m.Unread = users[i:i+1], nil
		event := any(m)
		if i == spoilt {
			refused = m.ID
			event = struct {
				hongyan.Message
				OfflinePush json.RawMessage `json:"offline_push"`
			}{m, json.RawMessage(f.Refused)}
		}
		var err error
		if messages[i], err = d.outgoing(sandbox.DemoApp, m.ID, event); err != nil {
			return err
		}
	}
	if err := d.phones(ctx, users, func(int) sandbox.Fake { return f }); err != nil {
		return err
	}
	calls := d.box.Counts()[f.Vendor].Requests
	began := time.Now()
	if err := errors.Join(d.s.bus.Publish(ctx, messages)...); err != nil {
		return err
	}
	got := 0
	if err := d.settle(ctx, pushes, guests-1, 30*time.Second, func(push sandbox.Push) {
		if push.Vendor == f.Vendor {
			got++
		}
	}); err != nil {
		return err
	}
	took := time.Since(began)
	said, err := d.letter(ctx, refused)
	if err != nil {
		return err
	}
	d.refused = users[spoilt]
	fmt.Fprintf(d.out, "  %d of %d were accepted after %s, in %d calls; %s\n", got, guests, took.Round(time.Millisecond), d.box.Counts()[f.Vendor].Requests-calls, said)
	return nil
}

// letter waits for the dead letter of a message, and says what it is.
func (d *show) letter(ctx context.Context, message string) (string, error) {
	stream := d.s.topology().Dead()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for next := uint64(1); ; {
		entries, err := d.s.bus.Read(ctx, stream, d.s.topology().Subjects.All(hongyan.KindDead), next, 500)
		if err != nil {
			return "", err
		}
		for _, e := range entries {
			next = e.Sequence + 1
			header := func(name string) string { return strings.Join(e.Header[name], "") }
			if header(dispatch.HeaderMessageID) == message {
				return fmt.Sprintf("1 is a dead letter: %s, code %s", header(dispatch.HeaderReason), header(dispatch.HeaderVendorCode)), nil
			}
		}
		select {
		case <-look.C:
		case <-limit.C:
			return "no dead letter yet", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}
