package oppo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

const target = "OPPO_CN_0123456789abcdef0123456789abcdef"

type rig struct {
	*sandbox.Server
	now time.Time
}

func newRig(change func(*Account)) *rig {
	account := Account{
		AppKey: "demoAppKey0001", MasterSecret: "demoMasterSecret0001", Channels: []string{"im_chat"},
		Templates: map[string]Template{"T1": {Title: []string{"a"}}},
	}
	if change != nil {
		change(&account)
	}
	r := &rig{now: time.UnixMilli(1767225600000)}
	r.Server = sandbox.New(sandbox.Options{Now: func() time.Time { return r.now }}, Fake(account))
	return r
}

func (r *rig) call(t *testing.T, path string, form url.Values, change func(*http.Request)) map[string]any {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/server/v1"+path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if change != nil {
		change(req)
	}
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("HTTP %d is no JSON: %s", w.Code, w.Body)
	}
	return answer
}

func (r *rig) login(t *testing.T) string {
	t.Helper()
	timestamp := strconv.FormatInt(r.now.UnixMilli(), 10)
	sum := sha256.Sum256([]byte("demoAppKey0001" + timestamp + "demoMasterSecret0001"))
	got := r.call(t, "/auth", url.Values{"app_key": {"demoAppKey0001"}, "timestamp": {timestamp}, "sign": {hex.EncodeToString(sum[:])}}, nil)
	if got["code"] != 0.0 {
		t.Fatalf("login: %v", got)
	}
	return got["data"].(map[string]any)["auth_token"].(string)
}

// TestAuth uses the golden signature and then breaks one rule at a time.
func TestAuth(t *testing.T) {
	t.Parallel()
	good := url.Values{"app_key": {"demoAppKey0001"}, "timestamp": {"1767225600000"},
		"sign": {"f8d8ea3bca8fe611d3e900f0e02048b0eb2538d003c100eb302eb3741c055273"}}
	with := func(key, value string) url.Values {
		form := maps.Clone(good)
		if form.Set(key, value); value == "" {
			form.Del(key)
		}
		return form
	}
	for _, c := range []struct {
		name string
		form url.Values
		late time.Duration
		code float64
	}{
		{"golden", good, 0, 0},
		{"nearly_too_old", good, 10 * time.Minute, 0},
		{"too_old", good, 10*time.Minute + time.Second, 19},
		{"ahead", good, -11 * time.Minute, 19},
		{"seconds", with("timestamp", "1767225600"), 0, 19},
		{"no_key", with("app_key", ""), 0, 15},
		{"no_sign", with("sign", ""), 0, 17},
		{"no_timestamp", with("timestamp", ""), 0, 18},
		{"stranger", with("app_key", "x"), 0, 14},
		{"wrong_sign", with("sign", strings.Repeat("0", 64)), 0, 16},
		{"sign_in_capitals", with("sign", strings.ToUpper(good.Get("sign"))), 0, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(nil)
			r.now = r.now.Add(c.late)
			if got := r.call(t, "/auth", c.form, nil); got["code"] != c.code {
				t.Errorf("got %v, want code %v", got, c.code)
			}
		})
	}
	r := newRig(nil)
	if got := r.call(t, "/auth", good, func(req *http.Request) { req.Method = http.MethodGet }); got["code"] != 12.0 {
		t.Errorf("GET: got %v", got)
	}
}

func one(notification string) string {
	return `{"target_type":2,"target_value":"` + target + `","notification":{` + notification + `}}`
}

