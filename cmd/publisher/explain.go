package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
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
	// Notes say in words what else is to be known.
	Notes []string `json:"notes"`
}

// decision is an outcome with what it means.
type decision struct {
	MessageID   string         `json:"message_id"`
	App         string         `json:"app"`
	Vendor      string         `json:"vendor"`
	Certificate string         `json:"certificate"`
	Status      hongyan.Status `json:"status"`
	At          time.Time      `json:"at"`
	hongyan.DeviceOutcome
	// Error is what the dead letter says, where there is one.
	Error  string `json:"error,omitempty"`
	Advice string `json:"advice"`
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
}

// lookLimit bounds how many waiting jobs, messages and dead letters explain reads in one place.
const lookLimit = 50_000

func (t *tool) explainCommand() *cobra.Command {
	var app, user, message, since string
	var limit int
	var showTokens bool
	c := &cobra.Command{
		Use:   "explain --app APP --user USER [--message ID]",
		Short: "Why did the user get a push, or none?",
		Long: `explain puts together what is known of a user: the registered devices and their presence, mutes and quiet hours, what was decided
for each message and device, what the vendors said, and what to do about it.

With --message it explains that message, and looks for it among what still waits and among the malformed ones. What was decided
is kept for three days.

JSON: one object with app, user, message, devices (as "device list"), settings, decisions (outcomes with error and advice),
waiting and notes.`,
		Example: `  publisher explain --app demo --user bob
  publisher explain --app demo --user bob --message m-1001
  publisher explain --app demo --user bob -o json | jq -r '.decisions[] | [.message_id, .status, .reason] | @tsv'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := t.moment("since", since)
			if err != nil {
				return err
			}
			b, err := t.connect(cmd.Context(), t.topology().Directory(), t.topology().Outcomes())
			if err != nil {
				return err
			}
			defer b.Close()
			x := &explainer{t: t, b: b, e: explanation{App: app, User: user, Message: message}, since: from, limit: limit, showTokens: showTokens}
			if err := x.explain(cmd.Context()); err != nil {
				return err
			}
			if t.json() {
				return t.emit(x.e)
			}
			t.showExplanation(&x.e)
			return nil
		},
	}
	owner(c, &app, &user, nil)
	f := c.Flags()
	f.StringVar(&message, "message", "", "the message's `id`")
	f.StringVar(&since, "since", "", "only what was decided since a `time`, or since so long ago")
	f.IntVar(&limit, "limit", 20, "without --message, show at most so many decisions, the newest; 0 for all")
	f.BoolVar(&showTokens, "show-tokens", false, "show tokens whole")
	return c
}

// explainer gathers an explanation.
type explainer struct {
	t          *tool
	b          *bus.Bus
	e          explanation
	since      time.Time
	limit      int
	showTokens bool
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
	if err := x.decisions(ctx); err != nil {
		return err
	}
	if x.e.Message != "" {
		if err := x.message(ctx); err != nil {
			return err
		}
	}
	if len(x.e.Devices) == 0 {
		x.note("%s has no registered device now, so nothing can be pushed. %s", x.e.User, suppressionAdvice(hongyan.NoDevice))
	}
	if x.e.Message == "" && len(x.e.Decisions) == 0 {
		x.note("Nothing was decided for %s lately (outcomes are kept for three days): no message named the user as a recipient, or no worker has read it. Is a worker running?", x.e.User)
	}
	return nil
}

// decisions reads the user's outcomes and, of the dead ones, what the letters say.
func (x *explainer) decisions(ctx context.Context) error {
	var all []decision
	dropped := 0
	err := x.b.Outcomes(ctx, x.e.App, x.e.User, x.since, func(o dispatch.Ended, _ time.Time) bool {
		if x.e.Message != "" && o.MessageID != x.e.Message {
			return true
		}
		d := decision{MessageID: o.MessageID, App: o.App, Vendor: o.Vendor, Certificate: o.Certificate, Status: o.Status, At: o.At,
			DeviceOutcome: o.DeviceOutcome, Advice: reasonAdvice(o.Reason)}
		if o.Status == hongyan.StatusSuppressed {
			d.Advice = suppressionAdvice(o.Reason)
		}
		if all = append(all, d); x.e.Message == "" && x.limit > 0 && len(all) > x.limit {
			all = slices.Delete(all, 0, 1)
			dropped++
		}
		return true
	})
	if err != nil {
		return err
	}
	if dropped > 0 {
		x.note("%d older decision(s) are not shown; --limit 0 shows all.", dropped)
	}
	x.e.Decisions = all
	box, err := x.b.LetterBox(ctx)
	if errors.Is(err, bus.ErrNoStream) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Status == hongyan.StatusDead {
			if all[i].Error, err = x.lastWords(ctx, box, &all[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// lastWords finds the error in a dead device's letter; empty when the letter is gone.
func (x *explainer) lastWords(ctx context.Context, box *bus.LetterBox, o *decision) (string, error) {
	filter := dispatch.LetterFilter{Vendor: o.Vendor, Certificate: o.Certificate, Reason: o.Reason, App: o.App, User: o.User, Message: o.MessageID,
		Since: o.At.Add(-time.Minute), Until: o.At.Add(time.Minute)}
	said := ""
	err := x.letters(ctx, box, &filter, func(l *dispatch.Letter) { said = l.Header[dispatch.HeaderError] })
	return said, err
}

// letters calls each with the letters that fit, up to lookLimit of those that have to be read.
func (x *explainer) letters(ctx context.Context, box *bus.LetterBox, filter *dispatch.LetterFilter, each func(*dispatch.Letter)) error {
	from, since := uint64(0), filter.Since
	for read := 0; read < lookLimit; {
		letters, err := box.Letters(ctx, filter.Subject(x.t.topology().Subjects), from, since, 1000)
		if err != nil || len(letters) == 0 {
			return err
		}
		for i := range letters {
			if !filter.Until.IsZero() && letters[i].Stored.After(filter.Until) {
				return nil
			}
			if filter.Match(&letters[i]) {
				each(&letters[i])
			}
		}
		from = letters[len(letters)-1].Sequence + 1
		read += len(letters)
	}
	return nil
}

// message looks for a message where no outcome speaks of it yet.
func (x *explainer) message(ctx context.Context) error {
	done := map[string]bool{}
	for _, d := range x.e.Decisions {
		done[d.Device] = true
	}
	if len(x.e.Devices) > 0 {
		if err := x.waiting(ctx); err != nil {
			return err
		}
	}
	for _, w := range x.e.Waiting {
		next := "it is next, or under way"
		if w.NotBefore.After(x.t.now()) {
			next = "next try " + x.t.ago(w.NotBefore)
		}
		x.note("The push to device %s waits for %s certificate %s, after %d attempt(s); %s. It is worthless %s.",
			w.Device, w.Vendor, w.Certificate, w.Attempts, next, x.t.ago(w.Deadline))
		done[w.Device] = true
	}
	if len(done) > 0 {
		return nil
	}
	unrouted, err := x.unrouted(ctx)
	if err != nil {
		return err
	}
	if unrouted {
		x.note("The message is stored, but no worker has read it yet. Is a worker running, and with this app in its configuration?")
		return nil
	}
	return x.malformed(ctx)
}

// waiting looks for the message's jobs under the certificates of the user's devices.
func (x *explainer) waiting(ctx context.Context) error {
	certificates := map[string]bool{}
	for _, d := range x.e.Devices {
		certificates[d.Certificate] = true
		if d.VoIPCertificate != "" {
			certificates[d.VoIPCertificate] = true
		}
	}
	seen := map[string]bool{}
	for certificate := range certificates {
		for _, vendor := range hongyan.Vendors {
			read := 0
			where := hongyan.Subject{Kind: hongyan.KindJob, Vendor: vendor, Certificate: certificate, Lane: "*"}
			err := x.b.Waiting(ctx, where, time.Time{}, func(w dispatch.Waiting) bool {
				read++
				job, err := dispatch.DecodeJob(w.Data)
				if err != nil || job.App != x.e.App || job.Notification.MessageID != x.e.Message {
					return read < lookLimit
				}
				for _, target := range job.Targets {
					if target.User != x.e.User || seen[target.Device+"\x00"+certificate] {
						continue
					}
					seen[target.Device+"\x00"+certificate] = true
					x.e.Waiting = append(x.e.Waiting, waitingView{Vendor: vendor, Certificate: certificate, Device: target.Device, Lane: job.Lane,
						Attempts: job.Attempts, NotBefore: job.NotBefore, Deadline: job.Notification.Deadline})
				}
				return read < lookLimit
			})
			if err != nil {
				return err
			}
			if read >= lookLimit {
				x.note("More than %d jobs wait for %s certificate %s; the message may be among those that were not looked at.", lookLimit, vendor, certificate)
			}
		}
	}
	return nil
}

// unrouted says whether the message waits for a worker to read it.
func (x *explainer) unrouted(ctx context.Context) (found bool, err error) {
	for _, kind := range []hongyan.Kind{hongyan.KindUrgent, hongyan.KindMessage} {
		read := 0
		err = x.b.Waiting(ctx, hongyan.Subject{Kind: kind, App: x.e.App}, time.Time{}, func(w dispatch.Waiting) bool {
			read++
			if found = w.ID == x.e.App+"/"+x.e.Message; !found {
				m, _, err := hongyan.ParseMessage(w.Data, w.Stored)
				found = err == nil && m.ID == x.e.Message
			}
			return !found && read < lookLimit
		})
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// malformed looks for the message among those that could not be read.
func (x *explainer) malformed(ctx context.Context) error {
	box, err := x.b.LetterBox(ctx)
	if errors.Is(err, bus.ErrNoStream) {
		return nil
	}
	if err != nil {
		return err
	}
	filter := dispatch.LetterFilter{Reason: vendors.Malformed, App: x.e.App, Message: x.e.Message}
	found := false
	err = x.letters(ctx, box, &filter, func(l *dispatch.Letter) {
		found = true
		x.note("The message could not be read: %s (dead letter %d). %s", l.Header[dispatch.HeaderError], l.Sequence, reasonAdvice(vendors.Malformed))
	})
	if err == nil && !found {
		x.note("Nothing is known of message %s for %s: it was never published in %s, it does not name the user as a recipient, or it is older than three days.",
			x.e.Message, x.e.User, x.e.App)
	}
	return err
}

func (t *tool) showExplanation(e *explanation) {
	t.printf("%s in %s", e.User, e.App)
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
			w.AppendRow(table.Row{t.ago(d.At), shorten(d.MessageID, 24), dash(d.Device), dash(d.Vendor), dash(d.Certificate), d.Status, d.Reason,
				dash(d.VendorCode), d.Attempt, latency})
		}
		w.Render()
		t.printf("")
	}
	said := map[string]bool{}
	for i := range e.Decisions {
		d := &e.Decisions[i]
		if d.Error != "" {
			t.printf("%s on %s, %s said: %s", shorten(d.MessageID, 24), d.Device, d.Vendor, d.Error)
		}
		if key := string(d.Status) + " " + d.Reason.String(); !said[key] {
			said[key] = true
			t.printf("%s: %s", strings.TrimSuffix(key, " "+string(d.Status)), d.Advice)
		}
	}
	for _, n := range e.Notes {
		t.printf("%s", n)
	}
}
