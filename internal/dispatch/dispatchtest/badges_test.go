package dispatchtest_test

import (
	"testing"

	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
)

func TestBadges(t *testing.T) {
	t.Parallel()
	dispatchtest.RunBadges(t, func(*testing.T) (badge.Store, func(badge.Ref)) {
		s := new(dispatchtest.Badges)
		return s, s.Erase
	})
}
