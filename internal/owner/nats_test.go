package owner_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/owner"
)

// Over a real server: what stands in a directory before the first worker starts is worked through
// in order, and what is registered afterwards within two seconds, by whichever worker lives.
func TestKeeperOverNATS(t *testing.T) {
	b := bustest.Start(t)
	put := func(name, record string) {
		t.Helper()
		if err := b.Put(t.Context(), device(name), []byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	const phones = 100
	for i := range phones {
		put(fmt.Sprint("alice", i, "/phone"), alert(fmt.Sprint("t", i)))
	}
	for i := range phones {
		put(fmt.Sprint("bob", i, "/phone"), alert(fmt.Sprint("t", i)))
	}
	left := func(user string) (n int) {
		t.Helper()
		entries, err := b.Read(t.Context(), b.Topology().Directory(), "push.user.demo.>", 1, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if x, err := subjects.Parse(e.Subject); err == nil && len(e.Data) > 0 && strings.HasPrefix(x.User, user) {
				n++
			}
		}
		return n
	}
	eventually := func(what string, within time.Duration, holds func() bool) {
		t.Helper()
		for end := time.Now().Add(within); !holds(); time.Sleep(5 * time.Millisecond) { // polling the real server
			if time.Now().After(end) {
				t.Fatalf("%s: %d of alice, %d of bob, %d of carol", what, left("alice"), left("bob"), left("carol"))
			}
		}
	}
	start := func(b *bus.Bus) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		k := &owner.Keeper{Store: b, Log: slog.New(slog.DiscardHandler)}
		var wg sync.WaitGroup
		wg.Go(func() { k.Run(ctx, b.RegistrationConsumer(64)) })
		return func() { cancel(); wg.Wait() }
	}
	first, second := start(b), start(bustest.Connect(t, b.URL(), b.Topology()))
	defer second()
	eventually("the directory is not worked through", 20*time.Second, func() bool { return left("alice") == 0 && left("bob") == phones })
	first() // the other goes on alone
	for i := range phones {
		put(fmt.Sprint("carol", i, "/pad"), alert(fmt.Sprint("t", i)))
	}
	eventually("phones that changed hands are not", 2*time.Second, func() bool { return left("bob") == 0 && left("carol") == phones })
	put("dave/phone", alert("d"))
	put("erin/phone", withVoIP("e", "d"))
	eventually("a token for calls", 2*time.Second, func() bool { return left("dave") == 0 && left("erin") == 1 })
}
