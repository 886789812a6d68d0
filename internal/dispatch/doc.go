// Package dispatch holds the words of the pipeline from a message event to a phone; the packages
// below it are the pipeline.
//
//	push.message ─▶ take ─▶ plan ─▶ compose ─▶ send ─▶ verdict ─▶ store what became of it ─▶ ack
//	                 │       └──── route ────┘  └──── send ───┘     │           store
//	                 ▼ a large one                  │ not now       ├─▶ push.outcome
//	            push.piece                          ▼               └─▶ push.dead ─── replay ──┐
//	                                             push.job ─▶ take ─▶ send …   ◀────────────────┘
//
// Route plans: message, what the directory knows, policy and time give jobs and suppressions, each
// with a reason. Send makes one vendor call for as many devices as the vendor takes at once;
// result, attempt, deadline and time give a verdict. A job is sent at once, with the message's own
// delivery as the claim on it, and stored only when it has to wait. Store finishes what is owed:
// after a call that is a record, never another call.
//
// The pipeline promises at least once: a message is settled only after each of its devices has its
// end or its job is stored. A repeat carries the same key for each (message, device). Order is best
// effort: a job does not overtake older ones of its certificate and lane that wait to be sent.
//
// Its words: a message is what the IM backend announces, and a piece of it is what concerns the
// users of one partition; a device has a token under a certificate of a vendor; a driver speaks a
// vendor's wire format; a notification is vendor-neutral content; a job is one notification for the
// devices of one certificate; an attempt ends in a result per device, whose reason leads to a
// verdict; a suppression is a device that is not pushed to; a dead letter is what could not be
// delivered, and a replay brings it back; a rate is per second, a quota per day; a lane is urgent
// or normal.
package dispatch
