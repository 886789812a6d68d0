package vivo

import (
	"context"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	fake "github.com/hongyan-im/hongyan/internal/sandbox/vivo"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func paths(r *vendortest.Rig) []string {
	var got []string
	for _, req := range r.Requests.Take() {
		line, _, _ := strings.Cut(req, "\n")
		got = append(got, strings.TrimPrefix(line, "POST /message/"))
	}
	return got
}

func wantReasons(t *testing.T, got []vendors.Result, want ...vendors.Reason) {
	t.Helper()
	for i, r := range got {
		if len(got) != len(want) || r.Reason != want[i] {
			t.Fatalf("got %+v, want %v", got, want)
		}
	}
}

// When the day's stored contents are used up, single pushes take over: at once, and without asking
// again until vivo's midnight.
func TestListContentsSpent(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(func(a *fake.Account, _ *Config) { a.ListBodies = 1 }), nil)
	note := vendortest.Chat()
	b := r.Batch(3, note)
	a := vendors.Accepted
	wantReasons(t, r.Driver.Push(context.Background(), b), a, a, a)
	second := vendortest.Chat()
	second.Key = "00000000000000000000000000000002"
	b = r.Batch(3, second)
	r.Requests.Take()
	wantReasons(t, r.Driver.Push(context.Background(), b), a, a, a)
	if got := strings.Join(paths(r), " "); got != "saveListPayload send send send" {
		t.Errorf("when 10252 came: %s", got)
	}
	wantReasons(t, r.Driver.Push(context.Background(), b), a, a, a)
	if got := strings.Join(paths(r), " "); got != "send send send" {
		t.Errorf("after 10252: %s", got)
	}
	b.Now = b.Now.Add(9 * time.Hour) // past 00:00 at UTC+8
	_ = r.Driver.Push(context.Background(), b)
	if got := paths(r); got[0] != "saveListPayload" {
		t.Errorf("the day after: %v", got)
	}
	if broken := r.Sandbox.Violations(); len(broken) > 0 {
		t.Errorf("broken rules: %v", broken)
	}
}

// While single pushes stand in, what vivo says of the app ends them: hammering after a quota code
// lowers the quota.
func TestSinglesStopAtQuota(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(func(a *fake.Account, _ *Config) { a.ListBodies = 1 }), nil)
	_ = r.Driver.Push(context.Background(), r.Batch(2, vendortest.Chat()))
	other := vendortest.Chat()
	other.Key = "00000000000000000000000000000002"
	_ = r.Driver.Push(context.Background(), r.Batch(2, other))
	r.Sandbox.Arm(sandbox.Fault{Vendor: "vivo", Kind: sandbox.FaultQuota})
	r.Requests.Take()
	big := r.Batch(200, other)
	for i := range big.Devices {
		// a known requestId would get its first answer again
		big.Devices[i].Key = "f" + big.Devices[i].Key[1:]
	}
	got := r.Driver.Push(context.Background(), big)
	for i, res := range got {
		if res.Reason != vendors.QuotaSpent {
			t.Fatalf("device %d: got %+v", i, res)
		}
	}
	if calls := len(r.Requests.Take()); calls > 2*singlesAtOnce {
		t.Errorf("%d calls after a quota code", calls)
	}
}

// stub is a vendor that answers every call alike.
type stub struct {
	vendors.Driver
	answer func(context.Context) vendors.Reason
	calls  atomic.Int64
}

func (d *stub) Push(ctx context.Context, b vendors.Batch) []vendors.Result {
	d.calls.Add(1)
	return vendors.All(len(b.Devices), vendors.Result{Reason: d.answer(ctx)})
}

// One timeout or 5xx among single pushes is that device's: no attempt is burnt for those that
// nobody asked for, nor where the time of the call is over.
func TestSinglesCopyNoFailure(t *testing.T) {
	t.Parallel()
	const took = time.Second // of an answer, so that all calls that may be made at once are
	for name, answer := range map[string]func(context.Context) vendors.Reason{
		"5xx":     func(context.Context) vendors.Reason { time.Sleep(took); return vendors.Unavailable },
		"timeout": func(ctx context.Context) vendors.Reason { <-ctx.Done(); return vendors.Timeout },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				vendor := &stub{answer: answer}
				d := &driver{Driver: vendor, timeout: 10 * took}
				d.noListsUntil.Store(math.MaxInt64)
				got := map[vendors.Reason]int{}
				for _, r := range d.Push(t.Context(), vendors.Batch{Now: time.Now(), Devices: make([]vendors.Device, 200)}) {
					got[r.Reason]++
				}
				failed := got[vendors.Unavailable] + got[vendors.Timeout]
				if failed != singlesAtOnce || failed+got[vendors.Interrupted] != 200 || vendor.calls.Load() != singlesAtOnce {
					t.Errorf("after %d calls: %v", vendor.calls.Load(), got)
				}
			})
		})
	}
}

