// Package vendors is the part of sending that all phone vendors share: what a driver is given, what
// it answers, and the code that drivers of HTTP APIs have in common. A driver's own folder knows
// one vendor's API and nothing else.
//
//	Batch (devices of one certificate, with their notifications)
//	  │
//	  ▼
//	Driver.Push ── one call ──▶ vendor
//	  │
//	  ▼
//	[]Result, one per device, in order, each with a Reason of the closed list
//
// The driver of an HTTP API consists of two pure functions, Request and Interpret ([Protocol]).
// [NewHTTP] makes a driver of them and adds what all vendors have in common: the deadline, the
// limit on an answer's size, Retry-After, the reason for a failed connection, and the access token.
// It also makes sure that no token, secret or message text gets into an error.
//
// A driver does not retry failures, sleep, log, count or read the clock: [Batch] contains the time.
package vendors
