package vivo

import (
	"crypto/md5" // vivo's signature is MD5
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// rig is a sandbox with one account of vivo, and a clock.
type rig struct {
	t     *testing.T
	s     *sandbox.Server
	now   time.Time
	token string
}

func newRig(t *testing.T, change func(*Account)) *rig {
	t.Helper()
	account := Account{AppID: "100001", AppKey: "demo-app-key", AppSecret: "demo-app-secret", TestDevices: []string{"tester"}}
	if change != nil {
		change(&account)
	}
	r := &rig{t: t, now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)} // 16:00 in China
	r.s = sandbox.New(sandbox.Options{Now: func() time.Time { return r.now }, Keep: -1}, Fake(account, Account{AppID: "2", AppKey: "k", AppSecret: "s"}))
	r.token = r.login(nil)["authToken"].(string)
	return r
}

// post makes a call and returns the answer; vivo's HTTP status is always 200.
func (r *rig) post(path string, body any) map[string]any {
	r.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "/message/"+path, strings.NewReader(string(data)))
	req.Header.Set("authToken", r.token)
	w := httptest.NewRecorder()
	r.s.Handler().ServeHTTP(w, req)
	var answer map[string]any
	if w.Code != http.StatusOK || json.Unmarshal(w.Body.Bytes(), &answer) != nil {
		r.t.Fatalf("%s: HTTP %d %s", path, w.Code, w.Body)
	}
	return answer
}

func (r *rig) login(changes map[string]any) map[string]any {
	r.t.Helper()
	stamp := r.now.UnixMilli()
	sum := md5.Sum(fmt.Appendf(nil, "100001demo-app-key%ddemo-app-secret", stamp))
	body := map[string]any{"appId": 100001, "appKey": "demo-app-key", "timestamp": stamp, "sign": hex.EncodeToString(sum[:])}
	maps.Copy(body, changes)
	return r.post("auth", body)
}

// good is a message that vivo takes, with changes; a nil value removes a field.
func good(changes map[string]any) map[string]any {
	body := map[string]any{
		"appId": 100001, "regId": "v2-a", "notifyType": 4, "title": "张三", "content": "晚上一起吃饭吗", "timeToLive": 86400, "skipType": 1,
		"networkType": -1, "classification": 1, "category": "IM", "requestId": "m-1", "pushMode": 0, "notifyId": 7,
		"clientCustomMap": map[string]string{"ext": "{}"},
	}
	maps.Copy(body, changes)
	maps.DeleteFunc(body, func(_ string, v any) bool { return v == nil })
	return body
}

func (r *rig) want(answer map[string]any, code int) {
	r.t.Helper()
	if answer["result"] != float64(code) {
		r.t.Errorf("got %v, want result %d", answer, code)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		changes map[string]any
		want    int
	}{
		"good":              {nil, 0},
		"appid_as_string":   {map[string]any{"appId": "100001"}, 0},
		"no_appid":          {map[string]any{"appId": ""}, 10200},
		"no_appkey":         {map[string]any{"appKey": ""}, 10201},
		"other_appkey":      {map[string]any{"appKey": "k"}, 10202},
		"no_timestamp":      {map[string]any{"timestamp": ""}, 10203},
		"no_sign":           {map[string]any{"sign": ""}, 10204},
		"stranger":          {map[string]any{"appId": 3}, 10205},
		"wrong_sign":        {map[string]any{"sign": strings.Repeat("0", 32)}, 10206},
		"upper_sign":        {map[string]any{"sign": strings.Repeat("A", 32)}, 10206},
		"seconds":           {map[string]any{"timestamp": 1795420800}, 10207},
		"eleven_minutes":    {map[string]any{"timestamp": 1795420800000 - 11*60*1000}, 10207},
		"eleven_min_future": {map[string]any{"timestamp": 1795420800000 + 11*60*1000}, 10207},
	} {
		r := newRig(t, nil)
		answer := r.login(c.changes)
		r.want(answer, c.want)
		if (answer["authToken"] != nil) != (c.want == 0) {
			t.Errorf("%s: %v", name, answer)
		}
	}
	r := newRig(t, nil)
	for range 9 {
		r.want(r.login(nil), 0)
	}
	r.want(r.login(nil), 10093)
	r.now = r.now.Add(time.Second)
	r.want(r.login(nil), 0)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	first := r.token
	r.token = r.login(nil)["authToken"].(string)
	second := r.token
	for i, token := range []string{first, second} { // several tokens hold at once
		r.token = token
		r.want(r.post("send", good(map[string]any{"requestId": fmt.Sprint("m-", i)})), 0)
	}
	r.want(r.post("send", good(map[string]any{"appId": 2})), 10094)
	r.want(r.post("send", good(map[string]any{"appId": nil})), 10094)
	before := len(r.s.Violations())
	r.token = newRig(t, nil).token // of a sandbox that ran before
	r.want(r.post("send", good(nil)), 10000)
	if len(r.s.Violations()) != before {
		t.Error("a token of an earlier sandbox breaks no rule")
	}
	r.token = "none"
	r.want(r.post("send", good(nil)), 10000)
	if len(r.s.Violations()) != before+1 {
		t.Error("a token that nobody issued breaks a rule")
	}
	r.token = second
	r.now = r.now.Add(24 * time.Hour)
	r.want(r.post("send", good(nil)), 10000)
}

