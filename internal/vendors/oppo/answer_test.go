package oppo

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func interpret(t *testing.T, c *Config, status int, body string, b vendors.Batch) []vendors.Result {
	t.Helper()
	got := newProtocol(c, hostChina).Interpret(vendors.Response{Status: status, Body: []byte(body)}, b)
	if len(got) != len(b.Devices) {
		t.Fatalf("got %d results for %d devices", len(got), len(b.Devices))
	}
	return got
}

// TestEveryCode walks the published list: each code has its reason as the answer to a call and as
// the errorCode of a device, as a number and as text.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	want := map[vendors.Reason]string{
		vendors.Accepted:       "0 32",
		vendors.Unavailable:    "-1",
		vendors.RateLimited:    "-2 13 55",
		vendors.AuthExpired:    "11",
		vendors.BadCredentials: "12 14 15 16 17 18 19 20 21 22 23 24 26 27 28 29 30 54 59 67",
		vendors.QuotaSpent:     "33 34",
		vendors.BadPayload:     "25 31 40 41 51 10004 10005 10006 19999",
		vendors.BadToken:       "10000 10001 10002 10003",
		vendors.Unknown:        "99 -3 20001",
	}
	seen := map[string]bool{}
	for reason, list := range want {
		for _, code := range strings.Fields(list) {
			seen[code] = true
			for _, form := range []string{`{"code":%s,"message":"m"}`, `{"code":"%s","message":"m","data":null}`,
				`{"code":0,"data":[{"messageId":"","registrationId":"` + token(0) + `","errorCode":%s,"errorMessage":"m"}]}`,
				`{"code":0,"data":[{"messageId":"","registrationId":"` + token(0) + `","errorCode":"%s"}]}`} {
				got := interpret(t, config(), 200, fmt.Sprintf(form, code), batch(1, vendortest.Chat()))[0]
				if got.Reason != reason || got.Code != code {
					t.Errorf("code %s in %s: got %v with code %q, want %v", code, form, got.Reason, got.Code, reason)
				}
			}
		}
	}
	for _, row := range codes() {
		if !seen[row.Code] {
			t.Errorf("code %s of the table is not tested", row.Code)
		}
		if row.Meaning.EN == "" {
			t.Errorf("code %s has no meaning", row.Code)
		}
	}
}

// TestFaultCodes sends some codes through the fake and the driver.
func TestFaultCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]vendors.Reason{
		"-1": vendors.Unavailable, "-2": vendors.RateLimited, "55": vendors.RateLimited, "33": vendors.QuotaSpent, "30": vendors.BadCredentials,
		"41": vendors.BadPayload, "10000": vendors.BadToken,
		"11":   vendors.Accepted, // one fresh token, unseen by the caller
		"null": vendors.Accepted, // code 0 with null data
	} {
		r := vendortest.NewRig(t, subject(nil), nil)
		r.Sandbox.Arm(sandbox.Fault{Vendor: "oppo", Kind: sandbox.FaultCode, Code: code, Times: 1})
		if got := r.Driver.Push(context.Background(), r.Batch(1, vendortest.Chat())); got[0].Reason != want {
			t.Errorf("code %s: got %v, want %v", code, got[0].Reason, want)
		}
	}
	// A quota that ends in the middle of a batch.
	r := vendortest.NewRig(t, subject(nil), nil)
	r.Sandbox.Arm(sandbox.Fault{Vendor: "oppo", Kind: sandbox.FaultQuota, Token: token(1)})
	for i, got := range r.Driver.Push(context.Background(), r.Batch(3, vendortest.Chat())) {
		if want := []vendors.Reason{vendors.Accepted, vendors.QuotaSpent, vendors.Accepted}[i]; got.Reason != want {
			t.Errorf("device %d: got %v, want %v", i, got.Reason, want)
		}
	}
}