func TestUnicast(t *testing.T) {
	t.Parallel()
	const base = `"title":"Alice","content":"hi there"`
	long := func(n int) string { return strings.Repeat("字", n) }
	for _, c := range []struct {
		name, message string
		code          float64
	}{
		{"documented_example", `{"target_type":2,"target_value":"` + target + `","verify_registration_id":false,"notification":{"app_message_id":"m-98211-u17","style":1,
			"title":"Alice","content":"hi there","click_action_type":0,"action_parameters":"{\"cid\":\"c1\"}","channel_id":"im_chat","category":"IM","notify_level":16,
			"off_line":true,"off_line_ttl":86400,"notify_id":73215,"call_back_url":"https://push.example.com/cb/oppo","call_back_parameter":"m-98211"}}`, 0},
		{"no_json", `hello`, 41},
		{"two_values", one(base) + one(base), 41},
		{"camel_case", one(base + `,"appMessageId":"x"`), 41},
		{"no_target", `{"target_type":2,"notification":{` + base + `}}`, 40},
		{"alias", strings.Replace(one(base), `"target_type":2`, `"target_type":5`, 1), 41},
		{"two_targets", strings.Replace(one(base), target, target+";"+target, 1), 41},
		{"bad_registration_id", strings.Replace(one(base), target, "device-1", 1), 10000},
		{"short_registration_id", strings.Replace(one(base), target, "0123456789abcdef01234567", 1), 0},
		{"no_title", one(`"content":"x"`), 40},
		{"blank_content", one(`"title":"x","content":" "`), 40},
		{"title_of_51", one(`"content":"x","title":"` + long(51) + `"`), 41},
		{"content_of_51", one(`"title":"x","content":"` + long(51) + `"`), 41},
		{"content_of_128_in_style_2", one(`"style":2,"title":"x","content":"` + long(128) + `"`), 0},
		{"content_of_129_in_style_2", one(`"style":2,"title":"x","content":"` + long(129) + `"`), 41},
		{"picture", one(base + `,"style":3`), 41},
		{"long_sub_title", one(base + `,"sub_title":"` + long(11) + `"`), 41},
		{"parameters_as_object", one(base + `,"action_parameters":{"a":1}`), 41},
		{"parameters_as_array", one(base + `,"action_parameters":"[1]"`), 41},
		{"parameters_null", one(base + `,"action_parameters":"null"`), 41},
		{"parameters_plain", one(base + `,"action_parameters":"hello"`), 41},
		{"parameters_of_4001", one(base + `,"action_parameters":"{\"a\":\"` + long(3993) + `\"}"`), 41},
		{"click_3", one(base + `,"click_action_type":3`), 41},
		{"click_without_activity", one(base + `,"click_action_type":4`), 41},
		{"activity_without_click", one(base + `,"click_action_activity":"a"`), 41},
		{"click_without_url", one(base + `,"click_action_type":5`), 41},
		{"click_with_url", one(base + `,"click_action_type":2,"click_action_url":"https://x"`), 0},
		{"long_activity", one(base + `,"click_action_type":1,"click_action_activity":"` + long(501) + `"`), 41},
		{"unlisted_channel", one(base + `,"channel_id":"x"`), 41},
		{"unknown_category", one(base + `,"category":"CHAT"`), 67},
		{"level_3", one(base + `,"category":"IM","notify_level":3`), 67},
		{"level_without_category", one(base + `,"notify_level":2`), 67},
		{"eleven_days", one(base + `,"off_line_ttl":950400`), 41},
		{"no_lifetime", one(base + `,"off_line_ttl":0`), 41},
		{"window_without_times", one(base + `,"show_time_type":1`), 41},
		{"network", one(base + `,"network_type":2`), 41},
		{"negative_id", one(base + `,"notify_id":-1`), 41},
		{"badge_without_operation", one(base + `,"badge_message_count":1`), 41},
		{"long_callback", one(base + `,"call_back_url":"https://` + strings.Repeat("x", 200) + `"`), 41},
		{"long_callback_parameter", one(base + `,"call_back_parameter":"` + long(51) + `"`), 41},
		{"parameters_without_template", one(base + `,"private_title_parameters":{"a":"x"}`), 54},
		{"unknown_template", one(base + `,"private_msg_template_id":"T9"`), 54},
		{"template", one(base + `,"private_msg_template_id":"T1","private_title_parameters":{"a":"x"}`), 0},
		{"template_with_text", one(base + `,"private_msg_template_id":"T1","private_title_parameters":"{\"a\":\"x\"}"`), 0},
		{"template_with_broken_text", one(base + `,"private_msg_template_id":"T1","private_title_parameters":"a=x"`), 54},
		{"template_without_values", one(base + `,"private_msg_template_id":"T1"`), 54},
		{"template_with_empty_values", one(base + `,"private_msg_template_id":"T1","private_title_parameters":{}`), 54},
		{"template_with_other_values", one(base + `,"private_msg_template_id":"T1","private_title_parameters":{"a":"x","b":"y"}`), 54},
		{"empty_object_where_none_belongs", one(base + `,"private_msg_template_id":"T1","private_title_parameters":{"a":"x"},"private_content_parameters":{}`), 54},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(nil)
			got := r.call(t, "/message/notification/unicast", url.Values{"auth_token": {r.login(t)}, "message": {c.message}}, nil)
			if got["code"] != c.code {
				t.Errorf("got %v, want code %v", got, c.code)
			}
			if broken := len(r.Violations()); (broken == 0) != (c.code == 0) || (len(r.Pushes()) == 1) != (c.code == 0) {
				t.Errorf("%d broken rules and %d pushes", broken, len(r.Pushes()))
			}
		})
	}
}

