package vendors

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/turns"
)

// Driver speaks to one vendor with one certificate. It may be used by many goroutines at once.
type Driver interface {
	// Push makes one call for all devices of the batch and returns a result for each of them, in
	// order. It must not take longer than the certificate's timeout. When ctx is cancelled the
	// results are Interrupted, and when its deadline has passed they are Timeout. The batch must
	// keep to Limits.
	Push(ctx context.Context, batch Batch) []Result
	// Limits returns the same value at every call.
	Limits() Limits
	// Close closes the connections. No Push may be under way, and none may follow.
	Close()
}

// Withdrawer is a [Driver] whose vendor takes back pushes that phones did not show yet.
type Withdrawer interface {
	// Withdraw makes one call that takes back what was pushed to the devices of the batch under
	// [Notification.Replaces] of their notification, which they share, and returns a result for
	// each of them, in order: Accepted where the vendor takes it back. What a phone shows already
	// stays. A result says nothing of the certificate, and never that a registration shall go. The
	// call counts in no rate and no quota: a caller that overwrites the pushes as well must take
	// nothing from its limits but what the overwriting push takes.
	Withdraw(ctx context.Context, batch Batch) []Result
}

// Limits say how large a batch may be and which devices may share one.
type Limits struct {
	// Batch is how many devices that get the same notification one call takes; 1 where the vendor
	// takes one device a call.
	Batch int
	// Mixed is how many devices with different notifications one call takes; 0 or 1 where all
	// devices of a call must get the same.
	Mixed int
	// Bytes is how long a call may be, 0 for any length. Size must be set with it: content is about
	// how many bytes a notification takes in a call, device how many each device that gets it adds.
	// In a call with different notifications each device takes both.
	Bytes int
	Size  func(n *Notification) (content, device int)
	// Replaces says that a phone shows a push in the place of an earlier one of the same
	// [Notification.Replaces], so that what was accepted can be overwritten.
	Replaces bool
	// Partition, where it is set, names the host that serves a device. Devices of different
	// partitions never share a call.
	Partition func(Device) string
	// Badge says that calls carry the devices' numbers, see [Device.Badge]. Without it nobody needs
	// to find them out.
	Badge bool
}

// Batch is the content of one call.
type Batch struct {
	Devices []Device
	// Now is the time of the call. Drivers compute lifetimes from it and read no clock.
	Now time.Time
	// Generic asks for a general text, such as "You have a new message", that the vendor's content
	// check lets pass; see [Result.Rephrase].
	Generic bool
	// Prepared is what [Preparer.Prepared] found: the vendor's handle of a stored content.
	Prepared string
}

// Same reports whether all devices of the batch share one notification.
func (b Batch) Same() bool {
	for _, d := range b.Devices[1:] {
		if d.Notification != b.Devices[0].Notification {
			return false
		}
	}
	return true
}

// Large says whether writing the call, or reading its answer, is large work in the sense of package
// turns: it is for many devices of one message. Many small messages are not, as they give way
// before they are planned, and an urgent one never is.
func (b Batch) Large() bool {
	if len(b.Devices) < turns.Large {
		return false
	}
	n := b.Devices[0].Notification
	return n == b.Devices[turns.Large-1].Notification && (n == nil || !n.Urgent)
}

// Device is one device of a batch.
type Device struct {
	// Token is the vendor's address of the app on the device.
	Token string
	// Region is the region that the registration named; it is empty for most devices.
	Region string
	// Key identifies the message on this device and stays the same when the push is repeated: 32
	// lower-case hex digits. A driver puts it, or a value derived from it, into the field by which
	// the vendor collapses or deduplicates.
	Key string
	// RegisteredAt is when the token was registered, or zero when that is unknown.
	RegisteredAt time.Time
	// Badge is the number that the app's icon shall show; nil leaves it as it is.
	Badge *int
	// Notification is what to show. Devices that get the same notification share the pointer.
	Notification *Notification
}

// Notification is the vendor-neutral content of a push. It is never changed once made.
type Notification struct {
	// Key identifies the message and is equal on all its devices: 32 lower-case hex digits.
	Key string `json:"key"`
	// ReplaceKey, where it is set, is the key of what the notification replaces on the screen and
	// is replaced by: that of the call for the events of a call, that of the conversation where
	// newer messages replace older ones. See [Notification.Replaces].
	ReplaceKey string `json:"replace_key,omitempty"`
	// MessageID and Conversation are the IM backend's own ids. Drivers send what [Notification.IDs]
	// gives.
	MessageID    string `json:"message_id"`
	Conversation string `json:"conversation,omitempty"`
	// Title and Body are never empty. They may still be longer than the vendor allows.
	Title string `json:"title"`
	Body  string `json:"body"`
	// NoTitle says that Title does no more than repeat Body. A vendor that needs no title leaves it
	// out: the phone shows the app's name in its place.
	NoTitle bool `json:"no_title,omitzero"`
	// Lead is how many bytes of Body stand before its text; see [Notification.Text].
	Lead int `json:"lead,omitzero"`
	// Preview is how much of the message is shown; empty for all of it.
	Preview hongyan.Preview `json:"preview,omitempty"`
	// Sender is the name of the person who wrote the message, for vendors whose templates have a
	// variable for it. It is empty where the title is that name.
	Sender string `json:"sender,omitempty"`
	// Ext is handed to the app unchanged when the notification is tapped.
	Ext string `json:"ext,omitempty"`
	// Kind is what the notification is about.
	Kind Kind `json:"kind,omitempty"`
	// Call is set when the message is a step of a voice or video call; drivers send what
	// [Notification.CallStep] gives. Urgent says that it is one that rings.
	Call   *hongyan.Call `json:"call,omitempty"`
	Urgent bool          `json:"urgent,omitzero"`
	// Quiet asks for the least interruption that the vendor has for a push: no sound, no vibration,
	// no banner. It never changes the vendor's message class, and never takes the place of
	// another message that waits for a phone which is off.
	Quiet bool `json:"quiet,omitzero"`
	// VoIP marks a push to the PushKit token of an iOS device.
	VoIP bool `json:"voip,omitzero"`
	// Fallback says that the push stands in for one over VoIP that was refused.
	Fallback bool `json:"fallback,omitzero"`
	// Deadline is when the push becomes worthless; the vendor is asked to keep it no longer.
	Deadline time.Time `json:"deadline"`
	// Options are what the message itself asks of the vendor, chosen by [Config.Options].
	Options
}

