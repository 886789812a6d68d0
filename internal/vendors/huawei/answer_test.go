package huawei

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	fake "github.com/hongyan-im/hongyan/internal/sandbox/huawei"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func testWire(t testing.TB) *protocol {
	t.Helper()
	p, err := newProtocol(config("", ""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func batch(tokens ...string) vendors.Batch {
	b := vendors.Batch{Now: vendortest.Now}
	note := vendortest.Chat()
	for i, tok := range tokens {
		b.Devices = append(b.Devices, vendors.Device{Token: tok, Key: fmt.Sprintf("%032x", i), Notification: note})
	}
	return b
}

func body(code, msg string) []byte {
	b, _ := json.Marshal(map[string]string{"code": code, "msg": msg, "requestId": "157440955549500001002006"})
	return b
}

// Every code of the table, through the door it comes in by.
func TestCodes(t *testing.T) {
	t.Parallel()
	p := testWire(t)
	for _, c := range codes() {
		t.Run(c.Level+"_"+c.Code, func(t *testing.T) {
			var got vendors.Result
			switch c.Level {
			case "":
				msg := c.Meaning.EN
				if c.Code == pushkit.CodePartial {
					msg = `{"success":0,"failure":1,"illegal_tokens":["tokA"]}`
				}
				status := http.StatusBadRequest
				if c.Code == pushkit.CodeSuccess {
					status = http.StatusOK
				}
				got = p.Interpret(vendors.Response{Status: status, Body: body(c.Code, msg)}, batch("tokA"))[0]
				if got.VendorID != "157440955549500001002006" {
					t.Errorf("the request id is %q", got.VendorID)
				}
			case levelHTTP:
				var status int
				_, _ = fmt.Sscanf(c.Code, "HTTP %d", &status)
				got = p.Interpret(vendors.Response{Status: status}, batch("tokA"))[0]
			case levelOAuth:
				var status, code, sub int
				answer := []byte("<html>")
				if _, err := fmt.Sscanf(c.Code, "HTTP %d", &status); err != nil {
					_, _ = fmt.Sscanf(c.Code, "%d/%d", &code, &sub)
					status, answer = 400, fmt.Appendf(nil, `{"error":%d,"sub_error":%d,"error_description":"x"}`, code, sub)
				}
				_, got = p.InterpretToken(vendors.Response{Status: status, Body: answer}, vendortest.Now)
			}
			if got.Reason != c.Reason || got.Code != c.Code {
				t.Errorf("got %v %q, want %v %q", got.Reason, got.Code, c.Reason, c.Code)
			}
			if got.Reason != vendors.Accepted && got.Err == nil {
				t.Error("says nothing to a person")
			}
		})
	}
}

func TestInterpretAnswers(t *testing.T) {
	t.Parallel()
	p := testWire(t)
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   vendors.Reason
		code   string
	}{
		{"code_as_number", 200, `{"code":80000000,"msg":"Success"}`, vendors.Accepted, "80000000"},
		{"unknown_code", 200, `{"code":"80999999","msg":"?"}`, vendors.Unknown, "80999999"},
		{"unknown_code_400", 400, `{"code":"80999999","msg":"?"}`, vendors.Unknown, "80999999"},
		{"unknown_code_500", 500, `{"code":"80999999","msg":"?"}`, vendors.Unavailable, "80999999"},
		// What comes from something between us and Huawei is no acceptance.
		{"success_under_500", 500, `{"code":"80000000","msg":"Success"}`, vendors.Unknown, "80000000"},
		{"flow_control_with_json", 503, `{"code":"81000001","msg":"busy"}`, vendors.RateLimited, "HTTP 503"},
		{"flow_control_empty", 503, ``, vendors.RateLimited, "HTTP 503"},
		{"code_is_text", 200, `{"code":"ok","msg":"Success"}`, vendors.Unavailable, "HTTP 200"},
		{"no_code", 200, `{"msg":"Success"}`, vendors.Unavailable, "HTTP 200"},
		{"not_json", 200, `<html>`, vendors.Unavailable, "HTTP 200"},
		{"redirect", 302, ``, vendors.Unavailable, "HTTP 302"},
		{"gateway", 504, `<html>`, vendors.Unavailable, "HTTP 504"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := p.Interpret(vendors.Response{Status: c.status, Body: []byte(c.body)}, batch("tokA"))
			if len(got) != 1 || got[0].Reason != c.want || got[0].Code != c.code {
				t.Errorf("got %+v, want %v %q", got, c.want, c.code)
			}
		})
	}
}

// A partial success is taken apart token by token, and the good ones are not sent again.
func TestPartialSuccess(t *testing.T) {
	t.Parallel()
	p := testWire(t)
	const ok, bad, unk = vendors.Accepted, vendors.BadToken, vendors.Unknown
	for _, c := range []struct {
		name   string
		status int
		body   []byte
		want   []vendors.Reason
	}{
		{"as_documented", 200, body(pushkit.CodePartial, `{"success":3,"failure":1,"illegal_tokens":["tokB"]}`), []vendors.Reason{ok, bad, ok, bad}},
		{"msg_is_object", 200, []byte(`{"code":"80100000","msg":{"success":3,"failure":1,"illegal_tokens":["tokA","tokC"]}}`), []vendors.Reason{bad, ok, bad, ok}},
		{"stranger_among_illegal", 200, body(pushkit.CodePartial, `{"success":3,"failure":2,"illegal_tokens":["tokB","tokX"]}`), []vendors.Reason{ok, bad, ok, bad}},
		// Nobody knows which failed: all again; the repeats replace themselves on the screen.
		{"names_nobody", 200, body(pushkit.CodePartial, `{"success":3,"failure":1,"illegal_tokens":[]}`), []vendors.Reason{unk, unk, unk, unk}},
		{"plain_text", 200, body(pushkit.CodePartial, `partial success`), []vendors.Reason{unk, unk, unk, unk}},
		{"cut_off", 200, body(pushkit.CodePartial, `{"success":3,"failure":1,"illegal_tokens":["tokB"`), []vendors.Reason{unk, unk, unk, unk}},
		// Not documented. The dead one is believed, the others are not taken for accepted.
		{"under_http_400", 400, body(pushkit.CodePartial, `{"success":3,"failure":1,"illegal_tokens":["tokB"]}`), []vendors.Reason{unk, bad, unk, bad}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// tokB stands twice: it is sent once, and both get its result.
			got := p.Interpret(vendors.Response{Status: c.status, Body: c.body}, batch("tokA", "tokB", "tokC", "tokB"))
			for i, want := range c.want {
				if got[i].Reason != want {
					t.Errorf("device %d: got %v, want %v", i, got[i].Reason, want)
				}
			}
		})
	}
}

