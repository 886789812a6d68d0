package dispatch_test

import (
	"context"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// A call whose VoIP token is dead rings as an alert on the same phone; of the registration only the
// dead token goes.
func TestVoIPFallsBackToAlert(t *testing.T) {
	r := newRig(t)
	r.put(hongyan.Subjects{}.Device("demo", "bob", "phone"), hongyan.Device{
		Certificate: "c-huawei", Token: "alert", VoIP: &hongyan.VoIP{Certificate: "c-apns", Token: "voip"},
	})
	r.apns.answer = func(context.Context, vendors.Device, int) vendors.Result {
		return vendors.Result{Reason: vendors.BadToken, Code: "Unregistered"}
	}
	r.start()
	for _, id := range []string{"m-1", "m-2"} {
		m := chat(id, "bob")
		m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: hongyan.CallAudio, Action: hongyan.CallInvite, ID: "call-" + id}}
		r.send(m)
		got := r.outcomes(id, "bob/phone")["bob/phone"]
		want(t, got, "accepted", "accepted")
		if note := map[string]string{"m-1": vendors.NoteVoIPFallback}[id]; got.Note != note || got.Certificate != "c-huawei" {
			t.Errorf("%s: %+v, want the note %q", id, got, note)
		}
	}
	r.stop()
	for _, call := range r.huawei.calls {
		if d := call.Devices[0]; d.Token != "alert" || d.Notification.VoIP {
			t.Errorf("pushed to %q, VoIP %v", d.Token, d.Notification.VoIP)
		}
	}
	if len(r.apns.calls) != 1 || len(r.huawei.calls) != 2 {
		t.Errorf("%d pushes over VoIP, %d alerts", len(r.apns.calls), len(r.huawei.calls))
	}
}
