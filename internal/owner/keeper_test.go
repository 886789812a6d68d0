package owner_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory/directorytest"
	"github.com/hongyan-im/hongyan/internal/owner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var subjects hongyan.Subjects

// device is the subject of a user's device, "user/device".
func device(name string) string {
	user, device, _ := strings.Cut(name, "/")
	return subjects.Device("demo", user, device)
}

func presence(name string) string {
	user, device, _ := strings.Cut(name, "/")
	return subjects.Presence("demo", user, device)
}

func alert(token string) string { return fmt.Sprintf(`{"certificate":"c","token":%q}`, token) }

func withVoIP(token, voip string) string {
	return fmt.Sprintf(`{"certificate":"c","token":%q,"voip":{"certificate":"v","token":%q}}`, token, voip)
}

// keep runs a keeper until stop.
func keep(s *directorytest.Store) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	k := &owner.Keeper{Store: s, Log: slog.New(slog.DiscardHandler)}
	var wg sync.WaitGroup
	wg.Go(func() { k.Run(ctx, s.Registrations(64)) })
	return func() { cancel(); wg.Wait() }
}

// left are the devices that are registered, sorted.
func left(s *directorytest.Store) []string {
	var names []string
	for _, v := range s.All("push.user.") {
		if x, err := subjects.Parse(v.Subject); err == nil && x.Kind == hongyan.KindDevice {
			names = append(names, x.User+"/"+x.Device)
		}
	}
	slices.Sort(names)
	return names
}

// Of two registrations of a token the later one stays, however they come.
func TestKeeper(t *testing.T) {
	type write struct{ name, record string }
	for _, test := range []struct {
		name   string
		writes []write
		want   string
	}{
		{"another user", []write{{"alice/phone", alert("t")}, {"bob/phone", alert("t")}}, "bob/phone"},
		{"and back again", []write{{"alice/phone", alert("t")}, {"bob/phone", alert("t")}, {"alice/phone", alert("t")}}, "alice/phone"},
		{"a reinstall", []write{{"alice/old", alert("t")}, {"alice/new", alert("t")}}, "alice/new"},
		{"another certificate", []write{{"alice/phone", alert("t")}, {"bob/phone", `{"certificate":"d","token":"t"}`}}, "bob/phone"},
		{"another certificate of the same device", []write{{"alice/phone", alert("t")}, {"alice/phone", `{"certificate":"d","token":"t"}`}}, "alice/phone"},
		{"registered again", []write{{"alice/phone", alert("t")}, {"alice/phone", alert("t")}}, "alice/phone"},
		{"another token", []write{{"alice/phone", alert("t")}, {"bob/phone", alert("u")}}, "alice/phone bob/phone"},
		{"the token was given up", []write{{"alice/phone", alert("t")}, {"alice/phone", alert("u")}, {"bob/phone", alert("t")}}, "alice/phone bob/phone"},
		{"only the token for calls", []write{{"alice/phone", withVoIP("t", "v")}, {"bob/phone", withVoIP("u", "v")}}, "bob/phone"},
		{"a token for calls that was one for alerts", []write{{"alice/phone", alert("t")}, {"bob/phone", withVoIP("u", "t")}}, "bob/phone"},
		{"one token twice", []write{{"alice/phone", withVoIP("t", "t")}, {"bob/phone", withVoIP("t", "t")}}, "bob/phone"},
		{"both phones of a pair", []write{{"alice/one", alert("t")}, {"alice/two", alert("v")}, {"bob/phone", withVoIP("t", "v")}}, "bob/phone"},
		{"space around it", []write{{"alice/phone", alert("t")}, {"bob/phone", alert(" t\n")}}, "bob/phone"},
		{"no token", []write{{"alice/phone", `{"certificate":"c","registration_error":"5"}`}, {"bob/phone", `{"certificate":"c","registration_error":"5"}`}}, "alice/phone bob/phone"},
		{"what cannot be read", []write{{"alice/phone", alert("t")}, {"bob/phone", `{"token":"t"}`}}, "alice/phone bob/phone"},
		{"removed", []write{{"alice/phone", alert("t")}, {"bob/phone", alert("t")}, {"bob/phone", ""}}, ""},
		// Nobody can know of a registration that was replaced before anybody saw it.
		{"removed unseen", []write{{"alice/phone", alert("t")}, {"bob/phone", alert("t")}, {"bob/phone", ""}}, "alice/phone"},
	} {
		for _, order := range []string{"one by one", "at once"} {
			if unseen := order == "at once"; test.name == "removed" && unseen || test.name == "removed unseen" && !unseen {
				continue
			}
			t.Run(test.name+", "+order, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := directorytest.New()
					stop := func() {}
					if order == "one by one" {
						stop = keep(s)
					}
					for _, w := range test.writes {
						s.Put(device(w.name), w.record)
						if order == "one by one" {
							synctest.Wait()
						}
					}
					if order == "at once" {
						stop = keep(s)
					}
					time.Sleep(10 * time.Millisecond)
					if got := strings.Join(left(s), " "); got != test.want {
						t.Errorf("left are %q, want %q", got, test.want)
					}
					stop()
				})
			})
		}
	}
}

