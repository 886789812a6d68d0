package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

func (t *tool) limitsCommand() *cobra.Command {
	var app, certificate string
	c := &cobra.Command{
		Use:   "limits",
		Short: "Show quotas, rates and parked certificates, and change them",
		Long: `limits shows for each certificate what the workers may still send: the rate and how much of it is in force, the daily
quota of each message class (used, leased by live workers, left), the cap of a device, what the vendor said ("quota spent",
"too fast"), and whether the certificate is parked, since when, and in the vendor's own words why.

Quotas and rates are kept by all workers together; leased is what workers have taken to spend and give back when they do not.
The sub-commands change a limit for all workers within two seconds. Each needs a reason, which the workers log.

The certificates are those that live workers say they serve: this command needs no configuration and no secret.
JSON: one object with workers, certificates and warnings; a quota of -1 is unlimited.`,
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
			v, err := t.limitsView(ctx, b, func(c *limitedCertificate) bool {
				return (app == "" || c.App == app) && (certificate == "" || c.ID == certificate)
			})
			if err != nil {
				return err
			}
			if len(v.Certificates) == 0 && (app != "" || certificate != "") {
				return errors.New("no live worker serves such a certificate; \"publisher limits\" lists those that are served")
			}
			if t.json() {
				return t.emit(v)
			}
			t.showLimits(v)
			return nil
		},
	}
	c.Flags().StringVar(&app, "app", "", "only of this `app`")
	c.Flags().StringVar(&certificate, "certificate", "", "only of this certificate `id`")
	c.AddCommand(t.limitsSetCommand())
	for _, o := range limitOrders {
		c.AddCommand(t.limitsOrderCommand(o))
	}
	return c
}

// limitsView is the answer of limits.
type limitsView struct {
	At           time.Time            `json:"at"`
	Workers      []limitedWorker      `json:"workers"`
	Certificates []limitedCertificate `json:"certificates"`
	Warnings     []string             `json:"warnings,omitempty"`
}

// limitedWorker is a live worker.
type limitedWorker struct {
	Name    string `json:"name"`
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	Version string `json:"version"`
	// Share is the part of every rate that it claims, 0 to 1.
	Share        float64   `json:"share"`
	Certificates int       `json:"certificates"`
	Since        time.Time `json:"since"`
}

// limitedCertificate is how a certificate stands.
type limitedCertificate struct {
	ID     string `json:"id"`
	App    string `json:"app"`
	Vendor string `json:"vendor"`
	// Parked is nil while it is not.
	Parked *limitsParked `json:"parked,omitempty"`
	// ParkedKinds are the kinds of pushes that are parked.
	ParkedKinds map[vendors.Kind]*limitsParked `json:"parked_kinds,omitempty"`
	// Unit, Rate, Current and PausedUntil are the rate's, Classes the quotas.
	Unit        string                 `json:"unit,omitempty"`
	Rate        float64                `json:"rate"`
	Current     float64                `json:"current"`
	PausedUntil time.Time              `json:"paused_until,omitzero"`
	Classes     []ratelimit.ClassState `json:"classes"`
}

// limitsParked says why a certificate is parked.
type limitsParked struct {
	parking.Note `json:",inline"`
	Host         string `json:"host,omitempty"`
	Advice       string `json:"advice"`
}

// roster is what the live workers say of themselves.
type roster struct {
	workers map[string]dispatch.WorkerNote
	// of the newest worker that serves each, in the workers' order
	certificates []dispatch.CertificateNote
	warnings     []string
}

// errNoWorker: the limits are known from those who keep them.
var errNoWorker = errors.New("no worker runs: none has said a word within the last minute")

