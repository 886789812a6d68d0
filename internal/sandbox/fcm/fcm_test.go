package fcm

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// key is one key for all tests: making one takes long.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

type rig struct {
	t   *testing.T
	box *sandbox.Server
	url string
	now time.Time
}

func newRig(t *testing.T, change func(*Account)) *rig {
	t.Helper()
	a := Account{ProjectID: "demo", ClientEmail: "push@demo.iam.gserviceaccount.com", Key: &key().PublicKey}
	if change != nil {
		change(&a)
	}
	r := &rig{t: t, now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	r.box = sandbox.New(sandbox.Options{Now: func() time.Time { return r.now }}, Fake(a, Account{ProjectID: "other", ClientEmail: "x@other", Key: &key().PublicKey}))
	srv := httptest.NewServer(r.box.Handler())
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

func (r *rig) claims() map[string]any {
	return map[string]any{
		"iss": "push@demo.iam.gserviceaccount.com", "scope": "https://www.googleapis.com/auth/firebase.messaging",
		"aud": r.url + "/token", "iat": r.now.Unix(), "exp": r.now.Add(time.Hour).Unix(),
	}
}

func (r *rig) sign(header map[string]any, claims map[string]any) string {
	r.t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			r.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(header) + "." + part(claims)
	digest := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key(), crypto.SHA256, digest[:])
	if err != nil {
		r.t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func (r *rig) login(assertion string) (int, map[string]any) {
	r.t.Helper()
	resp, err := http.PostForm(r.url+"/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}})
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func (r *rig) bearer() string {
	r.t.Helper()
	status, answer := r.login(r.sign(map[string]any{"alg": "RS256", "typ": "JWT"}, r.claims()))
	if status != 200 || answer["token_type"] != "Bearer" || answer["expires_in"] != 3599.0 {
		r.t.Fatalf("login: %d %v", status, answer)
	}
	return answer["access_token"].(string)
}

func (r *rig) send(bearer, body string, change func(*http.Request)) (int, http.Header, string) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+"/v1/projects/demo/messages:send", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

func TestMessageRules(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	bearer := r.bearer()
	for _, c := range []struct {
		name, message string
		status        int
		says          string // in the answer
	}{
		{"plain", `{"token":"a:b","notification":{"title":"A","body":"B"}}`, 200, "projects/demo/messages/0:"},
		{"both_spellings", `{"token":"a:b","android":{"collapseKey":"k","notification":{"channel_id":"c","clickAction":"x"}}}`, 200, ""},
		{"lower_case_enum", `{"token":"a:b","android":{"priority":"high","ttl":"0s"}}`, 200, ""},
		{"fid", `{"fid":"cIm0","data":{"a":"b"}}`, 200, ""},
		{"unknown_field", `{"token":"a:b","colour":"red"}`, 400, `Unknown name \"colour\" at 'message': Cannot find field.`},
		{"unknown_deep", `{"token":"a:b","android":{"notification":{"chanel_id":"c"}}}`, 400, "at 'message.android.notification'"},
		{"data_number", `{"token":"a:b","data":{"n":12}}`, 400, "Invalid value at 'message.data[0].value' (TYPE_STRING)"},
		{"data_object", `{"token":"a:b","data":{"n":{}}}`, 400, "TYPE_STRING"},
		{"data_from", `{"token":"a:b","data":{"from":"x"}}`, 400, "FcmError"},
		{"data_message_type", `{"token":"a:b","data":{"message_type":"x"}}`, 400, "FcmError"},
		{"data_google", `{"token":"a:b","data":{"google.x":"x"}}`, 400, "FcmError"},
		{"data_gcm", `{"token":"a:b","android":{"data":{"gcm.notification.x":"x"}}}`, 400, "FcmError"},
		{"no_target", `{"data":{"a":"b"}}`, 400, "Recipient of the message is not set."},
		{"two_targets", `{"token":"a:b","topic":"news"}`, 400, "oneof"},
		{"ttl_form", `{"token":"a:b","android":{"ttl":60}}`, 400, "Duration"},
		{"ttl_fraction", `{"token":"a:b","android":{"ttl":"3.5s"}}`, 200, ""},
		{"ttl_too_long", `{"token":"a:b","android":{"ttl":"2419201s"}}`, 400, "FcmError"},
		{"ttl_negative", `{"token":"a:b","android":{"ttl":"-1s"}}`, 400, "FcmError"},
		{"priority", `{"token":"a:b","android":{"priority":"urgent"}}`, 400, "NORMAL"},
		{"visibility", `{"token":"a:b","android":{"notification":{"visibility":"all"}}}`, 400, "PRIVATE"},
		{"label", `{"token":"a:b","android":{"fcm_options":{"analytics_label":"with space"}}}`, 400, "FcmError"},
		{"count_text", `{"token":"a:b","android":{"notification":{"notification_count":"many"}}}`, 400, "TYPE_INT32"},
		{"count_big", `{"token":"a:b","android":{"notification":{"notification_count":3000000000}}}`, 400, "TYPE_INT32"},
		{"loc_args", `{"token":"a:b","android":{"notification":{"title_loc_args":["x"]}}}`, 400, "title_loc_key"},
		{"image", `{"token":"a:b","notification":{"image":"cat.png"}}`, 400, "URL"},
		{"colour", `{"token":"a:b","android":{"notification":{"color":"red"}}}`, 400, "#rrggbb"},
		{"android_twice", `{"token":"a:b","android":{},"android_v2":{}}`, 400, "exclude"},
		{"too_big", `{"token":"a:b","data":{"x":"` + strings.Repeat("x", 4096) + `"}}`, 400, "Android message is too big"},
		{"topic_too_big", `{"topic":"news","data":{"x":"` + strings.Repeat("x", 2048) + `"}}`, 400, "Android message is too big"},
		{"largest", `{"token":"a:b","data":{"x":"` + strings.Repeat("x", 4096-len("datax")) + `"}}`, 200, ""},
		{"apns", `{"token":"a:b","apns":{"headers":{"apns-priority":"5"},"payload":{"aps":{"badge":1}}}}`, 200, ""},
		{"apns_header_number", `{"token":"a:b","apns":{"headers":{"apns-priority":5}}}`, 400, "TYPE_STRING"},
		{"no_token_form", `{"token":"a b"}`, 400, "not a valid FCM registration token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(r.box.Violations())
			status, _, body := r.send(bearer, `{"message":`+c.message+`}`, nil)
			if status != c.status || !strings.Contains(strings.NewReplacer(`\u0027`, "'").Replace(body), c.says) {
				t.Errorf("got %d %s, want %d with %q", status, body, c.status, c.says)
			}
			broken := len(r.box.Violations()) - before
			want := 1
			// a token that never was one is not the request's fault
			if c.status == 200 || c.name == "no_token_form" {
				want = 0
			}
			if broken != want {
				t.Errorf("%d violations, want %d", broken, want)
			}
		})
	}
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	bearer := r.bearer()
	const good = `{"message":{"token":"a:b","data":{"k":"v"}}}`
	for _, c := range []struct {
		name   string
		body   string
		change func(*http.Request)
		status int
	}{
		{"no_auth", good, func(q *http.Request) { q.Header.Del("Authorization") }, 401},
		{"basic_auth", good, func(q *http.Request) { q.SetBasicAuth("a", "b") }, 401},
		{"stranger", good, func(q *http.Request) { q.Header.Set("Authorization", "Bearer nobody") }, 401},
		{"other_project", good, func(q *http.Request) { q.URL.Path = "/v1/projects/other/messages:send" }, 403},
		{"get", "", func(q *http.Request) { q.Method = http.MethodGet }, 404},
		{"content_type", good, func(q *http.Request) { q.Header.Set("Content-Type", "text/plain") }, 400},
		{"no_json", `{"message":`, nil, 400},
		{"not_utf8", "{\"message\":{\"token\":\"a:b\",\"data\":{\"k\":\"\xff\"}}}", nil, 400},
		{"no_message", `{}`, nil, 400},
		{"camel_dry_run", `{"validateOnly":true,"message":{"token":"a:b"}}`, nil, 200},
		{"last_key_wins", `{"message":{"token":"a b","token":"a:b"}}`, nil, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, _, body := r.send(bearer, c.body, c.change); status != c.status {
				t.Errorf("got %d %s, want %d", status, body, c.status)
			}
		})
	}
	if got := len(r.box.Pushes()); got != 1 {
		t.Errorf("%d pushes in the ledger, want 1: a dry run delivers nothing", got)
	}
	r.now = r.now.Add(2 * time.Hour)
	if status, _, _ := r.send(bearer, good, nil); status != 401 {
		t.Errorf("an access token of two hours ago got %d, want 401", status)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	rs256 := map[string]any{"alg": "RS256", "typ": "JWT"}
	with := func(key string, value any) string {
		c := r.claims()
		c[key] = value
		return r.sign(rs256, c)
	}
	good := r.sign(rs256, r.claims())
	for name, c := range map[string]struct{ assertion, code string }{
		"good":         {good, ""},
		"cloud_scope":  {with("scope", "a https://www.googleapis.com/auth/cloud-platform"), ""},
		"google_aud":   {with("aud", "https://oauth2.googleapis.com/token"), ""},
		"other_aud":    {with("aud", "https://example.com/token"), "invalid_grant"},
		"no_scope":     {with("scope", "openid"), "invalid_scope"},
		"stranger":     {with("iss", "nobody"), "invalid_grant"},
		"past":         {with("exp", r.now.Add(-time.Second).Unix()), "invalid_grant"},
		"ahead":        {with("iat", r.now.Add(time.Hour).Unix()), "invalid_grant"},
		"too_long":     {with("exp", r.now.Add(2*time.Hour).Unix()), "invalid_grant"},
		"float_times":  {with("iat", 1.5), "invalid_grant"},
		"other_alg":    {r.sign(map[string]any{"alg": "HS256"}, r.claims()), "invalid_grant"},
		"bad_signed":   {good[:len(good)-6] + "AAAAAA", "invalid_grant"},
		"padded":       {good + "=", "invalid_grant"},
		"no_jwt":       {"x", "invalid_grant"},
		"none_at_all":  {"", "invalid_grant"},
		"two_segments": {"e30.e30", "invalid_grant"},
	} {
		status, answer := r.login(c.assertion)
		if got, _ := answer["error"].(string); got != c.code || (status == 200) != (c.code == "") {
			t.Errorf("%s: got %d %v, want error %q", name, status, answer, c.code)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	const good = `{"message":{"token":"a:b"}}`
	for _, c := range []struct {
		fault  sandbox.Fault
		status int
		says   string
		after  string // Retry-After
	}{
		{sandbox.Fault{Kind: sandbox.FaultThrottle, RetryAfter: 7}, 429, "QUOTA_EXCEEDED", "7"},
		{sandbox.Fault{Kind: sandbox.FaultThrottle}, 429, "google.rpc.QuotaFailure", ""},
		{sandbox.Fault{Kind: sandbox.FaultQuota}, 429, "RESOURCE_EXHAUSTED", ""},
		{sandbox.Fault{Kind: sandbox.FaultExpiredAuth}, 401, "UNAUTHENTICATED", ""},
		{sandbox.Fault{Kind: sandbox.FaultDeadToken}, 404, "UNREGISTERED", ""},
		{sandbox.Fault{Kind: sandbox.FaultPartial, Token: "a:b"}, 404, "UNREGISTERED", ""},
		{sandbox.Fault{Kind: sandbox.FaultServerError, Status: 502}, 502, "<html>", ""},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "SENDER_ID_MISMATCH"}, 403, "SenderId mismatch", ""},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "INVALID_ARGUMENT"}, 400, "invalid argument", ""},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "token"}, 400, "not a valid FCM registration token", ""},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "message.token"}, 400, "fieldViolations", ""},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "UNAVAILABLE", RetryAfter: 3}, 503, "UNAVAILABLE", "3"},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "INTERNAL"}, 500, "INTERNAL", ""},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "THIRD_PARTY_AUTH_ERROR"}, 401, "THIRD_PARTY_AUTH_ERROR", ""},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "403"}, 403, "cloudmessaging.messages.create", ""},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "404"}, 404, "<html>", ""},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "SOMETHING_NEW"}, 500, "SOMETHING_NEW", ""},
	} {
		t.Run(fmt.Sprint(c.fault.Kind, c.fault.Code), func(t *testing.T) {
			bearer := r.bearer()
			c.fault.Vendor, c.fault.Times = "fcm", 1
			r.box.Arm(c.fault)
			status, header, body := r.send(bearer, good, nil)
			if status != c.status || !strings.Contains(body, c.says) || header.Get("Retry-After") != c.after {
				t.Errorf("got %d (Retry-After %q) %s", status, header.Get("Retry-After"), body)
			}
			want := 200
			if c.fault.Kind == sandbox.FaultExpiredAuth {
				want = 401 // that token stays expired
			}
			if status, _, body := r.send(bearer, good, nil); status != want {
				t.Errorf("afterwards: got %d %s, want %d", status, body, want)
			}
		})
	}
	if v := r.box.Violations(); len(v) > 0 {
		t.Errorf("faults are nobody's violation: %v", v)
	}
}

// TestQuotas also holds that a refused message uses up quota.
func TestQuotas(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(a *Account) { a.PerMinute, a.DevicePerMinute = 4, 2 })
	bearer := r.bearer()
	send := func(token string) int {
		status, header, body := r.send(bearer, `{"message":{"token":"`+token+`"}}`, nil)
		if status == 429 && (header.Get("Retry-After") != "60" || !bytes.Contains([]byte(body), []byte("QuotaFailure"))) {
			t.Errorf("429 with Retry-After %q: %s", header.Get("Retry-After"), body)
		}
		return status
	}
	for i, want := range []int{200, 200, 429} {
		if got := send("one"); got != want {
			t.Errorf("message %d to a device: got %d, want %d", i, got, want)
		}
	}
	r.box.Kill("fcm", "dead")
	if got := send("dead"); got != 404 {
		t.Errorf("dead token: got %d", got)
	}
	for i, want := range []int{200, 429} { // two, a dead one, and this make four
		if got := send("two"); got != want {
			t.Errorf("message %d after those: got %d, want %d", i, got, want)
		}
	}
	r.now = r.now.Add(time.Minute)
	if got := send("one"); got != 200 {
		t.Errorf("a minute later: got %d, want 200", got)
	}
}