// TestAnswers reads whole answers for two devices.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const (
		yes  = vendors.Accepted
		dead = vendors.BadToken
	)
	item := func(i int, rest string) string { return `{"registrationId":"` + token(i) + `"` + rest + `}` }
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   [2]vendors.Reason
		split  bool
	}{
		{"success", 200, `{"code":0,"message":"Success","data":[` + item(0, `,"messageId":"a"`) + `,` + item(1, `,"messageId":"b"`) + `]}`, [2]vendors.Reason{yes, yes}, false},
		// Failures hide under code 0, and the order is not promised.
		{"dead_in_any_order", 200, `{"code":0,"data":[` + item(1, `,"messageId":"","errorCode":10000`) + `,` + item(0, `,"messageId":"a"`) + `]}`, [2]vendors.Reason{yes, dead}, false},
		{"error_code_null", 200, `{"code":0,"data":[` + item(1, `,"errorCode":null`) + `,` + item(0, `,"errorCode":0`) + `]}`, [2]vendors.Reason{yes, yes}, false},
		{"other_case", 200, `{"code":0,"data":[` + strings.ToUpper(item(1, `,"errorCode":10000`)) + `,` + item(0, ``) + `]}`, [2]vendors.Reason{yes, dead}, false},
		{"data_null", 200, `{"code":0,"data":null}`, [2]vendors.Reason{yes, yes}, false},
		{"data_absent", 200, `{"code":0}`, [2]vendors.Reason{yes, yes}, false},
		{"data_empty", 200, `{"code":0,"data":[]}`, [2]vendors.Reason{yes, yes}, false},
		{"data_object", 200, `{"code":0,"data":{"messageId":"a"}}`, [2]vendors.Reason{yes, yes}, false},
		// A device that is not named is tried again: its app_message_id makes that safe.
		{"device_missing", 200, `{"code":0,"data":[` + item(0, ``) + `]}`, [2]vendors.Reason{yes, vendors.Unknown}, false},
		{"failed_item_without_token", 200, `{"code":0,"data":[{"errorCode":10000},` + item(0, ``) + `]}`, [2]vendors.Reason{yes, dead}, false},
		{"error_code_that_is_none", 200, `{"code":0,"data":[` + item(0, `,"errorCode":"x y"`) + `,` + item(1, ``) + `]}`, [2]vendors.Reason{vendors.Unknown, yes}, false},
		{"expired_token", 200, `{"code":11,"message":"Invalid AuthToken","data":null}`, [2]vendors.Reason{vendors.AuthExpired, vendors.AuthExpired}, false},
		{"expired_for_one", 200, `{"code":0,"data":[` + item(0, `,"errorCode":"11"`) + `,` + item(1, ``) + `]}`, [2]vendors.Reason{vendors.AuthExpired, yes}, false},
		// Nobody's registration is dropped on a word about the whole call.
		{"bad_token_of_some", 200, `{"code":10000,"message":"Invalid Registration_id"}`, [2]vendors.Reason{dead, dead}, true},
		{"opted_out_of_some", 200, `{"code":10001}`, [2]vendors.Reason{dead, dead}, true},
		{"duplicate_of_some", 200, `{"code":32}`, [2]vendors.Reason{yes, yes}, true},
		// A malformed token of one of them may be meant.
		{"invalid_arguments_of_some", 200, `{"code":41}`, [2]vendors.Reason{vendors.BadPayload, vendors.BadPayload}, true},
		{"invalid_picture_of_all", 200, `{"code":51}`, [2]vendors.Reason{vendors.BadPayload, vendors.BadPayload}, false},
		{"quoted_body", 200, `"{\"code\":33}"`, [2]vendors.Reason{vendors.QuotaSpent, vendors.QuotaSpent}, false},
		{"garbage", 200, "{\"\x00garbage", [2]vendors.Reason{vendors.Unavailable, vendors.Unavailable}, false},
		{"bad_gateway", 502, `<html>`, [2]vendors.Reason{vendors.Unavailable, vendors.Unavailable}, false},
		{"too_many", 429, ``, [2]vendors.Reason{vendors.RateLimited, vendors.RateLimited}, false},
		{"success_under_an_error", 500, `{"code":0}`, [2]vendors.Reason{vendors.Unavailable, vendors.Unavailable}, false},
		{"duplicate_under_an_error", 500, `{"code":32}`, [2]vendors.Reason{vendors.Unavailable, vendors.Unavailable}, false},
		{"unknown_code_under_an_error", 503, `{"code":4711}`, [2]vendors.Reason{vendors.Unavailable, vendors.Unavailable}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for i, got := range interpret(t, config(), c.status, c.body, batch(2, vendortest.Chat())) {
				if got.Reason != cmp.Or(c.want[i], vendors.Unknown) || got.Split != c.split {
					t.Errorf("device %d: got %v (split %v, code %q), want %v", i, got.Reason, got.Split, got.Code, c.want[i])
				}
			}
		})
	}
	single := batch(1, vendortest.Chat())
	for _, body := range []string{`{"code":0,"data":{"messageId":"30712345-1-1-5f"}}`, `{"code":0,"data":[` + item(0, `,"messageId":"30712345-1-1-5f"`) + `]}`} {
		if got := interpret(t, config(), 200, body, single)[0]; got.VendorID != "30712345-1-1-5f" {
			t.Errorf("got vendor id %q", got.VendorID)
		}
	}
	if got := interpret(t, config(), 500, `{"code":32}`, single)[0]; got.Reason == yes {
		t.Error("an HTTP error was taken for an acceptance")
	}
}

