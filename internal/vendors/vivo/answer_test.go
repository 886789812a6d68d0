package vivo

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func ok(body string) vendors.Response {
	return vendors.Response{Status: http.StatusOK, Body: []byte(body)}
}

// Every code of the table, in the answer to a single push, to a stored content and to a login.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	want := map[vendors.Reason]string{
		vendors.Accepted:       "0",
		vendors.AuthExpired:    "10000",
		vendors.Unavailable:    "10040 10152 10155",
		vendors.BadCredentials: "10096 10097 10043 10045 10094 10200 10201 10202 10203 10204 10205 10206 10207",
		vendors.BadPayload: "10050 10051 10054 10055 10056 10057 10058 10059 10060 10061 10062 10063 10064 10065 10066 10067 10068 10069 " +
			"10095 10150 10151 10153 10154 10301 10304 10305 10306 10352 10353 10471 10473 10800 10801 11000",
		vendors.QuotaSpent:   "10070 10073 10252 10254",
		vendors.RateLimited:  "10072 10093",
		vendors.Refused:      "10071 10082 10085 10103 10104",
		vendors.BadToken:     "10302",
		vendors.NotDisplayed: "10311",
	}
	w := wireOf(t, nil)
	seen := 0
	for reason, list := range want {
		for _, code := range strings.Fields(list) {
			seen++
			resp := ok(`{"result":` + code + `,"desc":"x","taskId":"7","authToken":"t"}`)
			got := w.Interpret(resp, batchOf(vendortest.Chat(), "a"))[0]
			if got.Reason != reason || got.Code != code || (got.Err == nil) != (reason == vendors.Accepted) {
				t.Errorf("single %s: got %+v, want %v", code, got, reason)
			}
			if rephrase := code == "10104" || code == "10085"; got.Rephrase != rephrase {
				t.Errorf("single %s: rephrase is %v", code, got.Rephrase)
			}
			handle, prepared := w.Prepared(resp, batchOf(vendortest.Chat(), "a", "b"))
			if prepared.Reason != reason || (handle == "7") != (reason == vendors.Accepted) {
				t.Errorf("stored content %s: got %q, %+v, want %v", code, handle, prepared, reason)
			}
			token, login := w.InterpretToken(resp, vendortest.Now)
			switch login.Reason {
			case vendors.Accepted, vendors.RateLimited, vendors.Unavailable, vendors.QuotaSpent, vendors.BadCredentials:
			default:
				t.Errorf("login %s: got %v, which no login can mean", code, login.Reason)
			}
			if (token.Value != "") != (reason == vendors.Accepted) || login.Rephrase {
				t.Errorf("login %s: got %+v, %+v", code, token, login)
			}
		}
	}
	for _, row := range codes() {
		if row.Level == "" {
			seen--
		}
	}
	if seen != 0 {
		t.Errorf("%d codes of the table are not in this test", -seen)
	}
}

func TestUnknownCodeIsVisible(t *testing.T) {
	t.Parallel()
	got := wireOf(t, nil).Interpret(ok(`{"result":19999,"desc":"张三"}`), batchOf(vendortest.Chat(), "a", "b"))
	for _, r := range got {
		if r.Reason != vendors.Unknown || r.Code != "19999" || r.Err == nil || strings.Contains(r.Err.Error(), "张三") {
			t.Errorf("got %+v", r)
		}
	}
}

// vivo documents that a repeated requestId is dropped and no code for it; the push was taken the
// first time.
func TestRepeatedRequestIDIsAccepted(t *testing.T) {
	t.Parallel()
	if got := wireOf(t, nil).Interpret(ok(`{"result":19999,"desc":"requestId重复"}`), batchOf(vendortest.Chat(), "a"))[0]; got.Reason != vendors.Accepted {
		t.Errorf("got %+v", got)
	}
}

// The status decides over a device, and in test mode no token is ever given up.
func TestDeviceStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[string][2]vendors.Reason{ // formal, test mode
		`1`:    {vendors.BadToken, vendors.NotDisplayed},
		`2`:    {vendors.BadToken, vendors.NotDisplayed},
		`"2"`:  {vendors.BadToken, vendors.NotDisplayed},
		`3`:    {vendors.NotDisplayed, vendors.NotDisplayed},
		`4`:    {vendors.NotDisplayed, vendors.NotDisplayed},
		`9`:    {vendors.Unknown, vendors.Unknown},
		`null`: {vendors.Unknown, vendors.Unknown},
	} {
		for i, testMode := range []bool{false, true} {
			w := wireOf(t, func(c *Config) { c.TestMode = testMode })
			single := fmt.Sprintf(`{"result":10302,"desc":"regId不合法","invalidUser":{"status":%s,"userid":"v2-a"}}`, status)
			if got := w.Interpret(ok(single), batchOf(vendortest.Chat(), "a"))[0]; got.Reason != want[i] {
				t.Errorf("status %s, test mode %v: single got %v, want %v", status, testMode, got.Reason, want[i])
			}
			list := fmt.Sprintf(`{"result":0,"requestId":"b","invalidUsers":[{"status":%s,"userid":"v2-b"}]}`, status)
			b := batchOf(vendortest.Chat(), "a", "b", "c")
			b.Prepared = "700"
			got := w.Interpret(ok(list), b)
			if got[0].Reason != vendors.Accepted || got[0].VendorID != "700" || got[1].Reason != want[i] || got[2].Reason != vendors.Accepted {
				t.Errorf("status %s, test mode %v: list got %+v", status, testMode, got)
			}
		}
	}
}

