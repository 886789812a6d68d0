package harmony

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

// A recall goes to the app's client id, with the notifyId of what it takes back.
func TestWithdrawRequest(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(), nil)
	w := r.Driver.(vendors.Withdrawer)
	chat := vendortest.Chat()
	r.Driver.Push(t.Context(), r.Batch(2, chat))
	r.Requests.Take()
	if got := w.Withdraw(t.Context(), r.Batch(2, vendortest.Overwrite(chat))); got[0].Reason != vendors.Accepted || got[1].Reason != vendors.Accepted {
		t.Fatalf("got %+v; broken rules %v", got, r.Sandbox.Violations())
	}
	sent := r.Requests.Take()[0]
	for _, want := range []string{"POST /v1/" + testClient + "/messages:revoke\n", "Push-Type: 0\n", `"notifyId": `, token(0), token(1)} {
		if !strings.Contains(sent, want) {
			t.Errorf("%q is not in\n%s", want, sent)
		}
	}
}

// A dead token is told apart, and never called a dead registration.
func TestWithdrawWithDeadToken(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(), nil)
	w := r.Driver.(vendors.Withdrawer)
	chat := vendortest.Chat()
	r.Driver.Push(t.Context(), r.Batch(2, chat))
	r.Sandbox.Kill("harmony", token(1))
	got := w.Withdraw(t.Context(), r.Batch(2, vendortest.Overwrite(chat)))
	if got[0].Reason != vendors.Accepted || got[1].Reason != vendors.Unknown {
		t.Errorf("got %+v", got)
	}
	if got := w.Withdraw(t.Context(), vendors.Batch{Now: vendortest.Now, Devices: r.Batch(2, vendortest.Overwrite(chat)).Devices[1:]}); got[0].Reason != vendors.NotDisplayed {
		t.Errorf("got %+v", got)
	}
}

// A token that grew old is renewed once; what is refused even so is the answer.
func TestWithdrawRenewsItsToken(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(), nil)
	w := r.Driver.(vendors.Withdrawer)
	chat := vendortest.Chat()
	r.Driver.Push(t.Context(), r.Batch(1, chat))
	r.Sandbox.Arm(sandbox.Fault{Vendor: "harmony", Kind: sandbox.FaultExpiredAuth, Times: 1})
	if got := w.Withdraw(t.Context(), r.Batch(1, vendortest.Overwrite(chat))); got[0].Reason != vendors.Accepted {
		t.Errorf("got %+v", got)
	}
}

// Without a client id there is nothing to withdraw with.
func TestNoWithdrawerWithoutClientID(t *testing.T) {
	t.Parallel()
	s := subject()
	s.Config = func(endpoint, caFile string) vendors.Config {
		c := config(endpoint, caFile)
		c.ClientID = ""
		return c
	}
	if _, ok := vendortest.NewRig(t, s, nil).Driver.(vendors.Withdrawer); ok {
		t.Error("the driver says that it withdraws")
	}
}

func TestRevokedUnreadable(t *testing.T) {
	t.Parallel()
	p := &revoker{testWire(t)}
	for _, resp := range []vendors.Response{{Status: http.StatusBadGateway}, {Status: 200, Body: []byte("<html>")}, {Status: 200, Body: body("80100020", "{}")}} {
		for _, got := range p.Revoked(resp, batch("tokA", "tokB")) {
			if got.Reason == vendors.Accepted || got.Reason == vendors.BadToken {
				t.Errorf("HTTP %d %q: got %+v", resp.Status, resp.Body, got)
			}
		}
	}
}
