package directory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/directory"
)

// run lets a directory remember until the test ends.
func run(t *testing.T, d *directory.Directory, feed directory.Feed) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { d.Run(ctx, feed) })
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// remembers waits until a user is in the cache.
func remembers(t *testing.T, d *directory.Directory, user string) {
	t.Helper()
	eventually(t, "nobody is remembered", func() bool {
		tokenOf(t, d, user)
		users, _ := d.Cached()
		return users > 0
	})
}

// Over a real server: a change is seen at once by whoever remembers the user.
func TestCacheOverNATS(t *testing.T) {
	b := bustest.Start(t)
	other := bustest.Connect(t, b.URL(), b.Topology())
	d := directory.New(b, subjects, directory.Options{})
	run(t, d, b)
	remembers(t, d, "bob")
	bob := subjects.Device("demo", "bob", "p")
	for i := range 300 {
		token := fmt.Sprint("t", i)
		put(t, other, bob, registration(token))
		eventually(t, "a change is not seen", func() bool { return tokenOf(t, d, "bob") == token })
	}
	put(t, other, bob, "")
	eventually(t, "a removal is not seen", func() bool { return tokenOf(t, d, "bob") == "" })
}

// On a cluster, whoever registers and is looked up at once is found, however far behind the server
// is that answers.
func TestConfirmOnAClusterOfThree(t *testing.T) {
	c := bustest.StartCluster(t)
	topology := bus.Topology{Replicas: 3}
	writer := bustest.Connect(t, c.Servers[0].ClientURL(), topology)
	var readers []*directory.Directory
	for _, srv := range c.Servers {
		b := bustest.Connect(t, srv.ClientURL(), topology)
		d := directory.New(b, subjects, directory.Options{Replicas: 3})
		run(t, d, b)
		remembers(t, d, "nobody")
		readers = append(readers, d)
	}
	lacking := 0
	for i := range 120 {
		refs := []directory.Ref{{App: "demo", User: fmt.Sprint("u", i)}}
		d := readers[i%len(readers)]
		if i%2 == 0 { // that nothing is known is remembered
			if _, err := d.Lookup(t.Context(), refs); err != nil {
				t.Fatal(err)
			}
		}
		put(t, writer, subjects.Device("demo", refs[0].User, "p"), registration("t"))
		users, err := d.Lookup(t.Context(), refs)
		if err != nil {
			t.Fatal(err)
		}
		if users[0] == nil {
			lacking++
		}
		if users, err = d.Confirm(t.Context(), refs); err != nil || users[0] == nil {
			t.Fatalf("user %d registered, Confirm says %v, %v", i, users, err)
		}
	}
	t.Logf("%d of 120 lookups came before the registration", lacking)
	confirmTogether(t, readers[0])
}

// An election in the middle of changes: whoever remembers a user sees each change all the same.
func TestCacheOutlivesAnElection(t *testing.T) {
	c := bustest.StartCluster(t)
	topology := bus.Topology{Replicas: 3}
	writer := bustest.Connect(t, c.URL, topology)
	leader := func() int {
		for i, srv := range c.Servers {
			if srv.JetStreamIsStreamLeader("$G", topology.Directory()) {
				return i
			}
		}
		return -1
	}
	first := leader()
	b := bustest.Connect(t, c.Servers[(first+1)%3].ClientURL(), topology)
	d := directory.New(b, subjects, directory.Options{Replicas: 3})
	run(t, d, b)
	remembers(t, d, "nobody")
	for i := range 60 {
		if i == 20 {
			c.Servers[first].Shutdown()
			c.Servers[first].WaitForShutdown()
		}
		user := fmt.Sprint("u", i%3)
		tokenOf(t, d, user)
		token := fmt.Sprint("t", i)
		eventually(t, "nothing can be stored", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return writer.Put(ctx, subjects.Device("demo", user, "p"), []byte(registration(token))) == nil
		})
		eventually(t, "a change is not seen", func() bool {
			users, err := d.Lookup(t.Context(), []directory.Ref{{App: "demo", User: user}})
			return err == nil && users[0] != nil && users[0].Devices[0].Registration.Token == token
		})
	}
	remembers(t, d, "u0")
}

