package erase_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/directory/directorytest"
	"github.com/hongyan-im/hongyan/internal/erase"
	"github.com/hongyan-im/hongyan/internal/owner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var subjects hongyan.Subjects

const day = 24 * time.Hour

// left are the users of whom something is kept in the directory, sorted.
func left(s *directorytest.Store) []string {
	var users []string
	for _, v := range s.All("push.user.") {
		if x, err := subjects.Parse(v.Subject); err == nil {
			users = append(users, x.App+"/"+x.User)
		}
	}
	slices.Sort(users)
	return slices.Compact(users)
}

func register(s *directorytest.Store, app, user, token string) {
	registration := subjects.Device(app, user, "phone")
	sequence := s.Put(registration, fmt.Sprintf(`{"certificate":"c","token":%q}`, token))
	s.Put(owner.Subject(subjects, app, token), fmt.Sprintf(`{"v":1,"registration":%q,"sequence":%d}`, registration, sequence))
}

func sweep(s *directorytest.Store) *erase.Sweep {
	return &erase.Sweep{Eraser: erase.Eraser{Store: s, Places: bus.Topology{}, Subjects: subjects}, Now: time.Now}
}

// Whoever was heard of by any record stays with all records, old mutes included.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := directorytest.New()
		for i := range 250 {
			register(s, "demo", fmt.Sprint("gone", i), fmt.Sprint("t", i))
		}
		register(s, "demo", "muter", "tm")
		s.Put(subjects.Settings("demo", "muter"), `{"conversations":{"g-7":"muted"}}`)
		register(s, "demo", "reader", "tr")
		register(s, "demo", "namesake", "tn")
		s.Put(subjects.Settings("demo", "wisher"), `{"conversations":{"g-7":"muted"}}`)
		s.Put(subjects.Gateway("demo", "gw"), `{}`)
		s.Put(subjects.Own("count.device.c.all."+owner.Hash("t3")+".20260101"), `{"val":"1"}`)
		time.Sleep(100 * day)
		s.Put(subjects.Presence("demo", "muter", "phone"), `{"state":"background"}`)
		s.Put(subjects.Settings("demo", "reader"), `{}`)
		register(s, "other", "namesake", "tn")
		time.Sleep(100 * day)
		done, err := sweep(s).Run(t.Context(), time.Now().Add(-180*day))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(left(s), " "); got != "demo/muter demo/reader other/namesake" {
			t.Errorf("left are %s", got)
		}
		if s.Value(subjects.Settings("demo", "muter")).Data == nil || s.Value(subjects.Gateway("demo", "gw")).Data == nil {
			t.Error("the mutes of a living user, or a gateway's lease, are gone")
		}
		if n := len(s.All("push.token.")); n != 3 {
			t.Errorf("%d tokens have an owner, want 3", n)
		}
		if n := len(s.All("push.count.")); n != 0 {
			t.Errorf("%d counters of a token are left", n)
		}
		if want := (erase.Swept{Users: 252, Records: 252 + 251 + 1}); done != want {
			t.Errorf("%+v, want %+v", done, want)
		}
	})
}

// A sweep erases owners whose registration has another token by now, or is gone, and no others;
// those that are young may be ahead of what is read.
func TestSweepOwners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := directorytest.New()
		register(s, "demo", "alice", "old")
		register(s, "demo", "alice", "new")
		register(s, "demo", "bob", "bobs")
		register(s, "demo", "carol", "carols")
		s.Put(subjects.Device("demo", "carol", "phone"), "")
		s.Put(subjects.Own("token.demo.0123"), `{"v":9}`)
		time.Sleep(2 * time.Hour)
		s.Put(owner.Subject(subjects, "demo", "young"), `{"v":1,"registration":"push.user.demo.dave.device.phone","sequence":9}`)
		done, err := sweep(s).Run(t.Context(), time.Time{})
		if err != nil || done != (erase.Swept{Owners: 2}) {
			t.Errorf("%+v, %v, want 2 owners", done, err)
		}
		for token, want := range map[string]bool{"old": false, "new": true, "bobs": true, "carols": false, "young": true} {
			if got := len(s.Value(owner.Subject(subjects, "demo", token)).Data) > 0; got != want {
				t.Errorf("the owner of %s is there: %v, want %v", token, got, want)
			}
		}
		if len(s.Value(subjects.Own("token.demo.0123")).Data) == 0 {
			t.Error("a record that a newer worker wrote is gone")
		}
	})
}

// between is a store in which something happens after each read of several users.
type between struct {
	*directorytest.Store
	happens func()
}

func (b between) LastValues(ctx context.Context, filters []string) (directory.Read, error) {
	read, err := b.Store.LastValues(ctx, filters)
	b.happens()
	return read, err
}

