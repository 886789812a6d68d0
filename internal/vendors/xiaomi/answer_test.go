package xiaomi

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

func interpret(t *testing.T, status int, body string, b vendors.Batch) []vendors.Result {
	t.Helper()
	got := newProtocol(config()).Interpret(vendors.Response{Status: status, Body: []byte(body)}, b)
	if len(got) != len(b.Devices) {
		t.Fatalf("got %d results for %d devices", len(got), len(b.Devices))
	}
	return got
}

// TestEveryCode walks the published list: each code, alone in a call, has its reason.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	want := map[vendors.Reason]string{
		vendors.Accepted:    "0",
		vendors.Unavailable: "-1 1 10001 10002 10003 10009 10010 10011 10037 20607 22102 26003 65029",
		vendors.BadCredentials: "10004 10005 10006 10013 10014 10020 10021 10036 21301 21302 21303 " +
			"22000 22001 22002 22003 22004 22005 22006 22007 22008 22020 22021 22022 26006 27001 10041",
		vendors.BadPayload: "100 10007 10008 10012 10016 10017 10018 10025 20209 20215 20216 20301 20315 21305 22100 22103 " +
			"65006 65007 65008 65009 65010 65011 65012 65013 65014 65015 65016 65017 65028 65030 65035 65036 65037 65038 65040 65041",
		vendors.RateLimited:  "10022 10023 10024 10027 10028 10030 10032 10039 22101 26004 26005 200002",
		vendors.QuotaSpent:   "10034 200001",
		vendors.BadToken:     "66007",
		vendors.NotDisplayed: "65003 10029",
		// A blacklisted app is a decision of Xiaomi's, which no probe of the certificate would
		// lift.
		vendors.Refused: "10026 10031 10033 10038",
		vendors.Unknown: "10035 99999",
	}
	seen := map[string]bool{}
	for reason, list := range want {
		for _, code := range strings.Fields(list) {
			seen[code] = true
			result := "error"
			if code == "0" {
				result = "ok"
			}
			// The code comes as a number; a string is read as well.
			for _, form := range []string{`%s`, `"%s"`} {
				body := fmt.Sprintf(`{"result":"`+result+`","trace_id":"X","code":`+form+`,"description":"d","reason":"r"}`, code)
				got := interpret(t, 200, body, batch(1, vendortest.Chat()))[0]
				if got.Reason != reason || got.Code != code {
					t.Errorf("code %s: got %v with code %q, want %v", code, got.Reason, got.Code, reason)
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
		"10002": vendors.Unavailable, "21301": vendors.BadCredentials, "10031": vendors.Refused, "200001": vendors.QuotaSpent, "66007": vendors.BadToken, "20301": vendors.BadPayload,
	} {
		r := vendortest.NewRig(t, subject(), nil)
		r.Sandbox.Arm(sandbox.Fault{Vendor: "xiaomi", Kind: sandbox.FaultCode, Code: code, Times: 1})
		if got := r.Driver.Push(context.Background(), r.Batch(1, vendortest.Chat())); got[0].Reason != want {
			t.Errorf("code %s: got %v, want %v", code, got[0].Reason, want)
		}
		if got := r.Driver.Push(context.Background(), r.Batch(1, vendortest.Chat())); got[0].Reason != vendors.Accepted {
			t.Errorf("after code %s: got %v, want accepted", code, got[0].Reason)
		}
	}
}

// TestAnswers reads whole answers, for three devices with the same notification unless told
// otherwise.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const (
		yes = vendors.Accepted
		bad = vendors.BadToken
	)
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   [3]vendors.Reason
		split  bool
	}{
		{"success", 200, `{"result":"ok","trace_id":"X","code":0,"data":{"id":"scm12345678901234567cd","day_quota":"50000","day_acked":"120"}}`,
			[3]vendors.Reason{yes, yes, yes}, false},
		{"no_data", 200, `{"result":"ok","code":0}`, [3]vendors.Reason{yes, yes, yes}, false},
		// Code 0 does not mean that all tokens were good.
		{"bad_regids", 200, `{"result":"ok","code":0,"data":{"id":"s","bad_regids":"` + token(1) + `, ` + token(2) + `"}}`, [3]vendors.Reason{yes, bad, bad}, false},
		{"bad_regIds", 200, `{"result":"ok","code":0,"data":{"id":"s","bad_regIds":"` + token(0) + `,"}}`, [3]vendors.Reason{bad, yes, yes}, false},
		{"bad_regids_as_array", 200, `{"result":"ok","code":0,"data":{"bad_regids":["` + token(0) + `"]}}`, [3]vendors.Reason{bad, yes, yes}, false},
		{"bad_regids_of_strangers", 200, `{"result":"ok","code":0,"data":{"bad_regids":"else"}}`, [3]vendors.Reason{yes, yes, yes}, false},
		{"all_bad", 200, `{"result":"error","reason":"No valid targets!","trace_id":"X","code":20301,"description":"发送消息失败"}`, [3]vendors.Reason{bad, bad, bad}, false},
		// 20301 is generic: without that reason it says nothing about tokens.
		{"send_failed", 200, `{"result":"error","reason":"Unknown","code":20301}`,
			[3]vendors.Reason{vendors.BadPayload, vendors.BadPayload, vendors.BadPayload}, false},
		// One of three is meant: the call is taken apart, and nobody's token is dropped on it.
		{"invalid_token_of_some_device", 200, `{"result":"error","code":66007}`, [3]vendors.Reason{bad, bad, bad}, true},
		{"illegal_device_of_some", 200, `{"result":"error","code":10029}`, [3]vendors.Reason{vendors.NotDisplayed, vendors.NotDisplayed, vendors.NotDisplayed}, true},
		{"offline_device_of_some", 200, `{"result":"error","code":65003}`, [3]vendors.Reason{vendors.NotDisplayed, vendors.NotDisplayed, vendors.NotDisplayed}, true},
		{"body_too_long", 200, `{"result":"error","code":10018}`, [3]vendors.Reason{vendors.BadPayload, vendors.BadPayload, vendors.BadPayload}, true},
		{"body_too_long_by_status", 413, `{"result":"error","code":10018}`, [3]vendors.Reason{vendors.BadPayload, vendors.BadPayload, vendors.BadPayload}, true},
		// All three have one notification, so it is everybody's.
		{"illegal_value", 200, `{"result":"error","code":10017}`, [3]vendors.Reason{vendors.BadPayload, vendors.BadPayload, vendors.BadPayload}, false},
		{"quota", 200, `{"result":"error","code":200001,"reason":"exceed quota, quota: 50000, have acked: 50001"}`,
			[3]vendors.Reason{vendors.QuotaSpent, vendors.QuotaSpent, vendors.QuotaSpent}, false},
		{"code_0_of_an_error", 200, `{"result":"error","code":0}`, [3]vendors.Reason{}, false},
		{"code_0_without_result", 200, `{"code":0}`, [3]vendors.Reason{}, false},
		{"wrong_secret_by_status", 401, `nope`, [3]vendors.Reason{vendors.BadCredentials, vendors.BadCredentials, vendors.BadCredentials}, false},
		{"wrong_secret_by_code", 401, `{"result":"error","code":21301,"description":"认证失败","reason":"Invalid application secret."}`,
			[3]vendors.Reason{vendors.BadCredentials, vendors.BadCredentials, vendors.BadCredentials}, false},
		{"forbidden", 403, ``, [3]vendors.Reason{vendors.BadCredentials, vendors.BadCredentials, vendors.BadCredentials}, false},
		{"too_many", 429, `{}`, [3]vendors.Reason{vendors.RateLimited, vendors.RateLimited, vendors.RateLimited}, false},
		{"bad_gateway", 502, `<html>`, [3]vendors.Reason{vendors.Unavailable, vendors.Unavailable, vendors.Unavailable}, false},
		{"success_under_an_error", 500, `{"result":"ok","code":0}`, [3]vendors.Reason{vendors.Unavailable, vendors.Unavailable, vendors.Unavailable}, false},
		{"unknown_code_under_an_error", 503, `{"code":4711}`, [3]vendors.Reason{vendors.Unavailable, vendors.Unavailable, vendors.Unavailable}, false},
		{"garbage", 200, "{\"\x00garbage", [3]vendors.Reason{vendors.Unavailable, vendors.Unavailable, vendors.Unavailable}, false},
		{"data_is_text", 200, `{"result":"ok","code":0,"data":"scm1"}`, [3]vendors.Reason{yes, yes, yes}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for i, got := range interpret(t, c.status, c.body, batch(3, vendortest.Chat())) {
				if got.Reason != cmp.Or(c.want[i], vendors.Unknown) || got.Split != c.split {
					t.Errorf("device %d: got %v (split %v, code %q), want %v", i, got.Reason, got.Split, got.Code, c.want[i])
				}
			}
		})
	}
	if got := interpret(t, 200, `{"result":"ok","code":0,"data":{"id":"scm1"}}`, batch(1, vendortest.Chat()))[0]; got.VendorID != "scm1" {
		t.Errorf("got vendor id %q", got.VendorID)
	}
}

