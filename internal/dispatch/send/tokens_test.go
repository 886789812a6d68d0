package send

import (
	"fmt"
	"testing"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Each device is found by its token, and no other, also when the table is used again for fewer.
func TestTokensAreFound(t *testing.T) {
	t.Parallel()
	var found tokens
	for _, n := range []int{1000, 3, 1000, 0, 2500} {
		var devices []vendors.Device
		for i := range n {
			devices = append(devices, vendors.Device{Token: fmt.Sprint("token-", i)})
		}
		c := &call{batch: vendors.Batch{Devices: devices}, tokens: &found}
		found.index(devices, max(n, 1000))
		for i := range n {
			if at := c.find(devices[i].Token); at != i {
				t.Fatalf("of %d devices, the %d-th is found at %d", n, i, at)
			}
		}
		if at := c.find("nobody's"); at != -1 {
			t.Fatalf("a token that is not there is found at %d", at)
		}
	}
}
