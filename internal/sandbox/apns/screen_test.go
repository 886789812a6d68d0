package apns

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// deliver sends a payload to a token, and returns the Seqs of what left the screen with it.
func (r *rig) deliver(client *http.Client, token, pushType, collapse, payload string) []int64 {
	r.t.Helper()
	req := r.request()
	req.URL.Path = "/3/device/" + token
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(payload)), int64(len(payload))
	req.Header.Set("apns-push-type", pushType)
	req.Header.Del("apns-collapse-id")
	if collapse != "" {
		req.Header.Set("apns-collapse-id", collapse)
	}
	if pushType == "voip" {
		req.Header.Set("apns-topic", "com.example.im.voip")
	}
	if got := r.send(client, req); got.status != 200 {
		r.t.Fatalf("%+v; %v", got, r.box.Violations())
	}
	pushes := r.box.Pushes()
	return pushes[len(pushes)-1].Gone
}

// iOS takes an app's notifications off the screen when its badge becomes 0; another number changes
// nothing but the number.
func TestBadgeOfZeroClears(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client := r.conn()
	r.deliver(client, token, "alert", "m-1", good)
	if gone := r.deliver(client, token, "alert", "", `{"aps":{"badge":2}}`); gone != nil {
		t.Errorf("with a badge of 2 %v are gone", gone)
	}
	if gone := r.deliver(client, token, "alert", "", `{"aps":{"badge":0}}`); !slices.Equal(gone, []int64{1}) {
		t.Errorf("with a badge of 0 %v are gone, want the first", gone)
	}
	if shown := r.box.Screen("apns", token); len(shown) != 0 {
		t.Errorf("the phone shows %+v", shown)
	}
}

// What rang over VoIP rings until an alert says that the call is over.
func TestCallScreenEnds(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"cancel", "answer", "reject", "hangup"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			client, voip := r.conn(), strings.Repeat("fedcba9876543210", 4)
			r.deliver(client, voip, "voip", "c-1", `{"aps":{},"call":{"call_id":"c-1","media":"audio","action":"invite","title":"Alice","body":"rings"}}`)
			alert := func(id, action string) []int64 {
				return r.deliver(client, token, "alert", id, `{"aps":{"alert":{"title":"T","body":"B"}},"call":{"call_id":"`+id+`","media":"audio","action":"`+action+`"}}`)
			}
			if gone := alert("c-2", action); gone != nil {
				t.Errorf("the end of another call takes %v away", gone)
			}
			if gone := alert("c-3", "invite"); gone != nil {
				t.Errorf("another invitation takes %v away", gone)
			}
			if shown := r.box.Screen("apns", voip); len(shown) != 1 || !shown[0].Call || shown[0].CallID != "c-1" {
				t.Errorf("the call does not ring: %+v", shown)
			}
			if gone := alert("c-1", action); !slices.Equal(gone, []int64{1}) {
				t.Errorf("with the alert %v are gone, want the call screen", gone)
			}
			if shown := r.box.Screen("apns", voip); len(shown) != 0 {
				t.Errorf("it rings on: %+v", shown)
			}
		})
	}
}
