package huawei

import (
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

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type rig struct {
	*sandbox.Server
	t     *testing.T
	clock *clock
	fake  *fake
	token string
}

func newRig(t *testing.T, account Account) *rig {
	t.Helper()
	clock := &clock{at: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	r := &rig{t: t, clock: clock}
	r.Server = sandbox.New(sandbox.Options{Now: clock.now, Keep: -1}, sandbox.Fake{Vendor: "huawei", New: func(core *sandbox.Core) sandbox.API {
		r.fake = newFake(core, []Account{account})
		return r.fake
	}})
	_, answer := r.login(url.Values{"grant_type": {"client_credentials"}, "client_id": {account.AppID}, "client_secret": {account.AppSecret}}.Encode())
	r.token, _ = answer["access_token"].(string)
	if r.token == "" {
		t.Fatalf("login gave %v", answer)
	}
	return r
}

func (r *rig) login(form string) (int, map[string]any) {
	r.t.Helper()
	req := httptest.NewRequest("POST", "/oauth2/v3/token", strings.NewReader(form))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r.call(req)
}

func (r *rig) send(path, auth, body string) (int, map[string]any) {
	r.t.Helper()
	req := httptest.NewRequest("POST", path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json;charset=UTF-8")
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	return r.call(req)
}

func (r *rig) call(req *http.Request) (int, map[string]any) {
	r.t.Helper()
	rec := httptest.NewRecorder()
	r.Handler().ServeHTTP(rec, req)
	var answer map[string]any
	_ = json.Unmarshal(rec.Body.Bytes(), &answer)
	return rec.Code, answer
}

func testAccount() Account {
	return Account{AppID: "100000001", AppSecret: "made+up/secret", ProjectID: "38842184", Categories: []string{"IM", "VOIP"}}
}

// good is a request that keeps all rules; tests break one at a time.
const good = `{"validate_only":false,"message":{"data":"{\"cid\":\"c77\"}","android":{"category":"IM","collapse_key":-1,"ttl":"86400s",
"bi_tag":"push-42","target_user_type":0,"notification":{"title":"Li Lei","body":"See you","click_action":{"type":1,"intent":"intent://x#Intent;end"},
"channel_id":"im","importance":"NORMAL","foreground_show":false,"notify_id":70077,"badge":{"set_num":3,"class":"com.example.Main"}}},"token":["tokA"]}}`

func TestAcceptsTheDocumentedExample(t *testing.T) {
	t.Parallel()
	r := newRig(t, testAccount())
	for _, path := range []string{"/v1/100000001/messages:send", "/v2/38842184/messages:send"} {
		status, answer := r.send(path, "Bearer "+r.token, good)
		if status != 200 || answer["code"] != "80000000" || answer["msg"] != "Success" || answer["requestId"] == "" {
			t.Fatalf("%s: HTTP %d %v; broken: %v", path, status, answer, r.Violations())
		}
	}
	p := r.Pushes()[0]
	if p.Title != "Li Lei" || p.Key != "70077" || p.Ext != `{"cid":"c77"}` || p.Class != "IM" || *p.Badge != 3 || p.App != "100000001" {
		t.Errorf("the phone shows %+v", p)
	}
	if !r.Pushes()[1].Repeat {
		t.Error("the same notify_id does not replace")
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	const old = `"android":`
	swap := func(from, to string) string {
		out := strings.Replace(good, from, to, 1)
		if out == good {
			panic("the example holds no " + from)
		}
		return out
	}
	note := func(extra string) string { return swap(`"channel_id":"im"`, extra) }
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprintf(`"t%d"`, i)
	}
	for _, c := range []struct{ name, body, code string }{
		{"not_json", `{`, "80100003"},
		{"no_message", `{"validate_only":false}`, "80300010"},
		{"misspelt_message", `{"mesage":{}}`, "80300010"},
		{"misspelt_token", swap(`"token"`, `"tokens"`), "80300010"},
		{"token_inside_android", swap(old, `"Android":`), "80300010"},
		{"upper_case_name", swap(`"message"`, `"Message"`), "80300010"},
		{"unknown_field", note(`"chanel_id":"x"`), "80100001"},
		{"no_token", swap(`["tokA"]`, `[]`), "80300010"},
		{"too_many_tokens", swap(`["tokA"]`, `[`+strings.Join(many, ",")+`]`), "80300010"},
		{"token_not_list", swap(`["tokA"]`, `"tokA"`), "80100003"},
		{"two_targets", swap(`"token"`, `"topic":"x","token"`), "80100003"},
		{"no_target", swap(`,"token":["tokA"]`, ``), "80100003"},
		{"nothing_at_all", `{"message":{"token":["tokA"]}}`, "80100003"},
		{"collapse_key", swap(`"collapse_key":-1`, `"collapse_key":101`), "80100013"},
		{"ttl_of_go", swap(`"86400s"`, `"24h0m0s"`), "80100001"},
		{"ttl_as_number", swap(`"86400s"`, `86400`), "80100001"},
		{"ttl_too_long", swap(`"86400s"`, `"1296001s"`), "80100004"},
		{"category_lower", swap(`"IM"`, `"im"`), "80100001"},
		{"user_type", swap(`"target_user_type":0`, `"target_user_type":2`), "80100001"},
		{"urgency", swap(`"category"`, `"urgency":"high","category"`), "80100001"},
		{"high_pass_through", `{"message":{"data":"x","android":{"urgency":"HIGH"},"token":["t"]}}`, "80300011"},
		{"data_not_json", swap(`"{\"cid\":\"c77\"}"`, `"c77"`), "80100003"},
		{"data_object", swap(`"{\"cid\":\"c77\"}"`, `{"cid":"c77"}`), "80100001"},
		{"no_title", swap(`"title":"Li Lei",`, ``), "80100003"},
		{"no_click", swap(`"click_action":{"type":1,"intent":"intent://x#Intent;end"},`, ``), "80100003"},
		{"click_4", swap(`"type":1`, `"type":4`), "80100003"},
		{"click_1_bare", swap(`"intent":"intent://x#Intent;end"`, `"url":"https://x"`), "80100003"},
		{"click_2_plain", swap(`"type":1,"intent":"intent://x#Intent;end"`, `"type":2,"url":"http://x"`), "80100003"},
		{"big_text_bare", note(`"style":1`), "80100003"},
		{"inbox_bare", note(`"style":3`), "80100003"},
		{"style_2", note(`"style":2`), "80100003"},
		{"no_default_sound", note(`"default_sound":false`), "80100003"},
		{"add_num_0", swap(`"set_num":3`, `"add_num":0`), "80100003"},
		{"add_num_100", swap(`"set_num":3`, `"add_num":100`), "80100003"},
		{"set_num_100", swap(`"set_num":3`, `"set_num":100`), "80100003"},
		{"notify_id_64_bit", swap(`70077`, `7007700000000`), "80100001"},
		{"notify_id_text", swap(`70077`, `"70077"`), "80100001"},
		{"importance", swap(`"NORMAL"`, `"MAX"`), "80100003"},
		{"color", note(`"color":"red"`), "80100003"},
		{"image", note(`"image":"http://x"`), "80100003"},
		{"visibility", note(`"visibility":"public"`), "80100003"},
		{"vibrate", note(`"vibrate_config":["61S"]`), "80100003"},
		{"light", note(`"light_settings":{}`), "80100003"},
		{"when", note(`"when":"tomorrow"`), "80100003"},
		{"buttons", note(`"buttons":[{"name":""}]`), "80100003"},
		{"profile", note(`"profile_id":"` + strings.Repeat("p", 65) + `"`), "80100003"},
		{"too_long", swap(`See you`, strings.Repeat("x", 4000)), "80300008"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, testAccount())
			status, answer := r.send("/v1/100000001/messages:send", "Bearer "+r.token, c.body)
			if answer["code"] != c.code || status == 200 {
				t.Errorf("HTTP %d %v, want %s", status, answer, c.code)
			}
			if len(r.Violations()) != 1 || len(r.Pushes()) != 0 {
				t.Errorf("violations %v, pushes %d", r.Violations(), len(r.Pushes()))
			}
		})
	}
}

func TestSizeExcludesTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, testAccount())
	long := strings.Replace(good, `["tokA"]`, `["`+strings.Repeat("t", 4000)+`"]`, 1)
	if _, answer := r.send("/v1/100000001/messages:send", "Bearer "+r.token, long); answer["code"] != "80000000" {
		t.Errorf("got %v", answer)
	}
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	r := newRig(t, testAccount())
	for _, c := range []struct {
		name, path, auth, code string
		later                  time.Duration
	}{
		{name: "none", path: "/v1/100000001/messages:send", code: "80200001"},
		{name: "no_bearer", path: "/v1/100000001/messages:send", auth: r.token, code: "80200001"},
		{name: "two_blanks", path: "/v1/100000001/messages:send", auth: "Bearer  " + r.token, code: "80200001"},
		{name: "made_up", path: "/v1/100000001/messages:send", auth: "Bearer x", code: "80200001"},
		{name: "other_app", path: "/v1/100000002/messages:send", auth: "Bearer " + r.token, code: "80200001"},
		{name: "app_as_project", path: "/v2/100000001/messages:send", auth: "Bearer " + r.token, code: "80200001"},
		{name: "expired", path: "/v1/100000001/messages:send", auth: "Bearer " + r.token, code: "80200003", later: time.Hour},
	} {
		r.clock.pass(c.later)
		if status, answer := r.send(c.path, c.auth, good); status != 401 || answer["code"] != c.code {
			t.Errorf("%s: HTTP %d %v, want 401 %s", c.name, status, answer, c.code)
		}
	}
	before := len(r.Violations())
	earlier := newRig(t, testAccount()).token // of a sandbox that ran before
	if status, answer := r.send("/v1/100000001/messages:send", "Bearer "+earlier, good); status != 401 || answer["code"] != "80200003" {
		t.Errorf("a token of an earlier sandbox: HTTP %d %v", status, answer)
	}
	if len(r.Violations()) != before {
		t.Error("a token of an earlier sandbox breaks no rule")
	}
	if status, _ := r.send("/v4/100000001/messages:send", "", good); status != 404 {
		t.Errorf("an unknown path gives HTTP %d", status)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	r := newRig(t, testAccount())
	for _, c := range []struct {
		form string
		sub  float64
	}{
		{"grant_type=password&client_id=100000001&client_secret=x", 20001},
		{"grant_type=client_credentials&client_id=com.example&client_secret=x", 20002},
		{"grant_type=client_credentials&client_id=999&client_secret=x", 20003},
		{"grant_type=client_credentials&client_id=100000001", 20171},
		{"grant_type=client_credentials&client_id=100000001&client_secret=x", 12304},
		// A plus that is not percent-encoded arrives as a blank.
		{"grant_type=client_credentials&client_id=100000001&client_secret=made+up/secret", 12304},
	} {
		if status, answer := r.login(c.form); status != 400 || answer["error"] != float64(1101) || answer["sub_error"] != c.sub {
			t.Errorf("%s: HTTP %d %v, want 1101/%v", c.form, status, answer, c.sub)
		}
	}
	good := url.Values{"grant_type": {"client_credentials"}, "client_id": {"100000001"}, "client_secret": {"made+up/secret"}}.Encode()
	for i := range 999 { // the rig took the first
		if status, answer := r.login(good); status != 200 {
			t.Fatalf("login %d: HTTP %d %v", i, status, answer)
		}
	}
	if status, _ := r.login(good); status != 503 {
		t.Errorf("the 1001st login in five minutes gives HTTP %d", status)
	}
	r.clock.pass(5 * time.Minute)
	if status, _ := r.login(good); status != 200 {
		t.Errorf("a login after five minutes gives HTTP %d", status)
	}
}

func TestBadTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, testAccount())
	r.Kill("huawei", "tokB")
	two := strings.Replace(good, `["tokA"]`, `["tokA","tokB"]`, 1)
	_, answer := r.send("/v1/100000001/messages:send", "Bearer "+r.token, two)
	if answer["code"] != "80100000" || answer["msg"] != `{"failure":1,"illegal_tokens":["tokB"],"success":1}` {
		t.Errorf("got %v", answer)
	}
	r.Kill("huawei", "tokA")
	_, answer = r.send("/v1/100000001/messages:send", "Bearer "+r.token, two)
	if answer["code"] != "80300007" || answer["msg"] != "All the tokens are invalid" {
		t.Errorf("got %v", answer)
	}
	if _, answer = r.send("/v1/100000001/messages:send", "Bearer "+r.token, strings.Replace(two, `only":false`, `only":true`, 1)); answer["code"] != "80000000" {
		t.Errorf("validate_only: %v", answer)
	}
	if n := len(r.Pushes()); n != 1 {
		t.Errorf("%d pushes arrived, want 1", n)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault  sandbox.Fault
		status int
		code   any
		pushes int
	}{
		{sandbox.Fault{Kind: sandbox.FaultThrottle, RetryAfter: 3}, 503, nil, 0},
		{sandbox.Fault{Kind: sandbox.FaultExpiredAuth}, 401, "80200003", 0},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "81000001"}, 500, "81000001", 0},
		{sandbox.Fault{Kind: sandbox.FaultCode, Code: "80300002", Token: "tokA"}, 400, "80300002", 0},
		{sandbox.Fault{Kind: sandbox.FaultDeadToken, Token: "tokA"}, 400, "80300007", 0},
		// The day's quota has no answer of its own: accepted, and dropped.
		{sandbox.Fault{Kind: sandbox.FaultQuota}, 200, "80000000", 0},
		{sandbox.Fault{Kind: sandbox.FaultServerError, Status: 502}, 502, nil, 0},
	} {
		r := newRig(t, testAccount())
		c.fault.Vendor = "huawei"
		r.Arm(c.fault)
		status, answer := r.send("/v1/100000001/messages:send", "Bearer "+r.token, good)
		if status != c.status || answer["code"] != c.code || len(r.Pushes()) != c.pushes || len(r.Violations()) != 0 {
			t.Errorf("%s: HTTP %d %v, %d pushes, violations %v", c.fault.Kind, status, answer, len(r.Pushes()), r.Violations())
		}
	}
}

