package send

import (
	"sync/atomic"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// firstPlaces is how many calls a lane makes at once before the vendor has answered any.
const firstPlaces = 4

// places bounds the calls that a lane has under way. It opens slowly: a few places at first, one
// more with each call that the vendor answers. A worker that comes would otherwise fill all of them
// at its rate while the first connections are being made, and all those pushes would reach the
// vendor in one moment, far above the rate.
type places struct {
	taken chan struct{} // holds a token for each place that is taken, or still closed
	shut  atomic.Int64  // how many are still closed
}

// newPlaces has n places.
func newPlaces(n int) *places {
	p := &places{taken: make(chan struct{}, n)}
	for range n - firstPlaces {
		p.taken <- struct{}{}
		p.shut.Add(1)
	}
	return p
}

// leave frees a place, and opens another one after a call that was answered.
func (p *places) leave(answered bool) {
	<-p.taken
	if answered && p.shut.Load() > 0 && p.shut.Add(-1) >= 0 {
		<-p.taken
	}
}

// answered says whether the vendor is there: some result is its own word.
func answered(results []vendors.Result) bool {
	for i := range results {
		if r := results[i].Reason; !vendors.Sick(r) && r != vendors.Interrupted {
			return true
		}
	}
	return false
}