func TestFields(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("字", n) }
	for name, c := range map[string]struct {
		changes map[string]any
		want    int
	}{
		"no_device":         {map[string]any{"regId": nil}, 10050},
		"notifytype_0":      {map[string]any{"notifyType": 0}, 10054},
		"notifytype_string": {map[string]any{"notifyType": "4"}, 10054},
		"notifytype_absent": {map[string]any{"notifyType": nil}, 10054},
		"no_title":          {map[string]any{"title": " "}, 10055},
		"title_21_chinese":  {map[string]any{"title": long(21)}, 10056},
		"no_content":        {map[string]any{"content": nil}, 10057},
		"content_51":        {map[string]any{"content": long(51)}, 10058},
		"ttl_59":            {map[string]any{"timeToLive": 59}, 10059},
		"ttl_long":          {map[string]any{"timeToLive": 86401}, 10059},
		"skiptype_5":        {map[string]any{"skipType": 5}, 10060},
		"url_empty":         {map[string]any{"skipType": 2}, 10061},
		"url_long":          {map[string]any{"skipType": 2, "skipContent": strings.Repeat("x", 1001)}, 10062},
		"custom_empty":      {map[string]any{"skipType": 3}, 10063},
		"custom_long":       {map[string]any{"skipType": 3, "skipContent": strings.Repeat("x", 1025)}, 10064},
		"page_empty":        {map[string]any{"skipType": 4}, 10068},
		"page_long":         {map[string]any{"skipType": 4, "skipContent": strings.Repeat("x", 1025)}, 10069},
		"network_2":         {map[string]any{"networkType": 2}, 10065},
		"map_of_11": {map[string]any{"clientCustomMap": map[string]string{
			"a": "", "b": "", "c": "", "d": "", "e": "", "f": "", "g": "", "h": "", "i": "", "j": "", "k": "",
		}}, 10066},
		"map_large":           {map[string]any{"clientCustomMap": map[string]string{"ext": strings.Repeat("x", 1022)}}, 10067},
		"map_of_numbers":      {map[string]any{"clientCustomMap": map[string]any{"a": 1}}, 10067},
		"notifyid_64_bits":    {map[string]any{"notifyId": 1 << 40}, 10095},
		"notifyid_0":          {map[string]any{"notifyId": 0}, 10095},
		"classification_2":    {map[string]any{"classification": 2}, 11000},
		"category_lower":      {map[string]any{"category": "im"}, 10096},
		"category_disagrees":  {map[string]any{"classification": 0}, 10097},
		"extra_key":           {map[string]any{"extra": map[string]string{"x": "y"}}, 10304},
		"callback_long":       {map[string]any{"extra": map[string]string{"callback": strings.Repeat("x", 129)}}, 10305},
		"callback_param_long": {map[string]any{"extra": map[string]string{"callback.param": strings.Repeat("x", 193)}}, 10306},
		"no_requestid":        {map[string]any{"requestId": nil}, 10352},
		"requestid_65":        {map[string]any{"requestId": strings.Repeat("x", 65)}, 10353},
		"title_20_chinese":    {map[string]any{"title": long(20), "content": long(50)}, 0},
		"network_as_string":   {map[string]any{"networkType": "1"}, 0},
		"category_alone":      {map[string]any{"classification": nil, "category": "ORDER"}, 0},
	} {
		r := newRig(t, nil)
		answer := r.post("send", good(c.changes))
		r.want(answer, c.want)
		if broken := len(r.s.Violations()); broken != min(c.want, 1) {
			t.Errorf("%s: %d broken rules", name, broken)
		}
	}
}