// Whoever registers while the sweep looks at them stays.
func TestSweepLeavesWhoComesBackMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := directorytest.New()
		register(s, "demo", "back", "old")
		register(s, "demo", "gone", "gone")
		time.Sleep(200 * day)
		w := sweep(s)
		w.Store = between{s, func() { register(s, "demo", "back", "new") }}
		if done, err := w.Run(t.Context(), time.Now().Add(-180*day)); err != nil || done.Users != 1 || done.Failed != 0 {
			t.Errorf("%+v, %v, want one user erased", done, err)
		}
		if got := strings.Join(left(s), " "); got != "demo/back" {
			t.Errorf("left are %s", got)
		}
	})
}

// What workers removed says nothing of the person, and neither does what is left of an erasure that
// failed; what the IM backend removed does.
func TestSweepHearsNoMarkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := directorytest.New()
		for _, user := range []string{"dead", "gone", "leaves"} {
			register(s, "demo", user, user)
			s.Put(subjects.Settings("demo", user), `{"conversations":{"g-7":"muted"}}`)
		}
		time.Sleep(200 * day)
		registration := s.Value(subjects.Device("demo", "dead", "phone"))
		if changed, err := s.PutIf(t.Context(), registration.Subject, nil, registration.Revision); changed || err != nil {
			t.Fatal(changed, err)
		}
		s.Put(subjects.Device("demo", "leaves", "phone"), "")
		since, writes := time.Now().Add(-180*day), 0
		s.Fail(func(operation string) error {
			if operation == "write" {
				if writes++; writes <= 2 {
					return errors.New("trouble")
				}
			}
			return nil
		})
		done, err := sweep(s).Run(t.Context(), since)
		if err != nil || done.Failed == 0 || done.Err == nil {
			t.Errorf("%+v, %v, want a failure that ends nothing", done, err)
		}
		s.Fail(nil)
		if done, err := sweep(s).Run(t.Context(), since); err != nil || done.Failed > 0 {
			t.Errorf("%+v, %v", done, err)
		}
		if got := strings.Join(left(s), " "); got != "demo/leaves" {
			t.Errorf("left are %s", got)
		}
	})
}

// A sweep is bounded in its pace, ends with its context, and goes on where one before it failed.
func TestSweepIsSlowAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := directorytest.New()
		const users = 500
		for i := range users {
			register(s, "demo", fmt.Sprint("gone", i), fmt.Sprint("t", i))
		}
		time.Sleep(200 * day)
		writes := 0
		s.Fail(func(operation string) error {
			if operation == "write" {
				writes++
				if writes > 200 {
					return errors.New("trouble")
				}
			}
			return nil
		})
		half := sweep(s)
		half.PerSecond = 20
		if _, err := half.Run(t.Context(), time.Now().Add(-180*day)); err == nil {
			t.Error("nobody tells of the trouble")
		}
		s.Fail(nil)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := half.Run(ctx, time.Now().Add(-180*day)); err == nil {
			t.Error("it does not end with its context")
		}
		there := len(left(s))
		began := time.Now()
		if _, err := half.Run(t.Context(), time.Now().Add(-180*day)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < time.Duration(there-250)*time.Second/20 {
			t.Errorf("%d users took %v, want 20 a second", there, took)
		}
		if got := left(s); len(got) > 0 {
			t.Errorf("%d are left", len(got))
		}
	})
}

// Over a real server, the records are gone and the workers hear of it.
func TestSweepOverNATS(t *testing.T) {
	b := bustest.Start(t)
	put := func(subject, data string) {
		t.Helper()
		if err := b.Put(t.Context(), subject, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 150 {
		user := fmt.Sprint("gone", i)
		put(subjects.Device("demo", user, "phone"), fmt.Sprintf(`{"certificate":"c","token":"t%d"}`, i))
		put(subjects.Presence("demo", user, "phone"), `{"state":"background"}`)
		put(owner.Subject(subjects, "demo", fmt.Sprint("t", i)), fmt.Sprintf(`{"v":1,"registration":%q,"sequence":1}`, subjects.Device("demo", user, "phone")))
	}
	put(subjects.Settings("demo", "bob"), `{"conversations":{"g-7":"muted"}}`)
	since := time.Now()
	put(subjects.Presence("demo", "bob", "phone"), `{"state":"background"}`)
	s := &erase.Sweep{Eraser: erase.Eraser{Store: b, Places: b.Topology(), Subjects: subjects}, Now: time.Now, PerSecond: 10_000}
	done, err := s.Run(t.Context(), since)
	if err != nil || done != (erase.Swept{Users: 150, Records: 450}) {
		t.Errorf("%+v, %v", done, err)
	}
	entries, err := b.Read(t.Context(), b.Topology().Directory(), "push.user.>", 1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	there := 0
	for _, e := range entries {
		if len(e.Data) > 0 {
			there++
		}
	}
	if there != 2 || len(entries) != 2+150 { // of each user an empty record tells the workers
		t.Errorf("%d records and %d empty ones are left", there, len(entries)-there)
	}
}
