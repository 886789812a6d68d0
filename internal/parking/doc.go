// Package parking keeps the jobs of a certificate back while its vendor is in trouble or its
// credentials are wrong, on all workers together.
//
// A [Breaker] decides, for one certificate and one worker: it opens after failures, lets one push
// through from time to time, and closes when one is answered as healthy vendors answer. The
// certificate is then called parked. A [Board] shares what the breakers of a worker found out with
// the other workers, through a [Store]:
//
//	worker A                        the store                         worker B
//	Breaker opens ── Board.Tell ──▶ "c1 is parked, by A" ── Board.Run ──▶ Breaker.Follow(open)
//	                                "c1 is well again, by B" ◀─ Board.Tell ── a probe got through
//	Breaker.Follow(closed) ◀── Board.Run ─┘
//	(the next push is a probe)
//
// Only what a worker says counts: a note that is missing says nothing to the worker that wrote it.
// On a cluster a read may come from a replica that does not have it yet.
package parking
