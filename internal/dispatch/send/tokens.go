package send

import (
	"hash/maphash"
	"math/bits"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// tokens finds the devices of a call by their tokens. A lane uses one again for each call, so that
// calls for many devices cost no memory for it.
type tokens struct {
	seed  maphash.Seed
	slots []int32 // a device's place and one, at its hash or behind; 0 for none
}

// index begins anew with the devices that a call has, which will be at most most.
func (t *tokens) index(devices []vendors.Device, most int) {
	if size := 1 << bits.Len(uint(2*most)); len(t.slots) < size {
		t.seed, t.slots = maphash.MakeSeed(), make([]int32, size)
	} else {
		clear(t.slots)
	}
	for at := range devices {
		*t.slot(devices, devices[at].Token) = int32(at + 1)
	}
}

// slot is where a token stands, or belongs.
func (t *tokens) slot(devices []vendors.Device, token string) *int32 {
	mask := uint64(len(t.slots) - 1)
	for at := maphash.String(t.seed, token) & mask; ; at = (at + 1) & mask {
		if s := &t.slots[at]; *s == 0 || devices[*s-1].Token == token {
			return s
		}
	}
}
