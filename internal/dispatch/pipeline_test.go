package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMessageReachesEveryDevice(t *testing.T) {
	r := newRig(t)
	r.register("bob", "phone", "c-apns")
	r.register("bob", "pad", "c-huawei")
	r.register("alice@example.com", "p 1", "c-apns")
	r.start()
	r.send(chat("m-1", "bob", "alice@example.com", "nobody", "alice"))
	got := r.outcomes("m-1", "bob/phone", "bob/pad", "alice@example.com/p 1", "nobody/", "alice/")
	want(t, got["bob/phone"], "accepted", "accepted")
	want(t, got["bob/pad"], "accepted", "accepted")
	want(t, got["alice@example.com/p 1"], "accepted", "accepted")
	want(t, got["nobody/"], "suppressed", "no_device")
	want(t, got["alice/"], "suppressed", "own_message")
	if o := got["bob/phone"]; o.Vendor != "apns" || o.Certificate != "c-apns" || o.Attempt != 1 || o.VendorID != "v-1" {
		t.Errorf("the outcome lacks details: %+v", o)
	}
	r.empty()
}

// A batch answer is taken apart: the dead one is removed, the throttled one tried again alone, the
// accepted one never again. The users belong to one partition, so that they share a job.
func TestBatchIsTakenApart(t *testing.T) {
	r := newRig(t)
	for _, u := range []string{"a", "b6", "c9"} {
		r.register(u, "d", "c-huawei")
	}
	r.huawei.answer = func(_ context.Context, d vendors.Device, n int) vendors.Result {
		switch {
		case d.Token == "token-a-d":
			return vendors.Result{Reason: vendors.BadToken, Code: "80300007"}
		case d.Token == "token-b6-d" && n == 1:
			return vendors.Result{Reason: vendors.RateLimited, RetryAfter: time.Millisecond}
		}
		return vendors.Result{Reason: vendors.Accepted}
	}
	r.start()
	r.send(chat("m-1", "a", "b6", "c9"))
	got := r.outcomes("m-1", "a/d", "b6/d", "c9/d")
	want(t, got["a/d"], "dead", "bad_token")
	want(t, got["b6/d"], "accepted", "accepted")
	want(t, got["c9/d"], "accepted", "accepted")
	r.empty()
	r.huawei.mu.Lock()
	for key, n := range r.huawei.keys {
		if n > 2 {
			t.Errorf("key %s was pushed %d times", key, n)
		}
	}
	if len(r.huawei.calls) != 2 || len(r.huawei.calls[0].Devices) != 3 || len(r.huawei.calls[1].Devices) != 1 || r.huawei.calls[1].Devices[0].Token != "token-b6-d" {
		t.Errorf("want a call for three and one for b6 alone, got %d calls", len(r.huawei.calls))
	}
	r.huawei.mu.Unlock()
	r.send(chat("m-2", "a"))
	want(t, r.outcomes("m-2", "a/")["a/"], "suppressed", "no_device")
	letters, err := r.bus.Read(t.Context(), r.bus.Topology().Dead(), "push.dead.huawei.c-huawei.bad_token", 1, 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("got %d dead letters, %v", len(letters), err)
	}
	for header, want := range map[string]string{"Push-Reason": "bad_token", "Push-Vendor-Code": "80300007", "Push-Attempts": "1", "Push-Message-Id": "m-1", "Push-App": "demo"} {
		if got := letters[0].Header[header]; len(got) != 1 || got[0] != want {
			t.Errorf("header %s is %v, want %s", header, got, want)
		}
	}
}

// A registration that changed since it was read stays.
func TestDeadTokenOfAChangedRegistrationStays(t *testing.T) {
	r := newRig(t)
	r.register("bob", "d", "c-apns")
	r.apns.answer = func(_ context.Context, d vendors.Device, _ int) vendors.Result {
		if d.Token == "token-bob-d" {
			r.put(hongyan.Subjects{}.Device("demo", "bob", "d"), hongyan.Device{Certificate: "c-apns", Token: "fresh"})
			return vendors.Result{Reason: vendors.BadToken}
		}
		return vendors.Result{Reason: vendors.Accepted}
	}
	r.start()
	r.send(chat("m-1", "bob"))
	want(t, r.outcomes("m-1", "bob/d")["bob/d"], "dead", "bad_token")
	r.send(chat("m-2", "bob"))
	want(t, r.outcomes("m-2", "bob/d")["bob/d"], "accepted", "accepted")
}

