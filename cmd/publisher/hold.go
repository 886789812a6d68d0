package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/parking"
)

// holdFlags say what is held or released.
type holdFlags struct{ certificate, app, reason, by string }

func (t *tool) limitsHoldCommand() *cobra.Command {
	var f holdFlags
	c := &cobra.Command{
		Use:   "hold CERTIFICATE | --app APP",
		Short: "Push nothing through a certificate, or for an app, until it is released",
		Long: `hold keeps back everything that is to be pushed through a certificate or, with --app, through all certificates of an app: chat,
calls, what overwrites recalled messages, replays, and the numbers on icons. Two seconds after it no worker begins a push; calls to
the vendor that are under way are finished.

Nothing is lost: messages are taken as always, each push waits as a job whose record says parked with the note held, and "limits
release" lets them go. What expires meanwhile ends as expired; a call rings for a minute only. The more waits the more there is
pushed at once afterwards, within the certificate's rate; a certificate and lane may have 500,000 jobs waiting.

A hold stands until it is released, through restarts of workers and servers. A certificate is pushed through when neither it nor its
app is held. "publisher limits" shows who holds what and why.

JSON: {"certificate" or "app","held","reason","by","at"}.`,
		Example: `  publisher limits hold 35001 --reason "wrong channel in the console, ticket 4711"
  publisher limits hold --app demo --reason "a backend loops"`,
		RunE: func(cmd *cobra.Command, args []string) error { return t.hold(cmd.Context(), args, &f, true) },
	}
	t.holdFlags(c, &f)
	return c
}

func (t *tool) limitsReleaseCommand() *cobra.Command {
	var f holdFlags
	c := &cobra.Command{
		Use:   "release CERTIFICATE | --app APP",
		Short: "Push again what was held",
		Long: `release ends what "limits hold" began: what waited is pushed, after the workers have looked once more whether it still should be.
All workers follow within two seconds. The exit code is 1 where nothing was held.

JSON: {"certificate" or "app","held","reason","by","at"}.`,
		Example: `  publisher limits release 35001
  publisher limits release --app demo --reason "mended"`,
		RunE: func(cmd *cobra.Command, args []string) error { return t.hold(cmd.Context(), args, &f, false) },
	}
	t.holdFlags(c, &f)
	return c
}

func (t *tool) holdFlags(c *cobra.Command, f *holdFlags) {
	c.Args = cobra.MaximumNArgs(1)
	c.Flags().StringVar(&f.app, "app", "", "all certificates of this `app`, in the place of one certificate")
	c.Flags().StringVar(&f.reason, "reason", "", "why, in `words`; \"publisher limits\" shows it and the workers log it")
	c.Flags().StringVar(&f.by, "by", t.getenv("USER"), "who orders it, a `name` ($USER)")
}

// heldView is the answer of hold and release.
type heldView struct {
	Certificate string    `json:"certificate,omitempty"`
	App         string    `json:"app,omitempty"`
	Held        bool      `json:"held"`
	Reason      string    `json:"reason,omitempty"`
	By          string    `json:"by,omitempty"`
	At          time.Time `json:"at"`
}

