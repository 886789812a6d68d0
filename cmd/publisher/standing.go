package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
)

// registrations notes what is wrong with the devices as they are registered, whoever serves them.
func (x *explainer) registrations() {
	for i := range x.e.Devices {
		d := &x.e.Devices[i]
		if d.Token == "" && d.VoIPToken == "" {
			said := "The app must register it again when the vendor's SDK gave it a token."
			if d.RegistrationError != "" {
				said = "The vendor's SDK gave the app the error " + d.RegistrationError + "; look it up in the SDK's documentation."
			}
			x.note("Device %s is registered without a token, so it cannot be pushed to. %s", d.Device, said)
		}
	}
}

// standing notes which of the user's certificates no live worker serves, and gathers how those
// stand that something waits for, or waited for until it was worthless.
func (x *explainer) standing(ctx context.Context) error {
	r, err := x.t.roster(ctx, x.b)
	if errors.Is(err, errNoWorker) || errors.Is(err, bus.ErrNoStream) {
		x.note("No worker runs: none has said a word within the last minute. Nothing is pushed until one does; start one (worker run).")
		return nil
	}
	if err != nil {
		return err
	}
	x.unserved(r)
	waits := map[string]bool{}
	for _, w := range x.e.Waiting {
		waits[w.Certificate] = true
	}
	for i := range x.e.Decisions {
		if d := &x.e.Decisions[i]; d.Certificate != "" && (d.Status == hongyan.StatusWaiting && !d.Over || d.Status == hongyan.StatusDead && waitedTooLong(d.Reason)) {
			waits[d.Certificate] = true
		}
	}
	if len(waits) == 0 {
		return nil
	}
	v, err := x.t.limitsView(ctx, x.b, func(c *limitedCertificate) bool { return c.App == x.e.App && waits[c.ID] })
	if errors.Is(err, errNoWorker) || errors.Is(err, bus.ErrNoStream) {
		return nil // the last worker left this moment
	}
	if err != nil {
		return err
	}
	x.e.Limits = v.Certificates
	x.e.Notes = append(x.e.Notes, v.Warnings...)
	return nil
}

// waitedTooLong says of a dead push's reason that its certificate may still stand in the way of
// others.
func waitedTooLong(r hongyan.Reason) bool {
	return r == hongyan.Expired || r == hongyan.AttemptsExhausted || r == hongyan.QuotaSpent
}

// unserved notes which certificates the user's devices and what waits name and no live worker
// serves for the app.
func (x *explainer) unserved(r *roster) {
	served := map[string]dispatch.CertificateNote{}
	var ours []string
	for _, c := range r.certificates {
		served[c.Limits.ID] = c
		if c.App == x.e.App {
			ours = append(ours, c.Limits.ID+" ("+c.Vendor+")")
		}
	}
	if len(ours) == 0 {
		x.note("No live worker has app %s in its configuration, so its messages are not pushed: add it to the configuration of the workers, or correct the name that the IM backend publishes under.", x.e.App)
		return
	}
	slices.Sort(ours)
	named := map[string]string{} // who names a certificate
	for _, d := range x.e.Devices {
		named[d.Certificate], named[d.VoIPCertificate] = "device "+d.Device, "device "+d.Device+" for calls"
	}
	for _, w := range x.e.Waiting {
		named[w.Certificate] = "what waits for device " + w.Device
	}
	delete(named, "")
	for _, certificate := range slices.Sorted(maps.Keys(named)) {
		c, known := served[certificate]
		switch {
		case known && c.App == x.e.App:
		case known:
			x.note("Certificate %s, which %s names, belongs to app %s and not to %s. Correct what the app registers; for %s workers serve %s.",
				certificate, named[certificate], c.App, x.e.App, x.e.App, strings.Join(ours, ", "))
		default:
			x.note("No live worker serves certificate %s, which %s names; for %s they serve %s. %s",
				certificate, named[certificate], x.e.App, strings.Join(ours, ", "), explain.Suppression(hongyan.UnknownCertificate))
		}
	}
}