// Apps do not share phones, and the presence of a device goes with its registration unless the
// device was heard of since.
func TestKeeperLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := directorytest.New()
		stop := keep(s)
		other := subjects.Device("other", "alice", "phone")
		s.Put(other, alert("t"))
		s.Put(device("alice/phone"), alert("t"))
		s.Put(presence("alice/phone"), `{"state":"background"}`)
		s.Put(device("carol/phone"), alert("u"))
		synctest.Wait()
		// Carol is heard of right after her phone is Bob's, before anybody works on that.
		stop()
		s.Put(device("bob/phone"), alert("t"))
		s.Put(device("bob/pad"), alert("u"))
		s.Put(presence("carol/phone"), `{"state":"foreground"}`)
		stop = keep(s)
		time.Sleep(10 * time.Millisecond)
		if got := strings.Join(left(s), " "); got != "alice/phone bob/pad bob/phone" || len(s.Value(other).Data) == 0 || len(s.Value(device("alice/phone")).Data) > 0 {
			t.Errorf("left are %q", got)
		}
		if len(s.Value(presence("alice/phone")).Data) > 0 || len(s.Value(presence("carol/phone")).Data) == 0 {
			t.Errorf("the presences are %q and %q", s.Value(presence("alice/phone")).Data, s.Value(presence("carol/phone")).Data)
		}
		stop()
	})
}

// What owners were told of a stream that is gone takes nothing away in the one that was made anew.
func TestKeeperOutlivesItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := directorytest.New()
		stop := keep(s)
		for range 100 {
			s.Put(device("alice/phone"), alert("t"))
			synctest.Wait()
		}
		stop()
		s.Anew()
		s.Put(device("bob/phone"), alert("t"))
		s.Put(device("alice/phone"), alert("t"))
		s.Put(device("bob/phone"), alert("t"))
		stop = keep(s)
		time.Sleep(10 * time.Millisecond)
		if got := strings.Join(left(s), " "); got != "bob/phone" {
			t.Errorf("left are %q, want Bob's", got)
		}
		s.Put(device("carol/phone"), alert("t"))
		time.Sleep(10 * time.Millisecond)
		if got := strings.Join(left(s), " "); got != "carol/phone" {
			t.Errorf("left are %q, want Carol's", got)
		}
		stop()
	})
}

// A registration that waited meets the owner of a later one, which a replica does not know yet: it
// gives way all the same.
func TestKeeperWaitsForReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := directorytest.New()
		s.Fail(func(string) error { return errTrouble })
		stop := keep(s)
		s.Put(device("alice/phone"), alert("t"))
		synctest.Wait()
		s.Fail(nil)
		s.Put(device("bob/phone"), alert("t"))
		synctest.Wait()
		if got := len(left(s)); got != 2 {
			t.Fatalf("%d are left, the first one did not wait", got)
		}
		reads := 0
		s.Behind(func() uint64 {
			if reads++; reads%10 == 0 {
				return 0
			}
			return 1
		})
		time.Sleep(5 * time.Second)
		if got := strings.Join(left(s), " "); got != "bob/phone" {
			t.Errorf("left are %q, want Bob's", got)
		}
		stop()
	})
}

// An owner that a replica does not know any more is no reason to leave a registration be.
func TestKeeperBelievesNoOldOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := directorytest.New()
		stop := keep(s)
		s.Put(device("alice/phone"), alert("t"))
		synctest.Wait()
		s.Put(device("bob/phone"), alert("t"))
		synctest.Wait()
		reads := 0
		s.Behind(func() uint64 {
			if reads++; reads < 4 {
				return 1
			}
			return 0
		})
		s.Put(device("alice/phone"), alert("t"))
		time.Sleep(time.Second)
		if got := strings.Join(left(s), " "); got != "alice/phone" {
			t.Errorf("left are %q, want Alice's", got)
		}
		stop()
	})
}