func TestTestTexts(t *testing.T) {
	t.Parallel()
	for text, formal := range map[string]bool{
		"晚上见": true, "见12": true, "ok!": true, "abc123": true, "привет": true, "123": false, "ok": false, "See you": false, "!?": false, "1+1": false,
		"[图片]": false, "{甲}": false, "测试一下": false, "🎂": false,
	} {
		for _, field := range []string{"title", "content"} {
			want := 0
			if !formal {
				want = 10104
			}
			r := newRig(t, nil)
			r.want(r.post("send", good(map[string]any{field: text})), want)
			// A test push is not checked.
			r.want(r.post("send", good(map[string]any{field: text, "pushMode": 1, "regId": "tester", "requestId": "t"})), 0)
		}
	}
}

func TestDevices(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(a *Account) { a.Silent = []string{"quiet"} })
	r.s.Kill("vivo", "dead")
	status := func(token string, mode, want int) {
		t.Helper()
		answer := r.post("send", good(map[string]any{"regId": token, "pushMode": mode}))
		r.want(answer, 10302)
		user, _ := answer["invalidUser"].(map[string]any)
		if user["userid"] != token || user["status"] != float64(want) {
			t.Errorf("%s: got %v, want status %d", token, user, want)
		}
	}
	status("dead", 0, 2)
	status("v2-a", 1, 4)
	r.s.Arm(sandbox.Fault{Vendor: "vivo", Kind: sandbox.FaultDeadToken, Token: "v2-b", Times: 1})
	status("v2-b", 0, 1)
	r.want(r.post("send", good(map[string]any{"regId": "quiet"})), 10311)
	r.want(r.post("send", good(map[string]any{"regId": "tester", "pushMode": 1})), 0)
	if len(r.s.Violations()) != 0 {
		t.Errorf("broken rules: %v", r.s.Violations())
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	n := 0
	send := func(r *rig, changes map[string]any, want int) {
		t.Helper()
		n++
		body := good(map[string]any{"requestId": fmt.Sprint("m-", n)})
		maps.Copy(body, changes)
		r.want(r.post("send", body), want)
	}
	marketing := map[string]any{"classification": 0, "category": "MARKETING"}

	review := newRig(t, func(a *Account) { a.Review = true })
	send(review, nil, 10045)
	send(review, map[string]any{"pushMode": 1, "regId": "tester"}, 0)

	fast := newRig(t, func(a *Account) { a.PerSecond = 1 })
	send(fast, nil, 0)
	send(fast, nil, 10072)
	fast.now = fast.now.Add(time.Second)
	send(fast, nil, 0)

	quota := newRig(t, func(a *Account) { a.SystemQuota, a.OperationalQuota = 1, 1 })
	send(quota, nil, 0)
	send(quota, nil, 10073)
	send(quota, marketing, 0)
	send(quota, marketing, 10070)
	quota.now = time.Date(2026, 11, 23, 15, 59, 59, 0, time.UTC) // 23:59:59 in China
	send(quota, nil, 10073)
	send(quota, marketing, 10071)
	quota.now = quota.now.Add(time.Second)
	quota.token = quota.login(nil)["authToken"].(string)
	send(quota, nil, 0)
	quota.now = time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC) // 07:00
	send(quota, marketing, 0)
}