// TestToken holds what a call needs around its messages.
func TestToken(t *testing.T) {
	t.Parallel()
	r := newRig(nil)
	token := r.login(t)
	message := one(`"title":"a","content":"b"`)
	for _, c := range []struct {
		name string
		form url.Values
		kind string
		code float64
	}{
		{"good", url.Values{"auth_token": {token}, "message": {message}}, "", 0},
		{"no_token", url.Values{"message": {message}}, "", 29},
		{"strange_token", url.Values{"auth_token": {"x"}, "message": {message}}, "", 11},
		{"no_message", url.Values{"auth_token": {token}}, "", 40},
		{"unknown_field", url.Values{"auth_token": {token}, "messages": {"[" + message + "]"}}, "", 41},
		{"json", url.Values{}, "application/json", 12},
	} {
		got := r.call(t, "/message/notification/unicast", c.form, func(req *http.Request) {
			if c.kind != "" {
				req.Header.Set("Content-Type", c.kind)
			}
		})
		if got["code"] != c.code {
			t.Errorf("%s: got %v, want code %v", c.name, got, c.code)
		}
	}
	before := len(r.Violations())
	earlier := newRig(nil).login(t) // of a sandbox that ran before
	if got := r.call(t, "/message/notification/unicast", url.Values{"auth_token": {earlier}, "message": {message}}, nil); got["code"] != 11.0 {
		t.Errorf("a token of an earlier sandbox: got %v", got)
	}
	if len(r.Violations()) != before {
		t.Error("a token of an earlier sandbox breaks no rule")
	}
	r.now = r.now.Add(24 * time.Hour)
	if got := r.call(t, "/message/notification/unicast", url.Values{"auth_token": {token}, "message": {message}}, nil); got["code"] != 11.0 {
		t.Errorf("after a day: got %v", got)
	}
	if len(r.Violations()) != before {
		t.Error("a token that grew old breaks no rule")
	}
}

// TestBatch holds that failures hide in the items, in another order than that of the messages.
func TestBatch(t *testing.T) {
	t.Parallel()
	element := func(i, id string) string {
		return `{"target_type":2,"target_value":"` + strings.Repeat(i, 32) + `","notification":{"title":"a","content":"b","app_message_id":"` + id + `"}}`
	}
	r := newRig(nil)
	token := r.login(t)
	send := func(messages ...string) map[string]any {
		return r.call(t, "/message/notification/unicast_batch", url.Values{"auth_token": {token}, "messages": {"[" + strings.Join(messages, ",") + "]"}}, nil)
	}
	r.Kill("oppo", strings.Repeat("b", 32))
	got := send(element("a", "1"), element("b", "2"), element("c", "3"))
	items := got["data"].([]any)
	if got["code"] != 0.0 || len(items) != 3 || items[0].(map[string]any)["registrationId"] != strings.Repeat("c", 32) || items[1].(map[string]any)["errorCode"] != 10000.0 {
		t.Errorf("got %v", got)
	}
	// The same app_message_id for the same target is answered like a success and shown once; twice
	// in one call it is an error.
	send(element("a", "1"))
	if pushes := r.Pushes(); len(pushes) != 3 || !pushes[2].Repeat {
		t.Errorf("got %+v", pushes)
	}
	if got := send(element("d", "4"), element("d", "5"), element("d", "4")); got["data"].([]any)[0].(map[string]any)["errorCode"] != 10004.0 {
		t.Errorf("got %v", got)
	}
	if got := send(); got["code"] != 41.0 {
		t.Errorf("no messages: got %v", got)
	}
	if got := send(strings.Repeat(element("a", "1")+",", 1000) + element("a", "1")); got["code"] != 41.0 {
		t.Errorf("1001 messages: got %v", got)
	}
	r.Arm(sandbox.Fault{Vendor: "oppo", Kind: sandbox.FaultCode, Code: "null", Times: 1})
	if got := send(element("e", "6")); got["code"] != 0.0 || got["data"] != nil {
		t.Errorf("null data: got %v", got)
	}
	for kind, code := range map[string]float64{sandbox.FaultThrottle: 13, sandbox.FaultQuota: 33, sandbox.FaultExpiredAuth: 11} {
		r.Arm(sandbox.Fault{Vendor: "oppo", Kind: kind, Times: 1})
		if got := send(element("f", "7")); got["code"] != code {
			t.Errorf("%s: got %v", kind, got)
		}
	}
}

// TestSwitches has the account demand what OPPO demands of some accounts.
func TestSwitches(t *testing.T) {
	t.Parallel()
	r := newRig(func(a *Account) {
		a.TemplateRequired, a.ChannelRequired, a.BannerDenied, a.Categories = true, true, true, []string{"IM"}
	})
	token := r.login(t)
	const base = `"title":"a","content":"b"`
	for rest, code := range map[string]float64{
		``: 41, `,"channel_id":"im_chat","category":"IM"`: 54, `,"channel_id":"im_chat","category":"ORDER"`: 67,
		`,"channel_id":"im_chat","category":"IM","notify_level":16`: 67, `,"channel_id":"im_chat"`: 0,
	} {
		got := r.call(t, "/message/notification/unicast", url.Values{"auth_token": {token}, "message": {one(base + rest)}}, nil)
		if got["code"] != code {
			t.Errorf("%s: got %v, want code %v", rest, got, code)
		}
	}
}