// mixed has two devices on the private channel and one on the public.
func mixed() vendors.Batch {
	b := batch(3, vendortest.Chat())
	other := vendortest.Chat()
	other.Key, other.Android.XiaomiChannelID = "fedcba9876543210fedcba9876543210", "im_public"
	b.Devices[1].Notification = other
	return b
}

// TestChannelExceedsQuota: multi_messages answers code 0 and counts what went over, by channel.
func TestChannelExceedsQuota(t *testing.T) {
	t.Parallel()
	const (
		yes   = vendors.Accepted
		spent = vendors.QuotaSpent
	)
	for _, c := range []struct {
		name, exceeded string
		want           [3]vendors.Reason
	}{
		{"one_channel", "im_public:1", [3]vendors.Reason{yes, spent, yes}},
		{"two_channels", "im_private:2 im_public:1", [3]vendors.Reason{spent, spent, spent}},
		// One of two went over and the answer does not say which: both are kept for tomorrow, and
		// the phone drops the repeat.
		{"part_of_a_channel", "im_private:1", [3]vendors.Reason{spent, yes, spent}},
		{"none_over", "im_private:0", [3]vendors.Reason{yes, yes, yes}},
		{"a_channel_of_nobody", "no_channel:2", [3]vendors.Reason{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, got := range interpret(t, 200, `{"result":"ok","code":0,"data":{"id":"s","channel_exceed_quota":"`+c.exceeded+`"}}`, mixed()) {
				if got.Reason != cmp.Or(c.want[i], vendors.Unknown) {
					t.Errorf("device %d: got %v, want %v", i, got.Reason, c.want[i])
				}
			}
		})
	}
	r := vendortest.NewRig(t, subject(), nil)
	b := mixed()
	r.Sandbox.Arm(sandbox.Fault{Vendor: "xiaomi", Kind: sandbox.FaultQuota, Token: b.Devices[1].Token})
	r.Sandbox.Kill("xiaomi", b.Devices[2].Token)
	for i, got := range r.Driver.Push(context.Background(), b) {
		if want := []vendors.Reason{yes, spent, vendors.BadToken}[i]; got.Reason != want {
			t.Errorf("device %d through the fake: got %v (code %s), want %v", i, got.Reason, got.Code, want)
		}
	}
}

