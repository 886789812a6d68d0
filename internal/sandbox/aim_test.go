package sandbox

import (
	"encoding/json"
	"net/url"
	"testing"
)

func TestAimed(t *testing.T) {
	t.Parallel()
	const fcmToken, miToken = "fG9:APA91b_x-y", "d//igwEhgBGCI2TG6lWq+lA="
	inJSON := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, test := range []struct {
		name, armed, path, body string
		want                    bool
	}{
		{"path", "0a1b2c", "/3/device/0a1b2c", "{}", true},
		{"path_of_another", "0a1b2c", "/3/device/0a1b2c3d", "{}", false},
		{"json", fcmToken, "/", inJSON(map[string]string{"token": fcmToken}), true},
		{"json_list", "t-2", "/", `{"token":["t-1","t-2"]}`, true},
		{"json_slash_escaped", miToken, "/", `{"t":"d\/\/igwEhgBGCI2TG6lWq+lA="}`, true},
		{"form", miToken, "/", "a=b&registration_id=" + url.QueryEscape(miToken), true},
		{"form_lower_case_hex", miToken, "/", "registration_id=d%2f%2figwEhgBGCI2TG6lWq%2blA%3d", true},
		{"form_list", "S5Q4b72", "/", "pushIds=" + url.QueryEscape("AAA,S5Q4b72,BBB"), true},
		{"json_in_form", "CN_1f", "/", "message=" + url.QueryEscape(inJSON(map[string]string{"target_value": "CN_1f"})), true},
		// A fault for one device must not strike the devices whose tokens begin or end like its
		// own.
		{"longer_token", "demo-1", "/", `{"token":"demo-10"}`, false},
		{"longer_then_exact", "demo-1", "/", `{"token":["demo-10","x-demo-1","demo-1"]}`, true},
		{"longer_in_form", "demo-1", "/", "pushIds=demo-10%2Cdemo-11", false},
		// The hex digits of an escape are no part of a token.
		{"escape_before_token", "CB", "/", "pushIds=A%2CB", false},
		{"no_form", "t", "/", "100% garbage", false},
		{"empty", "t", "/", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := NewCore(Options{})
			c.Arm(Fault{Vendor: "xiaomi", Kind: FaultHang, Token: test.armed})
			if got := c.aimed("xiaomi", test.path, []byte(test.body)); (got == test.armed) != test.want || (got != "" && got != test.armed) {
				t.Errorf("aimed at %q: %q, want a hit: %v", test.armed, got, test.want)
			}
			if got := c.aimed("vivo", test.path, []byte(test.body)); got != "" {
				t.Errorf("another vendor's fault strikes: %q", got)
			}
		})
	}
}

// A fault that the vendor's fake answers must not hide one that the sandbox answers, when a batch
// mentions both devices.
func TestAimedOnlyGeneralFaults(t *testing.T) {
	t.Parallel()
	c := NewCore(Options{})
	c.Arm(Fault{Vendor: "huawei", Kind: FaultDeadToken, Token: "a"})
	c.Arm(Fault{Vendor: "huawei", Kind: FaultServerError, Token: "b"})
	if got := c.aimed("huawei", "/", []byte(`{"token":["a","b"]}`)); got != "b" {
		t.Errorf("aimed at %q, want b", got)
	}
}
