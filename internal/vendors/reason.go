package vendors

import (
	"slices"

	"github.com/hongyan-im/hongyan"
)

// Reason says what became of one device's push: one of [hongyan.Results], whose constants tell what
// each means. Their meaning for a job is the table in package dispatch.
type Reason = hongyan.Reason

// The reasons that a result can have.
const (
	Unknown           = hongyan.Unknown
	Accepted          = hongyan.Accepted
	BadToken          = hongyan.BadToken
	NotDisplayed      = hongyan.NotDisplayed
	BadPayload        = hongyan.BadPayload
	Refused           = hongyan.Refused
	BadCredentials    = hongyan.BadCredentials
	AuthExpired       = hongyan.AuthExpired
	RateLimited       = hongyan.RateLimited
	QuotaSpent        = hongyan.QuotaSpent
	DeviceCapped      = hongyan.DeviceCapped
	Unavailable       = hongyan.Unavailable
	Timeout           = hongyan.Timeout
	Interrupted       = hongyan.Interrupted
	Expired           = hongyan.Expired
	AttemptsExhausted = hongyan.AttemptsExhausted
	Malformed         = hongyan.Malformed
)

// CanSay says whether a driver may give the reason. The others are the pipeline's.
func CanSay(r Reason) bool {
	switch r {
	case Expired, AttemptsExhausted, Malformed, hongyan.UnknownCertificate:
		return false
	}
	return slices.Contains(hongyan.Results[:], r)
}

// Sick says whether a result with the reason may speak of the vendor or the certificate as a whole
// rather than of one push; [Result.Reach] says whether it does.
func Sick(r Reason) bool {
	switch r {
	case BadCredentials, Unavailable, Timeout:
		return true
	}
	return false
}

// Scope says how far a result reaches: whose fault it is, and so for which other pushes it would be
// the same.
type Scope uint8

// The scopes.
const (
	// ScopeUnsaid leaves it to the reason: the certificate where it is [Sick], else the device.
	ScopeUnsaid Scope = iota
	// ScopeDevice is this device's registration alone, such as a token of another project.
	ScopeDevice
	// ScopeNotification is the content, on whatever device: a text, an image, an option.
	ScopeNotification
	// ScopeCall is this one call and all its devices; another call may fare better.
	ScopeCall
	// ScopeKind is the certificate's pushes of one [Kind]: its channel or template for them.
	ScopeKind
	// ScopeCertificate is the certificate or the vendor: every other push would fail as well.
	ScopeCertificate
)

// Reach is the result's scope, that of its reason where the driver left it unsaid.
func (r *Result) Reach() Scope {
	switch {
	case r.Scope != ScopeUnsaid:
		return r.Scope
	case Sick(r.Reason):
		return ScopeCertificate
	}
	return ScopeDevice
}
