package sandbox

import (
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
	"strings"
	"sync"
	"testing"
	"time"
)

var harmonyKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func testHarmonyAccount() HarmonyAccount {
	return HarmonyAccount{
		ProjectID: "388421840000000001", KeyID: "kid-1", SubAccount: "100000009", Key: &harmonyKey().PublicKey, Categories: []string{"IM", "VOIP"},
	}
}

type harmonyRig struct {
	*Server
	t     *testing.T
	clock *pushKitClock
	fake  *harmony
}

func newHarmonyRig(t *testing.T, account HarmonyAccount) *harmonyRig {
	t.Helper()
	clock := &pushKitClock{at: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	core := NewCore(Options{Now: clock.now, Keep: -1})
	fake := newHarmony(core, []HarmonyAccount{account})
	s := &Server{Core: core, mux: http.NewServeMux()}
	for pattern, h := range fake.pushes() {
		s.mux.Handle(pattern, s.general("harmony", h))
	}
	return &harmonyRig{Server: s, t: t, clock: clock, fake: fake}
}

// jwt signs a JWT by hand; change edits its header, claims and salt first.
func (r *harmonyRig) jwt(change func(header, claims map[string]any, salt *int)) string {
	r.t.Helper()
	now := r.clock.now().Unix()
	header := map[string]any{"alg": "PS256", "typ": "JWT", "kid": "kid-1"}
	claims := map[string]any{"iss": "100000009", "aud": harmonyAudience, "iat": now, "exp": now + 3600}
	salt := 32
	if change != nil {
		change(header, claims, &salt)
	}
	h, _ := json.Marshal(header)
	c, _ := json.Marshal(claims)
	text := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPSS(rand.Reader, harmonyKey(), crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})
	if err != nil {
		r.t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func (r *harmonyRig) send(project, auth, pushType, body string) (int, map[string]any) {
	r.t.Helper()
	req := httptest.NewRequest("POST", "/v3/"+project+"/messages:send", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if auth != "" {
		req.Header.Set("Authorization", "Bearer "+auth)
	}
	if pushType != "" {
		req.Header.Set("push-type", pushType)
	}
	rec := httptest.NewRecorder()
	r.Handler().ServeHTTP(rec, req)
	var answer map[string]any
	_ = json.Unmarshal(rec.Body.Bytes(), &answer)
	return rec.Code, answer
}

func (r *harmonyRig) push(body string) (int, map[string]any) {
	return r.send("388421840000000001", r.jwt(nil), "0", body)
}

// goodHarmony is a request that keeps all rules; tests break one at a time.
const goodHarmony = `{"payload":{"notification":{"category":"IM","title":"Li Lei","body":"See you","clickAction":{"actionType":1,
"action":"com.example.im.chat","data":{"cid":"c77"}},"notifyId":70077,"appMessageId":"m42","badge":{"setNum":3},"foregroundShow":false}},
"target":{"token":["tokA"]},"pushOptions":{"ttl":86400,"biTag":"push-42","collapseKey":-1,"testMessage":false}}`

func TestHarmonyFakeAcceptsTheDocumentedExample(t *testing.T) {
	t.Parallel()
	r := newHarmonyRig(t, testHarmonyAccount())
	for range 2 {
		if status, answer := r.push(goodHarmony); status != 200 || answer["code"] != "80000000" || answer["msg"] != "Success" {
			t.Fatalf("HTTP %d %v; broken: %v", status, answer, r.Violations())
		}
	}
	p := r.Pushes()[0]
	if p.Title != "Li Lei" || p.Key != "m42" || p.Ext != `{"cid":"c77"}` || p.Class != "IM" || *p.Badge != 3 {
		t.Errorf("the phone shows %+v", p)
	}
	if !r.Pushes()[1].Repeat {
		t.Error("the same appMessageId is not a repeat")
	}
}

func TestHarmonyFakeAuthorization(t *testing.T) {
	t.Parallel()
	type edit = func(header, claims map[string]any, salt *int)
	for _, c := range []struct {
		name, code string
		project    string
		jwt        edit
	}{
		{name: "good"},
		{name: "other_project", project: "1", code: "80200001"},
		{name: "rs256", jwt: func(h, _ map[string]any, _ *int) { h["alg"] = "RS256" }, code: "80200001"},
		{name: "no_typ", jwt: func(h, _ map[string]any, _ *int) { delete(h, "typ") }, code: "80200001"},
		{name: "other_kid", jwt: func(h, _ map[string]any, _ *int) { h["kid"] = "kid-2" }, code: "80200001"},
		// The longest salt, which some libraries take by default.
		{name: "long_salt", jwt: func(_, _ map[string]any, salt *int) { *salt = rsa.PSSSaltLengthAuto }, code: "80200001"},
		{name: "iss", jwt: func(_, c map[string]any, _ *int) { c["iss"] = "1" }, code: "80200001"},
		{name: "aud", jwt: func(_, c map[string]any, _ *int) { c["aud"] = "https://example.com" }, code: "80200001"},
		{name: "milliseconds", jwt: func(_, c map[string]any, _ *int) {
			c["iat"] = c["iat"].(int64) * 1000
			c["exp"] = c["exp"].(int64) * 1000
		}, code: "80200001"},
		{name: "future", jwt: func(_, c map[string]any, _ *int) { c["iat"] = c["iat"].(int64) + 600 }, code: "80200001"},
		{name: "two_days", jwt: func(_, c map[string]any, _ *int) { c["exp"] = c["iat"].(int64) + 2*86400 }, code: "80300036"},
		{name: "expired", jwt: func(_, c map[string]any, _ *int) {
			c["iat"] = c["iat"].(int64) - 3600
			c["exp"] = c["exp"].(int64) - 3600
		}, code: "80200005"},
	} {
		r := newHarmonyRig(t, testHarmonyAccount())
		project, want := c.project, c.code
		if project == "" {
			project = "388421840000000001"
		}
		if want == "" {
			want = "80000000"
		}
		if _, answer := r.send(project, r.jwt(c.jwt), "0", goodHarmony); answer["code"] != want {
			t.Errorf("%s: %v, want %s", c.name, answer, want)
		}
	}
	r := newHarmonyRig(t, testHarmonyAccount())
	for _, auth := range []string{"", "CgB6e3x9madeUp/abc+def==", "a.b.c", "a.b"} {
		if status, answer := r.send("388421840000000001", auth, "0", goodHarmony); status != 401 || answer["code"] != "80200001" {
			t.Errorf("%q: HTTP %d %v", auth, status, answer)
		}
	}
}

func TestHarmonyFakeRefuses(t *testing.T) {
	t.Parallel()
	swap := func(from, to string) string {
		out := strings.Replace(goodHarmony, from, to, 1)
		if out == goodHarmony {
			panic("the example holds no " + from)
		}
		return out
	}
	note := func(extra string) string { return swap(`"foregroundShow":false`, extra) }
	list := func(n int) string {
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = fmt.Sprintf(`"t%d"`, i)
		}
		return "[" + strings.Join(tokens, ",") + "]"
	}
	test := strings.Replace(goodHarmony, `"testMessage":false`, `"testMessage":true`, 1)
	for _, c := range []struct{ name, pushType, body, code string }{
		{"no_push_type", "", goodHarmony, "80100003"},
		{"odd_push_type", "3", goodHarmony, "80100003"},
		{"word_push_type", "alert", goodHarmony, "80100003"},
		{"not_json", "0", `{`, "80100003"},
		{"empty", "0", `{}`, "80100003"},
		{"v1_body", "0", goodHuawei, "80100003"},
		{"unknown_key", "0", note(`"tag":"x"`), "80100003"},
		{"ttl_text", "0", swap(`"ttl":86400`, `"ttl":"86400s"`), "80100003"},
		{"ttl_too_long", "0", swap(`"ttl":86400`, `"ttl":1296001`), "80100004"},
		{"ttl_zero", "0", swap(`"ttl":86400`, `"ttl":0`), "80100004"},
		{"bi_tag", "0", swap(`push-42`, strings.Repeat("x", 65)), "80100003"},
		{"collapse_key", "0", swap(`"collapseKey":-1`, `"collapseKey":101`), "80100003"},
		{"background_mode", "0", swap(`"collapseKey":-1`, `"backgroundMode":1`), "80100003"},
		{"no_category", "0", swap(`"category":"IM",`, ``), "80100003"},
		{"lower_category", "0", swap(`"IM"`, `"im"`), "80100003"},
		{"no_title", "0", swap(`"title":"Li Lei",`, ``), "80100003"},
		{"empty_body", "0", swap(`See you`, ``), "80100003"},
		{"no_click", "0", swap(`"actionType":1,`, ``), "80100003"},
		{"dial", "0", swap(`"actionType":1`, `"actionType":5`), "80100003"},
		{"page_of_nothing", "0", swap(`"action":"com.example.im.chat",`, ``), "80100003"},
		{"data_text", "0", swap(`{"cid":"c77"}`, `"{}"`), "80100003"},
		{"notify_id", "0", swap(`70077`, `2147483648`), "80100003"},
		{"notify_id_negative", "0", swap(`70077`, `-2`), "80100003"},
		{"app_message_id", "0", swap(`m42`, `m#42`), "80100003"},
		{"app_message_id_long", "0", swap(`m42`, strings.Repeat("m", 65)), "80100003"},
		{"add_num", "0", swap(`"setNum":3`, `"addNum":100`), "80100003"},
		{"set_num", "0", swap(`"setNum":3`, `"setNum":100`), "80100003"},
		{"image", "0", note(`"image":"http://x"`), "80100003"},
		{"style", "0", note(`"style":2`), "80100003"},
		{"style_1", "0", note(`"style":1`), "80100003"},
		{"style_3", "0", note(`"style":3`), "80100003"},
		{"inbox", "0", note(`"style":3,"inboxContent":["a","b","c","d"]`), "80100003"},
		{"sound_duration", "0", note(`"soundDuration":5`), "80100003"},
		{"profile", "0", note(`"profileId":"` + strings.Repeat("p", 65) + `"`), "80100003"},
		{"extra_data", "0", swap(`"payload":{`, `"payload":{"extraData":"x",`), "80100003"},
		{"no_token", "0", swap(`["tokA"]`, `[]`), "80300010"},
		{"too_many_tokens", "0", swap(`["tokA"]`, list(1001)), "80300010"},
		{"token_text", "0", swap(`["tokA"]`, `"tokA"`), "80100003"},
		{"too_many_test_tokens", "0", strings.Replace(test, `["tokA"]`, list(11), 1), "80300030"},
		{"too_long", "0", swap(`See you`, strings.Repeat("x", 4000)), "80300008"},
		{"call_without_data", "10", `{"payload":{},"target":{"token":["tokA"]}}`, "80100003"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newHarmonyRig(t, testHarmonyAccount())
			status, answer := r.send("388421840000000001", r.jwt(nil), c.pushType, c.body)
			if answer["code"] != c.code || status != 400 {
				t.Errorf("HTTP %d %v, want 400 %s", status, answer, c.code)
			}
			if len(r.Violations()) != 1 || len(r.Pushes()) != 0 {
				t.Errorf("violations %v, pushes %d", r.Violations(), len(r.Pushes()))
			}
		})
	}
}

func TestHarmonyFakeBadTokens(t *testing.T) {
	t.Parallel()
	r := newHarmonyRig(t, testHarmonyAccount())
	r.Kill("harmony", "tokB")
	two := strings.Replace(goodHarmony, `["tokA"]`, `["tokA","tokB"]`, 1)
	if _, answer := r.push(two); answer["code"] != "80100000" || answer["msg"] != `{"failure":1,"illegalTokens":{" tokenFormatError ":["tokB"]},"success":1}` {
		t.Errorf("got %v", answer)
	}
	r.Kill("harmony", "tokA")
	if _, answer := r.push(two); answer["code"] != "80300007" || answer["msg"] != `{"failure":2,"illegalTokens":{"tokenFormatError":["tokA","tokB"]}}` {
		t.Errorf("got %v", answer)
	}
	r.Revive("harmony", "tokA")
	call := `{"payload":{"extraData":"ring"},"target":{"token":["tokA"]},"pushOptions":{"ttl":60}}`
	if _, answer := r.send("388421840000000001", r.jwt(nil), "10", call); answer["code"] != "80300007" || !strings.Contains(answer["msg"].(string), "noPushTypeRight") {
		t.Errorf("a call without the right: %v", answer)
	}
	account := testHarmonyAccount()
	account.InAppCalls = true
	r = newHarmonyRig(t, account)
	if _, answer := r.send("388421840000000001", r.jwt(nil), "10", call); answer["code"] != "80000000" || !r.Pushes()[0].Call || r.Pushes()[0].Ext != "ring" {
		t.Errorf("a call with the right: %v", answer)
	}
}

func TestHarmonyFakeFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault  Fault
		status int
		code   any
	}{
		{Fault{Kind: FaultThrottle}, 503, nil},
		{Fault{Kind: FaultExpiredAuth}, 401, "80200005"},
		{Fault{Kind: FaultCode, Code: "80300037"}, 400, "80300037"},
		{Fault{Kind: FaultCode, Code: "noRight"}, 400, "80300007"},
		{Fault{Kind: FaultPartial, Token: "tokA"}, 400, "80300007"},
		{Fault{Kind: FaultQuota}, 200, "80000000"},
	} {
		r := newHarmonyRig(t, testHarmonyAccount())
		c.fault.Vendor = "harmony"
		r.Arm(c.fault)
		if status, answer := r.push(goodHarmony); status != c.status || answer["code"] != c.code || len(r.Pushes()) != 0 || len(r.Violations()) != 0 {
			t.Errorf("%s %s: HTTP %d %v, %d pushes, violations %v", c.fault.Kind, c.fault.Code, status, answer, len(r.Pushes()), r.Violations())
		}
	}
}

