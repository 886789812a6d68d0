package vendors

import "fmt"

// Reason says what became of one device's push. The list is closed: dead letters and metrics store
// the names, so reasons are only ever appended.
type Reason uint8

// The reasons. Their meaning for a job is the table in package dispatch.
const (
	// Unknown is a code that nobody knows. It is the zero value, so that a forgotten result is
	// seen.
	Unknown Reason = iota
	// Accepted means that the vendor took the push, not that a phone showed it.
	Accepted
	// BadToken means that the token is dead.
	BadToken
	// NotDisplayed means that the device refuses: notifications off, not a test device, inactive.
	NotDisplayed
	// BadPayload means that the request is wrong and would be wrong again.
	BadPayload
	// Refused is the vendor's policy: sensitive words, a class not granted, blacklisted.
	Refused
	// BadCredentials is a wrong key, secret, certificate or permission: nothing of this certificate
	// can be sent.
	BadCredentials
	// AuthExpired means that the access token or JWT is too old.
	AuthExpired
	// RateLimited means too fast.
	RateLimited
	// QuotaSpent means that the day's quota is used up.
	QuotaSpent
	// DeviceCapped means that the device had its share of the day in this class.
	DeviceCapped
	// Unavailable is a 5xx, a connection refused or reset, an unreadable answer.
	Unavailable
	// Timeout means no answer; the push may have been accepted.
	Timeout
	// Interrupted means our own shutdown.
	Interrupted
	// Expired means that the deadline passed while the push waited. Never a vendor's word.
	Expired
	// AttemptsExhausted is never a vendor's word either.
	AttemptsExhausted
	// Malformed is the reason of a message that could not be read.
	Malformed
	numReasons
)

var reasonNames = [numReasons]string{
	Unknown: "unknown", Accepted: "accepted", BadToken: "bad_token", NotDisplayed: "not_displayed", BadPayload: "bad_payload",
	Refused: "refused", BadCredentials: "bad_credentials", AuthExpired: "auth_expired", RateLimited: "rate_limited",
	QuotaSpent: "quota_spent", DeviceCapped: "device_capped", Unavailable: "unavailable", Timeout: "timeout",
	Interrupted: "interrupted", Expired: "expired", AttemptsExhausted: "attempts_exhausted", Malformed: "malformed",
}

// Reasons lists every reason, in order.
func Reasons() []Reason {
	all := make([]Reason, numReasons)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// String is the reason's stable name.
func (r Reason) String() string {
	if r >= numReasons {
		return fmt.Sprintf("reason(%d)", uint8(r))
	}
	return reasonNames[r]
}

// MarshalText writes the reason's name.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a reason's name.
func (r *Reason) UnmarshalText(text []byte) error {
	for i, name := range reasonNames {
		if name == string(text) {
			*r = Reason(i)
			return nil
		}
	}
	return fmt.Errorf("no reason is called %q", text)
}
