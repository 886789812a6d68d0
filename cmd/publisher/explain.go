package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/trail"
)

func (t *tool) explainCommand() *cobra.Command {
	var q trail.Question
	var since, text string
	var follow, test bool
	c := &cobra.Command{
		Use:   "explain --app APP --user USER [--message ID [--follow] | --send-test]",
		Short: "Why did the user get a push, or none?",
		Long: `explain puts together what is known of a user: the registered devices and their presence, mutes and quiet hours, what was decided
for each message and device, what the vendors said, and what to do about it.

With --message it explains that message, and looks for it among what still waits and among the malformed ones. The id may be
written <app>/<id>, as Nats-Msg-Id has it; then --app may be left out. For what waits it shows how its certificate stands: parked and
in whose words, slowed, or its quota spent, and whether a live worker serves it.

--follow shows live what becomes of the message, and explains it when it has come to an end on each of the user's devices. The
interrupt key ends it before.

--send-test sends the user a message of its own through the real path, and follows it. The user's phones show it, unless a rule
says that they shall not: that rule is then what explain tells. It is worth pushing for ten minutes.

--show-text shows what the notification says of a message that waits or is dead, as the phone would show it. Of what a vendor took
no text is kept.

A push that could not be sent at once was stored to be sent later: its status is waiting as long as nothing came of it, and waited
once it was tried again or came to an end. The reason says what it waits for.

--since says how far back it reads what was decided, what waits and what died, a day if it is not given. What was decided is kept
for three days. It reads the part of the users that this one belongs to, a sixteenth of the app's; a long read shows its progress.

JSON: one object with app, user, message, trace, devices (as "device list"), settings, decisions (outcomes with over, rule, error,
letter, meaning and advice; over says that a waiting one waits no more), waiting, previews, limits (as the certificates of "limits")
and notes. docs/explain.md describes it.`,
		Example: `  publisher explain --app demo --user bob
  publisher explain --app demo --user bob --message m-1001
  publisher explain --user bob --message demo/m-1001 --follow
  publisher explain --app demo --user bob --send-test
  publisher explain --app demo --user bob --message m-0907 --since 3d
  publisher explain --app demo --user bob -o json | jq -r '.decisions[] | [.message_id, .status, .reason] | @tsv'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if q.Since, err = t.moment("since", since); err != nil {
				return err
			}
			var named bool
			if q.App, q.Message, named = trail.MessageOfApp(q.App, q.Message); !named {
				return cli.UsageError(errors.New("required flag \"app\" not set; --message <app>/<id> names it as well"))
			}
			if err := checkNames(q.App, q.User); err != nil {
				return err
			}
			if follow && q.Message == "" {
				return cli.UsageError(errors.New("--follow needs a --message to follow"))
			}
			if text != "" && !test {
				return cli.UsageError(errors.New("--text is what --send-test says"))
			}
			return t.explain(cmd.Context(), q, follow, test, or(text, "Test"))
		},
	}
	f := c.Flags()
	f.StringVar(&q.App, "app", "", "the `app`")
	f.StringVar(&q.User, "user", "", "the `user`")
	require(c, "user")
	f.StringVar(&q.Message, "message", "", "the message's `id`, or its app and id as <app>/<id>")
	f.BoolVar(&follow, "follow", false, "show live what becomes of the message, until it has come to an end")
	f.BoolVar(&test, "send-test", false, "send the user a message, and follow it")
	f.StringVar(&text, "text", "", "what the test message `says` (default \"Test\")")
	f.StringVar(&since, "since", "1d", "read what was stored since a `time` (RFC 3339), or since so long ago (90m, 8h, 3d)")
	f.IntVar(&q.Limit, "limit", 20, "without --message, show at most so many decisions, the newest; 0 for all")
	f.BoolVar(&q.Tokens, "show-tokens", false, "show tokens whole")
	f.BoolVar(&q.Texts, "show-text", false, "show what the notifications say")
	c.MarkFlagsMutuallyExclusive("send-test", "message")
	return c
}

// reader asks what became of pushes.
func (t *tool) reader(b *bus.Bus) *trail.Reader {
	return &trail.Reader{Bus: b, Now: t.now, Language: explain.English, Timeout: t.timeout}
}

func (t *tool) explain(ctx context.Context, q trail.Question, follow, test bool, text string) (err error) {
	b, err := t.connect(ctx, t.topology().Directory(), t.topology().Outcomes())
	if err != nil {
		return err
	}
	defer b.Close()
	if test {
		if q.Message, err = t.sendTest(ctx, q, text); err != nil {
			return err
		}
	}
	r, reading := t.reader(b), t.reading("reading")
	defer func() { reading.stop(err != nil) }()
	if follow || test {
		if !t.json() {
			t.printf("following %s to %s; the interrupt key ends it", q.Message, q.User)
		}
		if err = r.Follow(ctx, q, t.told); err != nil && ctx.Err() != nil {
			return fmt.Errorf("%s may have no end yet on all devices of %s; \"publisher explain --app %s --user %s --message %s\" tells what became of it: %w",
				q.Message, q.User, q.App, q.User, q.Message, ctx.Err())
		}
		if err != nil {
			return err
		}
	}
	r.Read = reading.one
	e, err := r.Explain(ctx, q)
	if err != nil {
		return err
	}
	reading.stop(false)
	if t.json() {
		return t.emit(e)
	}
	t.showExplanation(e)
	return nil
}

// sendTest publishes a message to the user as an IM backend does, and returns its id.
func (t *tool) sendTest(ctx context.Context, q trail.Question, text string) (id string, err error) {
	c, err := t.client()
	if err != nil {
		return "", err
	}
	defer c.Close()
	m := &hongyan.Message{ID: "test-" + strings.ToLower(rand.Text()[:16]), SentAt: t.now().UTC(), TTLSeconds: int64(testTTL / time.Second),
		Conversation: hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c2c_" + testSender}, Sender: hongyan.Sender{ID: testSender, Nickname: "Hongyan"},
		Recipients: []string{q.User}, Content: hongyan.Content{Type: hongyan.ContentText, Text: text}}
	ctx, cancel := t.step(ctx)
	defer cancel()
	_, err = c.Send(ctx, q.App, m)
	return m.ID, err
}

const (
	// testSender is who a test message is from: nobody's own messages are pushed to them.
	testSender = "hongyan-test"
	// testTTL is how long a test message is worth pushing: whoever follows it looks now.
	testTTL = 10 * time.Minute
)

// told prints a decision as it comes.
func (t *tool) told(d *trail.Decision) {
	if t.json() {
		return
	}
	said := d.Meaning
	if d.VendorCode != "" {
		said = d.VendorCode + " " + said
	}
	t.printf("%s  device %s  %s %s  %s", d.At.Local().Format("15:04:05.000"), dash(d.Device), d.Status, d.Reason, said)
}

func (t *tool) showExplanation(e *trail.Explanation) {
	t.printf("%s in %s", e.User, e.App)
	if e.Trace != "" {
		t.printf("trace %s, where the publisher gave no traceparent\n", e.Trace)
	}
	if len(e.Devices) > 0 {
		t.deviceTable(e.Devices)
	}
	t.printf("%s\n", settingsText(e.User, &e.Settings))
	if len(e.Decisions) > 0 {
		w := t.table("when", "message", "device", "vendor", "certificate", "status", "reason", "code", "attempt", "latency")
		for i := range e.Decisions {
			d := &e.Decisions[i]
			latency := "-"
			if d.Status == hongyan.StatusAccepted {
				latency = (time.Duration(d.LatencyMS) * time.Millisecond).String()
			}
			w.AppendRow(table.Row{t.ago(d.At), shorten(d.MessageID, 24), dash(d.Device), dash(d.Vendor), dash(d.Certificate), statusText(d), d.Reason,
				dash(d.VendorCode), d.Attempt, latency})
		}
		w.Render()
		t.printf("")
	}
	said := map[string]bool{}
	for i := range e.Decisions {
		d := &e.Decisions[i]
		if d.Error != "" {
			t.printf("%s on %s, %s said: %s (dead letter %d)", shorten(d.MessageID, 24), dash(d.Device), or(d.Vendor, "the worker"), d.Error, d.Letter)
		}
		if key := d.Vendor + " " + d.VendorCode; d.Meaning != "" && d.Meaning != d.Error && !said[key] && !d.Over {
			said[key] = true
			t.printf("%s means by %s: %s", d.Vendor, d.VendorCode, d.Meaning)
		}
		// what a push waited for once needs no advice any more
		if key := string(d.Status) + " " + d.Reason.String(); !said[key] && !d.Over {
			said[key] = true
			t.printf("%s%s: %s", strings.TrimSuffix(key, " "+string(d.Status)), ruleText(d.Rule), d.Advice)
		}
	}
	for i := range e.Previews {
		t.showPreview(&e.Previews[i])
	}
	for _, n := range e.Notes {
		t.printf("%s", n)
	}
	for i := range e.Limits {
		t.explainLimits(&e.Limits[i])
	}
}

// ruleText names a rule by its place.
func ruleText(rule int) string {
	if rule == 0 {
		return ""
	}
	return fmt.Sprintf(" (rule %d of %d, the first that applied)", rule, len(hongyan.Suppressions))
}

// statusText is the record's status for people, who must see at a glance what waits still.
func statusText(d *trail.Decision) string {
	if d.Over {
		return "waited"
	}
	return string(d.Status)
}

// showPreview shows what a notification says, where it may.
func (t *tool) showPreview(p *trail.Preview) {
	if p.Hidden {
		return
	}
	t.printf("%s shows on device %s:", p.Vendor, p.Device)
	for _, line := range []string{p.Title, p.Subtitle, p.Body} {
		if line != "" {
			t.printf("  | %s", line)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Params)) {
		t.printf("  | %s = %s", name, p.Params[name])
	}
}