// A record that a newer worker wrote is left to the newer workers: the registrations with its token
// wait, and no others.
func TestKeeperLeavesNewerRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := directorytest.New()
		key := owner.Subject(subjects, "demo", "t")
		s.Put(key, `{"v":2,"who":"push.user.demo.alice.device.phone"}`)
		s.Put(device("alice/phone"), alert("t"))
		s.Put(device("bob/phone"), alert("t"))
		s.Put(device("carol/phone"), alert("u"))
		s.Put(device("dave/phone"), withVoIP("v", "t"))
		s.Put(device("erin/phone"), alert("u"))
		stop := keep(s)
		time.Sleep(time.Minute)
		if got := string(s.Value(key).Data); !strings.Contains(got, `"v":2`) || strings.Join(left(s), " ") != "alice/phone bob/phone dave/phone erin/phone" {
			t.Errorf("the record is %s, left are %q", got, left(s))
		}
		s.Put(key, "") // the newer worker is done with it
		time.Sleep(10 * time.Second)
		if got := strings.Join(left(s), " "); got != "dave/phone erin/phone" {
			t.Errorf("left are %q, want Dave's and Erin's", got)
		}
		stop()
	})
}

var errTrouble = errors.New("trouble")

// Phones go from hand to hand at random, while workers start, stop and are killed, reads are behind
// and reads, writes, their answers and acks are lost. In the end each token has one phone: the one
// that brought it last.
func TestKeeperAtRandom(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { atRandom(t, rand.New(rand.NewPCG(seed, 0)), seed%2 == 1) })
		})
	}
}

func atRandom(t *testing.T, r *rand.Rand, calls bool) {
	s := directorytest.New()
	var mu sync.Mutex // guards r where the store asks
	trouble := true
	chance := func(n int) bool { return trouble && r.IntN(n) == 0 }
	s.Fail(func(string) error {
		mu.Lock()
		defer mu.Unlock()
		if chance(12) {
			return errTrouble
		}
		return nil
	})
	s.Behind(func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		if !trouble {
			return 0
		}
		return r.Uint64N(4)
	})
	names := []string{"alice/a", "alice/b", "bob/a", "bob/b", "carol/a", "dave/a", "erin/a"}
	var stops []func()
	last := map[string]string{}    // of each token, who brought it
	holds := map[string][]string{} // as each device was registered last
	lastPut := map[string]uint64{} // when
	for range 200 {
		mu.Lock()
		what, name, token, second, pause := r.IntN(20), names[r.IntN(len(names))], fmt.Sprint("t", r.IntN(4)), fmt.Sprint("t", r.IntN(4)), time.Duration(r.IntN(20))*time.Millisecond
		mu.Unlock()
		switch {
		case what == 0 && len(stops) > 0:
			stops[0]()
			stops = stops[1:]
		case what <= 1 && len(stops) < 3:
			stops = append(stops, keep(s))
		case what == 2:
			lastPut[name] = s.Put(device(name), "")
			holds[name] = nil
		case calls:
			lastPut[name] = s.Put(device(name), withVoIP(token, second))
			last[token], last[second], holds[name] = name, name, []string{token, second}
		default:
			lastPut[name] = s.Put(device(name), alert(token))
			last[token], holds[name] = name, []string{token}
		}
		time.Sleep(pause)
	}
	stops = append(stops, keep(s))
	mu.Lock()
	trouble = false
	mu.Unlock()
	time.Sleep(5 * time.Second)
	held := map[string][]string{}
	for _, name := range left(s) {
		if s.Value(device(name)).Revision != lastPut[name] {
			t.Errorf("%s was written", name)
		}
		for _, token := range slices.Compact(slices.Clone(holds[name])) {
			held[token] = append(held[token], name)
		}
	}
	for token, names := range held {
		if len(names) > 1 && token != "" {
			t.Errorf("%s is held by %q", token, names)
		}
	}
	for token, name := range last {
		if calls || !slices.Contains(holds[name], token) {
			continue // it may have lost its other token, or gave this one up
		}
		if !slices.Contains(held[token], name) {
			t.Errorf("%s was brought by %s last, and is held by %q", token, name, held[token])
		}
	}
	for _, stop := range stops {
		stop()
	}
}
