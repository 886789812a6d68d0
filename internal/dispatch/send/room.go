package send

import (
	"math"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// callBytes bounds a call by its bytes.
type callBytes struct {
	first *vendors.Notification
	// uniform says that all have the first notification; shared is the size then, and apart that of
	// devices with a notification each.
	uniform         bool
	shared, apart   int
	content, device int // of the notification that was asked about
}

// fits is how many devices with a notification the call still takes. A device alone goes whatever
// its size.
func (b *callBytes) fits(limits *vendors.Limits, n *vendors.Notification) int {
	if limits.Bytes <= 0 {
		return math.MaxInt
	}
	b.content, b.device = limits.Size(n)
	if b.first == nil {
		b.first, b.uniform, b.shared = n, true, b.content
		return max((limits.Bytes-b.shared)/max(b.device, 1), 1)
	}
	if b.uniform && n == b.first {
		return (limits.Bytes - b.shared) / max(b.device, 1)
	}
	b.uniform = false
	return (limits.Bytes - b.apart) / max(b.content+b.device, 1)
}

// add counts n devices with the notification that was asked about last.
func (b *callBytes) add(n int) {
	b.shared += n * b.device
	b.apart += n * (b.content + b.device)
}
