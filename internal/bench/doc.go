// Package bench measures the whole installation in one run: a worker process between a NATS server
// and a sandbox that live in this process, beside a bare loop around the APNs library as the
// yardstick.
//
//	this process: NATS server, sandbox, publisher        worker process: router, senders
//	another process: a bare apns2 loop at the same sandbox
//
// CPU is what the kernel accounts to the worker's process (user and system), less what it used
// before the load. Everything shares the machine's cores, so rates are those of the machine as a
// whole; the ratio of CPU per push is the steadier figure.
package bench
