// Package dispatch is the pipeline from a message event to a phone.
//
//	push.message ──▶ Router ── Plan, Compose ──▶ push.job ──▶ Sender ──▶ Driver ──▶ vendor
//	                   │                            ▲            │
//	                   ▼ suppressions               │ retry      ▼ Decide, for each device
//	              push.outcome ◀────────────────────┼──── accepted, dead ──▶ push.dead ── Replay ──▶ push.job
//
// Three stages, each with one job. Plan and Compose are pure: message, what the directory knows,
// policy and time give jobs and suppressions, each with a reason. Send makes one vendor call for as
// many devices as the vendor takes at once. Decide is pure: result, attempt, deadline and time give
// a verdict. Everything that waits, waits in JetStream, never in a goroutine.
//
// It promises at least once: a message is settled only after all its jobs are stored, a job only
// after its verdicts are carried out. A repeat carries the same key for each (message, device). It
// does not promise order.
//
// Its words: a message is what the IM backend announces; a device has a token under a certificate
// of a vendor; a driver speaks a vendor's wire format; a notification is vendor-neutral content; a
// job is one notification for the devices of one certificate; an attempt ends in a result per
// device, whose reason leads to a verdict; a suppression is a device that is not pushed to; a dead
// letter is what could not be delivered, and a replay brings it back; a rate is per second, a quota
// per day; a lane is urgent or normal.
package dispatch