func (t *tool) hold(ctx context.Context, args []string, f *holdFlags, held bool) error {
	if f.app != "" == (len(args) == 1) {
		return cli.UsageError(errors.New("name either a certificate or --app"))
	}
	subjects := t.topology().Subjects
	key, name := parking.HeldApp(f.app), "app "+f.app
	subject := subjects.Message(f.app)
	if f.app == "" {
		f.certificate = args[0]
		key, name = parking.HeldCertificate(f.certificate), "certificate "+f.certificate
		subject = subjects.Job(hongyan.Vendors[0], f.certificate, hongyan.LaneNormal)
	}
	if _, err := subjects.Parse(subject); err != nil {
		return cli.UsageError(fmt.Errorf("%q is no name of a certificate or app: it has 1 to 64 of A-Z a-z 0-9 _ -", strings.TrimSpace(f.app+f.certificate)))
	}
	b, err := t.connect(ctx, t.topology().Notes())
	if err != nil {
		return err
	}
	defer b.Close()
	ctx, cancel := t.step(ctx)
	defer cancel()
	r, err := t.roster(ctx, b)
	if err != nil && !errors.Is(err, errNoWorker) {
		return err
	}
	room := b.Notes(parking.HoldRoom)
	holds, err := readHolds(ctx, b)
	if err != nil {
		return err
	}
	_, is := holds[key]
	switch {
	case !held && !is:
		return fmt.Errorf("%s is not held%s", name, r.appsHold(f, holds))
	case held && r != nil && !r.serves(f):
		return fmt.Errorf("no live worker serves %s; \"publisher limits\" lists what is served", name)
	}
	order := parking.Hold{Reason: f.reason, By: f.by, At: t.now().UTC(), Released: !held}
	data, err := json.Marshal(order)
	if err != nil {
		return err
	}
	ttl := time.Duration(0) // for good
	if !held {
		ttl = parking.ReleasedFor
	}
	if err := room.Put(ctx, key, data, ttl); err != nil {
		return err
	}
	if r == nil {
		t.warn("no worker runs; those that start will find it %s", map[bool]string{true: "held", false: "released"}[held])
	} else if !held {
		delete(holds, key)
		if still := r.appsHold(f, holds); still != "" {
			t.warn("%s is released%s", name, still)
		}
	}
	did := "%s is held: no push begins two seconds from now"
	if !held {
		did = "%s is released: what waited is pushed within seconds"
	}
	return t.say(heldView{f.certificate, f.app, held, f.reason, f.by, order.At}, did, name)
}

// serves says whether a live worker serves the certificate or app.
func (r *roster) serves(f *holdFlags) bool {
	return slices.ContainsFunc(r.certificates, func(c dispatch.CertificateNote) bool {
		return f.app != "" && c.App == f.app || f.app == "" && c.Limits.ID == f.certificate
	})
}

// appsHold says that the app of a certificate is held, where it is.
func (r *roster) appsHold(f *holdFlags, holds parking.Holds) string {
	if r == nil || f.certificate == "" {
		return ""
	}
	for _, c := range r.certificates {
		if _, held := holds[parking.HeldApp(c.App)]; held && c.Limits.ID == f.certificate {
			return fmt.Sprintf(", but its app %s is: \"publisher limits release --app %s\"", c.App, c.App)
		}
	}
	return ""
}

// limitsHeld says who holds a certificate, or an app whose certificates no live worker serves.
type limitsHeld struct {
	// App is set where the whole app is held, Certificate where it is one certificate.
	App         string    `json:"app,omitempty"`
	Certificate string    `json:"certificate,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	By          string    `json:"by,omitempty"`
	At          time.Time `json:"at"`
}

// heldBy is a hold of the room as it is shown.
func heldBy(key string, h parking.Hold) *limitsHeld {
	held := &limitsHeld{Reason: h.Reason, By: h.By, At: h.At}
	if app, ok := strings.CutPrefix(key, parking.HeldApp("")); ok {
		held.App = app
	} else {
		held.Certificate = strings.TrimPrefix(key, parking.HeldCertificate(""))
	}
	return held
}

// allHeld are all holds, by what they are about.
func allHeld(holds parking.Holds) []limitsHeld {
	all := []limitsHeld{}
	for key, h := range holds {
		all = append(all, *heldBy(key, h))
	}
	slices.SortFunc(all, func(a, b limitsHeld) int { return strings.Compare(a.what(), b.what()) })
	return all
}

func (h *limitsHeld) what() string {
	if h.App != "" {
		return "app " + h.App
	}
	return "certificate " + h.Certificate
}

// release is the command that ends the hold.
func (h *limitsHeld) release() string {
	if h.App != "" {
		return "publisher limits release --app " + h.App
	}
	return "publisher limits release " + h.Certificate
}

// readHolds reads what is held.
func readHolds(ctx context.Context, b *bus.Bus) (parking.Holds, error) {
	notes, err := b.Notes(parking.HoldRoom).List(ctx)
	if err != nil {
		return nil, err
	}
	return parking.ReadHolds(notes), nil
}
