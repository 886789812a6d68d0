package harmony

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	fake "github.com/hongyan-im/hongyan/internal/sandbox/harmony"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

// sent is the request for a batch, read back, and its bytes.
func sent(t *testing.T, c *Config, b vendors.Batch) (request, string) {
	t.Helper()
	p, err := newProtocol(c)
	if err != nil {
		t.Fatal(err)
	}
	req, err := p.Request(t.Context(), b, "made-up")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	var r request
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	return r, string(raw)
}

func TestSign(t *testing.T) {
	t.Parallel()
	got, err := testWire(t).Sign(vendortest.Now.Add(500 * time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.Parse(got.Value, func(*jwt.Token) (any, error) { return &testKey().PublicKey, nil },
		jwt.WithValidMethods([]string{"PS256"}), jwt.WithTimeFunc(func() time.Time { return vendortest.Now }))
	if err != nil {
		t.Fatal(err)
	}
	claims := parsed.Claims.(jwt.MapClaims)
	iat, exp := int64(claims["iat"].(float64)), int64(claims["exp"].(float64))
	if iat != vendortest.Now.Unix() || exp != iat+3600 || claims["iss"] != testSub || claims["aud"] != audience || len(claims) != 4 {
		t.Errorf("claims are %v", claims)
	}
	if parsed.Header["kid"] != testKeyID || parsed.Header["typ"] != "JWT" || len(parsed.Header) != 3 {
		t.Errorf("header is %v", parsed.Header)
	}
	if !got.Expires.Equal(time.Unix(exp, 0)) {
		t.Errorf("expires %v", got.Expires)
	}
	// Base64url without padding; a JWT signed now and one signed later differ only in salt and
	// times.
	if strings.ContainsAny(got.Value, "=+/") || strings.Count(got.Value, ".") != 2 {
		t.Error("not a compact JWT")
	}
}

// One JWT serves until shortly before its hour is over; what the vendor calls expired is signed
// anew, once.
func TestSignedOncePerHour(t *testing.T) {
	t.Parallel()
	now := vendortest.Now
	clock := func() time.Time { return now }
	box := sandbox.New(sandbox.Options{Now: clock}, fake.Fake(fakeAccount()))
	srv := httptest.NewServer(box.Handler())
	t.Cleanup(srv.Close)
	signed := 0
	d, err := config(srv.URL, "").Driver(vendors.Env{Tokens: func(_ string, fetch vendors.TokenFetch) vendors.TokenSource {
		return accesstoken.New(func(ctx context.Context, at time.Time) (vendors.AccessToken, error) {
			signed++
			return fetch(ctx, at)
		}, accesstoken.Options{Now: clock, Pause: time.Second})
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	push := func() vendors.Result { return d.Push(t.Context(), batch(token(0)))[0] }
	for i, step := range []struct {
		wait   time.Duration
		signed int
	}{{0, 1}, {30 * time.Minute, 1}, {23 * time.Minute, 1}, {2 * time.Minute, 2}, {5 * time.Hour, 3}} {
		now = now.Add(step.wait)
		if got := push(); got.Reason != vendors.Accepted || signed != step.signed {
			t.Fatalf("step %d: %+v after %d signatures, want %d", i, got, signed, step.signed)
		}
	}
	for _, code := range []string{"80200001", "80200005"} {
		now = now.Add(2 * time.Minute)
		box.Arm(sandbox.Fault{Vendor: "harmony", Kind: sandbox.FaultCode, Code: code, Times: 1})
		if got := push(); got.Reason != vendors.Accepted {
			t.Errorf("%s once: %+v", code, got)
		}
		now = now.Add(2 * time.Minute)
		id := box.Arm(sandbox.Fault{Vendor: "harmony", Kind: sandbox.FaultCode, Code: code})
		if got := push(); got.Reason != vendors.BadCredentials {
			t.Errorf("%s again and again: %+v", code, got)
		}
		box.Clear("harmony", id)
	}
}

// A key of another project is refused by the vendor whatever it signs.
func TestForeignKey(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := subject()
	foreign := fakeAccount()
	foreign.Key = &other.PublicKey
	s.Fake = fake.Fake(foreign)
	r := vendortest.NewRig(t, s, nil)
	if got := r.Driver.Push(t.Context(), r.Batch(1, vendortest.Chat()))[0]; got.Reason != vendors.BadCredentials && got.Reason != vendors.AuthExpired || got.Code != "80200001" {
		t.Errorf("got %+v", got)
	}
}

func TestDuplicateTokensAreSentOnce(t *testing.T) {
	t.Parallel()
	r, _ := sent(t, config("", ""), batch("tokA", "tokB", "tokA"))
	if want := []string{"tokA", "tokB"}; !slices.Equal(r.Target.Token, want) {
		t.Errorf("sent to %v, want %v", r.Target.Token, want)
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		left, longest time.Duration
		action        hongyan.CallAction
		want          int64
	}{
		{left: 24 * time.Hour, want: 86400},
		{left: 1500 * time.Millisecond, want: 2},
		{left: -time.Hour, want: 1},
		{left: 30 * 24 * time.Hour, want: 1296000},
		{left: 24 * time.Hour, longest: time.Hour, want: 3600},
		// Of a call what is left of it, at most the minute that is advised.
		{left: time.Minute, action: hongyan.CallInvite, want: 60},
		{left: 5 * time.Second, action: hongyan.CallInvite, want: 5},
		{left: time.Hour, action: hongyan.CallInvite, want: 60},
		{left: time.Hour, action: hongyan.CallInvite, longest: 20 * time.Second, want: 20},
		{left: time.Hour, action: hongyan.CallCancel, want: 3600},
	} {
		conf := config("", "")
		conf.TTL = c.longest
		b := batch("tokA")
		n := b.Devices[0].Notification
		n.Deadline = b.Now.Add(c.left)
		if c.action != "" {
			n.Call = &hongyan.Call{Media: "video", Action: c.action, ID: "call-7"}
		}
		// The number stands in JSON as a number, where v1 has a string.
		if r, _ := sent(t, conf, b); r.PushOptions.TTL != c.want {
			t.Errorf("%v left, ttl %v, %s: got %d, want %d", c.left, c.longest, c.action, r.PushOptions.TTL, c.want)
		}
	}
}

func TestBadge(t *testing.T) {
	t.Parallel()
	num := func(n int) *int { return &n }
	for _, c := range []struct {
		name   string
		badges []*int
		ignore bool
		want   string
	}{
		{"all_the_same", []*int{num(5), num(5)}, false, `{"setNum":5}`},
		{"cleared", []*int{num(0)}, false, `{"setNum":0}`},
		{"above_99", []*int{num(1000)}, false, `{"setNum":99}`},
		{"different", []*int{num(5), num(6)}, false, `null`},
		{"some_unknown", []*int{nil, num(5)}, false, `null`},
		// An absent badge changes nothing, where v1 counts up.
		{"left_to_the_phone", []*int{nil}, false, `null`},
		{"ignored", []*int{num(5)}, true, `null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := vendors.Batch{Now: vendortest.Now}
			note := vendortest.Chat()
			note.Harmony.IgnoreBadge = c.ignore
			for i, n := range c.badges {
				b.Devices = append(b.Devices, vendors.Device{Token: token(i), Badge: n, Notification: note})
			}
			r, _ := sent(t, config("", ""), b)
			if got, _ := json.Marshal(r.Payload.Notification.Badge); string(got) != c.want {
				t.Errorf("badge is %s, want %s", got, c.want)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	conf := config("", "")
	conf.Click.Action, conf.Receipts = "com.example.im.chat", &vendors.Receipts{ID: "rcp-1"}
	r, raw := sent(t, conf, batch("tokA"))
	n := r.Payload.Notification
	if n.Category != "IM" || n.ClickAction.ActionType != 1 || n.ClickAction.Action != "com.example.im.chat" || n.ClickAction.Data.Ext != vendortest.Chat().Ext {
		t.Errorf("notification is %+v", n)
	}
	if n.AppMessageID != vendortest.Chat().Key || n.NotifyID != vendors.NotifyID(vendortest.Chat().Key) || r.PushOptions.BiTag != vendortest.Chat().Key || r.PushOptions.ReceiptID != "rcp-1" {
		t.Errorf("ids are %+v, %+v", n, r.PushOptions)
	}
	if !strings.Contains(raw, `"foregroundShow":false`) || strings.Contains(raw, "testMessage") {
		t.Errorf("request is %s", raw)
	}
	conf.Click = vendors.Click{URL: "imx://chat/{conversation}?e={ext}"}
	r, _ = sent(t, conf, batch("tokA"))
	if got := r.Payload.Notification.ClickAction.URI; got != "imx://chat/c2c_alice?e=%7B%22conversationID%22%3A%22c2c_alice%22%7D" {
		t.Errorf("uri is %s", got)
	}
	conf.Click, conf.Receipts = vendors.Click{}, nil
	if _, raw = sent(t, conf, batch("tokA")); strings.Contains(raw, "biTag") || strings.Contains(raw, "receiptId") {
		t.Errorf("nobody asked for receipts: %s", raw)
	}
	if _, raw = sent(t, conf, batch("tokA")); !strings.Contains(raw, `"actionType":0`) {
		t.Errorf("the zero actionType is missing: %s", raw)
	}
}

// Whatever the notification, the strict fake takes it, and the ext arrives whole or not at all.
func TestShaping(t *testing.T) {
	t.Parallel()
	family := "👨‍👩‍👧‍👦"
	for _, c := range []struct {
		name   string
		change func(*vendors.Notification)
		click  vendors.Click
		noExt  bool
	}{
		{name: "huge_title", change: func(n *vendors.Notification) { n.Title = strings.Repeat("标题", 5<<20/6) }},
		{name: "huge_body", change: func(n *vendors.Notification) { n.Body = strings.Repeat(family, 10<<20/len(family)) }},
		{name: "endless_grapheme", change: func(n *vendors.Notification) { n.Body = "e" + strings.Repeat("\u0301", 5000) }},
		{name: "control_only", change: func(n *vendors.Notification) { n.Title, n.Body = "\x00\x01\n", "\x7f \t" }},
		{name: "not_utf8", change: func(n *vendors.Notification) { n.Title, n.Body = "\xff\xfe", "a\xffb" }},
		{name: "quotes", change: func(n *vendors.Notification) { n.Title, n.Body = strings.Repeat(`"`, 50), strings.Repeat(`\`, 5000) }},
		{name: "long_ext", change: func(n *vendors.Notification) { n.Ext = `{"p":"` + strings.Repeat("x", 2800) + `"}` }},
		{name: "huge_ext", change: func(n *vendors.Notification) { n.Ext = strings.Repeat("x", 10<<20) }, noExt: true},
		{name: "ext_is_list", change: func(n *vendors.Notification) { n.Ext = `[1,2]` }},
		{name: "ext_in_click", change: func(n *vendors.Notification) { n.Ext = strings.Repeat("中", 800) }, click: vendors.Click{URL: "imx://c?e={ext}"}},
		{name: "long_conversation", change: func(n *vendors.Notification) { n.Conversation = strings.Repeat("g", 9000) }, click: vendors.Click{Action: "a.{conversation}"}},
		{name: "long_image", change: func(n *vendors.Notification) { n.Harmony.Image = "https://x/" + strings.Repeat("i", 9000) }},
		{name: "plain_image", change: func(n *vendors.Notification) { n.Harmony.Image = "http://x/i.png" }},
		{name: "wild_category", change: func(n *vendors.Notification) { n.Harmony.Category = strings.Repeat("A", 5000) }},
		{name: "control_in_id", change: func(n *vendors.Notification) { n.MessageID = "m\x00" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := subject()
			s.Config = func(endpoint, caFile string) vendors.Config {
				conf := config(endpoint, caFile)
				conf.Click = c.click
				return conf
			}
			r := vendortest.NewRig(t, s, nil)
			note := vendortest.Chat()
			c.change(note)
			got := r.Driver.Push(t.Context(), r.Batch(2, note))
			if got[0].Reason != vendors.Accepted {
				t.Fatalf("got %+v; broken rules %v", got[0], r.Sandbox.Violations())
			}
			p := r.Sandbox.Pushes()[0]
			want := note.Ext
			if c.noExt {
				want = ""
			}
			if p.Ext != want {
				t.Errorf("the app gets an ext of %d bytes, want %d", len(p.Ext), len(want))
			}
			noted := ""
			if c.noExt {
				noted = vendors.NoteExtDropped
			}
			if n := got[0].Note; n != noted && n != vendors.NoteImageDropped {
				t.Errorf("the note is %q", n)
			}
			if strings.TrimSpace(p.Title) == "" || strings.TrimSpace(p.Body) == "" {
				t.Errorf("the phone shows %q, %q", p.Title, p.Body)
			}
		})
	}
}

// An ext of 3,400 bytes fits, however long the rest is.
func TestLongExtArrives(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(), nil)
	note := vendortest.Chat()
	note.Title, note.Body, note.Ext = strings.Repeat("题", 40), strings.Repeat("长\n", 300), strings.Repeat("x", 3300)
	note.Harmony.Image, note.Harmony.Sound = "https://im.example.com/"+strings.Repeat("i", 200), "ring.mp3"
	got := r.Driver.Push(t.Context(), r.Batch(1, note))[0]
	if p := r.Sandbox.Pushes()[0]; got.Reason != vendors.Accepted || p.Ext != note.Ext || got.Note != vendors.NoteImageDropped {
		t.Errorf("got %+v, an ext of %d bytes", got, len(p.Ext))
	}
}

// What ends a call replaces the ringing notification, and is not taken for its repeat.
func TestReplaces(t *testing.T) {
	t.Parallel()
	b := batch("tokA")
	b.Devices[0].Notification.ReplaceKey = "fedcba98765432100123456789abcdef"
	r, _ := sent(t, config("", ""), b)
	if n := r.Payload.Notification; n.NotifyID != vendors.NotifyID("fedcba98765432100123456789abcdef") || n.AppMessageID != vendortest.Chat().Key {
		t.Errorf("got %+v", n)
	}
}

func TestSoundLinesAndCategory(t *testing.T) {
	t.Parallel()
	b := batch("tokA")
	note := b.Devices[0].Notification
	note.Body, note.Harmony = "one\n\ntwo\nthree", hongyan.Harmony{Sound: "ring.mp3", SoundSeconds: 90, Category: "customer_service"}
	r, _ := sent(t, config("", ""), b)
	n := r.Payload.Notification
	if n.Sound != "ring.mp3" || n.SoundDuration != 60 || n.Category != "CUSTOMER_SERVICE" || n.Style != 3 || !slices.Equal(n.InboxContent, []string{"one", "two three"}) {
		t.Errorf("got %+v", n)
	}
	note.Harmony = hongyan.Harmony{Sound: "../ring", SoundSeconds: 5, Category: "PLAY_VOICE"}
	r, _ = sent(t, config("", ""), b)
	if n := r.Payload.Notification; n.Sound != "" || n.SoundDuration != 0 || n.Category != "IM" {
		t.Errorf("asked for the impossible: %+v", n)
	}
}

// An image is checked once, sent under the address that the check gives, and left out, with a note,
// where it is refused.
func TestImageIsVerified(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(), nil)
	push := func(image string) (vendors.Result, sandbox.Push, int) {
		note := vendortest.Chat()
		note.Harmony.Image = image
		got := r.Driver.Push(t.Context(), r.Batch(1, note))[0]
		pushes := r.Sandbox.Pushes()
		return got, pushes[len(pushes)-1], len(r.Requests.Take())
	}
	for i, step := range []struct {
		image, shown, note string
		calls              int
	}{
		{"https://im.example.com/a.png", "https://im.example.com/a.png?checked=1", "", 2},
		{"https://im.example.com/a.png", "https://im.example.com/a.png?checked=1", "", 1},
		{"https://im.example.com/refused.png", "", vendors.NoteImageDropped, 2},
		{"https://im.example.com/refused.png", "", vendors.NoteImageDropped, 1},
		{"", "", "", 1},
	} {
		if got, p, calls := push(step.image); got.Reason != vendors.Accepted || p.Image != step.shown || got.Note != step.note || calls != step.calls {
			t.Errorf("step %d: %+v, shows %q after %d calls", i, got, p.Image, calls)
		}
	}
	for _, v := range r.Sandbox.Violations() {
		t.Errorf("broken rule: %s", v.Rule)
	}
}
