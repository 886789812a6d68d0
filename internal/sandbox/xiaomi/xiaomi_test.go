package xiaomi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

func demo() Account {
	return Account{
		Package: "com.example.im", AppSecret: "demoAppSecret==", Channels: map[string]string{"im": "private", "news": "public"},
		Templates: map[string][]string{"M1": {"a", "b"}},
	}
}

// call posts a form and returns the whole answer.
func call(t *testing.T, s *sandbox.Server, path string, form url.Values, change func(*http.Request)) map[string]any {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	r.Header.Set("Authorization", "key=demoAppSecret==")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("HTTP %d is no JSON: %s", w.Code, w.Body)
	}
	return answer
}

// form is the documentation's example.
func form(changes ...string) url.Values {
	form := url.Values{
		"registration_id": {"regIdA/1+x=,regIdB"}, "restricted_package_name": {"com.example.im"}, "pass_through": {"0"}, "title": {"Alice"},
		"description": {"hi there"}, "payload": {`{"cid":"c1"}`}, "notify_type": {"-1"}, "notify_id": {"73215"}, "time_to_live": {"86400000"},
		"extra.channel_id": {"im"}, "extra.notify_effect": {"1"}, "extra.callback": {"https://push.example.com/cb/mi"}, "extra.callback.type": {"19"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if form.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			form.Del(changes[i])
		}
	}
	return form
}

func TestAccepts(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"v2": "/v2/message/regid", "v3": "/v3/message/regid", "v4": "/v4/message/regid"} {
		t.Run(name, func(t *testing.T) {
			s := sandbox.New(sandbox.Options{}, Fake(demo()))
			got := call(t, s, path, form("registration_id", "regIdA/1+x=,regIdB,"), nil)
			if got["code"] != 0.0 || got["result"] != "ok" || len(s.Violations()) != 0 {
				t.Fatalf("got %v; broken rules: %v", got, s.Violations())
			}
			data := got["data"].(map[string]any)
			if _, text := data["day_quota"].(string); !text {
				t.Error("day_quota is a string")
			}
			pushes := s.Pushes()
			if len(pushes) != 2 || pushes[0].Token != "regIdA/1+x=" || pushes[0].Class != "private" || pushes[0].Ext != `{"cid":"c1"}` || pushes[0].Key != "notify_id 73215" {
				t.Errorf("got %+v", pushes)
			}
		})
	}
}

