package harmony

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/vendors"
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
	b, _ := json.Marshal(map[string]string{"code": code, "msg": msg, "requestId": "170000000000000002"})
	return b
}

// Every code of the table, through the door it comes in by.
func TestCodes(t *testing.T) {
	t.Parallel()
	p := testWire(t)
	for _, c := range codes() {
		t.Run(c.Level+"_"+c.Code, func(t *testing.T) {
			var got vendors.Result
			wantCode := c.Code
			switch c.Level {
			case "":
				msg := c.Meaning.EN
				if c.Code == pushkit.CodePartial {
					msg = `{"illegalTokens":{"tokenFormatError":["tokA"]},"success":1,"failure":1}`
					wantCode += "/tokenFormatError"
				}
				status := http.StatusBadRequest
				if c.Code == pushkit.CodeSuccess {
					status = http.StatusOK
				}
				got = p.Interpret(vendors.Response{Status: status, Body: body(c.Code, msg)}, batch("tokA"))[0]
				if got.VendorID != "170000000000000002" {
					t.Errorf("the request id is %q", got.VendorID)
				}
			case levelDevice:
				// The whole call failed for it, so project and key may be wrong.
				msg := fmt.Sprintf(`{"failure":1,"illegalTokens":{"%s":["tokA"]}}`, c.Code)
				got = p.Interpret(vendors.Response{Status: 400, Body: body(pushkit.CodeAllInvalid, msg)}, batch("tokA"))[0]
				wantCode = pushkit.CodeAllInvalid + "/" + c.Code
				if c.Code == reasonNoRight && !got.Doubtful {
					t.Error("a single token proves nothing about its registration")
				}
			case levelRevoke:
				status := http.StatusBadRequest
				if c.Reason == vendors.Accepted {
					status = http.StatusOK
				}
				got = (&revoker{p}).Revoked(vendors.Response{Status: status, Body: body(c.Code, c.Meaning.EN)}, batch("tokA"))[0]
			case levelHTTP:
				var status int
				_, _ = fmt.Sscanf(c.Code, "HTTP %d", &status)
				got = p.Interpret(vendors.Response{Status: status}, batch("tokA"))[0]
			}
			if got.Reason != c.Reason || got.Code != wantCode {
				t.Errorf("got %v %q, want %v %q", got.Reason, got.Code, c.Reason, wantCode)
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
		{"code_as_number", 200, `{"code":80000000,"msg":"Success."}`, vendors.Accepted, "80000000"},
		{"unknown_code", 400, `{"code":"80999999","msg":"?"}`, vendors.Unknown, "80999999"},
		{"unknown_code_500", 500, `{"code":"80999999","msg":"?"}`, vendors.Unavailable, "80999999"},
		{"success_under_500", 500, `{"code":"80000000","msg":"Success"}`, vendors.Unknown, "80000000"},
		{"flow_control_with_json", 503, `{"code":"81000001","msg":"busy"}`, vendors.RateLimited, "HTTP 503"},
		{"flow_control_empty", 503, ``, vendors.RateLimited, "HTTP 503"},
		{"code_is_text", 200, `{"code":"ok"}`, vendors.Unavailable, "HTTP 200"},
		{"not_json", 200, `<html>`, vendors.Unavailable, "HTTP 200"},
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

// A partial success is taken apart token by token and reason by reason.
func TestPartialSuccess(t *testing.T) {
	t.Parallel()
	p := testWire(t)
	const ok, bad, unk = vendors.Accepted, vendors.BadToken, vendors.Unknown
	for _, c := range []struct {
		name   string
		status int
		msg    string
		want   []vendors.Reason
	}{
		// The documented sample has a blank on each side of the reason.
		{"blanks", 200, `{"illegalTokens":{" tokenFormatError ":["tokB"]},"success":1,"failure":1}`, []vendors.Reason{ok, bad, ok, bad}},
		{"two_reasons", 200, `{"illegalTokens":{"noRight":["tokA"],"countryNotSupport":["tokB"]},"success":1,"failure":2}`, []vendors.Reason{bad, vendors.NotDisplayed, ok, vendors.NotDisplayed}},
		// The others were accepted, so the certificate works and must not be parked.
		{"certificate_is_fine", 200, `{"illegalTokens":{"appinfoError":["tokB"]},"success":1,"failure":1}`, []vendors.Reason{ok, vendors.Refused, ok, vendors.Refused}},
		{"new_reason", 200, `{"illegalTokens":{"fullMoon":["tokB"]},"success":1,"failure":1}`, []vendors.Reason{ok, unk, ok, unk}},
		{"v1_form", 200, `{"success":3,"failure":1,"illegal_tokens":["tokB"]}`, []vendors.Reason{unk, unk, unk, unk}},
		{"list", 200, `{"illegalTokens":["tokB"]}`, []vendors.Reason{unk, unk, unk, unk}},
		{"plain_text", 200, `Check Parameter Partial Success.`, []vendors.Reason{unk, unk, unk, unk}},
		{"under_http_400", 400, `{"illegalTokens":{"tokenFormatError":["tokB"]}}`, []vendors.Reason{unk, bad, unk, bad}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// tokB stands twice: it is sent once, and both get its result.
			got := p.Interpret(vendors.Response{Status: c.status, Body: body(pushkit.CodePartial, c.msg)}, batch("tokA", "tokB", "tokC", "tokB"))
			for i, want := range c.want {
				if got[i].Reason != want {
					t.Errorf("device %d: got %v, want %v", i, got[i].Reason, want)
				}
			}
		})
	}
}

// When all tokens fail, their reasons decide; without reasons the guard does, and noRight drops
// nobody.
func TestAllInvalid(t *testing.T) {
	t.Parallel()
	p := testWire(t)
	many := make([]string, manyNoRight)
	for i := range many {
		many[i] = token(i)
	}
	list, _ := json.Marshal(many)
	for _, c := range []struct {
		name   string
		tokens []string
		msg    string
		want   vendors.Reason
		alone  bool
	}{
		{"plain_text_single", []string{"tokA"}, `All the tokens are invalid.`, vendors.BadToken, false},
		{"plain_text_same_twice", []string{"tokA", "tokA"}, `All the tokens are invalid.`, vendors.BadToken, false},
		{"plain_text_batch", []string{"tokA", "tokB"}, `All the tokens are invalid.`, vendors.Unknown, true},
		{"malformed", []string{"tokA", "tokB"}, `{"failure":2,"illegalTokens":{"tokenFormatError":["tokA","tokB"]}}`, vendors.BadToken, false},
		{"upgraded_phones", []string{"tokA", "tokB"}, `{"failure":2,"illegalTokens":{"noRight":["tokA","tokB"]}}`, vendors.BadToken, false},
		{"wrong_project", many, `{"failure":10,"illegalTokens":{"noRight":` + string(list) + `}}`, vendors.BadCredentials, false},
		{"penalty", []string{"tokA"}, `{"failure":1,"illegalTokens":{"disableSendHuaweiMsgBecauseOfPenalty":["tokA"]}}`, vendors.BadCredentials, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, got := range p.Interpret(vendors.Response{Status: 400, Body: body(pushkit.CodeAllInvalid, c.msg)}, batch(c.tokens...)) {
				if got.Reason != c.want || got.ProbeSingly != c.alone {
					t.Errorf("device %d: got %v alone %v, want %v alone %v", i, got.Reason, got.ProbeSingly, c.want, c.alone)
				}
			}
		})
	}
}

// An image that the vendor refuses does not cost the message.
func TestRefusedImageIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, code := range []string{codeImage, reasonImage} {
		r := vendortest.NewRig(t, subject(), nil)
		r.Sandbox.Arm(sandbox.Fault{Vendor: "harmony", Kind: sandbox.FaultCode, Code: code, Times: 1})
		note := vendortest.Chat()
		note.Harmony.Image = "https://example.com/a.png"
		if got := r.Driver.Push(t.Context(), r.Batch(2, note)); got[0].Reason != vendors.Accepted {
			t.Fatalf("%s: %+v", code, got)
		}
		if p := r.Sandbox.Pushes()[0]; p.Image != "" || p.Body != note.Body {
			t.Errorf("%s: the phone shows %q with image %q", code, p.Body, p.Image)
		}
	}
}

func FuzzInterpret(f *testing.F) {
	vendortest.FuzzInterpret(f, testWire(f), token,
		string(body(pushkit.CodeSuccess, "Success")), string(body(pushkit.CodeAllInvalid, "All the tokens are invalid.")),
		string(body(pushkit.CodePartial, `{"illegalTokens":{" tokenFormatError ":["`+token(0)+`"]},"success":1,"failure":1}`)),
		string(body(pushkit.CodeAllInvalid, `{"failure":1,"illegalTokens":{"noRight":["`+token(0)+`"]}}`)),
		`{"code":80000000}`, `{"code":{},"msg":[]}`)
}
