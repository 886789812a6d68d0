// Package vendortest is the conformance suite that every driver runs: against the strict fake of
// its vendor, with golden requests, with every trouble a network and a vendor can make, and with
// fuzzed answers; and its certificates with what may be wrong with them.
package vendortest

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
)

// Now is the time of every batch of the suite, and of the vendor's clock unless Subject.RealClock
// is set.
var Now = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// Subject is the driver under test.
type Subject struct {
	// Fake plays its vendor, and knows an account.
	Fake sandbox.Fake
	// Config makes a complete certificate with the credentials of that account, which is wise, too.
	Config func(endpoint, caFile string) vendors.Config
	// Problems and Advice are what may be wrong or unwise about it.
	Problems, Advice []ConfigCase
	// Doc is the vendor's page.
	Doc func() vendors.Doc
	// Token makes the i-th well-formed token.
	Token func(i int) string
	// RealClock is set for vendors whose libraries read the clock themselves.
	RealClock bool
	// Badge changes the certificate so that it sets the number on the app's icon, where the vendor
	// can and the certificate does not by itself; nil where the vendor sets none.
	Badge func(vendors.Config)
	// Receipts are what the vendor needs to report what became of a push; nil where it reports
	// nothing or needs nothing.
	Receipts *vendors.Receipts
	// Call is what the request of an incoming call holds; {key} stands for its key.
	Call []string
	// Scrub replaces in a golden request what differs from run to run (tokens, signatures over
	// random nonces).
	Scrub func(string) string
}

// Rig is one driver in front of one fake.
type Rig struct {
	Driver  vendors.Driver
	Sandbox *sandbox.Server
	// Requests is filled with every request to the fake, scrubbed and readable.
	Requests *Recorder
	subject  Subject
	sent     int
}

// NewRig starts a fake over TLS with HTTP/2 and a driver that points at it. Both end with the test.
func NewRig(t testing.TB, s Subject, change func(*vendors.Common)) *Rig {
	t.Helper()
	return newRig(t, s, change, nil)
}

// newRig is NewRig for a server that shows a certificate of its own.
func newRig(t testing.TB, s Subject, change func(*vendors.Common), shown *tls.Certificate) *Rig {
	t.Helper()
	now := func() time.Time { return Now }
	if s.RealClock {
		now = time.Now
	}
	box := sandbox.New(sandbox.Options{Now: now, Keep: -1}, s.Fake)
	rec := &Recorder{next: box.Handler(), scrub: s.Scrub}
	srv := httptest.NewUnstartedServer(rec)
	srv.EnableHTTP2 = true
	if shown != nil {
		srv.TLS = &tls.Config{Certificates: []tls.Certificate{*shown}}
		srv.Config.ErrorLog = log.New(io.Discard, "", 0) // who does not trust it says so
	}
	srv.StartTLS()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	config := s.Config(srv.URL, ca)
	// A slow machine must not look like a vendor that hangs; tests of hanging set their own.
	config.Base().Timeout = time.Minute
	if change != nil {
		change(config.Base())
	}
	for _, p := range config.Problems() {
		t.Fatalf("config of the subject: %s %s; %s", p.Key, p.Text, p.Remedy)
	}
	// The clock of the token's source ticks, so that a token that is refused is older than the
	// pause.
	var ticks atomic.Int64
	tick := func() time.Time { return now().Add(time.Duration(ticks.Add(1))) }
	driver, err := config.Driver(env(tick))
	if err != nil {
		t.Fatalf("make driver: %v", err)
	}
	t.Cleanup(func() {
		driver.Close()
		box.Clear("", 0)
		srv.CloseClientConnections()
		srv.Close()
	})
	return &Rig{Driver: driver, Sandbox: box, Requests: rec, subject: s}
}

// env gives a driver its access tokens, by a clock.
func env(now func() time.Time) vendors.Env {
	return vendors.Env{Tokens: func(_ string, fetch vendors.TokenFetch) vendors.TokenSource {
		return accesstoken.New(fetch, accesstoken.Options{Now: now, Pause: time.Nanosecond})
	}}
}

// Batch is a batch of n devices that share a notification.
func (r *Rig) Batch(n int, note *vendors.Notification) vendors.Batch {
	return r.batch(n, func(int) *vendors.Notification { return note })
}

// Mixed is a batch of n devices with a notification each.
func (r *Rig) Mixed(n int) vendors.Batch {
	return r.batch(n, func(i int) *vendors.Notification {
		note := Chat()
		note.MessageID = fmt.Sprintf("m-%d", i)
		note.Key = fmt.Sprintf("%032x", 0x5000+i)
		note.Body = fmt.Sprintf("你好，这是给第 %d 位朋友的消息", i)
		return note
	})
}

func (r *Rig) batch(n int, note func(int) *vendors.Notification) vendors.Batch {
	b := vendors.Batch{Now: Now}
	for i := range n {
		b.Devices = append(b.Devices, vendors.Device{
			Token: r.subject.Token(i), Key: fmt.Sprintf("%032x", 0xabc000+i), RegisteredAt: Now.Add(-24 * time.Hour), Notification: note(i),
		})
	}
	return b
}

