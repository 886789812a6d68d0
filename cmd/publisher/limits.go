package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/standing"
)

func (t *tool) limitsCommand() *cobra.Command {
	var app, certificate string
	c := &cobra.Command{
		Use:   "limits",
		Short: "Show quotas, rates, parked and held certificates, and change them",
		Long: `limits shows for each certificate what the workers may still send: the rate and how much of it is in force, the daily
quota of each message class (used, leased by live workers, left, and when it ends at today's pace), the cap of a device, what the
vendor said ("quota spent", "too fast"), whether the certificate is parked, since when, and in the vendor's own words why, and
whether somebody holds it.

Quotas and rates are kept by all workers together; leased is what workers have taken to spend and give back when they do not.
The sub-commands change a limit for all workers within two seconds; the workers log the reason. hold and release are for all
that is pushed through a certificate or for an app.

The certificates are those that live workers say they serve: this command needs no configuration and no secret.
JSON: one object with workers, certificates, holds and warnings; a quota of -1 is unlimited.`,
		Example: `  publisher limits
  publisher limits --certificate 35001
  publisher limits -o json | jq '.certificates[] | select(.parked)'

  # the vendor granted more for today
  publisher limits set --certificate 35001 --class public --quota 150000 --reason "ticket 4711"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := t.connect(cmd.Context(), t.topology().Notes(), t.topology().Counters())
			if err != nil {
				return err
			}
			defer b.Close()
			ctx, cancel := t.step(cmd.Context())
			defer cancel()
			v, err := standing.Read(ctx, b, t.now, explain.English, func(c *standing.Certificate) bool {
				return (app == "" || c.App == app) && (certificate == "" || c.ID == certificate)
			})
			if err != nil {
				return err
			}
			if len(v.Certificates) == 0 && (app != "" || certificate != "") {
				return errors.New("no live worker serves such a certificate; \"publisher limits\" lists those that are served")
			}
			v.Holds = slices.DeleteFunc(v.Holds, func(h standing.Held) bool {
				return app != "" && h.App != app && !v.Shows(&h) || certificate != "" && h.Certificate != certificate && !v.Shows(&h)
			})
			if t.json() {
				return t.emit(v)
			}
			t.showLimits(v)
			return nil
		},
	}
	c.Flags().StringVar(&app, "app", "", "only of this `app`")
	c.Flags().StringVar(&certificate, "certificate", "", "only of this certificate `id`")
	c.AddCommand(t.limitsHoldCommand(), t.limitsReleaseCommand(), t.limitsSetCommand())
	for _, o := range limitOrders {
		c.AddCommand(t.limitsOrderCommand(o))
	}
	return c
}

func (t *tool) showLimits(v *standing.View) {
	w := t.table("worker", "host", "pid", "share of rates", "certificates", "since")
	for _, lw := range v.Workers {
		w.AppendRow(table.Row{lw.Name, dash(lw.Host), lw.PID, strconv.Itoa(int(lw.Share*100+0.5)) + " %", lw.Certificates, t.ago(lw.Since)})
	}
	w.Render()
	t.printf("")
	w = t.table("certificate", "vendor", "app", "rate", "in force", "state")
	for _, c := range v.Certificates {
		rate, current := "-", "-"
		if c.Rate > 0 {
			rate = number(c.Rate) + " " + c.Unit + "/s"
		}
		if c.Current > 0 {
			current = number(c.Current) + " " + c.Unit + "/s"
		}
		w.AppendRow(table.Row{c.ID, c.Vendor, dash(c.App), rate, current, t.state(&c)})
	}
	w.Render()
	t.printf("")
	w = t.table("certificate", "class", "for", "quota", "used", "leased", "lost", "left", "device cap", "new day", "state")
	for _, c := range v.Certificates {
		for _, s := range c.Classes {
			t.quotaRows(w, c.ID, &s)
		}
	}
	w.Render()
	for _, c := range v.Certificates {
		t.explainLimits(&c)
	}
	for _, h := range v.Holds {
		if !v.Shows(&h) {
			t.printf("\n%s is held too, by %s since %s (%s): %s. \"%s\" ends it.", h.What(), or(h.By, "somebody"), explain.When(h.At), t.ago(h.At), or(h.Reason, "no reason was given"), h.Release())
		}
	}
	for _, text := range v.Warnings {
		t.printf("\nwarning: %s", text)
	}
}

func (t *tool) state(c *standing.Certificate) string {
	switch {
	case c.Held != nil && c.Parked != nil:
		return "held by hand, and parked, " + c.Parked.Reason
	case c.Held != nil:
		return "held by hand"
	case c.Parked != nil:
		return "parked, " + c.Parked.Reason
	case len(c.ParkedKinds) > 0:
		return "parked for " + strings.Join(wordsOf(c.Kinds()), ", ")
	case c.PausedUntil.After(t.now()):
		return "paused by the vendor"
	case c.Slowed():
		return "slowed by the vendor"
	}
	return "well"
}

// quotaRows adds a row for the quota that all may use, and one for the calls' reserve.
func (t *tool) quotaRows(w rows, id string, s *ratelimit.ClassState) {
	state := "well"
	switch {
	case s.SpentUntil.After(t.now()):
		state = "spent, says the vendor"
	case s.Normal != nil && s.Normal.Left == 0 && s.Normal.Leased == 0:
		state = "spent"
	case s.Override != nil:
		state = "changed by an operator"
	}
	limit := "-"
	if s.DeviceCap > 0 {
		limit = strconv.FormatInt(s.DeviceCap, 10)
	}
	if s.Normal == nil {
		w.AppendRow(table.Row{id, s.Name, "all", "unlimited", "-", "-", "-", "-", limit, "-", state})
		return
	}
	pools := []struct {
		of string
		*ratelimit.PoolState
	}{{"all", s.Normal}, {"calls only", s.Urgent}}
	for _, p := range pools {
		if p.PoolState != nil {
			w.AppendRow(table.Row{id, s.Name, p.of, p.Limit, p.Used, p.Leased, p.Lost, p.Left, limit, t.ago(s.Ends), state})
		}
	}
}

// explainLimits says what stands in a certificate's way and what to do about it.
func (t *tool) explainLimits(c *standing.Certificate) {
	for _, f := range c.Facts {
		t.printf("\n%s", f.What)
		for _, line := range f.More {
			t.printf("  %s", line)
		}
	}
}

// number shows a rate without needless digits.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 32) }
