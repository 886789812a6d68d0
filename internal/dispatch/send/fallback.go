package send

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// falls says whether a call that was to ring through VoIP is shown as an alert instead: the vendor
// does not take the token or the push, and there is a token for alerts.
func falls(w *work, target int, v Verdict) bool {
	switch v.Reason {
	case vendors.BadToken, vendors.NotDisplayed, vendors.BadPayload, vendors.Refused:
		return w.job.Notification.VoIP && w.job.Targets[target].Alert != nil
	}
	return false
}

// fallBack stores the alerts in the place of calls over VoIP, for the certificates that send them.
func (l *lane) fallBack(fallen []death) {
	if len(fallen) == 0 {
		return
	}
	debts := make([]*store.Debt, len(fallen))
	for k, d := range fallen {
		next := d.w.job.Fallback(d.target)
		t := &next.Targets[0]
		device := hongyan.DeviceOutcome{User: t.User, Device: t.Device, Reason: d.verdict.Reason, VendorCode: d.result.Code, Note: vendors.NoteVoIPFallback}
		debts[k] = l.wait(d.w, next, ":alert/"+d.w.duty.Claim.Name()+"/", []hongyan.DeviceOutcome{device}, 0)
	}
	l.s.Recorder.Store(debts...)
	if l.s.Stored == nil {
		return
	}
	for _, d := range fallen {
		a := d.w.job.Targets[d.target].Alert
		l.s.Stored(hongyan.Subject{Kind: hongyan.KindJob, Vendor: a.Vendor, Certificate: a.Certificate, Lane: l.name})
	}
}
