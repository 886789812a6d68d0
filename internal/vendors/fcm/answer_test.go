package fcm

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	fake "github.com/hongyan-im/hongyan/internal/sandbox/fcm"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

// TestCodesOfDoc walks the whole table through the fake, which answers any errorCode by name and
// any bare status.
func TestCodesOfDoc(t *testing.T) {
	t.Parallel()
	r := warm(t, subject())
	seen := 0
	for _, row := range Doc().Codes {
		name := row.Code
		switch {
		case row.Level == levelLogin, row.Level == levelHTTP && row.Code == "401":
			continue // TestInterpretToken; the refresh has tests of its own
		case row.Level == levelToken:
			name = "token"
		case row.Level == levelProject:
			name = "project"
		}
		seen++
		r.Sandbox.Arm(sandbox.Fault{Vendor: "fcm", Kind: sandbox.FaultCode, Code: name, Times: 1})
		got := push(r, vendortest.Chat())
		if row.Level == levelHTTP && (row.Code == "400" || row.Code == "404") {
			row.Reason = vendors.Unavailable // the fake's page is not Google's own answer
		}
		if got.Reason != row.Reason || got.Doubtful != row.Doubtful || row.Scope != vendors.ScopeUnsaid && got.Scope != row.Scope {
			t.Errorf("%s %s: got %+v, want %v", row.Level, row.Code, got, row.Reason)
		}
		if row.Level != levelHTTP && got.Code != row.Code {
			t.Errorf("%s %s: got code %q", row.Level, row.Code, got.Code)
		}
		switch wait := got.RetryAfter; {
		case got.Reason == vendors.Unavailable && wait != 10*time.Second,
			got.Reason == vendors.RateLimited && got.Scope != vendors.ScopeDevice && wait != time.Minute,
			got.Reason != vendors.Unavailable && got.Reason != vendors.RateLimited && wait != 0:
			t.Errorf("%s %s: retry after %v", row.Level, row.Code, wait)
		}
		if got.Err == nil || got.Err.Error() == "" {
			t.Errorf("%s %s tells a person nothing", row.Level, row.Code)
		}
	}
	if seen < 18 {
		t.Errorf("only %d codes were walked", seen)
	}
}

