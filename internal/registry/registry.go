// Package registry names every vendor that Hongyan speaks to. It is the one list: the
// configuration, the documentation and the tests that walk all vendors are made from it.
package registry

import (
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/apns"
	"github.com/hongyan-im/hongyan/internal/vendors/fcm"
	"github.com/hongyan-im/hongyan/internal/vendors/harmony"
	"github.com/hongyan-im/hongyan/internal/vendors/honor"
	"github.com/hongyan-im/hongyan/internal/vendors/huawei"
	"github.com/hongyan-im/hongyan/internal/vendors/meizu"
	"github.com/hongyan-im/hongyan/internal/vendors/oppo"
	"github.com/hongyan-im/hongyan/internal/vendors/vivo"
	"github.com/hongyan-im/hongyan/internal/vendors/xiaomi"
)

// Vendor is what the rest of the program needs to know of a vendor. Its name is that of its Doc
// and of its folder.
type Vendor struct {
	// Config makes an empty certificate of the vendor.
	Config func() vendors.Config
	// Doc returns what the documentation says about it.
	Doc func() vendors.Doc
}

// Vendors lists them in the order of the documentation.
func Vendors() []Vendor {
	return []Vendor{
		{func() vendors.Config { return &apns.Config{} }, apns.Doc},
		{func() vendors.Config { return &fcm.Config{} }, fcm.Doc},
		{func() vendors.Config { return &huawei.Config{} }, huawei.Doc},
		{func() vendors.Config { return &harmony.Config{} }, harmony.Doc},
		{func() vendors.Config { return &honor.Config{} }, honor.Doc},
		{func() vendors.Config { return &xiaomi.Config{} }, xiaomi.Doc},
		{func() vendors.Config { return &oppo.Config{} }, oppo.Doc},
		{func() vendors.Config { return &vivo.Config{} }, vivo.Doc},
		{func() vendors.Config { return &meizu.Config{} }, meizu.Doc},
	}
}

// Kinds maps the name of each vendor to a function that makes an empty certificate, as package
// config needs it.
func Kinds() map[string]func() vendors.Config {
	kinds := map[string]func() vendors.Config{}
	for _, v := range Vendors() {
		kinds[v.Doc().Vendor] = v.Config
	}
	return kinds
}