// A class that the message chose, and vivo does not know, is the message's fault; the certificate's
// own parks the certificate.
func TestWhoseClassIsWrong(t *testing.T) {
	t.Parallel()
	for _, code := range []string{codeCategory, codePair} {
		w := wireOf(t, func(c *Config) { c.Category, c.Categories = "NEWEST", map[string]int{"NEWEST": 1} })
		plain, choosy := vendortest.Chat(), vendortest.Chat()
		choosy.Android.VivoCategory = "TODO"
		for _, x := range []struct {
			note *vendors.Notification
			want vendors.Result
		}{
			{plain, vendors.Result{Reason: vendors.BadCredentials}},
			{choosy, vendors.Result{Reason: vendors.Refused, Scope: vendors.ScopeNotification}},
		} {
			resp := ok(`{"result":` + code + `,"desc":"x"}`)
			_, list := w.Prepared(resp, batchOf(x.note, "a", "b"))
			for _, got := range []vendors.Result{w.Interpret(resp, batchOf(x.note, "a"))[0], list} {
				if got.Reason != x.want.Reason || got.Scope != x.want.Scope || got.Code != code {
					t.Errorf("%s with category %q: got %+v", code, x.note.Android.VivoCategory, got)
				}
			}
		}
	}
}

func TestMidnightIsOfChina(t *testing.T) {
	t.Parallel()
	for now, want := range map[string]string{
		"2026-11-23T08:00:00Z": "2026-11-23T16:00:00Z",
		"2026-11-23T15:59:59Z": "2026-11-23T16:00:00Z",
		"2026-11-23T16:00:00Z": "2026-11-24T16:00:00Z",
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := midnight(at).UTC().Format(time.RFC3339); got != want {
			t.Errorf("after %s: got %s, want %s", now, got, want)
		}
	}
}

// A text that vivo takes for a test is sent once more in the generic form, single and list.
func TestRephrase(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3} {
		r := vendortest.NewRig(t, subject(nil), nil)
		note := vendortest.Chat()
		note.Body = "这是一条测试"
		for _, res := range r.Driver.Push(context.Background(), r.Batch(n, note)) {
			if res.Reason != vendors.Accepted {
				t.Fatalf("%d devices: got %+v", n, res)
			}
		}
		for _, p := range r.Sandbox.Pushes() {
			if p.Title != "张三" || p.Body != "您有一条新消息，点击查看" || p.Ext != note.Ext {
				t.Errorf("%d devices: the phone shows %q / %q, ext %q", n, p.Title, p.Body, p.Ext)
			}
		}
		if len(r.Sandbox.Pushes()) != n {
			t.Errorf("%d devices: %d pushes", n, len(r.Sandbox.Pushes()))
		}
	}
}

// Whatever a notification holds, the request is one that vivo takes.
func TestRoughTextsAreTaken(t *testing.T) {
	t.Parallel()
	zalgo := "a" + strings.Repeat("\u0301", 5000)
	texts := []string{
		"123", "ok", "[图片]", "{}", "[]{}", "", " ", "\x00\x07", "\u200b", "ạ!", "ạạ", "12　3", "a\u3000b", zalgo, strings.Repeat("👨‍👩‍👧‍👦", 500),
		strings.Repeat("1", 200) + "你", "\xff\xfe", strings.Repeat("x", 1<<20), "…", "привет", "안녕", "１２３",
	}
	r := vendortest.NewRig(t, subject(func(_ *fake.Account, c *Config) {
		c.Click.Intent = "intent:#Intent;S.ext={ext};S.c={conversation};end"
	}), nil)
	for i, text := range texts {
		for n := 1; n <= 2; n++ {
			note := vendortest.Chat()
			note.Key = strings.Repeat(string(rune('a'+i)), 31) + string(rune('0'+n))
			note.Title, note.Body, note.Ext, note.Conversation = text, text, text, text
			b := r.Batch(n, note)
			for k := range b.Devices {
				b.Devices[k].Key = note.Key[:30] + string(rune('0'+n)) + string(rune('0'+k))
			}
			for _, res := range r.Driver.Push(context.Background(), b) {
				if res.Reason != vendors.Accepted {
					t.Errorf("text %.20q, %d devices: got %v %s %v", text, n, res.Reason, res.Code, res.Err)
				}
			}
		}
	}
	if broken := r.Sandbox.Violations(); len(broken) > 0 {
		t.Errorf("broken rules: %v", broken)
	}
}

// In test mode only test devices get anything, and the others keep their tokens.
func TestTestMode(t *testing.T) {
	t.Parallel()
	s := subject(nil)
	token := s.Token
	s = subject(func(a *fake.Account, c *Config) {
		a.Review, a.TestDevices, c.TestMode = true, []string{token(0)}, true
	})
	r := vendortest.NewRig(t, s, nil)
	wantReasons(t, r.Driver.Push(context.Background(), r.Batch(3, vendortest.Chat())), vendors.Accepted, vendors.NotDisplayed, vendors.NotDisplayed)
	b := r.Batch(2, vendortest.Chat())
	b.Devices = b.Devices[1:]
	wantReasons(t, r.Driver.Push(context.Background(), b), vendors.NotDisplayed)
}

// A list of nothing but dead devices still has result 0.
func TestAllDead(t *testing.T) {
	t.Parallel()
	s := subject(nil)
	r := vendortest.NewRig(t, s, nil)
	for i := range 3 {
		r.Sandbox.Kill("vivo", s.Token(i))
	}
	d := vendors.BadToken
	wantReasons(t, r.Driver.Push(context.Background(), r.Batch(3, vendortest.Chat())), d, d, d)
}
