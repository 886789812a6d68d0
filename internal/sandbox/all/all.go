// Package all names every vendor that the sandbox plays. It is the one list: the sandbox's page,
// its control API, the demo and the tests that walk all vendors are made from it.
package all

import (
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/apns"
	"github.com/hongyan-im/hongyan/internal/sandbox/fcm"
	"github.com/hongyan-im/hongyan/internal/sandbox/harmony"
	"github.com/hongyan-im/hongyan/internal/sandbox/honor"
	"github.com/hongyan-im/hongyan/internal/sandbox/huawei"
	"github.com/hongyan-im/hongyan/internal/sandbox/meizu"
	"github.com/hongyan-im/hongyan/internal/sandbox/oppo"
	"github.com/hongyan-im/hongyan/internal/sandbox/vivo"
	"github.com/hongyan-im/hongyan/internal/sandbox/xiaomi"
)

// Fakes lists them in the order of the page, with no accounts: [sandbox.OpenDemo] gives each the
// demo's.
func Fakes() []sandbox.Fake {
	return []sandbox.Fake{
		apns.Fake(),
		fcm.Fake(),
		huawei.Fake(),
		harmony.Fake(),
		honor.Fake(),
		xiaomi.Fake(),
		oppo.Fake(),
		vivo.Fake(),
		meizu.Fake(),
	}
}

// Vendors lists their names.
func Vendors() []string {
	var names []string
	for _, f := range Fakes() {
		names = append(names, f.Vendor)
	}
	return names
}

// Token makes up a device token of a vendor, the same for the same name. It panics when the list
// has no such vendor.
func Token(vendor, name string) string {
	for _, f := range Fakes() {
		if f.Vendor == vendor {
			return f.Token(name)
		}
	}
	panic("sandbox: no vendor " + vendor)
}
