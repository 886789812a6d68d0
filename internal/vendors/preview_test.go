package vendors_test

import (
	"net/url"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// The hash is a promise: apps find a conversation's notifications by it.
func TestIDsAreHashedWhereNothingIsShown(t *testing.T) {
	t.Parallel()
	n := &vendors.Notification{Conversation: "c2c_alice", MessageID: "m-1", Call: &hongyan.Call{Media: hongyan.CallAudio, Action: hongyan.CallInvite, ID: "call-7"}}
	for _, p := range []hongyan.Preview{"", hongyan.PreviewFull, hongyan.PreviewSender} {
		n.Preview = p
		if c, m := n.IDs(); c != "c2c_alice" || m != "m-1" || n.CallStep() != n.Call {
			t.Errorf("%q: got %s, %s, %v", p, c, m, n.CallStep())
		}
	}
	n.Preview = hongyan.PreviewNone
	conversation, message := n.IDs()
	if conversation != "d3d90e8ad6fd7f71529d679a4e3b5757" || len(message) != 32 || message == conversation {
		t.Errorf("got %s, %s", conversation, message)
	}
	call := n.CallStep()
	if call.ID == "call-7" || len(call.ID) != 32 || call.Media != hongyan.CallAudio || call.Action != hongyan.CallInvite || n.Call.ID != "call-7" {
		t.Errorf("got %+v of %+v", call, n.Call)
	}
	if got := vendors.Expand("im://{conversation}/{message}", n, url.QueryEscape); got != "im://"+conversation+"/"+message {
		t.Errorf("got %s", got)
	}
	if c, m := (&vendors.Notification{Preview: hongyan.PreviewNone}).IDs(); c != "" || m != "" {
		t.Errorf("an absent id is %q, %q", c, m)
	}
}
