package bus_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
)

func TestBadges(t *testing.T) {
	t.Parallel()
	dispatchtest.RunBadges(t, func(t *testing.T) (badge.Store, func(badge.Ref)) {
		b := bustest.Start(t)
		nc, err := nats.Connect(b.URL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		return b, func(ref badge.Ref) {
			s, err := js.Stream(context.Background(), b.Topology().Badges())
			if err == nil {
				err = s.Purge(context.Background(), jetstream.WithPurgeSubject(hongyan.Subjects{}.Badge(ref.App, ref.User)))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
