package main

import (
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

// fakes are all vendors.
var fakes = all.Fakes()

// yardstick is the vendor that most parts push to: the first whose library can be measured alone.
func yardstick() sandbox.Fake {
	for _, f := range fakes {
		if f.Bare != nil {
			return f
		}
	}
	panic("bench: no vendor has a bare loop")
}

// vendors names those for which choose says so.
func vendors(choose func(sandbox.Fake) bool) (names []string) {
	for _, f := range fakes {
		if choose(f) {
			names = append(names, f.Vendor)
		}
	}
	return names
}

// batch takes many devices a call, mixed also different messages for them.
func batch(f sandbox.Fake) bool { return f.Batch }
func mixed(f sandbox.Fake) bool { return f.Mixed }

// certificates are the demo app's certificates of some vendors.
func certificates(vendors []string) []string {
	ids := make([]string, len(vendors))
	for i, v := range vendors {
		ids[i] = sandbox.DemoApp + "-" + v
	}
	return ids
}

// token makes up a token of a vendor.
func token(vendor, name string) string {
	for _, f := range fakes {
		if f.Vendor == vendor {
			return f.Token(name)
		}
	}
	panic("bench: no vendor " + vendor)
}
