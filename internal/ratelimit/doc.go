// Package ratelimit keeps the limits that vendors set: rates per second, daily quotas, caps per
// device, and the vendor's own word that something is used up. All workers of an installation share
// them through a small [Store].
//
//	          Take (before a vendor call)                       Settle (after it)
//	             │                                                 │
//	latch?  ── rate's bucket ── quota's local lease ── Grant       ├─ what was not counted goes back to the lease
//	  ▲            ▲                  ▲                            ├─ "too fast": slower at once, faster slowly
//	  │            │                  │ a block, when it is empty  └─ "quota spent": latched until the vendor's midnight
//	notes       share of            counter
//	(Board)     the rate           (Counters)
//	  └────────────┴──── shared by all workers ────┘
//
// # Quotas
//
// A quota is a counter per certificate, class and vendor's day. A worker adds a block to it and may
// then send that many; where the answer is above the limit, the part above is given back. The sum
// of all that is granted can therefore never exceed the limit, whatever the interleaving: the
// counter is only ever too high, never too low. A change of the counter whose outcome is unknown
// counts as taken and is not spent; the worker asks again with the same id, which the store carries
// out once, until it knows, for a minute at most. So a crash loses what the worker held, and a
// store that is away costs something only when it stays away for longer than that.
//
// Blocks follow a worker's own pace (about a second of it), are at most 1/128 of the limit, and
// shrink as the limit comes near, down to single units. The next one is asked for when half of the
// last is spent, so that nobody waits for it. What a worker does not use within two seconds goes
// back to the counter. A worker that finds nothing left does not call the quota spent at once: it
// looks again for a while ([Options.Drain]) so that what idle workers return is used. Only then
// [vendors.QuotaSpent] is said. So with no crash, and as long as somebody wants to send, exactly
// the limit is used.
//
// # The day, and clocks that differ
//
// Which day a push counts in is decided by the vendor's clock at the moment the call arrives. No
// worker can read that clock; the store's clock would only be one more that may differ from it. So
// a grant is charged to every day in which the call can possibly arrive: from its time minus
// [Options.Guard] to its time plus Guard plus the longest call. Through almost all of the day that
// is one day; around midnight it is two, and each unit then needs room in both. Clocks may differ
// by up to Guard without a second day being opened early or an old one used late, and nobody has to
// stop sending around midnight.
//
// # Rates
//
// The rate of a certificate is divided among the live workers. Each worker keeps a lease with its
// claim, a fraction of every rate, on the [Board]. A claim is lowered at once when a worker is seen
// to have joined. It is raised in two steps: published first, used only when a look at the board
// one beat later shows that all claims together are at most one. So the shares in use never add up
// to more than the whole, also while workers join, leave, die, are late or lose the store: who
// could not renew the lease before it may have ended does not use the share any more, and begins
// anew. The local bucket (golang.org/x/time/rate) starts empty and holds [Options.Burst] of the
// worker's share, so in any second all workers together send at most the rate and one burst: 110 %
// of a second's worth, or one call per worker where that is more.
//
// A share that lies idle is lost, so nobody should take on more work than its share can do:
// [Limiter.Pace] says how much that is.
//
// A vendor that says "too fast" halves the rate for all workers, once for each time that the news
// is new, and obeys Retry-After; the rate then grows back by 2 % of what it was each second. A
// certificate without a rate is slowed from the speed that was observed. A few refusals among many
// accepted pushes slow nobody: they are a device's limit, not the certificate's.
//
// # What it does not do
//
// It does not wait, retry or call a vendor. It does not survive a store that forgets a counter in
// the middle of a day: the day then begins anew, and only the vendor's own word stops it.
package ratelimit
