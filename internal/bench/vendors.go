package main

// yardstick is the vendor that most parts push to, and that the bare loop pushes to.
const yardstick = "apns"

// quotaVendor is the vendor whose daily quota is used up in the part about midnight: its fake says
// so on demand, and it takes many devices a call.
const quotaVendor = "oppo"

var (
	// vendorNames are all of them.
	vendorNames = []string{"apns", "fcm", "huawei", "harmony", "honor", "xiaomi", "oppo", "vivo", "meizu"}
	// batchVendors take many devices a call, mixedVendors also different messages for them.
	batchVendors = []string{"huawei", "harmony", "honor", "xiaomi", "oppo", "vivo", "meizu"}
	mixedVendors = []string{"oppo", "xiaomi"}
)

// certificates are an app's certificates of some vendors.
func certificates(app string, vendors []string) []string {
	ids := make([]string, len(vendors))
	for i, v := range vendors {
		ids[i] = app + "-" + v
	}
	return ids
}