// Replaces is the key, 32 lower-case hex digits, by which a shown notification replaces an earlier
// one: ReplaceKey, or else Key, so that only a repeat of the push does. It belongs where a vendor
// replaces what is shown (apns-collapse-id, tag, a notify id), never into a vendor's deduplication,
// which would drop the second push, nor into the collapse key of what waits for a phone that is
// off.
func (n *Notification) Replaces() string { return cmp.Or(n.ReplaceKey, n.Key) }

// TTL returns for how long from now the vendor shall keep the push: until the deadline, rounded up
// to whole seconds, but at least min and at most max.
func (n *Notification) TTL(now time.Time, min, max time.Duration) time.Duration {
	left := n.Deadline.Sub(now)
	if rest := left % time.Second; rest > 0 {
		left += time.Second - rest
	}
	if left < min {
		return min
	}
	if left > max {
		return max
	}
	return left
}

// Result says what became of the push to one device.
type Result struct {
	Reason Reason
	// Scope says whose fault it is, where the vendor's answer tells more than the reason does: a
	// refusal of one foreign token must not park the certificate. Zero leaves it to the reason.
	Scope Scope
	// Doubtful says that the code may also mean a wrong environment, topic, project or app. With
	// BadToken the registration is then removed only while the vendor accepts pushes to other
	// devices of the certificate.
	Doubtful bool
	// Code is the vendor's own code, such as "80300007" or "BadDeviceToken".
	Code string
	// RetryAfter is how long the vendor asks to wait, or 0 when it does not say.
	RetryAfter time.Duration
	// VendorID is the id that the vendor gave to the push.
	VendorID string
	// DeadSince, with BadToken, is when the vendor found the token to be dead: a registration that
	// was made later is kept. It is zero when the vendor does not say.
	DeadSince time.Time
	// Rephrase asks the caller to repeat the push at once with Batch.Generic set: the vendor
	// refused the text, not the push.
	Rephrase bool
	// ProbeSingly reports that the vendor gave one answer for the whole batch, which cannot be
	// trusted for each device. The caller should send a few devices again, one in each call; where
	// it does not, Reason applies to all. Drivers made by [NewHTTP] do that themselves and never
	// return it.
	ProbeSingly bool
	// Split reports that the vendor refused the call as a whole though the fault may be that of one
	// device or notification, or the call's size. The caller should send the halves of the call in
	// calls of their own, down to those that the vendor refuses alone; the result holds for those.
	// It means nothing for a call to one device.
	Split bool
	// Note names what was different about the push, one of the notes of [hongyan.DeviceOutcome],
	// such as [NoteExtDropped]; empty for nothing.
	Note string
	// Err explains the result to a person. It contains no secret, token or message text.
	Err error
}

// Notes of a [Result].
const (
	NoteExtDropped   = "ext_dropped"
	NoteImageDropped = "image_dropped"
	NoteTextReplaced = "text_replaced"
	NoteVoIPFallback = "voip_fallback"
)

// NoteHeld is the note of a push that waits because an operator holds its certificate or app.
const NoteHeld = "held"

// All returns the same result for each of n devices.
func All(n int, r Result) []Result {
	results := make([]Result, n)
	for i := range results {
		results[i] = r
	}
	return results
}

// Whole returns the result of a call as a whole for each device of the batch. Where it is one of
// several devices or notifications that is refused, or nobody knows why the call is, Split is set.
// A refusal of the only notification of the call is every device's.
func (b Batch) Whole(r Result) []Result {
	switch scope := r.Scope; {
	case len(b.Devices) < 2:
	case scope == ScopeDevice, scope == ScopeCall && !Sick(r.Reason):
		r.Split = true
	case scope == ScopeNotification, scope == ScopeUnsaid && (r.Reason == BadPayload || r.Reason == Unknown):
		r.Split = !b.Same()
	}
	return All(len(b.Devices), r)
}

// MaxBadge is the highest number that Huawei, HarmonyOS and Honor show on an icon.
const MaxBadge = 99

// ByBadge is a [Limits.Partition] for vendors whose calls carry one number for all devices: it
// divides them by the number that their icons shall show.
func ByBadge(d Device) string {
	if d.Badge == nil {
		return ""
	}
	return strconv.Itoa(clampBadge(*d.Badge))
}

// SharedBadge returns the badge for a call that carries one number for all its devices, limited to
// 0 to [MaxBadge]. It is nil where no device asks for a number, or where they ask for different
// ones, which [ByBadge] keeps apart.
func SharedBadge(devices []Device) *int {
	first := ByBadge(devices[0])
	for _, d := range devices {
		if d.Badge == nil || ByBadge(d) != first {
			return nil
		}
	}
	n := clampBadge(*devices[0].Badge)
	return &n
}

func clampBadge(n int) int { return min(max(n, 0), MaxBadge) }
