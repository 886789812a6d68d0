package main

import (
	"cmp"
	"context"
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
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
)

func (t *tool) lossCommand() *cobra.Command {
	var app, vendor, certificate, since string
	var hours bool
	c := &cobra.Command{
		Use:   "loss",
		Short: "Count by vendor and reason what did not reach a phone",
		Long: `loss reads the outcomes and counts the devices that got no push: those that were suppressed, by which rule, and those whose push
died, of what. The share is that of all ends with this vendor, and the worst hour the one with most of them, with how many. --hours
shows each hour by itself. What each reason among the dead means is said below the table.

A device without a registration has no vendor. What waits is no loss yet. A replayed push has ended twice, and counts twice. An hour
begins where UTC's does and holds what was stored in it.

Outcomes are kept for three days. All that --since covers is read, of every app unless --app names one; a long read shows its
progress.

JSON: one object a line with hour, vendor (empty where there is none), status (accepted, suppressed or dead), reason, devices;
accepted ones are there to compare with.`,
		Example: `  publisher loss
  publisher loss --app demo --since 8h --hours
  publisher loss --certificate 35001 --since 3d
  publisher loss -o json | jq -r 'select(.status == "dead") | [.hour, .vendor, .reason, .devices] | @tsv'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := t.moment("since", since)
			if err != nil {
				return err
			}
			if vendor != "" && vendor != "none" && !slices.Contains(hongyan.Vendors[:], vendor) {
				return cli.UsageError(fmt.Errorf("--vendor is %q, none of %s, none", vendor, strings.Join(hongyan.Vendors[:], ", ")))
			}
			subjects := t.topology().Subjects
			if _, err := subjects.Parse(subjects.Message(app)); app != "" && err != nil {
				return cli.UsageError(fmt.Errorf("--app is %q, which is no app's name", app))
			}
			b, err := t.connect(cmd.Context(), t.topology().Outcomes())
			if err != nil {
				return err
			}
			defer b.Close()
			ends, err := t.countEnds(cmd.Context(), b, cmp.Or(app, "*"), from, func(r *dispatch.Record) bool {
				return (vendor == "" || vendor == cmp.Or(r.Vendor, "none")) && (certificate == "" || certificate == r.Certificate)
			})
			if err != nil {
				return err
			}
			if t.json() {
				for _, c := range ends.cells() {
					if err := t.emit(c); err != nil {
						return err
					}
				}
				return nil
			}
			t.showLoss(ends, from, hours)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&app, "app", "", "only of this `app`")
	f.StringVar(&vendor, "vendor", "", "only of this `vendor`; none for what ended before there was one")
	f.StringVar(&certificate, "certificate", "", "only of this certificate `id`")
	f.StringVar(&since, "since", "1d", "read what was stored since a `time` (RFC 3339), or since so long ago (90m, 8h, 3d)")
	f.BoolVar(&hours, "hours", false, "a line for each hour")
	complete(c, "vendor", append(hongyan.Vendors[:], "none")...)
	return c
}

// endKey is what ends are counted by.
type endKey struct {
	Hour   time.Time      `json:"hour"`
	Vendor string         `json:"vendor"`
	Status hongyan.Status `json:"status"`
	Reason hongyan.Reason `json:"reason"`
}

// endCell is how many devices ended so in an hour.
type endCell struct {
	endKey  `json:",inline"`
	Devices int `json:"devices"`
}

// endCounts are devices by how they ended.
type endCounts map[endKey]int

// add counts a record by its hour. Vendors and reasons that this version does not know are counted
// together, so that what is kept is bounded by the hours and the closed lists.
func (e endCounts) add(r *dispatch.Record) {
	vendor := r.Vendor
	if vendor != "" && !slices.Contains(hongyan.Vendors[:], vendor) {
		vendor = "other"
	}
	for i := range r.Devices {
		reason := r.Devices[i].Reason
		if !reason.Known() {
			reason = hongyan.Unknown
		}
		e[endKey{Hour: r.Stored.UTC().Truncate(time.Hour), Vendor: vendor, Status: r.Status, Reason: reason}]++
	}
}

// cells are the counts, oldest hour first, in an hour the largest first.
func (e endCounts) cells() []endCell {
	cells := make([]endCell, 0, len(e))
	for k, n := range e {
		cells = append(cells, endCell{k, n})
	}
	slices.SortFunc(cells, func(a, b endCell) int {
		return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(b.Devices, a.Devices), cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(a.Status, b.Status),
			cmp.Compare(a.Reason, b.Reason))
	})
	return cells
}

// countEnds counts the ends of an app, or of all with "*", in the records that are wanted.
func (t *tool) countEnds(ctx context.Context, b *bus.Bus, app string, since time.Time, want func(*dispatch.Record) bool) (endCounts, error) {
	ends := endCounts{}
	reading := t.reading("reading")
	for _, status := range hongyan.Statuses {
		if !status.End() {
			continue
		}
		err := b.RecordsOf(ctx, app, status, since, func(r dispatch.Record) bool {
			reading.one()
			if want(&r) {
				ends.add(&r)
			}
			return true
		})
		if err != nil {
			reading.stop(true)
			return nil, err
		}
	}
	reading.stop(false)
	return ends, nil
}

// loss is how many devices of a vendor got no push for a reason.
type loss struct {
	vendor  string
	status  hongyan.Status
	reason  hongyan.Reason
	devices int
	ends    int       // of the vendor, of all statuses
	worst   time.Time // the hour with most of them
	peak    int       // how many in that hour
}

// losses are the counts without the accepted ones, all hours of a vendor and reason together, the
// largest first.
func (e endCounts) losses() []loss {
	ends := map[string]int{}
	by := map[endKey]*loss{}
	for _, c := range e.cells() {
		ends[c.Vendor] += c.Devices
		if c.Status == hongyan.StatusAccepted {
			continue
		}
		k := c.endKey
		k.Hour = time.Time{}
		l := by[k]
		if l == nil {
			l = &loss{vendor: c.Vendor, status: c.Status, reason: c.Reason}
			by[k] = l
		}
		if l.devices += c.Devices; c.Devices > l.peak {
			l.worst, l.peak = c.Hour, c.Devices
		}
	}
	all := make([]loss, 0, len(by))
	for l := range maps.Values(by) {
		l.ends = ends[l.vendor]
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b loss) int {
		return cmp.Or(cmp.Compare(b.devices, a.devices), cmp.Compare(a.vendor, b.vendor), cmp.Compare(a.status, b.status), cmp.Compare(a.reason, b.reason))
	})
	return all
}

func (t *tool) showLoss(e endCounts, since time.Time, hours bool) {
	total, accepted := 0, 0
	inHour := map[endKey]int{} // ends of a vendor in an hour
	for k, n := range e {
		if total += n; k.Status == hongyan.StatusAccepted {
			accepted += n
		}
		inHour[endKey{Hour: k.Hour, Vendor: k.Vendor}] += n
	}
	if total == 0 {
		t.printf("Nothing ended since %s. Outcomes are kept for three days.", when(since))
		return
	}
	losses := e.losses()
	switch {
	case len(losses) == 0:
	case hours:
		w := t.table("hour", "vendor", "status", "reason", "devices", "share")
		for _, c := range e.cells() {
			if c.Status != hongyan.StatusAccepted {
				w.AppendRow(table.Row{hourText(c.Hour), dash(c.Vendor), string(c.Status), c.Reason.String(), c.Devices,
					share(c.Devices, inHour[endKey{Hour: c.Hour, Vendor: c.Vendor}])})
			}
		}
		w.Render()
		t.printf("")
	default:
		w := t.table("vendor", "status", "reason", "devices", "share", "worst hour", "then")
		for _, l := range losses {
			w.AppendRow(table.Row{dash(l.vendor), string(l.status), l.reason.String(), l.devices, share(l.devices, l.ends), hourText(l.worst), l.peak})
		}
		w.Render()
		t.printf("")
	}
	t.printf("Of %d ends since %s, %d were accepted by a vendor (%s).", total, when(since), accepted, share(accepted, total))
	said := map[hongyan.Reason]bool{}
	for _, l := range losses {
		if l.status == hongyan.StatusDead && !said[l.reason] {
			said[l.reason] = true
			t.printf("dead %s: %s", l.reason, explain.Advice(l.status, l.reason).EN)
		}
	}
}

func hourText(hour time.Time) string { return hour.Local().Format("01-02 15:04") }

// share is a part in percent.
func share(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(part)/float64(whole))
}
