package dispatch_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Over a real NATS server: a recall, a read mark, and a call that is answered.
func TestSignalsOverNATS(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, user := range []string{"bob", "carol"} {
		r.register(user, "phone", "c-apns")
		r.register(user, "pad", "c-huawei")
	}
	r.start()
	marked := func(n uint64) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for {
			last, err := r.bus.LastMark(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if last >= n {
				return
			}
			time.Sleep(10 * time.Millisecond) // polling the real server
		}
	}
	say := func(body string) {
		t.Helper()
		if errs := r.bus.Publish(t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Signal("demo"), Data: []byte(body)}}); errs != nil {
			t.Fatal(errors.Join(errs...))
		}
	}
	marked(1) // the probe of whoever hears
	say(`{"type":"recall","message_id":"m-1"}`)
	say(`{"type":"read","user":"bob","conversation":"c2c_alice","at":"` + time.Now().UTC().Format(time.RFC3339Nano) + `"}`)
	say(`{"type":"read","user":"nobody","conversation":"nowhere"}`)
	marked(4)
	r.send(chat("m-1", "bob", "carol"))
	for _, o := range r.outcomes("m-1", "bob/phone", "bob/pad", "carol/phone", "carol/pad") {
		want(t, o, hongyan.StatusSuppressed, hongyan.Recalled)
	}
	before := chat("m-2", "bob", "carol")
	before.SentAt = time.Now().Add(-time.Minute)
	r.send(before)
	for device, o := range r.outcomes("m-2", "bob/phone", "bob/pad", "carol/phone", "carol/pad") {
		if device[:3] == "bob" {
			want(t, o, hongyan.StatusSuppressed, hongyan.Read)
		} else {
			want(t, o, hongyan.StatusAccepted, vendors.Accepted)
		}
	}
	r.send(chat("m-3", "bob"))
	for _, o := range r.outcomes("m-3", "bob/phone", "bob/pad") {
		want(t, o, hongyan.StatusAccepted, vendors.Accepted)
	}

	call := func(id string, action hongyan.CallAction, sender, device string, recipients ...string) {
		m := chat(id, recipients...)
		m.Sender = hongyan.Sender{ID: sender, Device: device}
		m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: hongyan.CallVideo, Action: action, ID: "call-1"}}
		r.send(m)
	}
	call("c-1", hongyan.CallInvite, "alice", "", "bob", "carol")
	r.outcomes("c-1", "bob/phone", "bob/pad", "carol/phone", "carol/pad")
	call("c-2", hongyan.CallAnswer, "bob", "phone", "alice")
	ends := r.outcomes("c-2", "bob/phone", "bob/pad", "alice/")
	want(t, ends["bob/phone"], hongyan.StatusSuppressed, hongyan.NoContent)
	want(t, ends["bob/pad"], hongyan.StatusAccepted, vendors.Accepted)
	want(t, ends["alice/"], hongyan.StatusSuppressed, hongyan.NoContent)
	call("c-3", hongyan.CallCancel, "alice", "", "bob", "carol")
	ends = r.outcomes("c-3", "bob/phone", "bob/pad", "carol/phone", "carol/pad")
	want(t, ends["bob/pad"], hongyan.StatusSuppressed, hongyan.NoContent)
	want(t, ends["carol/phone"], hongyan.StatusAccepted, vendors.Accepted)
	call("c-4", hongyan.CallInvite, "alice", "", "carol")
	want(t, r.outcomes("c-4", "carol/phone")["carol/phone"], hongyan.StatusSuppressed, hongyan.CallOver)
	r.empty()
}