func (t *tool) roster(ctx context.Context, b *bus.Bus) (*roster, error) {
	notes, err := b.Notes(dispatch.WorkerRoom).List(ctx)
	if err != nil {
		return nil, err
	}
	r := &roster{workers: map[string]dispatch.WorkerNote{}}
	var names []string
	for name, value := range notes {
		var w dispatch.WorkerNote
		if err := json.Unmarshal(value, &w); err != nil {
			r.warnings = append(r.warnings, fmt.Sprintf("worker %s says something that this version cannot read: %v", name, err))
			continue
		}
		r.workers[name] = w
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, errNoWorker
	}
	slices.SortFunc(names, func(a, b string) int { return r.workers[a].Since.Compare(r.workers[b].Since) })
	at := map[string]int{}
	from := map[string]string{}
	for _, name := range names {
		for _, c := range r.workers[name].Certificates {
			i, known := at[c.Limits.ID]
			if !known {
				at[c.Limits.ID], from[c.Limits.ID] = len(r.certificates), name
				r.certificates = append(r.certificates, c)
				continue
			}
			old := r.certificates[i]
			if !sameLimits(old, c) {
				r.warnings = append(r.warnings, fmt.Sprintf("workers %s and %s are configured with different limits for %s; shown are those of %s, the newest",
					from[c.Limits.ID], name, c.Limits.ID, name))
			}
			c.Limits.Classes = mergeClasses(c.Limits.Classes, old.Limits.Classes)
			r.certificates[i], from[c.Limits.ID] = c, name
		}
	}
	return r, nil
}

// sameLimits compares two workers' configurations; which classes they have met does not matter.
func sameLimits(a, b dispatch.CertificateNote) bool {
	a.Limits.Classes, b.Limits.Classes = nil, nil
	return reflect.DeepEqual(a, b)
}

// mergeClasses adds those of more that are not there yet.
func mergeClasses(classes, more []vendors.Class) []vendors.Class {
	for _, m := range more {
		if !slices.ContainsFunc(classes, func(c vendors.Class) bool { return c.Name == m.Name }) {
			classes = append(classes, m)
		}
	}
	return classes
}

// limiter has the workers' view without being one of them.
func (t *tool) limiter(b *bus.Bus, certificates []dispatch.CertificateNote) (*ratelimit.Limiter, error) {
	var limits []ratelimit.Certificate
	for _, c := range certificates {
		limits = append(limits, c.Limits)
	}
	return ratelimit.New(b.LimitStore(), ratelimit.Options{Certificates: limits, Member: "publisher", Now: t.now})
}

func (t *tool) limitsView(ctx context.Context, b *bus.Bus, want func(*limitedCertificate) bool) (*limitsView, error) {
	r, err := t.roster(ctx, b)
	if err != nil {
		return nil, err
	}
	limiter, err := t.limiter(b, r.certificates)
	if err != nil {
		return nil, err
	}
	snapshot, err := limiter.Snapshot(ctx, t.now())
	if err != nil {
		return nil, err
	}
	parked, err := b.Notes(parking.Room).List(ctx)
	if err != nil {
		return nil, err
	}
	v := &limitsView{At: snapshot.At.UTC(), Workers: r.listed(snapshot.Workers), Warnings: r.warnings}
	states := map[string]ratelimit.CertificateState{}
	for _, s := range snapshot.Certificates {
		states[s.ID] = s
	}
	for _, c := range r.certificates {
		s := states[c.Limits.ID]
		lc := limitedCertificate{ID: s.ID, App: c.App, Vendor: c.Vendor, Unit: s.Unit, Rate: s.Rate, Current: s.Current, PausedUntil: s.PausedUntil, Classes: s.Classes}
		if !want(&lc) {
			continue
		}
		note := func(key string) *limitsParked {
			var p parking.Note
			if json.Unmarshal(parked[key], &p) != nil || !p.Over.IsZero() {
				return nil
			}
			return &limitsParked{p, r.workers[p.Worker].Host, explain.Result(hongyan.Reason(p.Reason))}
		}
		lc.Parked = note(s.ID)
		for _, kind := range vendors.Kinds {
			if p := note(parking.KindKey(s.ID, kind)); p != nil {
				if lc.ParkedKinds == nil {
					lc.ParkedKinds = map[vendors.Kind]*limitsParked{}
				}
				p.Advice = "Mend the channel or template of this kind in the configuration, which the workers load by themselves, or in the vendor's console."
				lc.ParkedKinds[kind] = p
			}
		}
		v.Certificates = append(v.Certificates, lc)
	}
	return v, nil
}

