package sandbox

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
)

type meizuRig struct {
	t   *testing.T
	s   *Server
	now time.Time
}

func newMeizuRig(t *testing.T, change func(*MeizuAccount)) *meizuRig {
	account := MeizuAccount{AppID: "123456", AppSecret: "demo-app-secret"}
	if change != nil {
		change(&account)
	}
	r := &meizuRig{t: t, now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	r.s = New(Accounts{Meizu: []MeizuAccount{account}}, Options{Now: func() time.Time { return r.now }, Keep: -1})
	return r
}

const meizuGood = `{"noticeBarInfo":{"noticeMsgType":1,"title":"张三","content":"你好 & welcome=1"},"clickTypeInfo":{"clickType":0},"pushTimeInfo":{"offLine":1,"validTime":24}}`

// push sends a signed form; change may spoil it after the signature.
func (r *meizuRig) push(text, tokens string, change func(url.Values)) map[string]any {
	r.t.Helper()
	form := url.Values{"appId": {"123456"}, "messageJson": {text}, "pushIds": {tokens}}
	form.Set("sign", meizuSign(form, "demo-app-secret"))
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
func (r *meizuRig) want(answer map[string]any, code string, value any) {
	r.t.Helper()
	if answer["code"] != code {
		r.t.Errorf("got %v, want code %s", answer, code)
	}
	if diff := cmp.Diff(value, answer["value"]); diff != "" {
		r.t.Errorf("value (-want +got):\n%s", diff)
	}
}

func TestMeizuSignVector(t *testing.T) {
	t.Parallel()
	form := url.Values{
		"appId": {"10000"}, "pushIds": {"RA50c6348036344485d01776773577c64740465480a6b"}, "sign": {"not part of it"},
		"messageJson": {`{"title":"title","content":"content","pushTimeInfo":{"offLine":1,"validTime":24}}`},
	}
	if got := meizuSign(form, "<APP_SECRET>"); got != "ac076ff25d9900015a681cb5172aa53b" {
		t.Errorf("got %s", got)
	}
}

func TestMeizuCall(t *testing.T) {
	t.Parallel()
	r := newMeizuRig(t, nil)
	none := map[string]any{}
	r.want(r.push(meizuGood, "PID_A,PID_B", nil), "200", none)
	for _, field := range []string{"appId", "pushIds", "messageJson", "sign"} {
		r.want(r.push(meizuGood, "a", func(f url.Values) { f.Del(field) }), "110004", "")
	}
	r.want(r.push(meizuGood, "a", func(f url.Values) { f.Set("appId", "1") }), "110000", "")
	r.want(r.push(meizuGood, "a", func(f url.Values) { f.Set("sign", strings.ToUpper(f.Get("sign"))) }), "1006", "")
	r.want(r.push(meizuGood, "a", func(f url.Values) { f.Set("pushIds", "b") }), "1006", "")
	r.want(r.push(meizuGood, "a", func(f url.Values) { f.Set("messageJson", url.QueryEscape(meizuGood)) }), "1006", "")
	r.want(r.push(meizuGood, strings.Repeat("a,", 100)+"a", nil), "1005", "")
	r.want(r.push(meizuGood, "bad!", nil), "200", map[string]any{"110003": []any{"bad!"}})
	w := httptest.NewRecorder()
	r.s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/garcia/api/server/push/varnished/pushByPushId", nil))
	if !strings.Contains(w.Body.String(), `"1005"`) {
		t.Errorf("a GET: %s", w.Body)
	}
}

func TestMeizuMessage(t *testing.T) {
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
		r := newMeizuRig(t, func(a *MeizuAccount) { a.Callbacks = []string{"https://cb.example.com"} })
		want := "1005"
		if taken {
			want = "200"
		}
		if answer := r.push(text, "a", nil); answer["code"] != want {
			t.Errorf("%s: got %v, want %s", text, answer, want)
		}
	}
	vip := newMeizuRig(t, func(a *MeizuAccount) { a.VIP = true })
	vip.want(vip.push(`{`+bar+`,"vipInfo":{"subtitle":"x"},"noticeExpandInfo":{"noticeExpandType":2,"noticeExpandImgUrl":"x"}}`, "a", nil), "200", map[string]any{})
}

func TestMeizuDevices(t *testing.T) {
	t.Parallel()
	r := newMeizuRig(t, func(a *MeizuAccount) { a.Silent = []string{"quiet"} })
	r.s.Kill("meizu", "dead")
	r.want(r.push(meizuGood, "a,dead,quiet", nil), "200", map[string]any{"110002": []any{"dead"}, "110010": []any{"quiet"}})
	for _, code := range []string{"201", "501", "513", "518", "519"} {
		id := r.s.Arm(Fault{Vendor: "meizu", Kind: FaultCode, Code: code, Times: 1})
		r.want(r.push(meizuGood, "x"+code+",y", nil), "200", map[string]any{code: []any{"x" + code}})
		r.s.Clear("meizu", id)
	}
	// Five a minute, then folded.
	for range 5 {
		r.want(r.push(meizuGood, "busy", nil), "200", map[string]any{})
	}
	r.want(r.push(meizuGood, "busy", nil), "200", map[string]any{"520": []any{"busy"}})
	r.now = r.now.Add(time.Minute)
	r.want(r.push(meizuGood, "busy", nil), "200", map[string]any{})
	// Three public messages a day.
	public := strings.Replace(meizuGood, `"noticeMsgType":1,`, "", 1)
	for range 3 {
		r.want(r.push(public, "reader", nil), "200", map[string]any{})
	}
	r.want(r.push(public, "reader", nil), "200", map[string]any{"110011": []any{"reader"}})
	r.want(r.push(meizuGood, "reader", nil), "200", map[string]any{})
	r.now = r.now.Add(24 * time.Hour)
	r.want(r.push(public, "reader", nil), "200", map[string]any{})
	if len(r.s.Violations()) != 0 {
		t.Errorf("broken rules: %v", r.s.Violations())
	}
}

func TestMeizuLimitsAndFaults(t *testing.T) {
	t.Parallel()
	r := newMeizuRig(t, func(a *MeizuAccount) { a.PerSecond, a.PerDay = 2, 3 })
	r.want(r.push(meizuGood, "a,b", nil), "200", map[string]any{})
	r.want(r.push(meizuGood, "c", nil), "110010", "")
	r.now = r.now.Add(time.Second)
	r.want(r.push(meizuGood, "c,d", nil), "110019", "")
	r.want(r.push(meizuGood, "", func(f url.Values) { f.Set("pushIds", "") }), "110004", "")

	r = newMeizuRig(t, nil)
	for _, c := range []struct {
		fault Fault
		want  string
	}{{Fault{Kind: FaultThrottle}, "110010"}, {Fault{Kind: FaultQuota}, "110019"}, {Fault{Kind: FaultCode, Code: "1003"}, "1003"}} {
		c.fault.Vendor, c.fault.Times = "meizu", 1
		r.s.Arm(c.fault)
		r.want(r.push(meizuGood, fmt.Sprint("t", c.want), nil), c.want, "")
	}
}