// 80300007 also comes for an app that is set up wrongly, so a batch is not dropped on the vendor's
// first word.
func TestAllInvalidGuard(t *testing.T) {
	t.Parallel()
	p := testWire(t)
	resp := vendors.Response{Status: 400, Body: body(pushkit.CodeAllInvalid, "All the tokens are invalid")}
	if got := p.Interpret(resp, batch("tokA"))[0]; got.Reason != vendors.BadToken || got.ProbeSingly {
		t.Errorf("single: %+v", got)
	}
	// The same token twice is a single one.
	if got := p.Interpret(resp, batch("tokA", "tokA"))[1]; got.Reason != vendors.BadToken || got.ProbeSingly {
		t.Errorf("twice the same: %+v", got)
	}
	for i, got := range p.Interpret(resp, batch("tokA", "tokB")) {
		if got.Reason != vendors.Unknown || !got.ProbeSingly {
			t.Errorf("batch, device %d: %+v", i, got)
		}
	}
}

// Behind the guard a few calls with single devices decide.
func TestAllInvalidProbes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		n     int
		fault sandbox.Fault
		dead  func(i int) bool
		want  func(i int) vendors.Reason
		calls int
	}{
		{
			name: "all_dead", n: 8, dead: func(int) bool { return true },
			want: func(int) vendors.Reason { return vendors.BadToken }, calls: 1 + 5,
		},
		{
			name: "three_dead", n: 3, dead: func(int) bool { return true },
			want: func(int) vendors.Reason { return vendors.BadToken }, calls: 1 + 3,
		},
		{
			// The batch was refused as a whole, yet the devices are fine: nobody is dropped.
			name: "false_alarm", n: 8, fault: sandbox.Fault{Vendor: "huawei", Kind: sandbox.FaultCode, Code: pushkit.CodeAllInvalid, Times: 1},
			dead: func(int) bool { return false }, calls: 1 + 5,
			want: func(i int) vendors.Reason {
				if i == 0 || i == 1 || i == 3 || i == 4 || i == 6 { // those that were probed
					return vendors.Accepted
				}
				return vendors.Unknown
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := vendortest.NewRig(t, subject(), nil)
			r.Driver.Push(t.Context(), r.Batch(1, vendortest.Chat())) // fetches the access token
			r.Requests.Take()
			for i := range c.n {
				if c.dead(i) {
					r.Sandbox.Kill("huawei", token(i))
				}
			}
			if c.fault.Kind != "" {
				r.Sandbox.Arm(c.fault)
			}
			for i, got := range r.Driver.Push(t.Context(), r.Batch(c.n, vendortest.Chat())) {
				if got.Reason != c.want(i) || got.ProbeSingly || got.Code == "" {
					t.Errorf("device %d: got %+v, want %v", i, got, c.want(i))
				}
			}
			if calls := len(r.Requests.Take()); calls != c.calls {
				t.Errorf("made %d calls, want %d", calls, c.calls)
			}
		})
	}
}

