package apns

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

var key = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// rig is the fake with a team that has two keys, another team, and a clock that stands still
// until told.
type rig struct {
	t   *testing.T
	box *sandbox.Server
	srv *httptest.Server
	mu  sync.Mutex
	now time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	account := Account{TeamID: "TEAM000001", KeyID: "KEY0000001", Key: &key().PublicKey, Topics: []string{"com.example.im"}}
	second, other := account, account
	second.KeyID = "KEY0000002"
	other.TeamID, other.KeyID = "TEAM000002", "KEY0000003"
	r.box = sandbox.New(sandbox.Options{Now: r.clock}, Fake(account, second, other))
	r.srv = httptest.NewUnstartedServer(r.box.Handler())
	r.srv.EnableHTTP2 = true
	r.srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.srv.StartTLS()
	t.Cleanup(r.srv.Close)
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) wait(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func sign(key *ecdsa.PrivateKey, header, claims string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	digest := sha256.Sum256([]byte(text))
	a, b, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		panic(err)
	}
	sig := make([]byte, 64)
	a.FillBytes(sig[:32])
	b.FillBytes(sig[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// jwt is a good provider token of the nth key.
func (r *rig) jwt(n int) string {
	team := 1
	if n == 3 {
		team = 2
	}
	return sign(key(), fmt.Sprintf(`{"alg":"ES256","kid":"KEY000000%d"}`, n), fmt.Sprintf(`{"iss":"TEAM00000%d","iat":%d}`, team, r.clock().Unix()))
}

const good = `{"aps":{"alert":{"title":"T","body":"B"},"badge":0,"sound":"default"},"ext":"{\"a\":1}"}`

var token = strings.Repeat("0123456789abcdef", 4)

// request is one that the fake accepts.
func (r *rig) request() *http.Request {
	req, err := http.NewRequest(http.MethodPost, r.srv.URL+"/3/device/"+token, strings.NewReader(good))
	if err != nil {
		r.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"authorization": "bearer " + r.jwt(1), "apns-topic": "com.example.im", "apns-push-type": "alert", "apns-priority": "10",
		"apns-expiration": "0", "apns-id": "123e4567-e89b-12d3-a456-426655440000", "apns-collapse-id": "m-1",
	} {
		req.Header.Set(name, value)
	}
	return req
}

type reply struct {
	status    int
	header    http.Header
	body      string
	reason    string
	timestamp int64
}

func (r *rig) send(client *http.Client, req *http.Request) reply {
	r.t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	reply := reply{status: resp.StatusCode, header: resp.Header, body: string(body)}
	var said struct {
		Reason    string `json:"reason"`
		Timestamp int64  `json:"timestamp"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &said); err != nil {
			r.t.Fatalf("%q: %v", body, err)
		}
	}
	reply.reason, reply.timestamp = said.Reason, said.Timestamp
	return reply
}

// conn is a client with a connection of its own.
func (r *rig) conn() *http.Client {
	transport := r.srv.Client().Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = true
	r.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestAccepts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.send(r.conn(), r.request())
	if got.status != 200 || got.body != "" || got.header.Get("apns-id") != "123e4567-e89b-12d3-a456-426655440000" {
		t.Fatalf("%+v; %v", got, r.box.Violations())
	}
	p := r.box.Pushes()[0]
	if p.App != "com.example.im" || p.Token != token || p.Key != "m-1" || p.Title != "T" || p.Body != "B" || p.Ext != `{"a":1}` || p.Class != "alert" ||
		p.Sound != "default" || *p.Badge != 0 {
		t.Errorf("%+v", p)
	}
	// APNs makes an apns-id where there is none, and priority and expiration may be left out.
	req := r.request()
	for _, name := range []string{"apns-id", "apns-priority", "apns-expiration", "apns-collapse-id"} {
		req.Header.Del(name)
	}
	if got := r.send(r.conn(), req); got.status != 200 || !isUUID(got.header.Get("apns-id")) {
		t.Errorf("%+v", got)
	}
}

// TestRefuses breaks one rule at a time.
func TestRefuses(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(*rig, *http.Request) {
		return func(_ *rig, req *http.Request) { req.Header.Set(name, value) }
	}
	path := func(p string) func(*rig, *http.Request) {
		return func(_ *rig, req *http.Request) { req.URL.Path = p }
	}
	body := func(b string) func(*rig, *http.Request) {
		return func(_ *rig, req *http.Request) {
			req.Body, req.ContentLength = io.NopCloser(strings.NewReader(b)), int64(len(b))
		}
	}
	jwt := func(header, claims string) func(*rig, *http.Request) {
		return func(r *rig, req *http.Request) {
			claims := strings.ReplaceAll(claims, "NOW", fmt.Sprint(r.clock().Unix()))
			req.Header.Set("authorization", "bearer "+sign(key(), header, claims))
		}
	}
	typed := func(pushType, topic, priority, payload string) func(*rig, *http.Request) {
		return func(r *rig, req *http.Request) {
			req.Header.Set("apns-push-type", pushType)
			req.Header.Set("apns-topic", topic)
			req.Header.Set("apns-priority", priority)
			body(payload)(r, req)
		}
	}
	const head, claims = `{"alg":"ES256","kid":"KEY0000001"}`, `{"iss":"TEAM000001","iat":NOW}`
	for _, c := range []struct {
		name   string
		change func(*rig, *http.Request)
		reason string // empty: accepted
	}{
		{"method", func(_ *rig, req *http.Request) { req.Method = "PUT" }, "MethodNotAllowed"},
		{"path", path("/3/devices/" + token), "BadPath"},
		{"path_deeper", path("/3/device/" + token + "/x"), "BadPath"},
		{"query", func(_ *rig, req *http.Request) { req.URL.RawQuery = "x=1" }, "BadPath"},
		{"no_token", path("/3/device/"), "MissingDeviceToken"},
		{"token_not_hex", path("/3/device/" + strings.Repeat("xy", 32)), "BadDeviceToken"},
		{"token_short", path("/3/device/abcd"), "BadDeviceToken"},
		{"token_longer", path("/3/device/" + strings.Repeat("ab", 80)), ""},
		{"no_topic", set("apns-topic", ""), "MissingTopic"},
		{"foreign_topic", set("apns-topic", "com.example.other"), "TopicDisallowed"},
		{"voip_topic_for_alert", set("apns-topic", "com.example.im.voip"), "BadTopic"},
		{"alert_topic_for_voip", set("apns-push-type", "voip"), "BadTopic"},
		{"no_push_type", set("apns-push-type", ""), "InvalidPushType"},
		{"push_type", set("apns-push-type", "Alert"), "InvalidPushType"},
		{"priority", set("apns-priority", "7"), "BadPriority"},
		{"priority_5", set("apns-priority", "5"), ""},
		{"priority_1", set("apns-priority", "1"), ""},
		{"expiration", set("apns-expiration", "soon"), "BadExpirationDate"},
		{"expiration_negative", set("apns-expiration", "-1"), "BadExpirationDate"},
		{"collapse_id", set("apns-collapse-id", strings.Repeat("x", 65)), "BadCollapseId"},
		{"collapse_id_64", set("apns-collapse-id", strings.Repeat("x", 64)), ""},
		{"id", set("apns-id", "17"), "BadMessageId"},
		{"id_other_form", set("apns-id", "123e4567e89b-12d3-a456-4266-554400000"), "BadMessageId"},
		{"id_upper_case", set("apns-id", "123E4567-E89B-12D3-A456-426655440000"), "BadMessageId"},
		{"header_twice", func(_ *rig, req *http.Request) { req.Header.Add("apns-topic", "com.example.im") }, "DuplicateHeaders"},
		{"compressed", set("content-encoding", "gzip"), "PayloadEmpty"},

		{"no_authorization", set("authorization", ""), "MissingProviderToken"},
		{"not_bearer", set("authorization", "Basic abc"), "MissingProviderToken"},
		// What apns2 sends without a key.
		{"empty_bearer", set("authorization", "bearer "), "MissingProviderToken"},
		{"no_jwt", set("authorization", "bearer abc"), "InvalidProviderToken"},
		{"alg", jwt(`{"alg":"HS256","kid":"KEY0000001"}`, claims), "InvalidProviderToken"},
		{"kid", jwt(`{"alg":"ES256","kid":"KEY0000009"}`, claims), "InvalidProviderToken"},
		{"typ", jwt(`{"alg":"ES256","typ":"JWT","kid":"KEY0000001"}`, claims), ""},
		{"iss", jwt(head, `{"iss":"TEAM000002","iat":NOW}`), "InvalidProviderToken"},
		{"iat_as_text", jwt(head, `{"iss":"TEAM000001","iat":"NOW"}`), "InvalidProviderToken"},
		{"iat_in_milliseconds", jwt(head, `{"iss":"TEAM000001","iat":NOW000}`), "InvalidProviderToken"},
		{"more_claims", jwt(head, `{"iss":"TEAM000001","iat":NOW,"exp":NOW}`), "InvalidProviderToken"},
		{"no_iat", jwt(head, `{"iss":"TEAM000001"}`), "ExpiredProviderToken"},
		{"signature", func(r *rig, req *http.Request) {
			good := req.Header.Get("authorization")
			req.Header.Set("authorization", good[:len(good)-20]+strings.Repeat("A", 20))
		}, "InvalidProviderToken"},
		{"signature_in_der", func(r *rig, req *http.Request) {
			parts := strings.Split(req.Header.Get("authorization"), ".")
			digest := sha256.Sum256([]byte(parts[0]))
			der, _ := ecdsa.SignASN1(rand.Reader, key(), digest[:])
			req.Header.Set("authorization", parts[0]+"."+parts[1]+"."+base64.RawURLEncoding.EncodeToString(der))
		}, "InvalidProviderToken"},

		{"empty", body(""), "PayloadEmpty"},
		{"not_json", body("{"), notJSON},
		{"not_object", body("[]"), notJSON},
		{"not_utf8", body("{\"aps\":{\"alert\":\"\xff\"}}"), notJSON},
		{"no_aps", body(`{"ext":"x"}`), notJSON},
		{"aps_null", body(`{"aps":null}`), notJSON},
		{"nothing_to_show", body(`{"aps":{"thread-id":"x"}}`), "InvalidPushType"},
		{"empty_alert", body(`{"aps":{"alert":{"title":""}}}`), "InvalidPushType"},
		{"alert_text", body(`{"aps":{"alert":"hello"}}`), ""},
		{"custom_key_in_aps", body(`{"aps":{"alert":"x","ext":"y"}}`), notJSON},
		{"badge_text", body(`{"aps":{"badge":"5"}}`), notJSON},
		{"badge_negative", body(`{"aps":{"badge":-1}}`), notJSON},
		{"mutable_content_true", body(`{"aps":{"alert":"x","mutable-content":true}}`), notJSON},
		{"mutable_content_2", body(`{"aps":{"alert":"x","mutable-content":2}}`), notJSON},
		{"interruption_level", body(`{"aps":{"alert":"x","interruption-level":"loud"}}`), notJSON},
		{"relevance_score", body(`{"aps":{"alert":"x","relevance-score":2}}`), notJSON},
		{"critical_sound", body(`{"aps":{"alert":"x","sound":{"critical":1,"name":"default","volume":1}}}`), ""},
		{"loud_sound", body(`{"aps":{"alert":"x","sound":{"critical":1,"name":"default","volume":2}}}`), notJSON},
		{"largest", body(`{"aps":{"alert":"` + strings.Repeat("x", 4096-20) + `"}}`), ""},
		{"too_large", body(`{"aps":{"alert":"` + strings.Repeat("x", 4096-19) + `"}}`), "PayloadTooLarge"},

		{"voip", typed("voip", "com.example.im.voip", "10", `{"aps":{},"call":{"title":"T"}}`), ""},
		{"voip_largest", typed("voip", "com.example.im.voip", "10", `{"aps":{},"x":"`+strings.Repeat("x", 5120-17)+`"}`), ""},
		{"voip_too_large", typed("voip", "com.example.im.voip", "10", `{"aps":{},"x":"`+strings.Repeat("x", 5120-16)+`"}`), "PayloadTooLarge"},
		{"background", typed("background", "com.example.im", "5", `{"aps":{"content-available":1}}`), ""},
		{"background_at_10", typed("background", "com.example.im", "10", `{"aps":{"content-available":1}}`), "BadPriority"},
		{"background_with_alert", typed("background", "com.example.im", "5", `{"aps":{"content-available":1,"alert":"x"}}`), "InvalidPushType"},
		{"liveactivity", typed("liveactivity", "com.example.im.push-type.liveactivity", "10", `{"aps":{"event":"update","timestamp":1,"content-state":{}}}`), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			req := r.request()
			req.GetBody = nil
			c.change(r, req)
			got := r.send(r.conn(), req)
			if got.reason != c.reason || got.status == 200 != (c.reason == "") {
				t.Fatalf("got %d %q, want %q; %v", got.status, got.reason, c.reason, r.box.Violations())
			}
			if c.reason == "" {
				if len(r.box.Violations()) > 0 || len(r.box.Pushes()) != 1 {
					t.Errorf("violations %v, %d pushes", r.box.Violations(), len(r.box.Pushes()))
				}
				return
			}
			if v := r.box.Violations(); len(v) != 1 || v[0].Code != c.reason || v[0].Rule == "" {
				t.Errorf("violations %v", v)
			}
			if len(r.box.Pushes()) != 0 {
				t.Error("it was accepted nevertheless")
			}
			if want := status[c.reason]; want != 0 && got.status != want {
				t.Errorf("status %d, want %d", got.status, want)
			}
			if got.header.Get("Content-Type") != "application/json" || got.header.Get("apns-id") == "" || got.timestamp != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestRefusesHTTP1(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client := r.srv.Client()
	transport := client.Transport.(*http.Transport).Clone()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	transport.TLSClientConfig.NextProtos = nil
	defer transport.CloseIdleConnections()
	if resp, err := (&http.Client{Transport: transport}).Do(r.request()); err == nil {
		_ = resp.Body.Close()
		t.Errorf("HTTP/1.1 is answered %d", resp.StatusCode)
	}
	if v := r.box.Violations(); len(v) == 0 || !strings.Contains(v[0].Rule, "HTTP/2") {
		t.Errorf("violations %v", v)
	}
}

// TestProviderTokens walks through the rules that span several pushes.
func TestProviderTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	push := func(client *http.Client, jwt, want string) {
		t.Helper()
		req := r.request()
		req.Header.Set("authorization", "bearer "+jwt)
		if got := r.send(client, req); got.reason != want {
			t.Errorf("got %d %q, want %q", got.status, got.reason, want)
		}
	}
	a := r.conn()
	first := r.jwt(1)
	push(a, first, "")
	push(a, r.jwt(2), "UnrelatedKeyIdInToken") // another key of the team: a connection of its own
	push(a, r.jwt(3), "InvalidProviderToken")  // another team
	push(r.conn(), r.jwt(2), "")
	push(r.conn(), r.jwt(3), "") // the topic is that team's too
	r.wait(10 * time.Minute)
	push(a, r.jwt(1), "TooManyProviderTokenUpdates")
	push(a, first, "") // the one in use stays good
	push(r.conn(), r.jwt(1), "")
	r.wait(15 * time.Minute)
	second := r.jwt(1)
	push(a, second, "")
	r.wait(time.Second)
	push(a, r.jwt(1), "TooManyProviderTokenUpdates")
	r.wait(time.Hour + time.Second)
	push(a, second, "ExpiredProviderToken")
	push(a, r.jwt(1), "")
}

func TestDeadTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client := r.conn()
	dead := r.clock()
	r.box.Kill("apns", token)
	r.wait(time.Minute)
	if got := r.send(client, r.request()); got.status != 410 || got.reason != "Unregistered" || got.timestamp != dead.UnixMilli() {
		t.Errorf("%+v", got)
	}
	r.box.Revive("apns", token)
	if got := r.send(client, r.request()); got.status != 200 {
		t.Errorf("%+v", got)
	}
	if len(r.box.Violations()) > 0 {
		t.Errorf("410 is no error condition: %v", r.box.Violations())
	}
	req := r.request() // the token was for alerts
	req.Header.Set("apns-push-type", "voip")
	req.Header.Set("apns-topic", "com.example.im.voip")
	if got := r.send(client, req); got.reason != "DeviceTokenNotForTopic" {
		t.Errorf("%+v", got)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client := r.conn()
	for _, c := range []struct {
		fault  sandbox.Fault
		reason string
		status int
	}{
		{sandbox.Fault{Kind: sandbox.FaultDeadToken}, "Unregistered", 410},
		{sandbox.Fault{Kind: sandbox.FaultPartial, Token: token}, "Unregistered", 410},
		{sandbox.Fault{Kind: sandbox.FaultPartial, Token: "another"}, "", 200},
		{sandbox.Fault{Kind: sandbox.FaultThrottle, RetryAfter: 9}, "TooManyRequests", 429},
		{sandbox.Fault{Kind: sandbox.FaultExpiredAuth}, "ExpiredProviderToken", 403},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "Shutdown"}, "Shutdown", 503},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "ExpiredToken"}, "ExpiredToken", 410},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "SomethingNew"}, "SomethingNew", 400},
		{sandbox.Fault{Kind: sandbox.FaultQuota}, "", 200}, // APNs has none
	} {
		c.fault.Vendor, c.fault.Times = "apns", 1
		r.box.Arm(c.fault)
		got := r.send(client, r.request())
		if got.reason != c.reason || got.status != c.status || (got.timestamp != 0) != (c.status == 410) {
			t.Errorf("%+v: got %+v", c.fault, got)
		}
		if (c.fault.RetryAfter > 0) != (got.header.Get("Retry-After") == "9") {
			t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
		}
		r.box.Clear("", 0)
	}
}

func TestForgetsConnections(t *testing.T) {
	t.Parallel()
	f := newFake(sandbox.NewCore(sandbox.Options{}), nil)
	now := time.Now()
	for i := range 10 {
		f.conns[new(tls.ConnectionState)] = &conn{used: now.Add(time.Duration(i) * time.Second)}
	}
	f.forgetConns(now.Add(time.Minute))
	if n := len(f.conns); n < 4 || n > 5 {
		t.Errorf("%d of 10 connections are left", n)
	}
}
