package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/explain"
)

// explanation is all that can be found out about a user, and a message to the user.
type explanation struct {
	App     string `json:"app"`
	User    string `json:"user"`
	Message string `json:"message,omitempty"`
	// Devices and Settings are what holds now, not what held when the message came.
	Devices  []deviceView     `json:"devices"`
	Settings hongyan.Settings `json:"settings"`
	// Decisions are what was decided and what the vendors said, oldest first.
	Decisions []decision `json:"decisions"`
	// Waiting are jobs of the message that were not done with yet.
	Waiting []waitingView `json:"waiting"`
	// Limits are how the certificates stand that something waits for.
	Limits []limitedCertificate `json:"limits,omitempty"`
	// Notes say in words what else is to be known.
	Notes []string `json:"notes"`
}

// decision is what a record says of one device, with what it means.
type decision struct {
	MessageID   string         `json:"message_id"`
	App         string         `json:"app"`
	Vendor      string         `json:"vendor"`
	Certificate string         `json:"certificate"`
	Status      hongyan.Status `json:"status"`
	At          time.Time      `json:"at"`
	hongyan.DeviceOutcome
	// Over says of a push that was stored to be sent later that something came of it since: another
	// try, or an end.
	Over bool `json:"over,omitzero"`
	// Rule is the place of the rule that suppressed the push in the order in which they apply, from
	// 1; 0 where none did.
	Rule int `json:"rule,omitzero"`
	// Error is what the dead letter says, where there is one, and Letter its number.
	Error  string `json:"error,omitempty"`
	Letter uint64 `json:"letter,omitzero"`
	// Meaning is what the vendor means by its code, where that is known.
	Meaning string `json:"meaning,omitempty"`
	Advice  string `json:"advice"`

	job    string    // of a waiting one, the hash of the job's name
	stored time.Time // when the record was stored
}

// waitingView is a job that waits.
type waitingView struct {
	Vendor      string    `json:"vendor"`
	Certificate string    `json:"certificate"`
	Device      string    `json:"device"`
	Lane        string    `json:"lane"`
	Attempts    int       `json:"attempts"`
	NotBefore   time.Time `json:"not_before,omitzero"`
	Deadline    time.Time `json:"deadline"`
	// Reason and Code say why it waits, and Since since when, where a record tells: none tells of a
	// job that a replay brought back.
	Reason hongyan.Reason `json:"reason,omitempty"`
	Code   string         `json:"code,omitempty"`
	Since  time.Time      `json:"since,omitzero"`
}