// listed joins what workers say of themselves with their shares, oldest first.
func (r *roster) listed(shares []ratelimit.Worker) (workers []limitedWorker) {
	for name, w := range r.workers {
		lw := limitedWorker{Name: name, Host: w.Host, PID: w.PID, Version: w.Version, Certificates: len(w.Certificates), Since: w.Since}
		for _, s := range shares {
			if s.Name == name {
				lw.Share = s.Share
			}
		}
		workers = append(workers, lw)
	}
	slices.SortFunc(workers, func(a, b limitedWorker) int {
		return strings.Compare(a.Since.Format(time.RFC3339Nano)+a.Name, b.Since.Format(time.RFC3339Nano)+b.Name)
	})
	return workers
}

func (t *tool) showLimits(v *limitsView) {
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
	for _, text := range v.Warnings {
		t.printf("\nwarning: %s", text)
	}
}

func (t *tool) state(c *limitedCertificate) string {
	switch {
	case c.Parked != nil:
		return "parked, " + c.Parked.Reason
	case len(c.ParkedKinds) > 0:
		return "parked for " + strings.Join(kindsOf(c), ", ")
	case c.PausedUntil.After(t.now()):
		return "paused by the vendor"
	case c.Current > 0 && (c.Rate == 0 || c.Current < c.Rate):
		return "slowed by the vendor"
	}
	return "well"
}

// kindsOf are the kinds that are parked, in order.
func kindsOf(c *limitedCertificate) (list []string) {
	for _, kind := range vendors.Kinds {
		if c.ParkedKinds[kind] != nil {
			list = append(list, string(kind))
		}
	}
	return list
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
func (t *tool) explainLimits(c *limitedCertificate) {
	if p := c.Parked; p != nil {
		t.printf("\n%s is parked since %s (%s): %s\n  found by worker %s%s\n  Its jobs wait and use no attempts. One push probes from time to time; when the vendor takes it, all go on.\n  %s",
			c.ID, when(p.Since), t.ago(p.Since), said(p.Reason, p.Code, p.Error), p.Worker, on(p.Host), p.Advice)
	}
	for _, kind := range kindsOf(c) {
		p := c.ParkedKinds[vendors.Kind(kind)]
		t.printf("\n%s is parked for pushes of kind %s since %s (%s): %s\n  found by worker %s%s\n  They wait and use no attempts; the others go on. One push probes from time to time.\n  %s",
			c.ID, kind, when(p.Since), t.ago(p.Since), said(p.Reason, p.Code, p.Error), p.Worker, on(p.Host), p.Advice)
	}
	if c.PausedUntil.After(t.now()) {
		t.printf("\n%s is paused until %s: the vendor gave a Retry-After. \"publisher limits resume-rate\" ends it.", c.ID, when(c.PausedUntil))
	} else if c.Current > 0 && (c.Rate == 0 || c.Current < c.Rate) {
		t.printf("\n%s is slowed: the vendor said \"too fast\". The rate grows back by itself; \"publisher limits resume-rate\" gives it back at once.", c.ID)
	}
	for _, s := range c.Classes {
		if s.SpentUntil.After(t.now()) {
			t.printf("\n%s %s: the vendor says that the quota is spent. Nothing is sent until %s, then one push tries.\n"+
				"  Compare \"used\" with the vendor's console: is there another sender, or a lower quota? \"publisher limits resume-quota\" lets it go on.",
				c.ID, s.Name, when(s.SpentUntil))
		}
		if o := s.Override; o != nil {
			what := "today's count was reset"
			if o.Quota != nil {
				what = "the quota was set to " + quotaText(vendors.Quota(*o.Quota)) + " instead of " + quotaText(s.Configured)
				if o.Reset {
					what += " and today's count reset"
				}
			}
			t.printf("\n%s %s: %s by %s %s, until %s: %s", c.ID, s.Name, what, or(o.By, "somebody"), t.ago(o.At), when(o.Until), o.Reason)
		}
	}
}

// said puts a reason and the vendor's own words together.
func said(reason, code, text string) string {
	if code != "" {
		reason += ", code " + code
	}
	if text != "" {
		reason += ", " + text
	}
	return reason
}

func on(host string) string {
	if host == "" {
		return ""
	}
	return " on " + host
}

func quotaText(q vendors.Quota) string {
	if q < 0 {
		return "unlimited"
	}
	return strconv.FormatInt(int64(q), 10)
}

// number shows a rate without needless digits.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 32) }
