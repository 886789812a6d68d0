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