// TestNoChannelExceedsQuota: devices without a channel are counted as no_channel.
func TestNoChannelExceedsQuota(t *testing.T) {
	t.Parallel()
	c := config()
	c.ChannelID = ""
	body := []byte(`{"result":"ok","code":0,"data":{"channel_exceed_quota":"no_channel:2 a:3"}}`)
	got := newProtocol(c).Interpret(vendors.Response{Status: 200, Body: body}, mixed())
	for i, want := range []vendors.Reason{vendors.QuotaSpent, vendors.Accepted, vendors.QuotaSpent} {
		if got[i].Reason != want {
			t.Errorf("device %d: got %v, want %v", i, got[i].Reason, want)
		}
	}
}

// TestWrongChannel: a message that named a wrong channel or template is refused and parks nothing;
// the certificate's own parks it, and one of a kind of messages that kind. A call that has several
// is taken apart.
func TestWrongChannel(t *testing.T) {
	t.Parallel()
	own := func(change func(*vendors.Notification)) vendors.Batch {
		n := vendortest.Chat()
		change(n)
		return batch(1, n)
	}
	kinds := config()
	kinds.Channels.Group = "im_public"
	for _, c := range []struct {
		name  string
		conf  *Config
		code  string
		batch vendors.Batch
		want  vendors.Result
	}{
		{"channel", config(), "27001", batch(1, vendortest.Chat()), vendors.Result{Reason: vendors.BadCredentials}},
		{"channel_of_several", config(), "27001", batch(3, vendortest.Chat()), vendors.Result{Reason: vendors.BadCredentials}},
		{"channel_of_a_kind", kinds, "27001", batch(1, vendortest.Chat()), vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeKind}},
		{"channel_of_the_message", config(), "27001", own(func(n *vendors.Notification) { n.Android.XiaomiChannelID = "im_public" }),
			vendors.Result{Reason: vendors.Refused, Scope: vendors.ScopeNotification}},
		{"channels_of_several", config(), "27001", mixed(), vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeNotification, Split: true}},
		{"template", config(), "10041", batch(3, vendortest.Chat()), vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeKind}},
		{"template_of_the_message", config(), "10041", own(func(n *vendors.Notification) { n.Android.XiaomiTemplateID = "P1" }),
			vendors.Result{Reason: vendors.Refused, Scope: vendors.ScopeNotification}},
		{"values_of_the_message", config(), "10041", own(func(n *vendors.Notification) { n.Android.XiaomiTemplateParams = map[string]string{"keywords1": "x"} }),
			vendors.Result{Reason: vendors.Refused, Scope: vendors.ScopeNotification}},
		{"template_of_several", config(), "10041", mixed(), vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeNotification, Split: true}},
		// Nobody knows whose.
		{"value_of_several", config(), "10017", mixed(), vendors.Result{Reason: vendors.BadPayload, Split: true}},
		{"new_code_of_several", config(), "4711", mixed(), vendors.Result{Reason: vendors.Unknown, Split: true}},
	} {
		body := fmt.Sprintf(`{"result":"error","code":%s,"reason":"x"}`, c.code)
		for i, got := range newProtocol(c.conf).Interpret(vendors.Response{Status: 200, Body: []byte(body)}, c.batch) {
			if got.Reason != c.want.Reason || got.Scope != c.want.Scope || got.Split != c.want.Split {
				t.Errorf("%s, device %d: got %v, scope %d, split %v; want %v, %d, %v", c.name, i, got.Reason, got.Scope, got.Split, c.want.Reason, c.want.Scope, c.want.Split)
			}
		}
	}
}

// TestConfiguredCodes: the configuration's codes win over the table's.
func TestConfiguredCodes(t *testing.T) {
	t.Parallel()
	c := config()
	c.Codes = map[string]vendors.Reason{"4711": vendors.Unavailable, "10017": vendors.Refused}
	for code, want := range map[string]vendors.Reason{"4711": vendors.Unavailable, "10017": vendors.Refused, "10008": vendors.BadPayload} {
		got := newProtocol(c).Interpret(vendors.Response{Status: 200, Body: []byte(`{"result":"error","code":` + code + `}`)}, batch(1, vendortest.Chat()))[0]
		if got.Reason != want {
			t.Errorf("code %s: got %v, want %v", code, got.Reason, want)
		}
	}
}
