package harmony

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

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

var key = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func testAccount() Account {
	return Account{
		ProjectID: "388421840000000001", KeyID: "kid-1", SubAccount: "100000009", Key: &key().PublicKey, Categories: []string{"IM", "VOIP"},
	}
}

// clock is a vendor's clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

type rig struct {
	*sandbox.Server
	t     *testing.T
	clock *clock
	fake  *fake
}

func newRig(t *testing.T, account Account) *rig {
	t.Helper()
	clock := &clock{at: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	r := &rig{t: t, clock: clock}
	r.Server = sandbox.New(sandbox.Options{Now: clock.now, Keep: -1}, sandbox.Fake{Vendor: "harmony", New: func(core *sandbox.Core) sandbox.API {
		r.fake = newFake(core, []Account{account})
		return r.fake
	}})
	return r
}

// jwt signs a JWT by hand; change edits its header, claims and salt first.
func (r *rig) jwt(change func(header, claims map[string]any, salt *int)) string {
	r.t.Helper()
	now := r.clock.now().Unix()
	header := map[string]any{"alg": "PS256", "typ": "JWT", "kid": "kid-1"}
	claims := map[string]any{"iss": "100000009", "aud": audience, "iat": now, "exp": now + 3600}
	salt := 32
	if change != nil {
		change(header, claims, &salt)
	}
	h, _ := json.Marshal(header)
	c, _ := json.Marshal(claims)
	text := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPSS(rand.Reader, key(), crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})
	if err != nil {
		r.t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func (r *rig) send(project, auth, pushType, body string) (int, map[string]any) {
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

func (r *rig) push(body string) (int, map[string]any) {
	return r.send("388421840000000001", r.jwt(nil), "0", body)
}

// good is a request that keeps all rules; tests break one at a time.
const good = `{"payload":{"notification":{"category":"IM","title":"Li Lei","body":"See you","clickAction":{"actionType":1,
"action":"com.example.im.chat","data":{"cid":"c77"}},"notifyId":70077,"appMessageId":"m42","badge":{"setNum":3},"foregroundShow":false}},
"target":{"token":["tokA"]},"pushOptions":{"ttl":86400,"biTag":"push-42","collapseKey":-1,"testMessage":false}}`

func TestAcceptsTheDocumentedExample(t *testing.T) {
	t.Parallel()
	r := newRig(t, testAccount())
	for range 2 {
		if status, answer := r.push(good); status != 200 || answer["code"] != "80000000" || answer["msg"] != "Success" {
			t.Fatalf("HTTP %d %v; broken: %v", status, answer, r.Violations())
		}
	}
	p := r.Pushes()[0]
	if p.Title != "Li Lei" || p.Key != "70077" || p.Ext != `{"cid":"c77"}` || p.Class != "IM" || *p.Badge != 3 {
		t.Errorf("the phone shows %+v", p)
	}
	if !r.Pushes()[1].Repeat {
		t.Error("the same appMessageId is not a repeat")
	}
}

func TestAuthorization(t *testing.T) {
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
		r := newRig(t, testAccount())
		project, want := c.project, c.code
		if project == "" {
			project = "388421840000000001"
		}
		if want == "" {
			want = "80000000"
		}
		if _, answer := r.send(project, r.jwt(c.jwt), "0", good); answer["code"] != want {
			t.Errorf("%s: %v, want %s", c.name, answer, want)
		}
	}
	r := newRig(t, testAccount())
	for _, auth := range []string{"", "CgB6e3x9madeUp/abc+def==", "a.b.c", "a.b"} {
		if status, answer := r.send("388421840000000001", auth, "0", good); status != 401 || answer["code"] != "80200001" {
			t.Errorf("%q: HTTP %d %v", auth, status, answer)
		}
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	swap := func(from, to string) string {
		out := strings.Replace(good, from, to, 1)
		if out == good {
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
	test := strings.Replace(good, `"testMessage":false`, `"testMessage":true`, 1)
	for _, c := range []struct{ name, pushType, body, code string }{
		{"no_push_type", "", good, "80100003"},
		{"odd_push_type", "3", good, "80100003"},
		{"word_push_type", "alert", good, "80100003"},
		{"not_json", "0", `{`, "80100003"},
		{"empty", "0", `{}`, "80100003"},
		{"v1_body", "0", `{"validate_only":false,"message":{"android":{"category":"IM"},"token":["tokenA"]}}`, "80100003"},
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
			r := newRig(t, testAccount())
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

func TestBadTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, testAccount())
	r.Kill("harmony", "tokB")
	two := strings.Replace(good, `["tokA"]`, `["tokA","tokB"]`, 1)
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
	account := testAccount()
	account.InAppCalls = true
	r = newRig(t, account)
	if _, answer := r.send("388421840000000001", r.jwt(nil), "10", call); answer["code"] != "80000000" || !r.Pushes()[0].Call || r.Pushes()[0].Ext != "ring" {
		t.Errorf("a call with the right: %v", answer)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault  sandbox.Fault
		status int
		code   any
	}{
		{sandbox.Fault{Kind: sandbox.FaultThrottle}, 503, nil},
		{sandbox.Fault{Kind: sandbox.FaultExpiredAuth}, 401, "80200005"},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "80300037"}, 400, "80300037"},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "noRight"}, 400, "80300007"},
		{sandbox.Fault{Kind: sandbox.FaultPartial, Token: "tokA"}, 400, "80300007"},
		{sandbox.Fault{Kind: sandbox.FaultQuota}, 200, "80000000"},
	} {
		r := newRig(t, testAccount())
		c.fault.Vendor = "harmony"
		r.Arm(c.fault)
		if status, answer := r.push(good); status != c.status || answer["code"] != c.code || len(r.Pushes()) != 0 || len(r.Violations()) != 0 {
			t.Errorf("%s %s: HTTP %d %v, %d pushes, violations %v", c.fault.Kind, c.fault.Code, status, answer, len(r.Pushes()), r.Violations())
		}
	}
}

// A category without the right counts as marketing: two a day and device, the third is accepted and
// dropped, and only a receipt says so.
func TestCapsAndReceipts(t *testing.T) {
	t.Parallel()
	posted := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		posted <- string(body)
	}))
	t.Cleanup(receiver.Close)
	account := testAccount()
	account.Categories, account.ReceiptURL = []string{"VOIP"}, receiver.URL
	r := newRig(t, account)
	for range 3 {
		if _, answer := r.push(good); answer["code"] != "80000000" {
			t.Fatalf("got %v", answer)
		}
	}
	if n := len(r.Pushes()); n != 2 || r.Pushes()[0].Class != "MARKETING" {
		t.Errorf("%d pushes arrived, the first as %s", n, r.Pushes()[0].Class)
	}
	if r.push(strings.Replace(good, `"IM"`, `"VOIP"`, 1)); len(r.Pushes()) != 3 {
		t.Error("a category with the right was capped")
	}
	r.fake.Wait()
	close(posted)
	var all string
	for body := range posted {
		all += body
	}
	if strings.Count(all, `"result":0`) != 3 || strings.Count(all, `"result":256`) != 1 || !strings.Contains(all, `"pushType":0`) {
		t.Errorf("receipts: %s", all)
	}
}
