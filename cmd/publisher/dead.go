package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

func (t *tool) deadCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "dead",
		Short: "Look into dead letters: list, show, export, purge",
		Long: `A dead letter is what could not be delivered: a job with the devices that share a fate, or the bytes of what was published and
could not be read, or was taken a hundred times without an end. It says why in its reason and in the vendor's own code. They are kept
30 days, or as long as nats.dead_max_age of the workers says.

"publisher replay" brings dead letters back.`,
		Example: `  publisher dead list --summary
  publisher dead list --certificate 35001 --reason bad_payload
  publisher dead show 4711`,
	}
	c.AddCommand(t.deadListCommand(), t.deadShowCommand(), t.deadExportCommand(), t.deadPurgeCommand())
	return c
}

// filterFlags defines the flags that say which letters are meant; the function reads them.
func (t *tool) filterFlags(c *cobra.Command) func() (dispatch.LetterFilter, error) {
	var filter dispatch.LetterFilter
	var reason, since, until string
	f := c.Flags()
	f.StringVar(&filter.Vendor, "vendor", "", "only of this `vendor`; none for what was published")
	f.StringVar(&filter.Certificate, "certificate", "", "only of this certificate `id`")
	f.StringVar(&reason, "reason", "", "only with this `reason`, such as bad_token or attempts_exhausted")
	f.StringVar(&filter.App, "app", "", "only of this `app`")
	f.StringVar(&filter.User, "user", "", "only of this `user`")
	f.StringVar(&filter.Message, "message", "", "only of this message `id`")
	f.StringVar(&since, "since", "", "only those that died since a `time` (RFC 3339), or since so long ago (90m, 8h, 2d)")
	f.StringVar(&until, "until", "", "only those that died before a `time`, or before so long ago")
	complete(c, "vendor", append(hongyan.Vendors[:], "none")...)
	var reasons []string
	for _, r := range hongyan.Results {
		if r != vendors.Accepted && r != vendors.Interrupted {
			reasons = append(reasons, r.String())
		}
	}
	complete(c, "reason", reasons...)
	return func() (_ dispatch.LetterFilter, err error) {
		// "$CERTIFICATE" of a script that did not set it must not mean every letter.
		for _, name := range []string{"vendor", "certificate", "reason", "app", "user", "message", "since", "until"} {
			if flag := f.Lookup(name); flag.Changed && flag.Value.String() == "" {
				return filter, cli.UsageError(fmt.Errorf("--%s is empty; leave it out where all are meant", name))
			}
		}
		if filter.Since, err = t.moment("since", since); err != nil {
			return filter, err
		}
		if filter.Until, err = t.moment("until", until); err != nil {
			return filter, err
		}
		if filter.Vendor != "" && filter.Vendor != "none" && !slices.Contains(hongyan.Vendors[:], filter.Vendor) {
			return filter, cli.UsageError(fmt.Errorf("--vendor is %q, none of %v", filter.Vendor, hongyan.Vendors))
		}
		if reason != "" && !slices.Contains(reasons, reason) {
			return filter, cli.UsageError(fmt.Errorf("--reason is %q, none of %v", reason, reasons))
		}
		filter.Reason = hongyan.Reason(reason)
		return filter, nil
	}
}

// moment reads a time, or a duration before now; days are allowed. Empty is the zero time.
func (t *tool) moment(flag, s string) (time.Time, error) {
	at, ok := explain.Moment(s, t.now())
	if !ok {
		return at, cli.UsageError(fmt.Errorf("--%s is %q, neither a time such as 2026-11-23T08:00:00Z nor so long ago such as 90m, 8h or 2d", flag, s))
	}
	return at, nil
}