// TestDoubledToken: two messages for one device in a call keep their own results; one that OPPO
// calls repeated is tried again.
func TestDoubledToken(t *testing.T) {
	t.Parallel()
	b := batch(2, vendortest.Chat())
	b.Devices[1].Token = token(0)
	body := `{"code":0,"data":[{"registrationId":"` + token(0) + `","messageId":"a"},{"registrationId":"` + token(0) + `","errorCode":10004}]}`
	got := interpret(t, config(), 200, body, b)
	if got[0].Reason != vendors.Accepted || got[1].Reason != vendors.Unknown {
		t.Errorf("got %v and %v, want accepted and unknown", got[0].Reason, got[1].Reason)
	}
	r := vendortest.NewRig(t, subject(nil), nil)
	for i, res := range r.Driver.Push(context.Background(), b) {
		if res.Reason != vendors.Accepted {
			t.Errorf("device %d through the fake: got %v", i, res.Reason)
		}
	}
}

// TestMessagesOwnFault: what a message chose for itself parks nothing; a call that has such
// messages among others is taken apart.
func TestMessagesOwnFault(t *testing.T) {
	t.Parallel()
	note := func(change func(*vendors.Notification)) *vendors.Notification {
		n := vendortest.Chat()
		change(n)
		return n
	}
	plain := note(func(*vendors.Notification) {})
	ordered := note(func(n *vendors.Notification) { n.Android.OPPOCategory = "ORDER" })
	templated := note(func(n *vendors.Notification) { n.Android.OPPOTemplateID = "1002" })
	bare := config()
	bare.TemplateID, bare.TitleParams, bare.ContentParams = "", nil, nil
	for _, c := range []struct {
		name  string
		conf  *Config
		code  int
		notes []*vendors.Notification
		want  vendors.Result
	}{
		{"category", config(), 67, []*vendors.Notification{plain, note(func(*vendors.Notification) {})}, vendors.Result{Reason: vendors.BadCredentials}},
		{"own_category", config(), 67, []*vendors.Notification{ordered}, vendors.Result{Reason: vendors.Refused, Scope: vendors.ScopeNotification}},
		{"own_level", config(), 67, []*vendors.Notification{note(func(n *vendors.Notification) { n.Android.OPPONotifyLevel = 16 })},
			vendors.Result{Reason: vendors.Refused, Scope: vendors.ScopeNotification}},
		{"own_category_among_others", config(), 67, []*vendors.Notification{ordered, plain}, vendors.Result{Reason: vendors.Refused, Scope: vendors.ScopeNotification, Split: true}},
		{"no_template", bare, 54, []*vendors.Notification{plain, plain}, vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeCertificate}},
		{"template", config(), 54, []*vendors.Notification{plain, plain}, vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeKind}},
		{"own_template", config(), 54, []*vendors.Notification{templated}, vendors.Result{Reason: vendors.Refused, Scope: vendors.ScopeNotification}},
		{"own_values", config(), 54, []*vendors.Notification{note(func(n *vendors.Notification) { n.Android.OPPOContentParams = map[string]string{"a": "b"} })},
			vendors.Result{Reason: vendors.Refused, Scope: vendors.ScopeNotification}},
		{"template_of_several", config(), 54, []*vendors.Notification{plain, note(func(*vendors.Notification) {})},
			vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeNotification, Split: true}},
		{"picture_of_several", config(), 51, []*vendors.Notification{plain, note(func(*vendors.Notification) {})}, vendors.Result{Reason: vendors.BadPayload, Split: true}},
	} {
		b := batch(len(c.notes), plain)
		for i, n := range c.notes {
			b.Devices[i].Notification = n
		}
		for i, got := range interpret(t, c.conf, 200, fmt.Sprintf(`{"code":%d}`, c.code), b) {
			if got.Reason != c.want.Reason || got.Scope != c.want.Scope || got.Split != c.want.Split {
				t.Errorf("%s, device %d: got %v, scope %d, split %v; want %v, %d, %v", c.name, i, got.Reason, got.Scope, got.Split, c.want.Reason, c.want.Scope, c.want.Split)
			}
		}
	}
}