// A category without the right counts as marketing: two a day and device, the third is accepted and
// dropped, and only a receipt says so.
func TestHarmonyFakeCapsAndReceipts(t *testing.T) {
	t.Parallel()
	posted := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		posted <- string(body)
	}))
	t.Cleanup(receiver.Close)
	account := testHarmonyAccount()
	account.Categories, account.ReceiptURL = []string{"VOIP"}, receiver.URL
	r := newHarmonyRig(t, account)
	for range 3 {
		if _, answer := r.push(goodHarmony); answer["code"] != "80000000" {
			t.Fatalf("got %v", answer)
		}
	}
	if n := len(r.Pushes()); n != 2 || r.Pushes()[0].Class != "MARKETING" {
		t.Errorf("%d pushes arrived, the first as %s", n, r.Pushes()[0].Class)
	}
	if r.push(strings.Replace(goodHarmony, `"IM"`, `"VOIP"`, 1)); len(r.Pushes()) != 3 {
		t.Error("a category with the right was capped")
	}
	r.fake.receipts.wait()
	close(posted)
	var all string
	for body := range posted {
		all += body
	}
	if strings.Count(all, `"result":0`) != 3 || strings.Count(all, `"result":256`) != 1 || !strings.Contains(all, `"pushType":0`) {
		t.Errorf("receipts: %s", all)
	}
}
