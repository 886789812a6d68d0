package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

const (
	// triedAtOnce is how many certificates are tried at the same time.
	triedAtOnce = 8
	// warnBefore is how long before credentials end it is warned of.
	warnBefore = 30 * 24 * time.Hour
)

// trial is what a vendor said of a certificate's credentials.
type trial struct {
	settings vendors.Config
	result   vendors.Result
}

// tryCertificates pushes through each certificate to a token that no device has, and returns what
// the vendors said, in the certificates' order. Where a vendor can check a push without delivering
// it, it is asked to.
func tryCertificates(ctx context.Context, conf *config.Config, env vendors.Env, now time.Time) ([]trial, error) {
	var trials []trial
	for _, app := range conf.Apps {
		for _, c := range app.Certificates {
			trials = append(trials, trial{settings: c})
		}
	}
	errs := make([]error, len(trials))
	places := make(chan struct{}, triedAtOnce)
	var trying sync.WaitGroup
	for i := range trials {
		t, failed := &trials[i], &errs[i]
		trying.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			*failed = t.try(ctx, env, now)
		})
	}
	trying.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return trials, nil
}

// try makes one call. The error is one of the configuration.
func (t *trial) try(ctx context.Context, env vendors.Env, now time.Time) error {
	base := t.settings.Base()
	if dry, ok := t.settings.(vendors.DryRunner); ok {
		dry.DryRun()
	}
	driver, err := t.settings.Driver(env)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", base.ID, err)
	}
	defer driver.Close()
	const key = "00000000000000000000000000000000"
	n := &vendors.Notification{
		Key: key, MessageID: "worker-check", Conversation: "worker-check", Title: "worker check", Body: "worker check", Kind: vendors.KindC2C,
		Deadline: now.Add(time.Minute), Options: t.settings.Options(&hongyan.OfflinePush{}),
	}
	t.result = driver.Push(ctx, vendors.Batch{Now: now, Devices: []vendors.Device{{Token: vendors.NobodysToken, Key: key, Notification: n}}})[0]
	return nil
}

// right says whether the vendor knows the credentials, and whether that is all that it said: what
// it refuses besides may be put right, or be tried again.
func (t *trial) right() (known, all bool) {
	switch t.result.Reason {
	case vendors.BadToken, vendors.NotDisplayed, vendors.Accepted:
		return true, true
	case vendors.RateLimited, vendors.QuotaSpent, vendors.DeviceCapped:
		return true, false
	}
	return false, false
}

// report prints what the vendor said, and returns false where the certificate cannot push.
func (t *trial) report(stdout, stderr io.Writer) bool {
	base, r := t.settings.Base(), &t.result
	known, all := t.right()
	said := r.Reason.String()
	if r.Code != "" {
		said += ", " + r.Code
	}
	switch {
	case all:
		fmt.Fprintf(stdout, "certificate %s (%s): right; to a token that nobody has, the vendor says %s\n", base.ID, base.Vendor, said)
		return true
	case known:
		fmt.Fprintf(stdout, "warning: certificate %s (%s): the credentials are right, but the vendor says %s. %s\n", base.ID, base.Vendor, said, explain.Result(r.Reason))
		return true
	}
	m, meant := explain.Meaning(base.Vendor, r.Code, r.Reason)
	if r.Err != nil && !(meant && r.Err.Error() == m.EN) {
		said += ": " + r.Err.Error()
	}
	if meant {
		said += " (" + m.EN + ")"
	}
	fmt.Fprintf(stderr, "certificate %s (%s): %s. %s\n", base.ID, base.Vendor, said, remedy(r.Reason))
	return false
}

// remedy says what to do about what the vendor said of a push that was only tried.
func remedy(r vendors.Reason) string {
	switch r {
	case vendors.BadCredentials, vendors.AuthExpired:
		return "Correct the certificate's ids, keys, secrets, topic or package: the vendor's console shows the right ones. Where something counts as too old, compare this machine's clock with the vendor's."
	case vendors.Unavailable, vendors.Timeout, vendors.Interrupted:
		return "Nothing was learnt of the credentials: look at the way to the vendor (endpoint, proxy, DNS, firewall, ca_file), and try again."
	case vendors.BadPayload:
		return "Mostly it is the topic, package, project, channel, category or template of the certificate."
	case vendors.Refused:
		return "The message class may not be granted to the app yet, or the app is blocked: look into the vendor's console."
	}
	return "Look the code up in the vendor's documentation."
}

// endings warns of credentials that end soon, or have ended.
func endings(conf *config.Config, now time.Time) (warnings []string) {
	for _, app := range conf.Apps {
		for _, c := range app.Certificates {
			e, ok := c.(vendors.Expirer)
			if !ok {
				continue
			}
			what, at := e.Expires()
			switch left := at.Sub(now); {
			case at.IsZero() || left > warnBefore:
			case left <= 0:
				warnings = append(warnings, fmt.Sprintf("certificate %s (%s): %s ended on %s: nothing is pushed through it", c.Base().ID, c.Base().Vendor, what, at.UTC().Format(time.DateOnly)))
			default:
				warnings = append(warnings, fmt.Sprintf("certificate %s (%s): %s ends on %s, in %d days: put a new one in its place before", c.Base().ID, c.Base().Vendor, what, at.UTC().Format(time.DateOnly), int(left.Hours()/24)))
			}
		}
	}
	return warnings
}