// TestRefuses breaks one rule at a time.
func TestRefuses(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("字", n) }
	header := func(key, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(key, value) }
	}
	for _, c := range []struct {
		name, code string
		form       url.Values
		change     func(*http.Request)
	}{
		{"get", "10021", form(), func(r *http.Request) { r.Method = http.MethodGet }},
		{"json", "10007", form(), header("Content-Type", "application/json")},
		{"no_secret", "21301", form(), func(r *http.Request) { r.Header.Del("Authorization") }},
		{"key_in_capitals", "21301", form(), header("Authorization", "Key=demoAppSecret==")},
		{"bearer", "21301", form(), header("Authorization", "Bearer demoAppSecret==")},
		{"blank_behind_key", "21301", form(), header("Authorization", "key= demoAppSecret==")},
		{"wrong_secret", "21301", form(), header("Authorization", "key=x")},
		{"broken_form", "10012", nil, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("a=%zz")) }},
		{"field_twice", "10017", url.Values{"title": {"a", "b"}}, nil},
		{"unknown_field", "10008", form("channel_id", "im"), nil},
		{"no_token", "10016", form("registration_id", ""), nil},
		{"empty_token", "10017", form("registration_id", "a,,b"), nil},
		{"too_many_tokens", "10017", form("registration_id", strings.Repeat("a,", 1000)+"a"), nil},
		{"no_package", "10016", form("restricted_package_name", ""), nil},
		{"foreign_package", "22022", form("restricted_package_name", "com.other"), nil},
		{"no_title", "65011", form("title", ""), nil},
		{"blank_description", "65011", form("description", " \n"), nil},
		{"title_of_50", "10017", form("title", long(50)), nil},
		{"description_of_128", "10017", form("description", long(128)), nil},
		{"nul", "10017", form("title", "a\x00"), nil},
		{"pass_through_2", "10017", form("pass_through", "2"), nil},
		{"payload_of_5_KB", "10017", form("payload", strings.Repeat("x", 5000)), nil},
		{"payload_encoded_twice", "10017", form("payload", "%7B%22cid%22%7D"), nil},
		{"notify_id_is_text", "22103", form("notify_id", "x"), nil},
		{"notify_id_negative", "22103", form("notify_id", "-1"), nil},
		{"notify_id_too_large", "22103", form("notify_id", "2147483648"), nil},
		{"notify_type", "10017", form("notify_type", "8"), nil},
		{"unknown_channel", "27001", form("extra.channel_id", "else"), nil},
		{"private_over_ten_days", "10017", form("time_to_live", "864000001"), nil},
		{"public_over_a_day", "10017", form("extra.channel_id", "news", "time_to_live", "86400001"), nil},
		{"no_lifetime", "10017", form("time_to_live", "0"), nil},
		{"param_without_template", "10041", form("extra.template_param", "{}"), nil},
		{"unknown_template", "10041", form("extra.template_id", "M9"), nil},
		{"template_on_public_channel", "10041", form("extra.channel_id", "news", "extra.template_id", "M1", "extra.template_param", `{"a":"x","b":"y"}`), nil},
		{"no_param", "10041", form("extra.template_id", "M1"), nil},
		{"param_is_text", "10041", form("extra.template_id", "M1", "extra.template_param", "x"), nil},
		{"param_missing", "10041", form("extra.template_id", "M1", "extra.template_param", `{"a":"x"}`), nil},
		{"param_of_another", "10041", form("extra.template_id", "M1", "extra.template_param", `{"a":"x","c":"y"}`), nil},
		{"param_with_emoji", "10041", form("extra.template_id", "M1", "extra.template_param", `{"a":"x","b":"🎂"}`), nil},
		{"param_unassigned", "10041", form("extra.template_id", "M1", "extra.template_param", `{"a":"x","b":"\u0378"}`), nil},
		{"param_blank", "10041", form("extra.template_id", "M1", "extra.template_param", `{"a":"x","b":" "}`), nil},
		{"param_of_129", "10041", form("extra.template_id", "M1", "extra.template_param", `{"a":"x","b":"`+long(129)+`"}`), nil},
		{"effect_4", "10017", form("extra.notify_effect", "4"), nil},
		{"effect_2_without_intent", "10017", form("extra.notify_effect", "2"), nil},
		{"effect_3_without_url", "10017", form("extra.notify_effect", "3", "extra.web_uri", "app://x"), nil},
		{"intent_without_effect", "10017", form("extra.intent_uri", "intent:#Intent;end"), nil},
		{"foreground", "10017", form("extra.notify_foreground", "yes"), nil},
		{"sound", "10017", form("extra.sound_uri", "ding.mp3"), nil},
		{"jobkey_with_underscore_first", "10017", form("extra.jobkey", "_a"), nil},
		{"jobkey_of_21", "10017", form("extra.jobkey", strings.Repeat("a", 21)), nil},
		{"callback_param_of_65", "65036", form("extra.callback.param", strings.Repeat("a", 65)), nil},
		{"callback_url", "65038", form("extra.callback", "push.example.com"), nil},
		{"callback_type_246", "10017", form("extra.callback.type", "246"), nil},
		{"eleven_keys", "10017", form("extra.1", "x", "extra.2", "x", "extra.3", "x", "extra.4", "x", "extra.5", "x", "extra.6", "x",
			"extra.7", "x", "extra.8", "x", "extra.9", "x", "extra.10", "x", "extra.11", "x"), nil},
		{"long_value", "10017", form("extra.k", long(1025)), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := sandbox.New(sandbox.Options{}, Fake(demo()))
			got := call(t, s, "/v3/message/regid", c.form, c.change)
			if got["code"] != jsonFloat(c.code) || got["result"] != "error" {
				t.Errorf("got %v, want code %s", got, c.code)
			}
			if v := s.Violations(); len(v) != 1 || v[0].Code != c.code || v[0].Rule == "" || len(s.Pushes()) != 0 {
				t.Errorf("got broken rules %v and %d pushes", v, len(s.Pushes()))
			}
		})
	}
}

func jsonFloat(code string) float64 {
	n, _ := sandbox.NumericCode(code).(int)
	return float64(n)
}