func (t *tool) deadListCommand() *cobra.Command {
	var limit int
	var summary bool
	c := &cobra.Command{
		Use:   "list [flags]",
		Short: "List dead letters, or count them by why they died",
		Long: `list shows the newest dead letters that fit the flags, the newest last. --summary counts all of them instead, by vendor,
certificate, reason and the vendor's code: the quickest way to see what is wrong.

JSON: one object a line with sequence, died, vendor, certificate, reason, code, error, app, message, attempts, first_attempt,
last_attempt, devices, deadline, and for what was published the subject it came on; with --summary vendor, certificate, reason,
code, letters, devices, first, last.`,
		Example: `  publisher dead list --summary --since 1d
  publisher dead list --certificate 35001 --reason quota_spent --since 8h
  publisher dead list --user bob -o json | jq .error`,
		Args: cobra.NoArgs,
	}
	read := t.filterFlags(c)
	c.Flags().IntVar(&limit, "limit", 50, "show at most so many, the newest; 0 for all")
	c.Flags().BoolVar(&summary, "summary", false, "count by vendor, certificate, reason and code")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		filter, err := read()
		if err != nil {
			return err
		}
		b, box, err := t.letters(cmd.Context())
		if err != nil {
			return err
		}
		defer b.Close()
		if summary {
			return t.deadSummary(cmd.Context(), box, &filter)
		}
		var views []letterView
		total := 0
		err = t.eachLetter(cmd.Context(), box, &filter, func(l *dispatch.Letter) error {
			total++
			if views = append(views, viewLetter(l, false, false)); limit > 0 && len(views) >= 2*limit {
				views = slices.Delete(views, 0, len(views)-limit)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if limit > 0 && len(views) > limit {
			views = views[len(views)-limit:]
		}
		return t.showLetters(views, total)
	}
	return c
}

func (t *tool) showLetters(views []letterView, total int) error {
	if t.json() {
		for _, v := range views {
			if err := t.emit(v); err != nil {
				return err
			}
		}
		return nil
	}
	if total == 0 {
		t.printf("no dead letters fit")
		return nil
	}
	w := t.table("seq", "died", "vendor", "certificate", "reason", "code", "app", "message", "devices", "attempts", "error")
	for _, v := range views {
		w.AppendRow(table.Row{v.Sequence, t.ago(v.Died), v.Vendor, v.Certificate, v.Reason, dash(v.Code), dash(v.App), dash(shorten(v.Message, 24)),
			v.Devices, v.Attempts, dash(shorten(v.Error, 48))})
	}
	w.Render()
	if len(views) < total {
		t.printf("\nthe newest %d of %d; --limit 0 shows all, --summary counts them", len(views), total)
	}
	return nil
}

// summaryKey is what dead letters are counted by.
type summaryKey struct {
	Vendor      string `json:"vendor"`
	Certificate string `json:"certificate"`
	Reason      string `json:"reason"`
	Code        string `json:"code,omitempty"`
}

type summaryRow struct {
	summaryKey `json:",inline"`
	Letters    int       `json:"letters"`
	Devices    int       `json:"devices"`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
}

func (t *tool) deadSummary(ctx context.Context, box *bus.LetterBox, filter *dispatch.LetterFilter) error {
	rows := map[summaryKey]*summaryRow{}
	err := t.eachLetter(ctx, box, filter, func(l *dispatch.Letter) error {
		v := viewLetter(l, false, false)
		k := summaryKey{v.Vendor, v.Certificate, v.Reason, v.Code}
		row := rows[k]
		if row == nil {
			row = &summaryRow{summaryKey: k, First: v.Died}
			rows[k] = row
		}
		row.Letters++
		row.Devices += v.Devices
		row.Last = v.Died
		return nil
	})
	if err != nil {
		return err
	}
	sorted := make([]*summaryRow, 0, len(rows))
	for _, r := range rows {
		sorted = append(sorted, r)
	}
	slices.SortFunc(sorted, func(a, b *summaryRow) int {
		return cmp.Or(cmp.Compare(b.Letters, a.Letters), cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(a.Certificate, b.Certificate),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Code, b.Code))
	})
	if t.json() {
		for _, r := range sorted {
			if err := t.emit(r); err != nil {
				return err
			}
		}
		return nil
	}
	if len(sorted) == 0 {
		t.printf("no dead letters fit")
		return nil
	}
	w := t.table("letters", "devices", "vendor", "certificate", "reason", "code", "first", "last")
	for _, r := range sorted {
		w.AppendRow(table.Row{r.Letters, r.Devices, r.Vendor, r.Certificate, r.Reason, dash(r.Code), t.ago(r.First), t.ago(r.Last)})
	}
	w.Render()
	t.printf("\nwhat to do about the most frequent one, %s: %s", sorted[0].Reason, explain.Result(hongyan.Reason(sorted[0].Reason)).EN)
	return nil
}
