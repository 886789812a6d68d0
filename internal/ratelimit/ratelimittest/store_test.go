package ratelimittest_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/ratelimit/ratelimittest"
)

func TestStore(t *testing.T) {
	ratelimittest.RunStore(t, func(*testing.T) (a, b ratelimit.Store) {
		s := &ratelimittest.Store{}
		return s, s
	})
}

func TestStoreFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := ratelimittest.None
		s := &ratelimittest.Store{Fault: func(ratelimittest.Call) ratelimittest.Fault { return fault }}
		steps := []struct {
			fault   ratelimittest.Fault
			notDone bool
			lost    bool
		}{
			{ratelimittest.NotDone, true, false},
			{ratelimittest.LostRequest, false, true},
			{ratelimittest.LostAnswer, false, true},
		}
		for _, step := range steps {
			fault = step.fault
			_, err := s.Add(t.Context(), "k", 1, "")
			if errors.Is(err, ratelimit.ErrNotDone) != step.notDone || errors.Is(err, ratelimittest.ErrLost) != step.lost {
				t.Errorf("fault %d: Add's error is %v", step.fault, err)
			}
		}
		fault = ratelimittest.None
		if got, err := s.Add(t.Context(), "k", 1, ""); got != 2 || err != nil {
			t.Errorf("Add = %d, %v; only the lost answer's addition must count beside this one, want 2", got, err)
		}
	})
}
