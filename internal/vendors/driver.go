package vendors

import (
	"context"
	"time"

	"github.com/hongyan-im/hongyan"
)

// Driver speaks to one vendor with one certificate. It may be used by many goroutines at once.
type Driver interface {
	// Push makes one call for all devices of the batch and returns a result for each of them, in
	// order. It must not take longer than the certificate's timeout, and returns Interrupted
	// results when ctx is cancelled, Timeout results when it is past its deadline. A batch must
	// keep to Limits.
	Push(ctx context.Context, batch Batch) []Result
	// Limits are constant.
	Limits() Limits
	// Close frees connections. No Push may run or follow.
	Close()
}

// Limits say which batches a driver takes.
type Limits struct {
	// Batch is how many devices that get the same notification one call takes; 1 where the vendor
	// takes one device a call.
	Batch int
	// Mixed is how many devices with different notifications one call takes; 0 or 1 where all
	// devices of a call must get the same.
	Mixed int
	// Partition, where it is set, names the host that a device belongs to; devices of different
	// partitions never share a call.
	Partition func(Device) string
}

// Batch is what one call carries.
type Batch struct {
	Devices []Device
	// Now is the time of the call. Drivers compute lifetimes from it and read no clock.
	Now time.Time
	// Generic asks for a text that the vendor's content check lets pass; see [Result.Rephrase].
	Generic bool
	// Prepared is what [Preparer.Prepared] found: the vendor's handle of a stored content.
	Prepared string
}

// Same says whether all devices of the batch share one notification.
func (b Batch) Same() bool {
	for _, d := range b.Devices[1:] {
		if d.Notification != b.Devices[0].Notification {
			return false
		}
	}
	return true
}

// Device is one device of a batch.
type Device struct {
	// Token is what the vendor calls the device.
	Token string
	// Region is the token's region as the registration gave it, mostly empty.
	Region string
	// Key is stable for a (message, device): 32 lower-case hex digits. A driver puts it, or what it
	// derives from it, wherever the vendor collapses or deduplicates.
	Key string
	// RegisteredAt is when the token was registered, zero when unknown.
	RegisteredAt time.Time
	// Badge is the number that the app's badge shall show; nil leaves it to the phone.
	Badge *int
	// Notification is what to show. Devices that get the same share the pointer.
	Notification *Notification
}

// Notification is the vendor-neutral content of a push. It is never changed once made.
type Notification struct {
	// Key is stable for a message, equal on all its devices: 32 lower-case hex digits.
	Key string `json:"key"`
	// MessageID and Conversation are the IM backend's own names.
	MessageID    string `json:"message_id"`
	Conversation string `json:"conversation,omitempty"`
	// Title and Body are never empty; they are not yet fitted to the vendor's limits.
	Title string `json:"title"`
	Body  string `json:"body"`
	// Sender is the name shown for who wrote the message, for vendors whose templates want it
	// apart; empty where the title is it.
	Sender string `json:"sender,omitempty"`
	// Ext reaches the app untouched when the notification is tapped.
	Ext string `json:"ext,omitempty"`
	// Call is set for the steps of a call; Urgent pushes use their own lane.
	Call   *hongyan.Call `json:"call,omitempty"`
	Urgent bool          `json:"urgent,omitzero"`
	// VoIP marks a push to the PushKit token of an iOS device.
	VoIP bool `json:"voip,omitzero"`
	// Deadline is when the push is worthless; the vendor is asked to give up then.
	Deadline time.Time `json:"deadline"`
	// What the message itself asks for. A field that is set wins over the certificate's default.
	IOS     hongyan.IOS     `json:"ios,omitzero"`
	Android hongyan.Android `json:"android,omitzero"`
	Harmony hongyan.Harmony `json:"harmony,omitzero"`
}

// TTL is how long the vendor shall keep the push, at least min and at most max, in whole seconds
// rounded up.
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

// Result is what became of one device's push.
type Result struct {
	Reason Reason
	// Code is the vendor's own code, such as "80300007" or "BadDeviceToken".
	Code string
	// RetryAfter is how long the vendor asks to wait; 0 when it said nothing.
	RetryAfter time.Duration
	// VendorID is the vendor's id of the push.
	VendorID string
	// DeadSince, on a BadToken, is when the vendor knew the token to be dead: a registration made
	// later stays. Zero when it did not say.
	DeadSince time.Time
	// Rephrase asks for one more call at once, with Batch.Generic set: the vendor refused the text,
	// not the push.
	Rephrase bool
	// Alone asks for calls at once that carry single devices: the vendor's word about the whole
	// batch is not to be believed of each device without a probe. Reason is what holds where nobody
	// probes. Drivers of [NewHTTP] probe themselves and never return it.
	Alone bool
	// Err tells a person more. It holds no secret, token or text.
	Err error
}

// All gives every one of n devices the same result.
func All(n int, r Result) []Result {
	results := make([]Result, n)
	for i := range results {
		results[i] = r
	}
	return results
}
