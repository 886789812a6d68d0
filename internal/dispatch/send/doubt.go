package send

import (
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// doubtEvery is how often an operator is told that dead tokens are not believed.
const doubtEvery = time.Minute

// doubt turns the word that a token is dead, where it may also mean a wrong environment, topic,
// project or app, into not_displayed while the vendor accepts nothing of the certificate: believing
// it would empty the directory.
func (s *Sender) doubt(results []vendors.Result, now time.Time) {
	id := s.Certificate.ID
	if s.Accepted == nil {
		return
	}
	dead := false
	for i := range results {
		switch r := &results[i]; {
		case r.Reason == vendors.Accepted:
			s.Accepted.Saw(id, now)
			return // and so does not doubt the rest of the call
		case r.Reason == vendors.BadToken && r.Doubtful:
			dead = true
		}
	}
	if !dead || s.Accepted.Lately(id, now) {
		return
	}
	var code string
	for i := range results {
		if r := &results[i]; r.Reason == vendors.BadToken && r.Doubtful {
			r.Reason, code = vendors.NotDisplayed, r.Code
		}
	}
	s.mu.Lock()
	say := now.Sub(s.doubted) >= doubtEvery
	if say {
		s.doubted = now
	}
	s.mu.Unlock()
	if say {
		s.Log.Error("the vendor calls tokens dead and accepted no push of the certificate in the last ten minutes: registrations stay; check the certificate's environment, topic, project and app",
			"vendor", s.Certificate.Vendor, "certificate", id, "code", code)
	}
}
