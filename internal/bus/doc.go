// Package bus is the client side of NATS: the streams and consumers of an installation, pulling,
// publishing, last-value reads and scheduled messages. It links no server; that is package natsd.
//
//	PUSH_MESSAGES   work queue    push.message.<app>, push.urgent.<app>, push.signal.<app>
//	PUSH_PIECES     work queue    push.piece.<app>.<partition>, what large message events are divided into
//	PUSH_DIRECTORY  last value    push.user.<app>.<user>.…, push.gateway.<app>.<gateway>
//	                              push.probe; the headers of each record go out on push.change.…
//	PUSH_MARKS      last value    push.mark.<app>.…, with a lifetime: recalls, read marks, what became of calls
//	                              push.mark.:probe; each record goes out on push.marked.…
//	PUSH_TOKENS     last value    push.token.<app>.<hash>, which registration was the last to bring a token
//	PUSH_JOBS_<V>   work queue    push.job.<vendor>.<certificate>.<lane>, one stream a vendor: the bulkhead
//	PUSH_LATER      schedules     push.later.at.… fires into push.later.due.…, which Wake moves to the jobs
//	PUSH_DEAD       kept 30 days  push.dead.<vendor>.<certificate>.<reason>
//	PUSH_OUTCOMES   kept 3 days   push.outcome.<app>.<status>.<partition>
//	PUSH_COUNTERS   counters      push.count.…, the quotas of the day
//	PUSH_BADGES     last value    push.badge.<app>.<user>, the number on a user's icons, where an app counts
//	PUSH_NOTES      last value    push.note.<room>.…, with a lifetime: the workers' leases, vendors' words, operators' orders
//
// It promises at-least-once: what [Bus.Publish] returned nil for is stored, and a delivery that was
// not settled comes again. A full stream refuses new messages rather than dropping old ones, except
// where the table says "kept". It fails by saying so: every error of the server comes back to the
// caller, and a lost connection is regained for ever.
package bus
