package honor

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

type rig struct {
	t     *testing.T
	s     *sandbox.Server
	now   time.Time
	token string
}

func newRig(t *testing.T, change func(*Account)) *rig {
	t.Helper()
	account := Account{AppID: "104400001", ClientID: "220400001", ClientSecret: "demo-client-secret"}
	if change != nil {
		change(&account)
	}
	r := &rig{t: t, now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	r.s = sandbox.New(sandbox.Options{Now: func() time.Time { return r.now }, Keep: -1}, Fake(account))
	_, answer := r.login("grant_type=client_credentials&client_id=220400001&client_secret=demo-client-secret")
	r.token = answer["access_token"].(string)
	return r
}

func (r *rig) do(req *http.Request) (int, map[string]any) {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.s.Handler().ServeHTTP(w, req)
	var answer map[string]any
	if w.Body.Len() > 0 && json.Unmarshal(w.Body.Bytes(), &answer) != nil {
		r.t.Fatalf("HTTP %d %s", w.Code, w.Body)
	}
	return w.Code, answer
}

func (r *rig) login(form string) (int, map[string]any) {
	req := httptest.NewRequest(http.MethodPost, "/auth/token", strings.NewReader(form))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r.do(req)
}

func (r *rig) send(body string, change func(*http.Request)) (int, map[string]any) {
	req := httptest.NewRequest(http.MethodPost, "/api/v1/104400001/sendMessage", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("timestamp", "1795420800000")
	if change != nil {
		change(req)
	}
	return r.do(req)
}

func body(notification, rest string) string {
	return `{"data":"{\"ext\":\"e\"}","android":{"ttl":"86400s","notification":{"title":"t","body":"b",` + notification + `}},"token":["a","b"]` + rest + `}`
}

const click = `"clickAction":{"type":3}`

func TestLogin(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for form, want := range map[string]int{
		"grant_type=client_credentials&client_id=220400001&client_secret=demo-client-secret": 200,
		// the App ID
		"grant_type=client_credentials&client_id=104400001&client_secret=demo-client-secret": 401,
		"grant_type=client_credentials&client_id=220400001&client_secret=x":                  401,
		"grant_type=password&client_id=220400001&client_secret=demo-client-secret":           400,
	} {
		status, answer := r.login(form)
		if status != want || (answer["access_token"] != nil) != (want == 200) || (answer["error"] != nil) != (want != 200) {
			t.Errorf("%s: HTTP %d %v", form, status, answer)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	good := body(click, "")
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"good": {nil, 200},
		"no_bearer": {func(r *http.Request) {
			r.Header.Set("Authorization", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		}, 401},
		"stranger":   {func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401},
		"seconds":    {func(r *http.Request) { r.Header.Set("timestamp", "1795420800") }, 400},
		"no_stamp":   {func(r *http.Request) { r.Header.Del("timestamp") }, 400},
		"not_json":   {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 400},
		"get":        {func(r *http.Request) { r.Method = http.MethodGet }, 405},
		"other_app":  {func(r *http.Request) { r.URL.Path = "/api/v1/220400001/sendMessage" }, 403},
		"plain_json": {func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 200},
	} {
		r := newRig(t, nil)
		status, answer := r.send(good, c.change)
		if status != c.want {
			t.Errorf("%s: HTTP %d %v, want %d", name, status, answer, c.want)
		}
		if broken := len(r.s.Violations()) > 0; broken != (c.want != 200) {
			t.Errorf("%s: broken rules: %v", name, r.s.Violations())
		}
	}
	r := newRig(t, nil)
	earlier := newRig(t, nil).token // of a sandbox that ran before
	if status, _ := r.send(good, func(q *http.Request) { q.Header.Set("Authorization", "Bearer "+earlier) }); status != 401 || len(r.s.Violations()) != 0 {
		t.Errorf("a token of an earlier sandbox: HTTP %d, broken rules: %v", status, r.s.Violations())
	}
	old := newRig(t, nil)
	old.now = old.now.Add(time.Hour)
	if status, _ := old.send(good, nil); status != 401 {
		t.Errorf("an old token: HTTP %d", status)
	}
}

func TestBody(t *testing.T) {
	t.Parallel()
	for body, taken := range map[string]bool{
		body(click, ""):                       true,
		`[]`:                                  false,
		`{"message":` + body(click, "") + `}`: false,
		body(click, `,"validate_only":false`): false,
		body(`"click_action":{"type":3}`, ""): false,
		body(click+`,"channelId":"x"`, ""):    false,
		`{"android":{"notification":{"title":"t","body":"b",` + click + `}},"token":[]}`:                     false,
		`{"android":{"notification":{"title":"t","body":"b",` + click + `}},"token":[""]}`:                   false,
		`{"android":{"notification":{"title":"t","body":"b",` + click + `}},"token":"a"}`:                    false,
		`{"notification":{"title":"t","body":"b"},"token":["a"]}`:                                            false,
		`{"notification":{"title":"t","body":"b"},"android":{"notification":{` + click + `}},"token":["a"]}`: true,
		`{"android":{"notification":{"title":"t",` + click + `}},"token":["a"]}`:                             false,
		// no clickAction
		body(`"importance":"NORMAL"`, ""):                             false,
		body(`"clickAction":{"type":4}`, ""):                          false,
		body(`"clickAction":{"type":1}`, ""):                          false,
		body(`"clickAction":{"type":1,"action":"a.B"}`, ""):           true,
		body(`"clickAction":{"type":2,"url":"http://x"}`, ""):         false,
		body(`"clickAction":{"type":2,"url":"https://x"}`, ""):        true,
		body(click+`,"importance":"HIGH"`, ""):                        false,
		body(click+`,"image":"http://x"`, ""):                         false,
		body(click+`,"style":2`, ""):                                  false,
		body(click+`,"style":1`, ""):                                  false,
		body(click+`,"style":1,"bigTitle":"t","bigBody":"b"`, ""):     true,
		body(click+`,"style":1,"bigTitle":"t","bigBody":"other"`, ""): false,
		body(click+`,"when":"tomorrow"`, ""):                          false,
		body(click+`,"when":"2026-11-23T08:00:00.000000001Z"`, ""):    true,
		body(click+`,"buttons":{"name":"x"}`, ""):                     false,
		body(click+`,"buttons":[{"name":"x","actionType":0}]`, ""):    true,
		body(click+`,"buttons":[{"name":"x","actionType":3}]`, ""):    false,
		body(click+`,"badge":{"setNum":3}`, ""):                       false,
		body(click+`,"badge":{"class":"C","setNum":3}`, ""):           false,
		body(click+`,"badge":{"badgeClass":"C","setNum":0}`, ""):      true,
		body(click+`,"badge":{"badgeClass":"C","setNum":100}`, ""):    false,
		body(click+`,"badge":{"badgeClass":"C","addNum":0}`, ""):      false,
		body(click+`,"notifyId":-1`, ""):                              true,
		body(click+`,"notifyId":9007199254740993`, ""):                false,
		body(click+`,"group":"`+strings.Repeat("x", 4000)+`"`, ""):    false,
		strings.Replace(body(click, ""), "86400s", "86400", 1):        false,
		strings.Replace(body(click, ""), "86400s", "1296001s", 1):     false,
		strings.Replace(body(click, ""), `{\"ext\":\"e\"}`, "e", 1):   false,
	} {
		r := newRig(t, nil)
		status, answer := r.send(body, nil)
		if (status == 200) != taken || taken && answer["code"] != float64(200) {
			t.Errorf("%s: HTTP %d %v", body, status, answer)
		}
		if broken := len(r.s.Violations()) > 0; broken == taken {
			t.Errorf("%s: broken rules: %v", body, r.s.Violations())
		}
	}
	few := newRig(t, func(a *Account) { a.Most = 1 })
	if status, _ := few.send(body(click, ""), nil); status != 400 {
		t.Errorf("too many tokens: HTTP %d", status)
	}
}

// The answers that the sources describe, each of which may be what Honor really says.
func TestAnswers(t *testing.T) {
	t.Parallel()
	empty := []any{}
	for name, c := range map[string]struct {
		account func(*Account)
		fault   *sandbox.Fault
		dead    string
		status  int
		code    any
		data    any // without requestId; nil is null
	}{
		"success":       {status: 200, code: 200.0, data: map[string]any{"sendResult": true, "failTokens": empty, "expireTokens": empty}},
		"other_success": {account: func(a *Account) { a.Success = "0" }, status: 200, code: 0.0, data: map[string]any{"sendResult": true, "failTokens": empty, "expireTokens": empty}},
		"dead":          {dead: "b", status: 200, code: 200.0, data: map[string]any{"sendResult": true, "failTokens": empty, "expireTokens": []any{"b"}}},
		"partial":       {fault: &sandbox.Fault{Kind: sandbox.FaultPartial, Token: "a"}, status: 200, code: 200.0, data: map[string]any{"sendResult": true, "failTokens": empty, "expireTokens": []any{"a"}}},
		"all_dead":      {fault: &sandbox.Fault{Kind: sandbox.FaultDeadToken}, status: 200, code: 200.0, data: map[string]any{"sendResult": false, "failTokens": empty, "expireTokens": []any{"a", "b"}}},
		"fail_tokens":   {fault: &sandbox.Fault{Kind: sandbox.FaultCode, Code: "failTokens", Token: "a"}, status: 200, code: 200.0, data: map[string]any{"sendResult": true, "failTokens": []any{"a"}, "expireTokens": empty}},
		"throttle":      {fault: &sandbox.Fault{Kind: sandbox.FaultThrottle}, status: 429, code: 429.0, data: map[string]any{"sendResult": false, "failTokens": empty, "expireTokens": empty}},
		"expired_auth":  {fault: &sandbox.Fault{Kind: sandbox.FaultExpiredAuth}, status: 401, code: 401.0, data: map[string]any{"sendResult": false, "failTokens": empty, "expireTokens": empty}},
		"auth_as_400":   {account: func(a *Account) { a.AuthStatus, a.ErrorsWithoutData = 400, true }, fault: &sandbox.Fault{Kind: sandbox.FaultExpiredAuth}, status: 400, code: 401.0},
		"auth_empty":    {account: func(a *Account) { a.AuthEmpty = true }, fault: &sandbox.Fault{Kind: sandbox.FaultExpiredAuth}, status: 401},
		"unknown_code":  {account: func(a *Account) { a.ErrorsWithoutData = true }, fault: &sandbox.Fault{Kind: sandbox.FaultCode, Code: "4711"}, status: 200, code: 4711.0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c.account)
			if c.fault != nil {
				c.fault.Vendor = "honor"
				r.s.Arm(*c.fault)
			}
			if c.dead != "" {
				r.s.Kill("honor", c.dead)
			}
			status, answer := r.send(body(click+`,"notifyId":7`, ""), nil)
			if data, ok := answer["data"].(map[string]any); ok {
				delete(data, "requestId")
			}
			if status != c.status || answer["code"] != c.code {
				t.Errorf("HTTP %d %v, want %d and %v", status, answer, c.status, c.code)
			}
			if diff := cmp.Diff(c.data, answer["data"]); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
			if len(r.s.Violations()) != 0 {
				t.Errorf("broken rules: %v", r.s.Violations())
			}
		})
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.send(body(click+`,"notifyId":7,"importance":"LOW","badge":{"badgeClass":"C","setNum":0}`, ""), nil)
	got := r.s.Pushes()
	if len(got) != 2 || got[1].Token != "b" || got[1].Key != "7" || got[1].Ext != "e" || got[1].Class != "LOW" || got[1].Badge == nil || *got[1].Badge != 0 {
		t.Errorf("got %+v", got)
	}
}
