// Package sandbox plays the vendors: strict fakes of their server APIs on the real paths, with
// fault injection through a small control API and a page that shows each notification as its phone
// would. Tests, `worker dev` and cmd/sandbox run the same handlers.
//
//	driver ──▶ Server.Handler ── path ──▶ fault? ──▶ a vendor's fake ── checks what the vendor checks ──▶ Core.Accept ──▶ page, ledger
//	                   ▲
//	control API, page ─┘ /sandbox/…
//
// Each vendor is a package below this one, which exports one value, a [Fake]; package
// internal/sandbox/all lists them. This package names no vendor.
//
// A fake accepts nothing that its vendor refuses: what a request breaks is answered as the vendor
// would and recorded as a [Violation] with the rule in words. It delivers to no phone and keeps
// everything in memory.
package sandbox
