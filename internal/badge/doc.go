// Package badge counts the number on the icons of a user's devices, for apps whose policy says so.
//
//	report (presence, read mark) ──┐
//	message that was planned ──────┼──▶ Record ──▶ number
//	read mark, recall ─────────────┘      │
//	                                      └── one in the store for each user, compare-and-set
//
// A [Record] is one user's: the number that was last heard of, and the messages planned since, each
// once, whatever the order in which all of that arrives. A [Book] keeps the records of all users in
// a [Store]. What [Book.Change] returned nil for is stored, so that a worker that is killed loses
// no count; what is changed a second time changes nothing. [Book.Numbers] reads the store: a number
// is as new as the call.
//
// What it does not promise: beyond [Most] nothing is counted, and of a user with more than sixty
// messages the ones older than ten minutes are known by their conversation alone. So a message that
// comes again after that counts twice, and a read mark that arrives late takes them all or none.
package badge
