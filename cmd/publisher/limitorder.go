package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/standing"
)

// limitOrder is a sub-command of limits that gives an order without an argument of its own.
type limitOrder struct {
	name, short, long string
	action            ratelimit.Action
	wholeCertificate  bool // it has no class
	done              string
}

var limitOrders = [...]limitOrder{
	{"reset", "Forgive what was counted of a quota today",
		`reset makes the whole daily quota of a class available again today. It is for a count that is wrong, such as after the vendor
reset its own; the next day begins as always. It does not make the vendor count anew.`, ratelimit.ResetQuota, false, "today's count is forgiven"},
	{"resume-quota", "Send again although the vendor called a quota spent",
		`resume-quota lets a class go on that was stopped because the vendor said "quota spent". If the vendor says so again, it stops again.

Mind that a vendor may lower the quota of an app that goes on sending after it was told to stop.`, ratelimit.ResumeQuota, false, "the class goes on"},
	{"resume-rate", "Use the whole rate again after the vendor said \"too fast\"",
		`resume-rate gives a certificate its whole rate back at once, and ends the pause that a Retry-After asked for. If the vendor says
"too fast" again, it is slowed again.`, ratelimit.ResumeRate, true, "the whole rate is there again"},
	{"drop-override", "Take set and reset back",
		`drop-override takes back what "limits set" and "limits reset" changed: the configured quota and the whole count of the day are
in force again.`, ratelimit.DropOverride, false, "the configured quota is in force again"},
}

// orderFlags are the flags of every order.
type orderFlags struct{ certificate, class, reason, by string }

func (t *tool) orderFlags(c *cobra.Command, f *orderFlags, class bool) {
	c.Flags().StringVar(&f.certificate, "certificate", "", "the certificate's `id`")
	c.Flags().StringVar(&f.reason, "reason", "", "why, in `words`; the workers log it")
	c.Flags().StringVar(&f.by, "by", t.getenv("USER"), "who orders it, a `name` ($USER)")
	require(c, "certificate", "reason")
	if class {
		c.Flags().StringVar(&f.class, "class", "", "the message class, a `name` as \"publisher limits\" shows it; not needed where there is one only")
	}
}

func (t *tool) limitsOrderCommand(o limitOrder) *cobra.Command {
	var f orderFlags
	flags := "--certificate ID --class CLASS --reason WHY"
	if o.wholeCertificate {
		flags = "--certificate ID --reason WHY"
	}
	c := &cobra.Command{
		Use: o.name + " " + flags, Short: o.short, Long: o.long,
		Example: "  publisher limits " + o.name + " " + strings.NewReplacer("ID", "35001", "CLASS", "public", "WHY", `"ticket 4711"`).Replace(flags),
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return t.order(cmd, &f, ratelimit.Command{Action: o.action}, o.done)
		},
	}
	t.orderFlags(c, &f, !o.wholeCertificate)
	return c
}

func (t *tool) limitsSetCommand() *cobra.Command {
	var f orderFlags
	var quota, until string
	c := &cobra.Command{
		Use:   "set --certificate ID --class CLASS --quota NUMBER --reason WHY",
		Short: "Put another daily quota in the place of the configured one",
		Long: `set replaces the daily quota of a class for all workers, until the vendor's day ends or until --until. It is for a number that
holds for a while; what holds for good belongs into the configuration. What was sent today counts against the new number.`,
		Example: `  publisher limits set --certificate 35001 --class public --quota 150000 --reason "ticket 4711"
  publisher limits set --certificate 35001 --class private --quota unlimited --until 72h --reason "festival"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := ratelimit.Command{Action: ratelimit.SetQuota}
			if err := o.Quota.UnmarshalText([]byte(quota)); err != nil {
				return fmt.Errorf("--quota: %w", err)
			}
			if until != "" {
				end, err := t.deadline(until)
				if err != nil {
					return err
				}
				o.Until = end
			}
			return t.order(cmd, &f, o, "the quota is "+standing.QuotaText(o.Quota, explain.English))
		},
	}
	t.orderFlags(c, &f, true)
	c.Flags().StringVar(&quota, "quota", "", "devices a day, a `number` or unlimited")
	c.Flags().StringVar(&until, "until", "", "how long it holds, a `time` (RFC 3339) or a duration from now (72h); default: until the vendor's midnight")
	require(c, "quota")
	return c
}

// deadline reads a time to come.
func (t *tool) deadline(s string) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return t.now().Add(d), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil || !at.After(t.now()) {
		return time.Time{}, cli.UsageError(fmt.Errorf("--until is %q, neither a time to come (2026-11-23T08:00:00Z) nor a duration (72h)", s))
	}
	return at, nil
}

// orderView is the answer to an order.
type orderView struct {
	Action      ratelimit.Action `json:"action"`
	Certificate string           `json:"certificate"`
	Class       string           `json:"class,omitempty"`
	Reason      string           `json:"reason"`
	By          string           `json:"by,omitempty"`
	Done        string           `json:"done"`
}

func (t *tool) order(cmd *cobra.Command, f *orderFlags, o ratelimit.Command, done string) error {
	if strings.TrimSpace(f.reason) == "" {
		return cli.UsageError(errors.New("--reason is empty: say why, so that whoever reads the log knows"))
	}
	b, err := t.connect(cmd.Context(), t.topology().Notes(), t.topology().Counters())
	if err != nil {
		return err
	}
	defer b.Close()
	ctx, cancel := t.step(cmd.Context())
	defer cancel()
	r, err := standing.Workers(ctx, b)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(r.Certificates, func(c dispatch.CertificateNote) bool { return c.Limits.ID == f.certificate })
	if i < 0 {
		return fmt.Errorf("no live worker serves certificate %q; \"publisher limits\" lists those that are served", f.certificate)
	}
	if o.Action != ratelimit.ResumeRate {
		if o.Class, err = pickClass(f.class, r.Certificates[i].Limits); err != nil {
			return err
		}
	}
	limiter, err := r.Limiter(b, t.now)
	if err != nil {
		return err
	}
	o.Certificate, o.Reason, o.By, o.Now = f.certificate, f.reason, f.by, t.now()
	if err := limiter.Apply(ctx, o); err != nil {
		return err
	}
	return t.say(orderView{o.Action, o.Certificate, o.Class, o.Reason, o.By, done}, "%s: %s; all workers follow within two seconds",
		strings.TrimSpace(o.Certificate+" "+o.Class), done)
}

// pickClass is the class that was named, or the only one there is.
func pickClass(named string, c ratelimit.Certificate) (string, error) {
	var names []string
	for _, class := range c.Classes {
		names = append(names, class.Name)
	}
	for name := range c.DailyQuota {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch {
	case named == "" && len(names) == 1:
		return names[0], nil
	case !slices.Contains(names, named):
		return "", cli.UsageError(fmt.Errorf("--class is %q; the workers know these classes of certificate %s: %s", named, c.ID, strings.Join(names, ", ")))
	}
	return named, nil
}