func TestInterpret(t *testing.T) {
	t.Parallel()
	detail := func(code string) string {
		return `{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"` + code + `"}`
	}
	violation := func(field string) string {
		return `{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"` + field + `","description":"x"}]}`
	}
	body := func(message, status string, details ...string) string {
		return `{"error":{"code":1,"message":"` + message + `","status":"` + status + `","details":[` + strings.Join(details, ",") + `]}}`
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   vendors.Reason
		code   string
		says   string // in Err
	}{
		{"accepted", 200, `{"name":"projects/p/messages/0:15%31"}`, vendors.Accepted, "", ""},
		{"accepted_without_name", 200, `{}`, vendors.Unavailable, "HTTP 200", "unreadable"},
		{"page_instead", 200, `<html>`, vendors.Unavailable, "HTTP 200", "unreadable"},
		{"redirect", 302, `<html>`, vendors.Unavailable, "HTTP 302", ""},
		{"token_by_message", 400, body("The registration token is not a valid FCM registration token", "INVALID_ARGUMENT", detail("INVALID_ARGUMENT")), vendors.BadToken, "INVALID_ARGUMENT", "token"},
		{"token_by_field", 400, body("Request contains an invalid argument.", "INVALID_ARGUMENT", violation("message.token"), detail("INVALID_ARGUMENT")), vendors.BadToken, "INVALID_ARGUMENT", "token"},
		{"token_without_fcm_error", 400, body("x", "INVALID_ARGUMENT", violation("message.token")), vendors.BadToken, "INVALID_ARGUMENT", "token"},
		{"payload", 400, body("Request contains an invalid argument.", "INVALID_ARGUMENT", detail("INVALID_ARGUMENT")), vendors.BadPayload, "INVALID_ARGUMENT", ""},
		{"too_big", 400, body("Android message is too big", "INVALID_ARGUMENT", violation(""), detail("INVALID_ARGUMENT")), vendors.BadPayload, "INVALID_ARGUMENT", "too big"},
		{"ttl", 400, body("x", "INVALID_ARGUMENT", violation("message.android.ttl"), detail("INVALID_ARGUMENT")), vendors.BadPayload, "INVALID_ARGUMENT", "message.android"},
		// The text quotes the value, which is message content.
		{"schema", 400, body("Invalid value at 'message.data[0].value' (TYPE_STRING), 12", "INVALID_ARGUMENT", violation("message.data[0].value")), vendors.BadPayload, "INVALID_ARGUMENT", "message.data"},
		{"oauth", 401, body("Request is missing required authentication credential.", "UNAUTHENTICATED"), vendors.AuthExpired, "UNAUTHENTICATED", ""},
		{"third_party", 401, body("x", "UNAUTHENTICATED", detail("THIRD_PARTY_AUTH_ERROR")), vendors.Refused, "THIRD_PARTY_AUTH_ERROR", ""},
		{"sender", 403, body("SenderId mismatch", "PERMISSION_DENIED", detail("SENDER_ID_MISMATCH")), vendors.BadToken, "SENDER_ID_MISMATCH", ""},
		{"iam", 403, body("Permission denied", "PERMISSION_DENIED"), vendors.BadCredentials, "PERMISSION_DENIED", "cloudmessaging.messages.create"},
		{"unregistered", 404, body("Requested entity was not found.", "NOT_FOUND", detail("UNREGISTERED")), vendors.BadToken, "UNREGISTERED", ""},
		{"no_project", 404, body("Requested entity was not found.", "NOT_FOUND"), vendors.BadCredentials, "NOT_FOUND", ""},
		{"no_page", 404, `<html>`, vendors.Unavailable, "HTTP 404", ""},
		{"quota_plain", 429, `<html>`, vendors.RateLimited, "HTTP 429", ""},
		{"quota_by_status", 429, body("x", "RESOURCE_EXHAUSTED"), vendors.RateLimited, "RESOURCE_EXHAUSTED", ""},
		{"gateway", 502, `<html>`, vendors.Unavailable, "HTTP 502", ""},
		{"request_timeout", 408, ``, vendors.Unavailable, "HTTP 408", ""},
		{"other_5xx", 599, ``, vendors.Unavailable, "HTTP 599", ""},
		{"other_4xx", 410, ``, vendors.BadPayload, "HTTP 410", ""},
		{"new_code", 400, body("x", "FAILED_PRECONDITION", detail("SOMETHING_NEW")), vendors.Unknown, "SOMETHING_NEW", ""},
		{"new_code_5xx", 500, body("x", "INTERNAL", detail("SOMETHING_NEW")), vendors.Unavailable, "SOMETHING_NEW", ""},
		{"new_code_429", 429, body("x", "INTERNAL", detail("SOMETHING_NEW")), vendors.RateLimited, "SOMETHING_NEW", ""},
		// A code is a name in capitals; anything else must not get into metrics.
		{"code_is_prose", 400, body("x", "INVALID_ARGUMENT", detail("see token abc")), vendors.BadPayload, "INVALID_ARGUMENT", ""},
		{"details_of_wrong_type", 403, `{"error":{"details":"x"}}`, vendors.BadCredentials, "HTTP 403", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := newReader(&vendors.Common{}).interpret(vendors.Response{Status: c.status, Body: []byte(c.body)})
			if got.Reason != c.want || got.Code != c.code {
				t.Errorf("got %v (code %q), want %v (code %q)", got.Reason, got.Code, c.want, c.code)
			}
			if c.says != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), c.says)) {
				t.Errorf("error %v does not say %q", got.Err, c.says)
			}
			if got.Err != nil && strings.Contains(got.Err.Error(), "12") {
				t.Errorf("error %v quotes a value", got.Err)
			}
		})
	}
}