// A category without the right is taken for marketing without a word; the third push of the day
// goes nowhere. Only the receipts, signed and behind the answers, say so.
func TestCapsAndReceipts(t *testing.T) {
	t.Parallel()
	posted := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		if req.Header.Get("X-HUAWEI-CALLBACK-ID") == "" {
			t.Error("a receipt without its signature")
		}
		posted <- string(body)
		_, _ = io.WriteString(w, `{"code":"0","message":"success"}`)
	}))
	t.Cleanup(receiver.Close)
	account := testAccount()
	account.Categories = nil
	account.ReceiptURL, account.ReceiptUser, account.ReceiptKey = receiver.URL, "imreceipt", "plain-text-secret"
	r := newRig(t, account)
	push := func(body string) {
		t.Helper()
		if _, answer := r.send("/v1/100000001/messages:send", "Bearer "+r.token, body); answer["code"] != "80000000" {
			t.Fatalf("got %v", answer)
		}
	}
	for range 3 {
		push(good)
	}
	if n := len(r.Pushes()); n != 2 || r.Pushes()[0].Class != "MARKETING" {
		t.Errorf("%d pushes arrived, the first as %s", n, r.Pushes()[0].Class)
	}
	push(strings.Replace(good, `user_type":0`, `user_type":1`, 1)) // a test push is exempt
	r.clock.pass(24 * time.Hour)
	if _, answer := r.login(url.Values{"grant_type": {"client_credentials"}, "client_id": {account.AppID}, "client_secret": {account.AppSecret}}.Encode()); answer != nil {
		r.token = answer["access_token"].(string)
	}
	push(good)
	if n := len(r.Pushes()); n != 4 {
		t.Errorf("%d pushes arrived, want 4: a test and one of the next day more", n)
	}
	r.fake.Wait()
	close(posted)
	var all string
	for body := range posted {
		all += body
	}
	if strings.Count(all, `"status":0`) != 4 || strings.Count(all, `"status":256`) != 1 || !strings.Contains(all, `"biTag":"push-42"`) {
		t.Errorf("receipts: %s", all)
	}
}