func TestMulti(t *testing.T) {
	t.Parallel()
	element := func(target, channel string) string {
		return `{"target":"` + target + `","message":{"title":"t","description":"d","notify_id":1,"pass_through":0,"restricted_package_name":"com.example.im","extra":{"channel_id":"` + channel + `"}}}`
	}
	for _, c := range []struct {
		name, messages string
		code           float64
		prepare        func(*sandbox.Server)
		data           map[string]string
	}{
		{"two_channels", "[" + element("a", "im") + "," + element("b", "news") + "]", 0, nil, nil},
		{"object", element("a", "im"), 10017, nil, nil},
		{"empty", "[]", 10016, nil, nil},
		{"unknown_key", `[{"target":"a","message":{"titel":"t"}}]`, 10017, nil, nil},
		{"number_as_text", `[{"target":"a","message":{"notify_id":"1"}}]`, 10017, nil, nil},
		{"too_many", "[" + strings.Repeat(element("a", "im")+",", 1000) + element("a", "im") + "]", 10017, nil, nil},
		{"wrong_channel_among_them", "[" + element("a", "im") + "," + element("b", "x") + "]", 27001, nil, nil},
		{"one_dead", "[" + element("a", "im") + "," + element("b", "im") + "]", 0, func(s *sandbox.Server) { s.Kill("xiaomi", "b") }, map[string]string{"bad_regids": "b"}},
		{"all_dead", "[" + element("a", "im") + "]", 20301, func(s *sandbox.Server) { s.Kill("xiaomi", "a") }, nil},
		{"all_over_quota", "[" + element("a", "im") + "," + element("b", "news") + "," + element("c", "im") + "]", 0,
			func(s *sandbox.Server) { s.Arm(sandbox.Fault{Vendor: "xiaomi", Kind: sandbox.FaultQuota}) }, map[string]string{"channel_exceed_quota": "im:2 news:1"}},
		{"one_over_quota", "[" + element("a", "im") + "," + element("b", "news") + "]", 0,
			func(s *sandbox.Server) { s.Arm(sandbox.Fault{Vendor: "xiaomi", Kind: sandbox.FaultQuota, Token: "b"}) }, map[string]string{"channel_exceed_quota": "news:1"}},
		{"throttled", "[" + element("a", "im") + "]", 200002, func(s *sandbox.Server) {
			s.Arm(sandbox.Fault{Vendor: "xiaomi", Kind: sandbox.FaultThrottle, Token: "a"})
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := sandbox.New(sandbox.Options{}, Fake(demo()))
			if c.prepare != nil {
				c.prepare(s)
			}
			got := call(t, s, "/v2/multi_messages/regids", url.Values{"messages": {c.messages}}, nil)
			if got["code"] != c.code {
				t.Fatalf("got %v, want code %v", got, c.code)
			}
			for key, want := range c.data {
				if data := got["data"].(map[string]any); data[key] != want {
					t.Errorf("got %v, want %s %q", data, key, want)
				}
			}
		})
	}
}

// TestSwitches has the account demand what Xiaomi demands of some accounts.
func TestSwitches(t *testing.T) {
	t.Parallel()
	account := demo()
	account.TemplateRequired, account.ChannelRequired = true, true
	s := sandbox.New(sandbox.Options{}, Fake(account))
	if got := call(t, s, "/v3/message/regid", form(), nil); got["code"] != 10041.0 {
		t.Errorf("without a template: got %v", got)
	}
	if got := call(t, s, "/v3/message/regid", form("extra.channel_id", ""), nil); got["code"] != 27001.0 {
		t.Errorf("without a channel: got %v", got)
	}
	s.Arm(sandbox.Fault{Vendor: "xiaomi", Kind: sandbox.FaultQuota, Times: 1})
	ok := form("extra.template_id", "M1", "extra.template_param", `{"a":"x","b":"y"}`)
	if got := call(t, s, "/v3/message/regid", ok, nil); got["code"] != 200001.0 || !strings.Contains(got["reason"].(string), "exceed quota") {
		t.Errorf("over quota: got %v", got)
	}
	if got := call(t, s, "/v3/message/regid", ok, nil); got["code"] != 0.0 {
		t.Errorf("afterwards: got %v", got)
	}
}