// The same requestId gets the same answer, and the phone shows it once.
func TestRepeat(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	first, second := r.post("send", good(nil)), r.post("send", good(nil))
	if first["taskId"] != second["taskId"] {
		t.Errorf("got %v, then %v", first, second)
	}
	if pushes := r.s.Pushes(); len(pushes) != 2 || pushes[0].Repeat || !pushes[1].Repeat {
		t.Errorf("got %+v", pushes)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(a *Account) { a.ListBodies = 2 })
	stored := good(map[string]any{"regId": nil, "requestId": "s-1"})
	r.want(r.post("saveListPayload", good(map[string]any{"requestId": "s-0"})), 10050)
	r.want(r.post("saveListPayload", good(map[string]any{"regId": nil, "timeToLive": 60})), 10059)
	answer := r.post("saveListPayload", stored)
	r.want(answer, 0)
	task, isText := answer["taskId"].(string)
	if !isText {
		t.Fatalf("taskId must be a string: %v", answer)
	}
	n := 0
	push := func(changes map[string]any, want int) map[string]any {
		t.Helper()
		n++
		body := map[string]any{"appId": 100001, "regIds": []string{"a", "b"}, "taskId": task, "requestId": fmt.Sprint("p-", n), "pushMode": 0}
		maps.Copy(body, changes)
		answer := r.post("pushToList", body)
		r.want(answer, want)
		return answer
	}
	push(nil, 0)
	push(map[string]any{"regIds": nil}, 10150)
	push(map[string]any{"regIds": []string{}}, 10150)
	push(map[string]any{"taskId": ""}, 10151)
	push(map[string]any{"taskId": "1"}, 10152)
	push(map[string]any{"regIds": []string{"a"}}, 10153)
	push(map[string]any{"regIds": make([]string, 1001)}, 10153)
	push(map[string]any{"requestId": ""}, 10352)
	push(map[string]any{"requestId": strings.Repeat("x", 65)}, 10353)
	push(map[string]any{"pushMode": 1}, 10152)
	r.s.Kill("vivo", "b")
	dead := push(nil, 0)["invalidUsers"].([]any)[0].(map[string]any)
	if dead["userid"] != "b" || dead["status"] != float64(2) {
		t.Errorf("got %v", dead)
	}
	r.s.Kill("vivo", "a")
	if all := push(nil, 0)["invalidUsers"].([]any); len(all) != 2 {
		t.Errorf("got %v", all)
	}
	r.want(r.post("saveListPayload", good(map[string]any{"regId": nil, "requestId": "s-2"})), 0)
	r.want(r.post("saveListPayload", good(map[string]any{"regId": nil, "requestId": "s-3"})), 10252)
	r.now = r.now.Add(25 * time.Hour)
	r.token = r.login(nil)["authToken"].(string)
	push(nil, 10155)
}

func TestFaultsAndCrash(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for kind, want := range map[string]int{sandbox.FaultThrottle: 10072, sandbox.FaultQuota: 10073, sandbox.FaultExpiredAuth: 10000} {
		r.s.Arm(sandbox.Fault{Vendor: "vivo", Kind: kind, Times: 1})
		r.want(r.post("send", good(nil)), want)
	}
	r.s.Arm(sandbox.Fault{Vendor: "vivo", Kind: sandbox.FaultCode, Code: "10311", Times: 1})
	r.want(r.post("send", good(nil)), 10311)
	w := httptest.NewRecorder()
	r.s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/message/send", strings.NewReader("[]")))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "Internet server error!") {
		t.Errorf("a body that is no object: HTTP %d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	r.s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/message/recall", strings.NewReader("{}")))
	if w.Code != http.StatusNotFound { // no source names the address of a recall
		t.Errorf("a recall: HTTP %d", w.Code)
	}
}
