package bus_test

import (
	"errors"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A full stream refuses and drops nothing.
func TestPublishToAFullStream(t *testing.T) {
	first := bustest.Start(t)
	b := bustest.Connect(t, first.URL(), bus.Topology{StreamPrefix: "SMALL", Subjects: hongyanSubjects("small"), MaxBytes: 20_000}, "apns")
	job := func(i int) dispatch.Outgoing {
		return dispatch.Outgoing{Subject: "small.job.apns.c.normal", ID: fmt.Sprint(i), Data: make([]byte, 1000)}
	}
	stored := 0
	for i := range 50 {
		errs := b.Publish(t.Context(), []dispatch.Outgoing{job(i)})
		if errs == nil {
			stored++
			continue
		}
		if !errors.Is(errs[0], dispatch.ErrFull) {
			t.Fatalf("message %d: %v", i, errs[0])
		}
	}
	backlog, err := b.Backlog(t.Context(), "apns")
	if err != nil {
		t.Fatal(err)
	}
	if stored == 0 || stored == 50 || backlog.Jobs != uint64(stored) {
		t.Errorf("%d were stored, %d are there", stored, backlog.Jobs)
	}
}

// One user with more records than an answer holds is read all the same, beside others.
func TestLastValuesOfAHugeUser(t *testing.T) {
	b := bustest.Start(t)
	const devices = 1500
	var msgs []dispatch.Outgoing
	for i := range devices {
		msgs = append(msgs, dispatch.Outgoing{Subject: fmt.Sprintf("push.user.demo.huge.device.d%d", i), Data: []byte("{}")})
	}
	msgs = append(msgs, dispatch.Outgoing{Subject: "push.user.demo.bob.device.d", Data: []byte("{}")})
	if errs := b.Publish(t.Context(), msgs); errs != nil {
		t.Fatal(errors.Join(errs...))
	}
	read, err := b.LastValues(t.Context(), []string{"push.user.demo.nobody.>", "push.user.demo.huge.>", "push.user.demo.bob.>"})
	values := read.Values
	if err != nil || len(values) != devices+1 {
		t.Errorf("%d values, %v; want %d", len(values), err, devices+1)
	}
}

func TestPutIfComparesAndSets(t *testing.T) {
	b := bustest.Start(t)
	const subject = "push.user.demo.bob.device.d"
	if err := b.Put(t.Context(), subject, []byte("1")); err != nil {
		t.Fatal(err)
	}
	read, err := b.LastValues(t.Context(), []string{subject})
	values := read.Values
	if err != nil || len(values) != 1 {
		t.Fatal(values, err)
	}
	if err := b.Put(t.Context(), subject, []byte("2")); err != nil {
		t.Fatal(err)
	}
	if changed, err := b.PutIf(t.Context(), subject, nil, values[0].Revision); !changed || err != nil {
		t.Errorf("a stale revision: changed %v, %v", changed, err)
	}
}
