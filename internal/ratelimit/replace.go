package ratelimit

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"time"
)

// retiredFor is how long a certificate that Replace took out or changed still answers for calls
// that had begun: longer than a call and its wait for the rate take together.
const retiredFor = 5 * time.Minute

// retiredDays is for how long it is remembered at most what of a replaced certificate's quota is
// not given back: no day of a vendor that it can be of lasts longer.
const retiredDays = 48 * time.Hour

// retired is a certificate that Replace took out or changed.
type retired struct {
	cert  *certificate
	since time.Time
}

// Replace replaces the certificates, while calls are made. Those whose limits did not change are
// left as they are. Of the others, a call under way settles with the limits that it was granted by,
// what they lease goes back, and the new ones begin with what vendors and operators said so far.
// Certificates that are missing from now on are still known for a while to calls that had begun.
// If one of the new ones is invalid, nothing is changed.
func (l *Limiter) Replace(certificates []Certificate) error {
	fresh, problems := newCertificates(certificates, l.opts)
	if len(problems) > 0 {
		return fmt.Errorf("ratelimit: %w", errors.Join(problems...))
	}
	now := l.opts.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	old := *l.certs.Load()
	for id, was := range old {
		cert, stays := fresh[id]
		switch {
		case stays && sameLimits(was.config, cert.config):
			fresh[id] = was
			continue
		case stays:
			l.succeed(was, cert, now)
		}
		l.retired = append(l.retired, retired{was, now})
	}
	for id, cert := range fresh {
		if old[id] == nil {
			l.begin(cert, now)
		}
	}
	l.certs.Store(&fresh)
	return nil
}

// sameLimits says whether two certificates have the same limits, whatever classes are known of
// them.
func sameLimits(a, b Certificate) bool {
	a.Classes, b.Classes = nil, nil
	return reflect.DeepEqual(a, b)
}

// succeed carries over what is known of a certificate to its successor. The lock is held.
func (l *Limiter) succeed(was, cert *certificate, now time.Time) {
	if was.config.Rate == cert.config.Rate {
		cert.throttle = was.throttle
	}
	classes := maps.Clone(*cert.classes.Load())
	for name, c := range *was.classes.Load() {
		if classes[name] == nil {
			classes[name] = newClass(cert, c.known, name)
		}
		c.mu.Lock()
		classes[name].exhausted = c.exhausted
		c.mu.Unlock()
	}
	cert.classes.Store(&classes)
	l.begin(cert, now)
}

// begin brings a certificate that was made while the limiter runs up to date. The lock is held.
func (l *Limiter) begin(cert *certificate, now time.Time) {
	share, until := l.claim.share, l.claim.until
	if l.opts.Alone {
		share, until = 1, time.Time{}
	}
	cert.throttle.setShare(share, l.phase, until, now)
	cert.throttle.applyEntry(l.entries[cert.slowKey], now)
	for _, c := range *cert.classes.Load() {
		l.applyClass(c, now)
	}
}

// of finds a certificate, one that was taken out a while ago included; nil where there is none.
func (l *Limiter) of(id string) *certificate {
	if cert := (*l.certs.Load())[id]; cert != nil {
		return cert
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.retired) - 1; i >= 0; i-- {
		if cert := l.retired[i].cert; cert.config.ID == id {
			return cert
		}
	}
	return nil
}

// allCertificates are those of now and those that were replaced.
func (l *Limiter) allCertificates() []*certificate {
	var all []*certificate
	for _, cert := range *l.certs.Load() {
		all = append(all, cert)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.retired {
		all = append(all, r.cert)
	}
	return all
}

func (l *Limiter) isRetired(cert *certificate) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.retired {
		if r.cert == cert {
			return true
		}
	}
	return false
}

// forgetRetired forgets certificates that were replaced a while ago, once nothing of theirs is
// leased.
func (l *Limiter) forgetRetired(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var left []retired
	for _, r := range l.retired {
		age := now.Sub(r.since)
		keep := age < retiredFor
		for _, c := range *r.cert.classes.Load() {
			keep = keep || age < retiredDays && c.active()
		}
		if keep {
			left = append(left, r)
		}
	}
	l.retired = left
}
