// Package vendors is the portable side of the phone vendors: what a driver is given, what it
// answers, and the machinery that HTTP vendors share. A driver's own folder knows one wire format
// and nothing else.
//
//	Batch (devices of one certificate, with their notifications)
//	  │
//	  ▼
//	Driver.Push ── one call ──▶ vendor
//	  │
//	  ▼
//	[]Result, one per device, in order, each with a Reason of the closed list
//
// An HTTP vendor writes two pure halves, Request and Interpret ([Wire]); [NewHTTP] turns them into
// a driver and owns what is the same everywhere: the deadline, the cap on an answer's size,
// Retry-After, the reason of a transport failure, the access token, and that no token, secret or
// text gets into an error.
//
// A driver never retries because of a failure, sleeps, logs, counts, or reads the clock: [Batch]
// carries the time.
package vendors