// A quota is the device's unless the answer names the project: by a QuotaFailure, or by the body
// that people met (an ErrorInfo without an FcmError).
func TestWhoseQuota(t *testing.T) {
	t.Parallel()
	quota := `{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"QUOTA_EXCEEDED"}`
	for name, c := range map[string]struct {
		details string
		device  bool
	}{
		"plain":    {quota, true},
		"device":   {`{"@type":"x/google.rpc.QuotaFailure","violations":[{"subject":"device:1","description":"Device message rate exceeded"}]},` + quota, true},
		"topic":    {`{"@type":"x/google.rpc.QuotaFailure","violations":[{"subject":"topic:1"}]},` + quota, true},
		"project":  {`{"@type":"x/google.rpc.QuotaFailure","violations":[{"subject":"project:demo"}]},` + quota, false},
		"info":     {`{"@type":"x/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","metadata":{"quota_limit":"SendsPerMinutePerProject"}},` + quota, false},
		"no_error": {`{"@type":"x/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","metadata":{"quota_limit":"SendsPerMinutePerProject"}}`, false},
	} {
		body := `{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED","details":[` + c.details + `]}}`
		got := newReader(&vendors.Common{}).interpret(vendors.Response{Status: 429, Body: []byte(body)})
		if got.Reason != vendors.RateLimited || (got.Scope == vendors.ScopeDevice) != c.device || (got.RetryAfter == 0) != c.device {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestInterpretToken(t *testing.T) {
	t.Parallel()
	now := vendortest.Now
	for _, row := range Doc().Codes {
		if row.Level != levelLogin {
			continue
		}
		_, got := interpretToken(vendors.Response{Status: 400, Body: []byte(`{"error":"` + row.Code + `","error_description":"about ` + email + `"}`)}, now)
		if got.Reason != row.Reason || got.Code != row.Code || strings.Contains(got.Err.Error(), email) {
			t.Errorf("%s: got %+v", row.Code, got)
		}
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   vendors.Reason
		life   time.Duration
	}{
		{"good", 200, `{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}`, vendors.Accepted, 3599 * time.Second},
		{"no_life", 200, `{"access_token":"ya29.x"}`, vendors.Accepted, tokenLife},
		{"absurd_life", 200, `{"access_token":"ya29.x","expires_in":1e300}`, vendors.Accepted, tokenLife},
		{"empty", 200, `{}`, vendors.Unavailable, 0},
		{"page", 200, `<html>`, vendors.Unavailable, 0},
		{"unknown_4xx", 400, `{"error":"new"}`, vendors.BadCredentials, 0},
		{"unauthorised", 401, `{"error":"new"}`, vendors.BadCredentials, 0},
		{"not_found", 404, `<html>`, vendors.BadCredentials, 0},
		{"throttled", 429, `{"error":"invalid_grant"}`, vendors.RateLimited, 0},
		{"down", 503, `<html>`, vendors.Unavailable, 0},
	} {
		token, got := interpretToken(vendors.Response{Status: c.status, Body: []byte(c.body)}, now)
		if got.Reason != c.want || (token.Value != "") != (c.want == vendors.Accepted) {
			t.Errorf("%s: got %v %+v, want %v", c.name, got.Reason, token, c.want)
		}
		if c.want == vendors.Accepted && !token.Expires.Equal(now.Add(c.life)) {
			t.Errorf("%s: expires %v after now, want %v", c.name, token.Expires.Sub(now), c.life)
		}
	}
}

// TestLoginRefused: what is wrong with the login is told with its own reason, and no push is sent.
func TestLoginRefused(t *testing.T) {
	t.Parallel()
	s := subject()
	s.Fake = fake.Fake(fake.Account{ProjectID: "demo-im", ClientEmail: "another@demo-im.iam.gserviceaccount.com", Key: &testKey().PublicKey})
	r := vendortest.NewRig(t, s, nil)
	got := push(r, vendortest.Chat())
	if got.Reason != vendors.BadCredentials || got.Code != "invalid_grant" {
		t.Errorf("got %v (code %q, err %v), want bad_credentials", got.Reason, got.Code, got.Err)
	}
	for _, q := range r.Requests.Take() {
		if strings.Contains(q, "messages:send") {
			t.Error("a push was sent without a token")
		}
	}
}

// protocol lets the fuzzing of the suite reach interpret.
type protocol struct{}

func (protocol) Limits() vendors.Limits { return vendors.Limits{Batch: 1} }

func (protocol) Request(context.Context, vendors.Batch, string) (*http.Request, error) {
	return nil, nil
}

func (protocol) Interpret(resp vendors.Response, b vendors.Batch) []vendors.Result {
	return vendors.All(len(b.Devices), newReader(&vendors.Common{}).interpret(resp))
}

func FuzzInterpret(f *testing.F) {
	vendortest.FuzzInterpret(f, protocol{}, token,
		`{"name":"projects/p/messages/0:1%2"}`,
		`{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}`,
		`{"error":{"code":400,"message":"The registration token is not a valid FCM registration token","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"INVALID_ARGUMENT"}]}}`,
		`{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message.token"}]}]}}`,
		`{"error":{"details":[{"errorCode":7}]}}`, `{"error":[]}`, `{"error":{"status":"UNAVAILABLE"}}`,
	)
}

func FuzzInterpretToken(f *testing.F) {
	f.Add(200, []byte(`{"access_token":"a","expires_in":3599}`))
	f.Add(400, []byte(`{"error":"invalid_grant"}`))
	f.Add(503, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		token, got := interpretToken(vendors.Response{Status: status, Body: body}, vendortest.Now)
		if (got.Reason == vendors.Accepted) != (token.Value != "") || got.Reason == vendors.Accepted && !token.Expires.After(vendortest.Now) {
			t.Fatalf("%v with token %+v", got.Reason, token)
		}
	})
}