func TestReasonsLeadToTheirFates(t *testing.T) {
	r := newRig(t)
	// The healthy device keeps the vendor from looking sick as a whole.
	for _, u := range []string{"bad_payload", "refused", "not_displayed", "device_capped", "unknown", "quota", "flaky", "healthy"} {
		r.register(u, "d", "c-apns")
	}
	r.apns.answer = func(_ context.Context, d vendors.Device, n int) vendors.Result {
		switch strings.TrimSuffix(strings.TrimPrefix(d.Token, "token-"), "-d") {
		case "bad_payload":
			return vendors.Result{Reason: vendors.BadPayload, Code: "PayloadTooLarge"}
		case "refused":
			return vendors.Result{Reason: vendors.Refused}
		case "not_displayed":
			return vendors.Result{Reason: vendors.NotDisplayed}
		case "device_capped":
			return vendors.Result{Reason: vendors.DeviceCapped}
		case "unknown":
			return vendors.Result{Reason: vendors.Unknown, Code: "42"}
		case "quota":
			return vendors.Result{Reason: vendors.QuotaSpent, RetryAfter: 48 * time.Hour}
		case "flaky":
			if n < 3 {
				return vendors.Result{Reason: vendors.AuthExpired}
			}
		}
		return vendors.Result{Reason: vendors.Accepted}
	}
	r.start()
	r.send(chat("m-1", "bad_payload", "refused", "not_displayed", "device_capped", "unknown", "quota", "flaky", "healthy"))
	got := r.outcomes("m-1", "bad_payload/d", "refused/d", "not_displayed/d", "device_capped/d", "unknown/d", "quota/d", "flaky/d", "healthy/d")
	for user, reason := range map[string]hongyan.Reason{"bad_payload": "bad_payload", "refused": "refused", "not_displayed": "not_displayed",
		"device_capped": "device_capped", "unknown": "attempts_exhausted", "quota": "quota_spent"} {
		want(t, got[user+"/d"], "dead", reason)
	}
	if n := got["unknown/d"].Attempt; n != 3 {
		t.Errorf("an unknown code was tried %d times, want 3", n)
	}
	want(t, got["flaky/d"], "accepted", "accepted")
	if n := got["flaky/d"].Attempt; n != 1 {
		t.Errorf("expired auth counted: attempt %d", n)
	}
	r.empty()
}

// An outage burns no attempts: after it everything arrives.
func TestOutageBurnsNoAttempts(t *testing.T) {
	r := newRig(t)
	var sick atomic.Bool
	sick.Store(true)
	r.apns.answer = func(_ context.Context, d vendors.Device, _ int) vendors.Result {
		if sick.Load() {
			return vendors.Result{Reason: vendors.Unavailable, Err: errors.New("HTTP 503")}
		}
		return vendors.Result{Reason: vendors.Accepted}
	}
	const n = 40
	var all []string
	for i := range n {
		u := fmt.Sprintf("u%d", i)
		r.register(u, "d", "c-apns")
		all = append(all, u+"/d")
	}
	r.start()
	for i := range n {
		r.send(chat(fmt.Sprintf("m-%d", i), fmt.Sprintf("u%d", i)))
	}
	// The sick vendor hurts nobody else.
	r.register("other", "d", "c-huawei")
	r.send(chat("m-other", "other"))
	want(t, r.outcomes("m-other", "other/d")["other/d"], "accepted", "accepted")
	for r.calls(r.apns) < 30 {
		time.Sleep(time.Millisecond)
	}
	sick.Store(false)
	for i := range n {
		got := r.outcomes(fmt.Sprintf("m-%d", i), all[i])[all[i]]
		want(t, got, "accepted", "accepted")
		if got.Attempt > 2 {
			t.Errorf("%s used %d attempts in an outage", all[i], got.Attempt)
		}
	}
	r.empty()
}

func (r *rig) calls(d *scripted) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.calls)
}

// A worker that stops in the middle of a call gives the job back, not as an attempt; the next
// worker finishes it.
func TestStopInTheMiddleOfACall(t *testing.T) {
	r := newRig(t)
	r.register("bob", "d", "c-apns")
	began := make(chan struct{}, 100)
	r.apns.answer = func(ctx context.Context, _ vendors.Device, n int) vendors.Result {
		if n == 1 {
			began <- struct{}{}
			return vendors.Result{Reason: vendors.Interrupted}
		}
		return vendors.Result{Reason: vendors.Accepted}
	}
	r.start()
	r.send(chat("m-1", "bob"))
	<-began
	r.stop()
	r.start()
	got := r.outcomes("m-1", "bob/d")["bob/d"]
	want(t, got, "accepted", "accepted")
	if got.Attempt != 1 {
		t.Errorf("the interruption counted: attempt %d", got.Attempt)
	}
}

