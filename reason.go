package hongyan

import "slices"

// Reason says why: why a device was not pushed to, what became of a push, or what it waits for. The
// list is closed and only ever grows; outcomes, dead letters and metrics carry the words. The empty
// reason of a value that nobody filled in is read as [Unknown].
type Reason string

// Suppressions: why a device was not pushed to, in the order in which the rules apply.
const (
	// Disabled: offline_push.disable, or a group above the app's max_push_group.
	Disabled Reason = "disabled"
	// Expired: past sent_at and ttl_seconds, when it was planned or while it waited.
	Expired Reason = "expired"
	// Recalled: the message was taken back.
	Recalled Reason = "recalled"
	// Read: the user has read the conversation since.
	Read Reason = "read"
	// OwnMessage: the recipient is the sender.
	OwnMessage Reason = "own_message"
	// NoContent: a custom message without desc, or a call event for a device that was not rung.
	NoContent Reason = "no_content"
	// CallOver: an invitation to a call that has ended.
	CallOver Reason = "call_over"
	// NoDevice: the user has no registered device with a token.
	NoDevice Reason = "no_device"
	// LoggedOut: the device's last presence.
	LoggedOut Reason = "logged_out"
	// Kicked: the device's last presence.
	Kicked Reason = "kicked"
	// NotificationsOff: the registration says so; calls over VoIP pass.
	NotificationsOff Reason = "notifications_off"
	// TooManyDevices: one of the devices beyond the 32 that were heard of last.
	TooManyDevices Reason = "too_many_devices"
	// Stale: nothing was heard of the device for the policy's stale_after.
	Stale Reason = "stale"
	// Foreground: the app is open on the device.
	Foreground Reason = "foreground"
	// ActiveElsewhere: the app is open on another device of the user, and the policy asks for
	// quiet.
	ActiveElsewhere Reason = "active_elsewhere"
	// Muted: the conversation is muted and the user not mentioned.
	Muted Reason = "muted"
	// QuietHours: inside the user's window.
	QuietHours Reason = "quiet_hours"
	// UnknownCertificate: the registration, or a job that waited, names a certificate that no
	// configuration has.
	UnknownCertificate Reason = "unknown_certificate"
)

// What became of a push.
const (
	// Accepted means that the vendor took the push, not that a phone showed it.
	Accepted Reason = "accepted"
	// BadToken means that the token is dead.
	BadToken Reason = "bad_token"
	// NotDisplayed means that the device refuses: notifications off, not a test device, inactive.
	NotDisplayed Reason = "not_displayed"
	// BadPayload means that the request is wrong and would be wrong again.
	BadPayload Reason = "bad_payload"
	// Refused is the vendor's policy: sensitive words, a class not granted, blacklisted.
	Refused Reason = "refused"
	// BadCredentials is a wrong key, secret, certificate or permission.
	BadCredentials Reason = "bad_credentials"
	// AuthExpired means that the access token or JWT is too old.
	AuthExpired Reason = "auth_expired"
	// RateLimited means too fast.
	RateLimited Reason = "rate_limited"
	// QuotaSpent means that the day's quota is used up.
	QuotaSpent Reason = "quota_spent"
	// DeviceCapped means that the device had its share of the day in this class.
	DeviceCapped Reason = "device_capped"
	// Unavailable is a 5xx, a connection refused or reset, an unreadable answer.
	Unavailable Reason = "unavailable"
	// Timeout means no answer; the push may have been accepted.
	Timeout Reason = "timeout"
	// Interrupted means the worker's own shutdown.
	Interrupted Reason = "interrupted"
	// Unknown is a code that nobody knows.
	Unknown Reason = "unknown"
	// Malformed: an event or job that cannot be read.
	Malformed Reason = "malformed"
	// AttemptsExhausted: it was tried as often as it may be.
	AttemptsExhausted Reason = "attempts_exhausted"
)

// What a push waits for, beside the words of vendors.
const (
	// Parked: the certificate is parked, or its pushes of this kind; one worker tries it from time
	// to time. Or an operator holds it or its app, where the note says held.
	Parked Reason = "parked"
	// Busy: there was no free place for it.
	Busy Reason = "busy"
)

// What was done about a push that was accepted and then taken back.
const (
	// Withdrawn: the vendor took it back.
	Withdrawn Reason = "withdrawn"
	// Overwritten: another notification replaced it, quietly.
	Overwritten Reason = "overwritten"
	// NotPossible: the vendor can do neither.
	NotPossible Reason = "not_possible"
)

// Suppressions lists the reasons not to push to a device, in the order in which the rules apply.
var Suppressions = [...]Reason{
	Disabled, Expired, Recalled, Read, OwnMessage, NoContent, CallOver, NoDevice, LoggedOut, Kicked, NotificationsOff,
	TooManyDevices, Stale, Foreground, ActiveElsewhere, Muted, QuietHours, UnknownCertificate,
}

// Results lists what can become of a push.
var Results = [...]Reason{
	Accepted, BadToken, NotDisplayed, BadPayload, Refused, BadCredentials, AuthExpired, RateLimited, QuotaSpent, DeviceCapped,
	Unavailable, Timeout, Interrupted, Unknown, Expired, UnknownCertificate, Malformed, AttemptsExhausted,
}

// String is the reason's word on the wire.
func (r Reason) String() string {
	if r == "" {
		return string(Unknown)
	}
	return string(r)
}

// Suppresses says whether the reason is one not to push to a device.
func (r Reason) Suppresses() bool { return slices.Contains(Suppressions[:], r) }

// Status is the kind of an outcome.
type Status string

// The statuses. Every device of a message gets exactly one of the first three; a replay, or a push
// that had to be repeated, may add a second one.
const (
	// StatusAccepted: the vendor took the push.
	StatusAccepted Status = "accepted"
	// StatusSuppressed: there was no push; the reason is a suppression.
	StatusSuppressed Status = "suppressed"
	// StatusDead: the push was given up; a dead letter holds it.
	StatusDead Status = "dead"
	// StatusWithdrawn: it was taken back after it was accepted.
	StatusWithdrawn Status = "withdrawn"
	// StatusWaiting is no end: the push was stored, to be sent later.
	StatusWaiting Status = "waiting"
)

// Statuses lists every status.
var Statuses = [...]Status{StatusAccepted, StatusSuppressed, StatusDead, StatusWithdrawn, StatusWaiting}

// Known says whether the status is one of [Statuses].
func (s Status) Known() bool { return slices.Contains(Statuses[:], s) }

// End says whether nothing more is to come.
func (s Status) End() bool {
	return s == StatusAccepted || s == StatusSuppressed || s == StatusDead
}

// Known says whether the reason is one of the closed list.
func (r Reason) Known() bool {
	switch r {
	case Parked, Busy, Withdrawn, Overwritten, NotPossible:
		return true
	}
	return slices.Contains(Results[:], r) || r.Suppresses()
}
