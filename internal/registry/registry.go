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

// Vendor is what the rest of the program needs to know of a vendor. Its name is that of its sheet
// and of its folder.
type Vendor struct {
	// Settings makes an empty certificate.
	Settings func() vendors.Settings
	// Sheet is what the documentation tells of it.
	Sheet func() vendors.Sheet
}

// Vendors lists them in the order of the documentation.
func Vendors() []Vendor {
	return []Vendor{
		{func() vendors.Settings { return &apns.Config{} }, apns.Sheet},
		{func() vendors.Settings { return &fcm.Config{} }, fcm.Sheet},
		{func() vendors.Settings { return &huawei.Config{} }, huawei.Sheet},
		{func() vendors.Settings { return &harmony.Config{} }, harmony.Sheet},
		{func() vendors.Settings { return &honor.Config{} }, honor.Sheet},
		{func() vendors.Settings { return &xiaomi.Config{} }, xiaomi.Sheet},
		{func() vendors.Settings { return &oppo.Config{} }, oppo.Sheet},
		{func() vendors.Settings { return &vivo.Config{} }, vivo.Sheet},
		{func() vendors.Settings { return &meizu.Config{} }, meizu.Sheet},
	}
}

// Kinds makes the empty settings of each vendor by its name, as the configuration wants them.
func Kinds() map[string]func() vendors.Settings {
	kinds := map[string]func() vendors.Settings{}
	for _, v := range Vendors() {
		kinds[v.Sheet().Vendor] = v.Settings
	}
	return kinds
}