func (t *tool) explainCommand() *cobra.Command {
	var app, user, message, since string
	var limit int
	var showTokens, follow bool
	c := &cobra.Command{
		Use:   "explain --app APP --user USER [--message ID [--follow]]",
		Short: "Why did the user get a push, or none?",
		Long: `explain puts together what is known of a user: the registered devices and their presence, mutes and quiet hours, what was decided
for each message and device, what the vendors said, and what to do about it.

With --message it explains that message, and looks for it among what still waits and among the malformed ones. The id may be
written <app>/<id>, as Nats-Msg-Id has it; then --app may be left out. For what waits it shows how its certificate stands: parked and
in whose words, slowed, or its quota spent, and whether a live worker serves it.

--follow shows live what becomes of the message, and explains it when it has come to an end on each of the user's devices. The
interrupt key ends it before.

A push that could not be sent at once was stored to be sent later: its status is waiting as long as nothing came of it, and waited
once it was tried again or came to an end. The reason says what it waits for.

--since says how far back it reads what was decided, what waits and what died, a day if it is not given. What was decided is kept
for three days. It reads the part of the users that this one belongs to, a sixteenth of the app's; a long read shows its progress.

JSON: one object with app, user, message, devices (as "device list"), settings, decisions (outcomes with over, rule, error, letter,
meaning and advice; over says that a waiting one waits no more), waiting, limits (as the certificates of "limits") and notes.`,
		Example: `  publisher explain --app demo --user bob
  publisher explain --app demo --user bob --message m-1001
  publisher explain --user bob --message demo/m-1001 --follow
  publisher explain --app demo --user bob --message m-0907 --since 3d
  publisher explain --app demo --user bob -o json | jq -r '.decisions[] | [.message_id, .status, .reason] | @tsv'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := t.moment("since", since)
			if err != nil {
				return err
			}
			if app, message, err = messageOfApp(app, message); err != nil {
				return err
			}
			if follow && message == "" {
				return cli.UsageError(errors.New("--follow needs a --message to follow"))
			}
			b, err := t.connect(cmd.Context(), t.topology().Directory(), t.topology().Outcomes())
			if err != nil {
				return err
			}
			defer b.Close()
			x := &explainer{t: t, b: b, e: explanation{App: app, User: user, Message: message}, since: from, limit: limit, showTokens: showTokens,
				reading: t.reading("reading")}
			if follow {
				err = x.follow(cmd.Context())
			}
			if err == nil {
				err = x.explain(cmd.Context())
			}
			x.reading.stop(err != nil)
			if err != nil {
				return err
			}
			if t.json() {
				return t.emit(x.e)
			}
			t.showExplanation(&x.e)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&app, "app", "", "the `app`")
	f.StringVar(&user, "user", "", "the `user`")
	require(c, "user")
	f.StringVar(&message, "message", "", "the message's `id`, or its app and id as <app>/<id>")
	f.BoolVar(&follow, "follow", false, "show live what becomes of the message, until it has come to an end")
	f.StringVar(&since, "since", "1d", "read what was stored since a `time` (RFC 3339), or since so long ago (90m, 8h, 3d)")
	f.IntVar(&limit, "limit", 20, "without --message, show at most so many decisions, the newest; 0 for all")
	f.BoolVar(&showTokens, "show-tokens", false, "show tokens whole")
	return c
}

// messageOfApp takes the app out of a message's name that begins with it.
func messageOfApp(app, message string) (_, id string, err error) {
	before, after, has := strings.Cut(message, "/")
	switch {
	case app == "" && !has:
		return "", "", cli.UsageError(errors.New("required flag \"app\" not set; --message <app>/<id> names it as well"))
	case has && (app == "" || app == before):
		return before, after, nil
	}
	return app, message, nil
}

// explainer gathers an explanation.
type explainer struct {
	t          *tool
	b          *bus.Bus
	e          explanation
	since      time.Time
	limit      int
	showTokens bool
	reading    *reading
}

func (x *explainer) note(format string, args ...any) {
	x.e.Notes = append(x.e.Notes, fmt.Sprintf(format, args...))
}

func (x *explainer) explain(ctx context.Context) error {
	u, notes, err := x.t.lookup(ctx, x.b, x.e.App, x.e.User)
	if err != nil {
		return err
	}
	x.e.Devices, x.e.Settings = deviceViews(u, x.showTokens), u.Settings
	x.e.Notes = append(x.e.Notes, notes...)
	x.registrations()
	if err := x.decisions(ctx); err != nil {
		return err
	}
	if x.e.Message != "" {
		if err := x.message(ctx); err != nil {
			return err
		}
	}
	if err := x.standing(ctx); err != nil {
		return err
	}
	if len(x.e.Devices) == 0 {
		x.note("%s has no registered device now, so nothing can be pushed. %s", x.e.User, explain.Suppression(hongyan.NoDevice))
	}
	if x.e.Message == "" && len(x.e.Decisions) == 0 {
		x.note("Nothing was decided for %s since %s: no message named the user as a recipient, or no worker has read it. Is a worker running? "+
			"What was decided is kept for three days; --since 3d reads all of it.", x.e.User, when(x.since))
	}
	return nil
}

func (t *tool) showExplanation(e *explanation) {
	t.printf("%s in %s", e.User, e.App)
	if e.Message != "" {
		t.printf("trace %s, where the publisher gave no traceparent\n", hongyan.TraceID(e.App, e.Message))
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
			w.AppendRow(table.Row{t.ago(d.At), shorten(d.MessageID, 24), dash(d.Device), dash(d.Vendor), dash(d.Certificate), d.status(), d.Reason,
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

// status is the record's status for people, who must see at a glance what waits still.
func (d *decision) status() string {
	if d.Over {
		return "waited"
	}
	return string(d.Status)
}