// A text that the content check refuses goes out once more without its words.
func TestSensitiveWordsAreRephrased(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(), nil)
	r.Sandbox.Arm(sandbox.Fault{Vendor: "huawei", Kind: sandbox.FaultCode, Code: codeSensitive, Times: 1})
	if got := r.Driver.Push(t.Context(), r.Batch(2, vendortest.Chat())); got[0].Reason != vendors.Accepted || got[1].Reason != vendors.Accepted {
		t.Fatalf("got %+v", got)
	}
	if p := r.Sandbox.Pushes()[0]; p.Title != "新消息" || p.Body != "您收到一条新消息" || p.Ext != vendortest.Chat().Ext {
		t.Errorf("the phone shows %q, %q with ext %q", p.Title, p.Body, p.Ext)
	}
	r.Sandbox.Arm(sandbox.Fault{Vendor: "huawei", Kind: sandbox.FaultCode, Code: codeSensitive})
	if got := r.Driver.Push(t.Context(), r.Batch(1, vendortest.Chat())); got[0].Reason != vendors.Refused || got[0].Rephrase {
		t.Errorf("refused twice: %+v", got[0])
	}
}

// An expired token is fetched anew once, unseen by the caller; credentials that are wrong end as
// such.
func TestTokenRenewal(t *testing.T) {
	t.Parallel()
	now := vendortest.Now
	clock := func() time.Time { return now }
	box := sandbox.New(sandbox.Options{Now: clock}, fake.Fake(account()))
	srv := vendortestServer(t, box)
	c := config(srv, "")
	p, err := newProtocol(c)
	if err != nil {
		t.Fatal(err)
	}
	d, err := vendors.NewHTTP(p, &c.Common, vendors.Env{Tokens: func(_ string, fetch vendors.TokenFetch) vendors.TokenSource {
		return accesstoken.New(fetch, accesstoken.Options{Now: clock, Pause: time.Second})
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	push := func() vendors.Result { return d.Push(t.Context(), batch(token(0)))[0] }
	if got := push(); got.Reason != vendors.Accepted {
		t.Fatalf("first push: %+v", got)
	}
	now = now.Add(2 * time.Hour) // the token is long gone; the source knows
	if got := push(); got.Reason != vendors.Accepted {
		t.Fatalf("push with a token past its hour: %+v", got)
	}
	now = now.Add(10 * time.Minute)
	for _, code := range []string{"80200001", "80200003", "80200005", "80600003"} {
		now = now.Add(time.Minute)
		box.Arm(sandbox.Fault{Vendor: "huawei", Kind: sandbox.FaultCode, Code: code, Times: 1})
		if got := push(); got.Reason != vendors.Accepted {
			t.Errorf("%s once: %+v", code, got)
		}
		now = now.Add(time.Minute)
		id := box.Arm(sandbox.Fault{Vendor: "huawei", Kind: sandbox.FaultCode, Code: code})
		if got := push(); got.Reason != vendors.BadCredentials || got.Code != code {
			t.Errorf("%s again and again: %+v", code, got)
		}
		box.Clear("huawei", id)
	}
}

func TestWrongSecret(t *testing.T) {
	t.Parallel()
	s := subject()
	s.Config = func(endpoint, caFile string) vendors.Config {
		c := config(endpoint, caFile)
		c.AppSecret = "other"
		return c
	}
	r := vendortest.NewRig(t, s, nil)
	got := r.Driver.Push(t.Context(), r.Batch(1, vendortest.Chat()))[0]
	if got.Reason != vendors.BadCredentials || got.Code != "1101/12304" || strings.Contains(got.Err.Error(), "other") {
		t.Errorf("got %+v", got)
	}
}

func TestInterpretToken(t *testing.T) {
	t.Parallel()
	p := testWire(t)
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   vendors.Reason
		token  string
		life   time.Duration
	}{
		// The escaped slash is JSON's, not part of the token.
		{"as_documented", 200, `{"access_token":"CgB6e3x9madeUp\/abc+def==","expires_in":3600,"token_type":"Bearer"}`, vendors.Accepted, "CgB6e3x9madeUp/abc+def==", time.Hour},
		{"expiry_as_text", 200, `{"access_token":"t","expires_in":"1800"}`, vendors.Accepted, "t", 30 * time.Minute},
		{"no_expiry", 200, `{"access_token":"t"}`, vendors.Accepted, "t", time.Hour},
		{"endless", 200, `{"access_token":"t","expires_in":9223372036854775807}`, vendors.Accepted, "t", 24 * time.Hour},
		{"no_token", 200, `{"expires_in":3600}`, vendors.Unavailable, "", 0},
		{"error_under_200", 200, `{"error":1101,"sub_error":20003}`, vendors.BadCredentials, "", 0},
		{"unknown_sub_error", 400, `{"error":1101,"sub_error":99999}`, vendors.BadCredentials, "", 0},
		{"error_under_500", 500, `{"error":1203,"sub_error":1}`, vendors.Unavailable, "", 0},
		{"error_under_503", 503, `{"error":1101,"sub_error":1}`, vendors.RateLimited, "", 0},
		{"unauthorized", 401, ``, vendors.BadCredentials, "", 0},
		{"teapot", 418, `{}`, vendors.BadCredentials, "", 0},
		{"too_many", 429, ``, vendors.RateLimited, "", 0},
		{"token_under_400", 400, `{"access_token":"t"}`, vendors.BadCredentials, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok, res := p.InterpretToken(vendors.Response{Status: c.status, Body: []byte(c.body)}, vendortest.Now)
			if res.Reason != c.want || tok.Value != c.token {
				t.Errorf("got %v %q, want %v %q", res.Reason, tok.Value, c.want, c.token)
			}
			if c.token != "" && !tok.Expires.Equal(vendortest.Now.Add(c.life)) {
				t.Errorf("expires %v, want after %v", tok.Expires, c.life)
			}
		})
	}
}

func FuzzInterpret(f *testing.F) {
	vendortest.FuzzInterpret(f, testWire(f), token,
		string(body(pushkit.CodeSuccess, "Success")), string(body(pushkit.CodeAllInvalid, "All the tokens are invalid")),
		string(body(pushkit.CodePartial, `{"success":1,"failure":1,"illegal_tokens":["`+token(0)+`"]}`)),
		string(body("80100003", "Illegal payload")), `{"code":80000000}`, `{"code":{},"msg":[]}`)
}

// The token of another app among those of a call is found by taking the call apart; alone it is
// that device's affair.
func TestForeignToken(t *testing.T) {
	t.Parallel()
	p := testWire(t)
	resp := vendors.Response{Status: http.StatusBadRequest, Body: body("80300002", "no permission")}
	for _, r := range p.Interpret(resp, batch("tokA", "tokB")) {
		if !r.Split || r.Reason != vendors.BadCredentials || r.Scope != vendors.ScopeCall {
			t.Errorf("among others: %+v", r)
		}
	}
	if r := p.Interpret(resp, batch("tokA"))[0]; r.Split || r.Reason != vendors.BadCredentials || r.Scope != vendors.ScopeDevice {
		t.Errorf("alone: %+v", r)
	}
	invalid := vendors.Response{Status: http.StatusBadRequest, Body: body("80300007", "invalid")}
	if r := p.Interpret(invalid, batch("tokA"))[0]; r.Reason != vendors.BadToken || !r.Doubtful {
		t.Errorf("a token that may be of another app: %+v", r)
	}
}
