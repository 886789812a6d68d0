package send

import (
	"sync"
	"testing"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// free counts the places that can be taken now.
func (p *places) free() int { return cap(p.taken) - len(p.taken) }

func TestPlacesOpenWithAnswers(t *testing.T) {
	t.Parallel()
	p := newPlaces(10)
	if got := p.free(); got != firstPlaces {
		t.Fatalf("%d places at first, want %d", got, firstPlaces)
	}
	p.taken <- struct{}{}
	p.leave(false)
	if got := p.free(); got != firstPlaces {
		t.Errorf("%d places after a call without an answer, want %d", got, firstPlaces)
	}
	for i := range 20 {
		p.taken <- struct{}{}
		p.leave(true)
		if got, want := p.free(), min(10, firstPlaces+i+1); got != want {
			t.Fatalf("%d places after %d answers, want %d", got, i+1, want)
		}
	}
	if got := newPlaces(2).free(); got != 2 {
		t.Errorf("%d places of two, want both", got)
	}
}

func TestPlacesOfMany(t *testing.T) {
	t.Parallel()
	p := newPlaces(500)
	var calls sync.WaitGroup
	for range 5000 {
		p.taken <- struct{}{}
		calls.Go(func() { p.leave(true) })
	}
	calls.Wait()
	if got := p.free(); got != 500 {
		t.Errorf("%d of 500 places are free after all calls", got)
	}
}

func TestAnswered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		reasons []vendors.Reason
		want    bool
	}{
		{[]vendors.Reason{vendors.Accepted}, true},
		{[]vendors.Reason{vendors.RateLimited}, true},
		{[]vendors.Reason{vendors.Timeout, vendors.BadToken}, true},
		{[]vendors.Reason{vendors.Timeout, vendors.Timeout}, false},
		{[]vendors.Reason{vendors.Unavailable}, false},
		{[]vendors.Reason{vendors.Interrupted}, false},
		{nil, false},
	} {
		var results []vendors.Result
		for _, r := range tt.reasons {
			results = append(results, vendors.Result{Reason: r})
		}
		if got := answered(results); got != tt.want {
			t.Errorf("answered(%v) = %v", tt.reasons, got)
		}
	}
}
