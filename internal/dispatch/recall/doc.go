// Package recall sees to what vendors accepted of messages that were recalled: it is taken back
// where the vendor can, else overwritten quietly, and where neither is possible the record says so.
//
//	push.signal ─▶ route: the mark is stored ─▶ Recall ─┐
//	                                                    ├─▶ a round ─▶ find in PUSH_OUTCOMES
//	send: accepted, but recalled by then ─────▶ Late ───┘                 │
//	                                                                      ▼
//	                  withdrawn records ◀── send ◀── jobs ◀── compose ◀── directory
//
// What was accepted is found in the outcomes, since a recall does not say to whom its message went.
// The recalls that come within half a second share one read of them, which covers the windows of
// these recalls and no more, and rounds of reads take no more than a fifth of the time: a flood of
// recalls waits, and costs nobody else.
//
// For an app that counts what its icons show, a round reads as well for whom the message was
// counted without a push, and takes it away from the numbers of all of these users, before it
// overwrites anything.
//
// The recall's delivery is the claim on all that follows from it: it is acked when each device has
// its withdrawn record or its job is stored. One that comes again, or that an IM backend repeats,
// finds the records of what was withdrawn and does the rest; an overwrite that is made twice
// replaces itself.
//
// What a vendor accepts after the read was not there to be found. Its sender has heard of the
// recall by then, because the read is made half a second after the recall's mark was stored, and
// hands the push over itself; so does whoever takes a message or job again that was recalled
// meanwhile.
//
// Where a recall fails: a phone that is off may show the original before what overwrites it, and
// one whose owner has swiped the original away shows what was to overwrite it, quietly. A push that
// was accepted longer ago than the policy says, or outside of the recall's window, stays.
package recall