// Waits that are too long for a redelivery are scheduled, and come.
func TestLongWaitIsScheduled(t *testing.T) {
	r := newRig(t)
	r.register("bob", "d", "c-apns")
	r.apns.answer = func(_ context.Context, _ vendors.Device, n int) vendors.Result {
		if n == 1 {
			return vendors.Result{Reason: vendors.RateLimited, RetryAfter: 31 * time.Second}
		}
		return vendors.Result{Reason: vendors.Accepted}
	}
	r.start()
	r.send(chat("m-1", "bob"))
	var entries []bus.Entry
	for end := time.Now().Add(30 * time.Second); len(entries) == 0 && time.Now().Before(end); {
		var err error
		if entries, err = r.bus.Read(t.Context(), r.bus.Topology().Later(), "push.later.>", 1, 10); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // polling the real server
	}
	if len(entries) != 1 {
		t.Fatalf("got %d waiting jobs", len(entries))
	}
	r.empty() // the job has left its stream
	if h := entries[0].Header["Nats-Schedule-Target"]; len(h) != 1 || h[0] != "push.later.due.job.apns.c-apns.normal" {
		t.Errorf("target is %v", h)
	}
}

func TestMalformedMessageIsADeadLetterAtOnce(t *testing.T) {
	r := newRig(t)
	r.register("bob", "d", "c-apns")
	r.start()
	bad := map[string]string{
		"not_json":   `{"id":`,
		"wrong_type": `{"id":"x","conversation":{"type":"c2c","id":"c"},"sender":{"id":"a"},"recipients":"bob","content":{"type":"text"}}`,
		"missing":    `{"id":"x","conversation":{"type":"c2c","id":"c"},"sender":{"id":"a"},"content":{"type":"text"}}`,
		"bad_utf8":   "{\"id\":\"x\xff\"}",
	}
	for name, data := range bad {
		r.sendRaw("demo", name, []byte(data))
	}
	r.sendRaw("stranger", "s", []byte(`{"id":"x","conversation":{"type":"c2c","id":"c"},"sender":{"id":"a"},"recipients":["bob"],"content":{"type":"text"}}`))
	r.send(chat("m-ok", "bob"))
	want(t, r.outcomes("m-ok", "bob/d")["bob/d"], "accepted", "accepted")
	r.empty()
	letters, err := r.bus.Read(t.Context(), r.bus.Topology().Dead(), "push.dead.none.none.malformed", 1, 50)
	if err != nil {
		t.Fatal(err)
	}
	if len(letters) != len(bad)+1 {
		t.Errorf("%d dead letters, want %d", len(letters), len(bad)+1)
	}
	for _, l := range letters {
		if len(l.Header["Push-Error"]) != 1 {
			t.Errorf("a dead letter does not say why: %v", l.Header)
		}
	}
}

// The same pipeline on a cluster of three with replicated streams.
func TestClusterOfThree(t *testing.T) {
	c := bustest.StartCluster(t)
	r := newRigOn(t, bustest.Connect(t, c.URL, bus.Topology{Replicas: 3}, "apns", "huawei"))
	var all []string
	for i := range 20 {
		u := fmt.Sprintf("u%d", i)
		r.register(u, "d", []string{"c-apns", "c-huawei"}[i%2])
		all = append(all, u)
	}
	r.start()
	r.send(chat("m-1", all...))
	var devices []string
	for _, u := range all {
		devices = append(devices, u+"/d")
	}
	for _, o := range r.outcomes("m-1", devices...) {
		want(t, o, "accepted", "accepted")
	}
}

// The lost answer, on both sides: the vendor accepted or did not, and we heard nothing. Either way
// the device gets the push, and the repeat carries the same key.
func TestLostAnswerIsRepeatedWithTheSameKey(t *testing.T) {
	r := newRig(t)
	r.register("bob", "d", "c-apns")
	r.apns.answer = func(_ context.Context, _ vendors.Device, n int) vendors.Result {
		if n == 1 {
			return vendors.Result{Reason: vendors.Timeout}
		}
		return vendors.Result{Reason: vendors.Accepted}
	}
	r.start()
	r.send(chat("m-1", "bob"))
	got := r.outcomes("m-1", "bob/d")["bob/d"]
	want(t, got, "accepted", "accepted")
	if got.Attempt != 2 {
		t.Errorf("attempt %d, want 2: a lone timeout counts", got.Attempt)
	}
	r.apns.mu.Lock()
	defer r.apns.mu.Unlock()
	if len(r.apns.calls) != 2 || len(r.apns.keys) != 1 {
		t.Errorf("%d calls with %d keys, want 2 with 1", len(r.apns.calls), len(r.apns.keys))
	}
}
