package trail

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/standing"
)

// registrations notes what is wrong with the devices as they are registered, whoever serves them.
func (x *explainer) registrations() {
	for i := range x.e.Devices {
		d := &x.e.Devices[i]
		if d.Token == "" && d.VoIPToken == "" {
			said := textNoToken.In(x.Language)
			if d.RegistrationError != "" {
				said = textSDKError.Format(x.Language, d.RegistrationError)
			}
			x.note(textWithoutToken, d.Device, said)
		}
	}
}

// standing notes which of the user's certificates no live worker serves, and gathers how those
// stand that something waits for, or waited for until it was worthless.
func (x *explainer) standing(ctx context.Context) error {
	r, err := standing.Workers(ctx, x.Bus)
	if errors.Is(err, standing.ErrNoWorker) || isAbsent(err) {
		x.note(textNoWorker)
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
	v, err := standing.Read(ctx, x.Bus, x.Now, x.Language, func(c *standing.Certificate) bool { return c.App == x.e.App && waits[c.ID] })
	if errors.Is(err, standing.ErrNoWorker) || isAbsent(err) {
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
func (x *explainer) unserved(r *standing.Roster) {
	served := map[string]dispatch.CertificateNote{}
	var ours []string
	for _, c := range r.Certificates {
		served[c.Limits.ID] = c
		if c.App == x.e.App {
			ours = append(ours, c.Limits.ID+" ("+c.Vendor+")")
		}
	}
	if len(ours) == 0 {
		x.note(textNoApp, x.e.App)
		return
	}
	slices.Sort(ours)
	named := map[string]string{} // who names a certificate
	for _, d := range x.e.Devices {
		named[d.Certificate], named[d.VoIPCertificate] = textNamesDevice.Format(x.Language, d.Device), textNamesCalls.Format(x.Language, d.Device)
	}
	for _, w := range x.e.Waiting {
		named[w.Certificate] = textNamesWaits.Format(x.Language, w.Device)
	}
	delete(named, "")
	for _, certificate := range slices.Sorted(maps.Keys(named)) {
		c, known := served[certificate]
		switch {
		case known && c.App == x.e.App:
		case known:
			x.note(textOthersApp, certificate, named[certificate], c.App, x.e.App, strings.Join(ours, ", "))
		default:
			x.note(textUnserved, certificate, named[certificate], x.e.App, strings.Join(ours, ", "), explain.Suppression(hongyan.UnknownCertificate).In(x.Language))
		}
	}
}