// Chat is a plain chat notification.
func Chat() *vendors.Notification {
	return &vendors.Notification{
		Key: "0123456789abcdef0123456789abcdef", MessageID: "m-1001", Conversation: "c2c_alice",
		Title: "张三", Body: "晚上八点见，不见不散", Ext: `{"conversationID":"c2c_alice"}`, Deadline: Now.Add(24 * time.Hour),
	}
}

// Corpus is the notifications whose requests are golden, by name.
func Corpus() map[string]*vendors.Notification {
	corpus := map[string]*vendors.Notification{}
	add := func(name string, change func(*vendors.Notification)) {
		n := Chat()
		change(n)
		corpus[name] = n
	}
	add("chat", func(*vendors.Notification) {})
	add("ascii", func(n *vendors.Notification) { n.Title, n.Body = "Alice", "See you at eight & bring <b>tea</b>" })
	add("emoji", func(n *vendors.Notification) {
		n.Title, n.Body = "小明👨‍👩‍👧‍👦", "生日快乐🎂🎉 明天见👋🏽"
	})
	add("longest", func(n *vendors.Notification) {
		n.Title = strings.Repeat("很长的群名👩‍🚀", 40)
		n.Body = strings.Repeat("这是一条非常长的消息，里面有表情👨‍👩‍👧‍👦和文字。", 400)
	})
	add("long_ext", func(n *vendors.Notification) { n.Ext = `{"p":"` + strings.Repeat("x", 900) + `"}` })
	add("plain_ext", func(n *vendors.Notification) { n.Ext = `open "chat" 7` })
	add("no_ext", func(n *vendors.Notification) { n.Ext = "" })
	add("control", func(n *vendors.Notification) { n.Body = "第一行\n第二行\t制表\u0000\u0007\u200b完" })
	add("no_time_left", func(n *vendors.Notification) { n.Deadline = Now })
	add("week", func(n *vendors.Notification) { n.Deadline = Now.Add(7 * 24 * time.Hour) })
	add("call", func(n *vendors.Notification) {
		n.Title, n.Body, n.Urgent, n.Deadline = "李雷", "邀请你语音通话", true, Now.Add(time.Minute)
		n.Call = &hongyan.Call{Media: "audio", Action: hongyan.CallInvite, ID: "call-7"}
	})
	return corpus
}

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	t.Run("problems", func(t *testing.T) { problems(t, s) })
	t.Run("advice", func(t *testing.T) { advice(t, s) })
	t.Run("doc", func(t *testing.T) { doc(t, s) })
	t.Run("golden", func(t *testing.T) { golden(t, s) })
	t.Run("full_batch", func(t *testing.T) { fullBatch(t, s) })
	t.Run("repeat_is_same", func(t *testing.T) { repeat(t, s) })
	t.Run("overwrite", func(t *testing.T) { overwrite(t, s) })
	t.Run("dead_token_among_live", func(t *testing.T) { deadAmongLive(t, s) })
	t.Run("trouble", func(t *testing.T) { trouble(t, s) })
	t.Run("options", func(t *testing.T) { options(t, s) })
	t.Run("call_ends", func(t *testing.T) { callEnds(t, s) })
	t.Run("badge", func(t *testing.T) { badge(t, s) })
	t.Run("ext_fits", func(t *testing.T) { extFits(t, s) })
	t.Run("way_out", func(t *testing.T) { wayOut(t, s) })
	t.Run("hang", func(t *testing.T) { hang(t, s) })
	t.Run("cancelled", func(t *testing.T) { cancelled(t, s) })
	t.Run("concurrent", func(t *testing.T) { concurrent(t, s) })
	t.Run("spans", func(t *testing.T) { spans(t, s) })
	t.Run("refused_connection", func(t *testing.T) { refusedConnection(t, s) })
}

// wantAll checks that there is one result per device and that all have the reason.
func wantAll(t *testing.T, r *Rig, got []vendors.Result, n int, want vendors.Reason) {
	t.Helper()
	if len(got) != n {
		t.Fatalf("got %d results for %d devices", len(got), n)
	}
	for i, res := range got {
		if res.Reason != want {
			t.Fatalf("device %d: got %v (code %q, err %v), want %v; broken rules: %v", i, res.Reason, res.Code, res.Err, want, r.Sandbox.Violations())
		}
		noLeak(t, r, res)
	}
}

// noLeak fails when an error names a token, a secret's neighbourhood or a text.
func noLeak(t *testing.T, r *Rig, res vendors.Result) {
	t.Helper()
	if res.Err == nil {
		return
	}
	untold(t, r, res.Err.Error())
}

// untold fails when something said names a token, a secret's neighbourhood or a text.
func untold(t *testing.T, r *Rig, said string) {
	t.Helper()
	for _, word := range []string{r.subject.Token(0), r.subject.Token(1), Chat().Title, Chat().Body, "conversationID", "Bearer ", "PRIVATE KEY"} {
		if strings.Contains(said, word) {
			t.Fatalf("%q tells %q", said, word)
		}
	}
}

func push(r *Rig, b vendors.Batch) []vendors.Result { return r.Driver.Push(context.Background(), b) }

var _ http.Handler = (*Recorder)(nil)