// A bare 10302 is a dead token for a single formal push only.
func TestBareBadDevice(t *testing.T) {
	t.Parallel()
	body := ok(`{"result":10302,"desc":"regId不合法"}`)
	if got := wireOf(t, nil).Interpret(body, batchOf(vendortest.Chat(), "a"))[0]; got.Reason != vendors.BadToken {
		t.Errorf("formal: got %+v", got)
	}
	testing := wireOf(t, func(c *Config) { c.TestMode = true })
	if got := testing.Interpret(body, batchOf(vendortest.Chat(), "a"))[0]; got.Reason != vendors.NotDisplayed {
		t.Errorf("test mode: got %+v", got)
	}
	for _, got := range wireOf(t, nil).Interpret(body, batchOf(vendortest.Chat(), "a", "b")) {
		if got.Reason != vendors.Unknown || !got.ProbeSingly {
			t.Errorf("list: got %+v", got)
		}
	}
	// Under such a code the devices that are named are known all the same.
	named := ok(`{"result":10302,"invalidUsers":[{"status":2,"userid":"v2-b"}]}`)
	if got := wireOf(t, nil).Interpret(named, batchOf(vendortest.Chat(), "a", "b")); !got[0].ProbeSingly || got[1].Reason != vendors.BadToken {
		t.Errorf("list with a name: got %+v", got)
	}
}

func TestUnreadableAnswers(t *testing.T) {
	t.Parallel()
	w := wireOf(t, nil)
	for name, c := range map[string]struct {
		resp vendors.Response
		want vendors.Reason
	}{
		"crash":             {vendors.Response{Status: 500, Body: []byte("Internet server error!")}, vendors.Unavailable},
		"empty":             {ok(""), vendors.Unavailable},
		"no_result":         {ok("{}"), vendors.Unavailable},
		"html":              {ok("<html>"), vendors.Unavailable},
		"word":              {ok(`{"result":"OK"}`), vendors.Unavailable},
		"proxy_429":         {vendors.Response{Status: 429}, vendors.RateLimited},
		"success_under_500": {vendors.Response{Status: 500, Body: []byte(`{"result":0}`)}, vendors.Unavailable},
	} {
		if got := w.Interpret(c.resp, batchOf(vendortest.Chat(), "a"))[0]; got.Reason != c.want {
			t.Errorf("%s: got %+v, want %v", name, got, c.want)
		}
		if _, got := w.Prepared(c.resp, batchOf(vendortest.Chat(), "a", "b")); got.Reason != c.want {
			t.Errorf("%s, stored content: got %+v, want %v", name, got, c.want)
		}
	}
	if handle, got := w.Prepared(ok(`{"result":0}`), batchOf(vendortest.Chat(), "a", "b")); handle != "" || got.Reason != vendors.Unavailable {
		t.Errorf("a stored content without taskId: got %q, %+v", handle, got)
	}
}

// The token is used for an hour of its 24: vivo asks for a renewal every one or two hours.
func TestInterpretToken(t *testing.T) {
	t.Parallel()
	w := wireOf(t, nil)
	token, got := w.InterpretToken(ok(`{"result":0,"desc":"请求成功","authToken":"tok-1"}`), vendortest.Now)
	if got.Reason != vendors.Accepted || token.Value != "tok-1" || !token.Expires.Equal(vendortest.Now.Add(time.Hour)) {
		t.Errorf("got %+v, %+v", token, got)
	}
	for name, c := range map[string]struct {
		resp vendors.Response
		want vendors.Reason
	}{
		"no_token":     {ok(`{"result":0}`), vendors.Unavailable},
		"too_fast":     {ok(`{"result":10093}`), vendors.RateLimited},
		"wrong_sign":   {ok(`{"result":10206}`), vendors.BadCredentials},
		"unknown_code": {ok(`{"result":19999}`), vendors.BadCredentials},
		"crash":        {vendors.Response{Status: 500}, vendors.Unavailable},
		"forbidden":    {vendors.Response{Status: 401}, vendors.BadCredentials},
	} {
		if _, got := w.InterpretToken(c.resp, vendortest.Now); got.Reason != c.want || got.Err == nil {
			t.Errorf("%s: got %+v, want %v", name, got, c.want)
		}
	}
}
