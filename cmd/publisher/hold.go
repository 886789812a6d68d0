package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/standing"
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

A hold stands until it is released, through restarts of workers and servers. There is one of each certificate and each app: another
takes its place, with a warning that says whose it was, and one release ends it. A certificate is pushed through when neither it nor
its app is held. "publisher limits" shows who holds what and why.

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
	r, err := standing.Workers(ctx, b)
	if err != nil && !errors.Is(err, standing.ErrNoWorker) {
		return err
	}
	room := b.Notes(parking.HoldRoom)
	holds, err := standing.Holds(ctx, b)
	if err != nil {
		return err
	}
	was, is := holds[key]
	switch {
	case !held && !is:
		return fmt.Errorf("%s is not held%s", name, appsHold(r, f, holds))
	case held && r != nil && !serves(r, f):
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
		if still := appsHold(r, f, holds); still != "" {
			t.warn("%s is released%s", name, still)
		}
	}
	if held && is {
		t.warn("%s was held already, by %s since %s (%s); this hold takes its place", name,
			cmp.Or(was.By, "somebody"), was.At.Format(time.RFC3339), cmp.Or(was.Reason, "no reason was given"))
	}
	did := "%s is held: no push begins two seconds from now"
	if !held {
		did = "%s is released: what waited is pushed within seconds"
	}
	return t.say(heldView{f.certificate, f.app, held, f.reason, f.by, order.At}, did, name)
}

// serves says whether a live worker serves the certificate or app.
func serves(r *standing.Roster, f *holdFlags) bool {
	return slices.ContainsFunc(r.Certificates, func(c dispatch.CertificateNote) bool {
		return f.app != "" && c.App == f.app || f.app == "" && c.Limits.ID == f.certificate
	})
}

// appsHold says that the app of a certificate is held, where it is.
func appsHold(r *standing.Roster, f *holdFlags, holds parking.Holds) string {
	if r == nil || f.certificate == "" {
		return ""
	}
	for _, c := range r.Certificates {
		if _, held := holds[parking.HeldApp(c.App)]; held && c.Limits.ID == f.certificate {
			return fmt.Sprintf(", but its app %s is: \"publisher limits release --app %s\"", c.App, c.App)
		}
	}
	return ""
}
