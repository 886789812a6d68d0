package dispatch

import (
	"context"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// watched are the reasons that alerts are made of.
var watched = []vendors.Reason{vendors.BadCredentials, vendors.BadPayload, vendors.Refused, vendors.QuotaSpent, vendors.AttemptsExhausted}

// ExpectApp makes the counters of an app's unreadable messages begin at zero. What counts from
// nothing to one has not grown for Prometheus, and no alert would see a first one.
func (m *Metrics) ExpectApp(app string) {
	if m != nil {
		m.messages.Add(context.Background(), 0, m.set([4]string{app, "malformed", "", "message"}, "app", "result").add...)
	}
}

// ExpectCertificate does the same for a certificate's dead letters, spent quotas and refused
// credentials.
func (m *Metrics) ExpectCertificate(vendor, certificate string) {
	if m == nil {
		return
	}
	for _, lane := range []string{hongyan.LaneUrgent, hongyan.LaneNormal} {
		for _, reason := range watched {
			set := m.set([4]string{vendor, certificate, lane, reason.String()}, "vendor", "certificate", "lane", "reason").add
			m.attempts.Add(context.Background(), 0, set...)
			m.outcomes.Add(context.Background(), 0, set...)
		}
	}
}