// confirmTogether holds that callers share questions to the leader.
func confirmTogether(t *testing.T, d *directory.Directory) {
	t.Helper()
	began := time.Now()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if users, err := d.Confirm(t.Context(), []directory.Ref{{App: "demo", User: fmt.Sprint("u", i%120)}}); err != nil || users[0] == nil {
				t.Errorf("u%d: %v, %v", i, users, err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("200 questions together took %v", took)
	}
}

// A registration that goes takes its presence along, one that changed stays.
func TestDropAll(t *testing.T) {
	b := bustest.Start(t)
	d := directory.New(b, subjects, directory.Options{})
	var dead []directory.Dead
	var refs []directory.Ref
	for i := range 100 {
		ref := directory.Ref{App: "demo", User: fmt.Sprint("u", i)}
		refs = append(refs, ref)
		put(t, b, subjects.Device("demo", ref.User, "p"), `{"certificate":"c","token":"t","voip":{"certificate":"v","token":"vt"}}`)
		put(t, b, subjects.Presence("demo", ref.User, "p"), `{"state":"background"}`)
	}
	users, err := d.Lookup(t.Context(), refs)
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range users {
		dead = append(dead, directory.Dead{Ref: refs[i], Device: "p", Token: []string{"t", "vt"}[i%2], Revision: u.Devices[0].Revision})
	}
	put(t, b, subjects.Device("demo", "u7", "p"), registration("new"))
	for i, r := range d.DropAll(t.Context(), dead) {
		if r.Err != nil || r.Removed != (i != 7) {
			t.Errorf("u%d: %+v", i, r)
		}
	}
	if users, err = d.Lookup(t.Context(), refs); err != nil {
		t.Fatal(err)
	}
	dead = dead[:0]
	for i, u := range users {
		r := u.Devices[0].Registration
		if want := []string{"", "t"}[i%2]; i != 7 && (r.Token != want || (r.VoIP != nil) != (i%2 == 0)) {
			t.Errorf("u%d: of two tokens the wrong one went: %+v", i, r)
		}
		dead = append(dead, directory.Dead{Ref: refs[i], Device: "p", Token: []string{"vt", "t"}[i%2], Revision: u.Devices[0].Revision})
	}
	d.DropAll(t.Context(), dead)
	left, err := b.LastValues(t.Context(), []string{"push.user.demo.*.presence.*"})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range left.Values {
		if removed := len(v.Data) == 0; removed == strings.HasPrefix(v.Subject, "push.user.demo.u7.") {
			t.Errorf("presence of %s: removed %v", v.Subject, removed)
		}
	}
	for _, r := range directory.New(broken{}, subjects, directory.Options{}).DropAll(t.Context(), dead[:2]) {
		if r.Err == nil || r.Removed {
			t.Errorf("a store that does not answer: %+v", r)
		}
	}
}

// A replica that never catches up is an error, and no answer.
func TestConfirmGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{lag: func() int { return 1 }}
		d, _ := cached(t, s, directory.Options{Replicas: 3})
		s.put(subjects.Device("demo", "bob", "p"), registration("1"), 0)
		began := time.Now()
		users, err := d.Confirm(t.Context(), []directory.Ref{{App: "demo", User: "bob"}})
		if took := time.Since(began); !errors.Is(err, directory.ErrBehind) || took < 5*time.Second || took > 6*time.Second {
			t.Errorf("got %v, %v after %v", users, err, took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Confirm(ctx, []directory.Ref{{App: "demo", User: "bob"}}); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who left gets %v", err)
		}
	})
}

// Many who ask at the same time share an answer; one who leaves takes nobody's along. No more than
// ten questions a second are asked.
func TestConfirmSharesQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		d, _ := cached(t, s, directory.Options{Replicas: 3})
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 1000 {
			time.Sleep(time.Millisecond)
			wg.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i%100 == 0 { // some of those who are to ask
					cancel()
				}
				if _, err := d.Confirm(ctx, []directory.Ref{{App: "demo", User: "bob"}}); err != nil && i%100 != 0 {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); s.asked > 12 || s.asked < 5 || took > 2*time.Second {
			t.Errorf("%d questions in %v", s.asked, took)
		}
	})
}
