package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// head is what comes before the body of an answer.
type head struct {
	StatusCode int
	Header     http.Header
}

// faulty serves a vendor whose API says "fine" and counts what it accepted, behind the general
// faults.
func faulty(t *testing.T) (c *Core, post func(body string) (head, string, error), accepted *atomic.Int32) {
	t.Helper()
	c, accepted = NewCore(Options{}), new(atomic.Int32)
	server := httptest.NewServer(c.general("heron", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || len(body) == 0 {
			t.Errorf("the fake got no body: %q, %v", body, err)
		}
		accepted.Add(1)
		_, _ = io.WriteString(w, "fine")
	})))
	t.Cleanup(server.Close)
	client := server.Client()
	t.Cleanup(client.CloseIdleConnections)
	return c, func(body string) (head, string, error) {
		resp, err := client.Post(server.URL, "application/json", strings.NewReader(body))
		if err != nil {
			return head{}, "", err
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		return head{resp.StatusCode, resp.Header}, string(text), err
	}, accepted
}

func TestGeneralFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		fault    Fault
		status   int // 0: the connection breaks
		body     string
		accepted int32
	}{
		{"none", Fault{}, 200, "fine", 1},
		{"server_error", Fault{Kind: FaultServerError}, 500, "<html><body>Internal Server Error</body></html>", 0},
		{"bad_gateway", Fault{Kind: FaultServerError, Status: 502, RetryAfter: 7}, 502, "<html><body>Bad Gateway</body></html>", 0},
		{"garbage", Fault{Kind: FaultGarbage}, 200, "{\"\x00garbage", 0},
		{"slow", Fault{Kind: FaultSlow, Delay: 0.01}, 200, "fine", 1},
		{"reset_before", Fault{Kind: FaultResetBefore}, 0, "", 0},
		// The lost answer: the vendor accepted, the worker cannot know.
		{"reset_after", Fault{Kind: FaultResetAfter}, 0, "", 1},
		{"other_vendor", Fault{Kind: FaultGarbage, Vendor: "gull"}, 200, "fine", 1},
		{"other_device", Fault{Kind: FaultGarbage, Token: "t-2"}, 200, "fine", 1},
		{"this_device", Fault{Kind: FaultGarbage, Token: "t-1"}, 200, "{\"\x00garbage", 0},
		// The vendor's own faults are none of the sandbox's.
		{"vendors_own", Fault{Kind: FaultThrottle}, 200, "fine", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, post, accepted := faulty(t)
			if test.fault.Kind != "" {
				if test.fault.Vendor == "" {
					test.fault.Vendor = "heron"
				}
				c.Arm(test.fault)
			}
			resp, body, err := post(`{"regId":"t-1"}`)
			if test.status == 0 {
				if err == nil {
					t.Errorf("got HTTP %d %q, want a broken connection", resp.StatusCode, body)
				}
			} else if err != nil || resp.StatusCode != test.status || body != test.body {
				t.Errorf("got %v %q %v, want %d %q", resp, body, err, test.status, test.body)
			}
			if test.fault.RetryAfter > 0 && resp.Header.Get("Retry-After") != "7" {
				t.Errorf("Retry-After %q, want 7", resp.Header.Get("Retry-After"))
			}
			if got := accepted.Load(); got != test.accepted {
				t.Errorf("accepted %d, want %d", got, test.accepted)
			}
		})
	}
}

func TestFaultTimes(t *testing.T) {
	t.Parallel()
	c, post, accepted := faulty(t)
	c.Arm(Fault{Vendor: "heron", Kind: FaultGarbage, Times: 2})
	for range 4 {
		if _, _, err := post("{}"); err != nil {
			t.Fatal(err)
		}
	}
	if got := accepted.Load(); got != 2 {
		t.Errorf("accepted %d of 4, want 2: the fault strikes twice", got)
	}
	if left := c.Faults(); len(left) != 0 {
		t.Errorf("still armed: %v", left)
	}
}

func TestHangGoesOnWhenCleared(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		// with 1, the fault has struck its last time and is armed no more, but the call waits
		times int
		clear func(c *Core, id int) int
	}{
		{"by_id", 0, func(c *Core, id int) int { return c.Clear("", id) }},
		{"by_vendor", 0, func(c *Core, _ int) int { return c.Clear("heron", 0) }},
		{"all", 0, func(c *Core, _ int) int { return c.Clear("", 0) }},
		{"spent_by_id", 1, func(c *Core, id int) int { return c.Clear("", id) }},
		{"spent_all", 1, func(c *Core, _ int) int { return c.Clear("", 0) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, post, accepted := faulty(t)
			id := c.Arm(Fault{Vendor: "heron", Kind: FaultHang, Times: test.times})
			answered := make(chan error, 1)
			go func() {
				_, body, err := post("{}")
				if err == nil && body != "fine" {
					err = errors.New("answered " + body)
				}
				answered <- err
			}()
			for c.Counts()["heron"].Requests == 0 || test.times > 0 && len(c.Faults()) > 0 {
				time.Sleep(time.Millisecond)
			}
			c.Clear("gull", 0) // none of its business
			select {
			case err := <-answered:
				t.Fatalf("the call did not hang: %v", err)
			case <-time.After(30 * time.Millisecond):
			}
			if accepted.Load() != 0 {
				t.Error("a hanging call was accepted")
			}
			if got := test.clear(c, id); got != 1 {
				t.Errorf("cleared %d faults, want 1", got)
			}
			if err := <-answered; err != nil {
				t.Errorf("the cleared call: %v", err)
			}
			if accepted.Load() != 1 {
				t.Error("the cleared call was not accepted")
			}
		})
	}
}

// A client that gives up must free its handler: the request body has been read, so that net/http
// notices.
func TestHangEndsWithItsClient(t *testing.T) {
	t.Parallel()
	c := NewCore(Options{})
	c.Arm(Fault{Vendor: "heron", Kind: FaultHang})
	over := make(chan struct{})
	hanging := c.general("heron", http.NotFoundHandler())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(over)
		hanging.ServeHTTP(w, r)
	}))
	defer server.Close()
	client := server.Client()
	client.Timeout = 50 * time.Millisecond
	if resp, err := client.Post(server.URL, "text/plain", strings.NewReader("body")); err == nil {
		_ = resp.Body.Close()
		t.Fatal("the call did not hang")
	}
	select {
	case <-over:
	case <-time.After(5 * time.Second):
		t.Fatal("the handler still hangs")
	}
}

func TestTargetOf(t *testing.T) {
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
			c.Arm(Fault{Vendor: "finch", Kind: FaultHang, Token: test.armed})
			if got := c.targetOf("finch", test.path, []byte(test.body)); (got == test.armed) != test.want || (got != "" && got != test.armed) {
				t.Errorf("aimed at %q: %q, want a hit: %v", test.armed, got, test.want)
			}
			if got := c.targetOf("heron", test.path, []byte(test.body)); got != "" {
				t.Errorf("another vendor's fault strikes: %q", got)
			}
		})
	}
}

// A fault that the vendor's fake answers must not hide one that the sandbox answers, when a batch
// mentions both devices.
func TestTargetOfOnlyGeneralFaults(t *testing.T) {
	t.Parallel()
	c := NewCore(Options{})
	c.Arm(Fault{Vendor: "crane", Kind: FaultDeadToken, Token: "a"})
	c.Arm(Fault{Vendor: "crane", Kind: FaultServerError, Token: "b"})
	if got := c.targetOf("crane", "/", []byte(`{"token":["a","b"]}`)); got != "b" {
		t.Errorf("aimed at %q, want b", got)
	}
}
