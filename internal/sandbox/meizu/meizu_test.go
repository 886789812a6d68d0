package meizu

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

type rig struct {
	t   *testing.T
	s   *sandbox.Server
	now time.Time
}

func newRig(t *testing.T, change func(*Account)) *rig {
	account := Account{AppID: "123456", AppSecret: "demo-app-secret"}
	if change != nil {
		change(&account)
	}
	r := &rig{t: t, now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	r.s = sandbox.New(sandbox.Options{Now: func() time.Time { return r.now }, Keep: -1}, Fake(account))
	return r
}

const good = `{"noticeBarInfo":{"noticeMsgType":1,"title":"张三","content":"你好 & welcome=1"},"clickTypeInfo":{"clickType":0},"pushTimeInfo":{"offLine":1,"validTime":24}}`

// push sends a signed form; change may spoil it after the signature.
func (r *rig) push(text, tokens string, change func(url.Values)) map[string]any {
	r.t.Helper()
	form := url.Values{"appId": {"123456"}, "messageJson": {text}, "pushIds": {tokens}}
	form.Set("sign", sign(form, "demo-app-secret"))
	if change != nil {
		change(form)
	}
	req := httptest.NewRequest(http.MethodPost, "/garcia/api/server/push/varnished/pushByPushId", strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	w := httptest.NewRecorder()
	r.s.Handler().ServeHTTP(w, req)
	var answer map[string]any
	if w.Code != http.StatusOK || json.Unmarshal(w.Body.Bytes(), &answer) != nil {
		r.t.Fatalf("HTTP %d %s", w.Code, w.Body)
	}
	return answer
}

// want compares the code, which is a string, and the value, which is "" under errors.
func (r *rig) want(answer map[string]any, code string, value any) {
	r.t.Helper()
	if answer["code"] != code {
		r.t.Errorf("got %v, want code %s", answer, code)
	}
	if diff := cmp.Diff(value, answer["value"]); diff != "" {
		r.t.Errorf("value (-want +got):\n%s", diff)
	}
}

func TestSignVector(t *testing.T) {
	t.Parallel()
	form := url.Values{
		"appId": {"10000"}, "pushIds": {"RA50c6348036344485d01776773577c64740465480a6b"}, "sign": {"not part of it"},
		"messageJson": {`{"title":"title","content":"content","pushTimeInfo":{"offLine":1,"validTime":24}}`},
	}
	if got := sign(form, "<APP_SECRET>"); got != "ac076ff25d9900015a681cb5172aa53b" {
		t.Errorf("got %s", got)
	}
}

func TestCall(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	none := map[string]any{}
	r.want(r.push(good, "PID_A,PID_B", nil), "200", none)
	for _, field := range []string{"appId", "pushIds", "messageJson", "sign"} {
		r.want(r.push(good, "a", func(f url.Values) { f.Del(field) }), "110004", "")
	}
	r.want(r.push(good, "a", func(f url.Values) { f.Set("appId", "1") }), "110000", "")
	r.want(r.push(good, "a", func(f url.Values) { f.Set("sign", strings.ToUpper(f.Get("sign"))) }), "1006", "")
	r.want(r.push(good, "a", func(f url.Values) { f.Set("pushIds", "b") }), "1006", "")
	r.want(r.push(good, "a", func(f url.Values) { f.Set("messageJson", url.QueryEscape(good)) }), "1006", "")
	r.want(r.push(good, strings.Repeat("a,", 100)+"a", nil), "1005", "")
	r.want(r.push(good, "bad!", nil), "200", map[string]any{"110003": []any{"bad!"}})
	w := httptest.NewRecorder()
	r.s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/garcia/api/server/push/varnished/pushByPushId", nil))
	if !strings.Contains(w.Body.String(), `"1005"`) {
		t.Errorf("a GET: %s", w.Body)
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	bar := `"noticeBarInfo":{"title":"t","content":"c"}`
	for text, taken := range map[string]bool{
		`{` + bar + `}`: true,
		`[]`:            false,
		`{"noticeBarInfo":{"title":"","content":"c"}}`:                                                                   false,
		`{"noticeBarInfo":{"title":"` + strings.Repeat("字", 33) + `","content":"c"}}`:                                    false,
		`{"noticeBarInfo":{"title":"` + strings.Repeat("字", 32) + `","content":"` + strings.Repeat("字", 100) + `"}}`:     true,
		`{"noticeBarInfo":{"title":"t","content":"` + strings.Repeat("字", 101) + `"}}`:                                   false,
		`{"noticeBarInfo":{"title":"t","content":"c","noticeMsgType":2}}`:                                                false,
		`{"noticeBarInfo":{"title":"t","content":"c","noticeMsgType":true}}`:                                             true,
		`{"noticeBarInfo":{"title":"t","content":"c","noticeBarType":1}}`:                                                false,
		`{` + bar + `,"noticeExpandInfo":{"noticeExpandType":1}}`:                                                        false,
		`{` + bar + `,"noticeExpandInfo":{"noticeExpandType":2,"noticeExpandImgUrl":"x"}}`:                               false,
		`{` + bar + `,"noticeExpandInfo":{"noticeExpandType":3}}`:                                                        false,
		`{` + bar + `,"clickTypeInfo":{"clickType":3,"customAttribute":"x"}}`:                                            false,
		`{` + bar + `,"clickTypeInfo":{"clickType":1}}`:                                                                  false,
		`{` + bar + `,"clickTypeInfo":{"clickType":1,"activity":"a.B"}}`:                                                 true,
		`{` + bar + `,"clickTypeInfo":{"clickType":2}}`:                                                                  false,
		`{` + bar + `,"clickTypeInfo":{"clickType":2,"url":"` + strings.Repeat("x", 1001) + `"}}`:                        false,
		`{` + bar + `,"clickTypeInfo":{"parameters":"x"}}`:                                                               false,
		`{` + bar + `,"clickTypeInfo":{"parameters":{"a":1}}}`:                                                           true,
		`{` + bar + `,"pushTimeInfo":{"offLine":1,"validTime":0}}`:                                                       false,
		`{` + bar + `,"pushTimeInfo":{"offLine":1,"validTime":73}}`:                                                      false,
		`{` + bar + `,"pushTimeInfo":{"offLine":true,"validTime":72}}`:                                                   true,
		`{` + bar + `,"pushTimeInfo":{"offLine":2}}`:                                                                     false,
		`{` + bar + `,"advanceInfo":{"notifyKey":"123456789"}}`:                                                          false,
		`{` + bar + `,"advanceInfo":{"notifyKey":"a b"}}`:                                                                false,
		`{` + bar + `,"advanceInfo":{"notificationType":{"sound":3}}}`:                                                   false,
		`{` + bar + `,"advanceInfo":{"suspend":false,"notificationType":{"sound":true}}}`:                                true,
		`{` + bar + `,"vipInfo":{"subtitle":"x"}}`:                                                                       false,
		`{` + bar + `,"extra":{}}`:                                                                                       false,
		`{` + bar + `,"extra":{"callback":"https://not.registered"}}`:                                                    false,
		`{` + bar + `,"extra":{"callback":"https://cb.example.com","callback.type":"3"}}`:                                true,
		`{` + bar + `,"extra":{"callback":"https://cb.example.com","callback.type":4}}`:                                  false,
		`{` + bar + `,"extra":{"callback":"https://cb.example.com","callback.param":"` + strings.Repeat("x", 65) + `"}}`: false,
	} {
		r := newRig(t, func(a *Account) { a.Callbacks = []string{"https://cb.example.com"} })
		want := "1005"
		if taken {
			want = "200"
		}
		if answer := r.push(text, "a", nil); answer["code"] != want {
			t.Errorf("%s: got %v, want %s", text, answer, want)
		}
	}
	vip := newRig(t, func(a *Account) { a.VIP = true })
	vip.want(vip.push(`{`+bar+`,"vipInfo":{"subtitle":"x"},"noticeExpandInfo":{"noticeExpandType":2,"noticeExpandImgUrl":"x"}}`, "a", nil), "200", map[string]any{})
}

func TestDevices(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(a *Account) { a.Silent = []string{"quiet"} })
	r.s.Kill("meizu", "dead")
	r.want(r.push(good, "a,dead,quiet", nil), "200", map[string]any{"110002": []any{"dead"}, "110010": []any{"quiet"}})
	for _, code := range []string{"201", "501", "513", "518", "519"} {
		id := r.s.Arm(sandbox.Fault{Vendor: "meizu", Kind: sandbox.FaultCode, Code: code, Times: 1})
		r.want(r.push(good, "x"+code+",y", nil), "200", map[string]any{code: []any{"x" + code}})
		r.s.Clear("meizu", id)
	}
	// Five a minute, then folded.
	for range 5 {
		r.want(r.push(good, "busy", nil), "200", map[string]any{})
	}
	r.want(r.push(good, "busy", nil), "200", map[string]any{"520": []any{"busy"}})
	r.now = r.now.Add(time.Minute)
	r.want(r.push(good, "busy", nil), "200", map[string]any{})
	// Three public messages a day.
	public := strings.Replace(good, `"noticeMsgType":1,`, "", 1)
	for range 3 {
		r.want(r.push(public, "reader", nil), "200", map[string]any{})
	}
	r.want(r.push(public, "reader", nil), "200", map[string]any{"110011": []any{"reader"}})
	r.want(r.push(good, "reader", nil), "200", map[string]any{})
	r.now = r.now.Add(24 * time.Hour)
	r.want(r.push(public, "reader", nil), "200", map[string]any{})
	if len(r.s.Violations()) != 0 {
		t.Errorf("broken rules: %v", r.s.Violations())
	}
}

func TestLimitsAndFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(a *Account) { a.PerSecond, a.PerDay = 2, 3 })
	r.want(r.push(good, "a,b", nil), "200", map[string]any{})
	r.want(r.push(good, "c", nil), "110010", "")
	r.now = r.now.Add(time.Second)
	r.want(r.push(good, "c,d", nil), "110019", "")
	r.want(r.push(good, "", func(f url.Values) { f.Set("pushIds", "") }), "110004", "")

	r = newRig(t, nil)
	for _, c := range []struct {
		fault sandbox.Fault
		want  string
	}{{sandbox.Fault{Kind: sandbox.FaultThrottle}, "110010"}, {sandbox.Fault{Kind: sandbox.FaultQuota}, "110019"}, {sandbox.Fault{Kind: sandbox.FaultCode, Code: "1003"}, "1003"}} {
		c.fault.Vendor, c.fault.Times = "meizu", 1
		r.s.Arm(c.fault)
		r.want(r.push(good, fmt.Sprint("t", c.want), nil), c.want, "")
	}
}
