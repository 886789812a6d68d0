// Package ratelimit keeps the limits that vendors set: rates per second, daily quotas, caps per
// device, and a vendor's own statement that a quota is used up. All workers of an installation
// share them through a small [Store].
//
//	          Take (before a vendor call)                       Settle (after it)
//	             │                                                 │
//	exhausted? ── rate's bucket ── quota's local lease ── Grant    ├─ what was not counted goes back to the lease
//	  ▲            ▲                  ▲                            ├─ "too fast": slower at once, faster slowly
//	  │            │                  │ a block, when it is empty  └─ "quota spent": stopped until the vendor's midnight
//	entries     share of            counter
//	(KV)        the rate           (Counters)
//	  └────────────┴──── shared by all workers ────┘
//
// # Quotas
//
// A quota is a counter for each certificate, class and day of the vendor. A worker adds a block to
// the counter and may then send that many pushes; if the counter is then above the limit, the
// worker gives back the part above it. The sum of all that is granted can therefore never exceed
// the limit, in whatever order the workers act: the counter may be too high for a moment, but it is
// never too low. If the outcome of an addition is unknown, the units count as taken and are not
// spent. The worker repeats the addition with the same id, which the store carries out only once,
// until it knows the outcome, for a minute at most. So a crash loses what the worker held, and an
// unreachable store costs something only if it stays unreachable for longer than that.
//
// The size of a block follows the worker's own speed (about a second of it). It is at most 1/128 of
// the limit, and shrinks to single units as the limit comes near. The next block is requested when
// half of the last one is spent, so that no call has to wait for it. What a worker does not use
// within two seconds goes back to the counter. A worker that finds nothing left does not report a
// spent quota at once: for a while ([Options.Drain]) it looks again, so that what idle workers
// return is used. Only then it answers [vendors.QuotaSpent]. So if no worker crashes, and as long
// as there is something to send, exactly the limit is used.
//
// # The day, and clocks that differ
//
// The day in which a push counts is decided by the vendor's clock at the moment the call arrives.
// No worker can read that clock, and the store's clock would only be one more that may differ from
// it. So a grant is charged to every day in which the call can possibly arrive: from its time minus
// [Options.Guard] to its time plus Guard plus the longest call. Through almost all of the day that
// is one day; around midnight it is two, and then each unit needs room in both. Clocks may differ
// by up to Guard, and still no new day is opened early, no old one is used late, and nobody has to
// stop sending around midnight.
//
// # Rates
//
// The rate of a certificate is divided among the live workers. Each worker keeps a lease with its
// claim, a fraction of every rate, in the [KV]. When a worker sees that another one has joined, it
// lowers its claim at once. It raises its claim in two steps: it publishes the larger claim first,
// and uses it only if a look at the KV one heartbeat later shows that all claims together are at
// most one. So the shares in use never add up to more than the whole rate, even while workers join,
// leave, crash, are late or lose the store: a worker that cannot renew its lease before it may have
// ended stops using its share and starts over. The local bucket starts empty and holds
// [Options.Burst] of the worker's share. In any second, all workers together therefore send at most
// the rate and one burst: 110 % of a second's worth, or one device per worker where that is more.
//
// A call for many devices may borrow what the bucket lacks, so that calls stay as large as the
// vendor takes them with however many workers: at most a second of the whole rate, and what the
// worker's share makes up for in two seconds. The worker's next call waits for that, so that over
// time the rate is kept. Workers that begin to send at the same moment borrow one after the other,
// in the order of their names. In the first seconds of a flood this is up to a second's worth more
// than the rate; after that the workers' calls are spread evenly.
//
// A share that is not used is lost, so a worker should not take on more work than its share allows:
// [Limiter.Pace] says how much that is.
//
// # Many certificates
//
// A heartbeat reads the other workers' leases, each of some dozen bytes, and what changed of the
// entries about certificates. What there is to store is stored beside it. So thousands of
// certificates that are slowed down or spent at the same time do not make a lease late.
//
// If a vendor answers "too fast", the rate is halved for all workers, and Retry-After is obeyed.
// Answers to calls that were under way at that time do not halve it again. The rate then grows back
// by 2 % of what it was each second. A certificate without a rate is slowed down from the speed
// that was observed. A few refusals among many accepted pushes slow nothing down: they are the
// limit of a device, not of the certificate.
//
// # What it does not do
//
// It does not wait, retry or call a vendor. It does not survive a store that loses a counter in the
// middle of a day: the day then begins again, and only the vendor's own answer stops it.
package ratelimit
