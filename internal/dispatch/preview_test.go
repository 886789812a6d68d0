package dispatch_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
)

// The canaries are words that stand in one place of a message each. They are letters alone, so that
// every way to write them into a call leaves them as they are.
const (
	canaryText         = "canaryText"
	canaryDesc         = "canaryDesc"
	canaryTitle        = "canaryTitle"
	canarySubtitle     = "canarySubtitle"
	canaryImage        = "canaryImage"
	canaryExt          = "canaryExt"
	canaryParam        = "canaryParam"
	canaryNick         = "canaryNick"
	canarySender       = "canarySender"
	canaryGroup        = "canaryGroup"
	canaryUser         = "canaryUser"
	canaryConversation = "canaryConversation"
	canaryMessage      = "canaryMessage"
	canaryCall         = "canaryCall"
)

// Nothing of what a preview hides is in any byte of the calls to any vendor.
func TestPreviewsHideFromVendors(t *testing.T) {
	t.Parallel()
	v := everyVendor(t)
	shown := map[hongyan.Preview]map[string]map[string]bool{} // by preview and certificate
	for _, preview := range []hongyan.Preview{"", hongyan.PreviewSender, hongyan.PreviewNone} {
		shown[preview] = map[string]map[string]bool{}
		for name, change := range canaryMessages {
			m := canaries(change)
			for _, a := range v.accounts {
				if a.voip && m.Content.Call == nil {
					continue
				}
				said := v.push(t, a, m, preview)
				for _, word := range hiddenBy(preview) {
					if strings.Contains(said, word) {
						t.Errorf("%s, %s with preview %q: the call tells %s:\n%s", a.certificate, name, preview, word, said)
					}
				}
				if preview == hongyan.PreviewNone {
					// The ids stand in the ext and nowhere else.
					exts := strings.Count(said, "conversationID")
					if c, m := strings.Count(said, canaryConversation), strings.Count(said, canaryMessage); c != exts || m != exts || exts != strings.Count(said, "messageID") {
						t.Errorf("%s, %s: %d exts, %d times the conversation, %d times the message:\n%s", a.certificate, name, exts, c, m, said)
					}
					if !strings.Contains(said, "New message") && !strings.Contains(said, "New+message") {
						t.Errorf("%s, %s shows nothing:\n%s", a.certificate, name, said)
					}
				}
				seen := shown[preview][a.certificate]
				if seen == nil {
					seen = map[string]bool{}
					shown[preview][a.certificate] = seen
				}
				for _, word := range []string{canaryText, canaryDesc, canaryGroup, canaryNick, canaryExt, canaryConversation} {
					seen[word] = seen[word] || strings.Contains(said, word)
				}
			}
		}
	}
	// What nobody hides is there: the canaries can be found where they are.
	for _, a := range v.accounts {
		for _, word := range []string{canaryText, canaryDesc, canaryGroup, canaryNick, canaryExt} {
			if !a.voip && !shown[""][a.certificate][word] {
				t.Errorf("%s: no call tells %s", a.certificate, word)
			}
		}
		for _, word := range []string{canaryNick, canaryGroup, canaryExt} {
			if !a.voip && !shown[hongyan.PreviewSender][a.certificate][word] {
				t.Errorf("%s: with preview sender no call tells %s", a.certificate, word)
			}
		}
		if !shown[hongyan.PreviewNone][a.certificate][canaryConversation] {
			t.Errorf("%s: with preview none the ext does not tell the conversation", a.certificate)
		}
	}
}

// hiddenBy are the words that no call may have.
func hiddenBy(preview hongyan.Preview) []string {
	switch preview {
	case hongyan.PreviewNone:
		return []string{canaryText, canaryDesc, canaryTitle, canarySubtitle, canaryImage, canaryExt, canaryParam, canaryNick, canarySender, canaryGroup, canaryUser, canaryCall}
	case hongyan.PreviewSender:
		return []string{canaryText, canaryDesc, canaryTitle, canarySubtitle, canaryImage, canaryParam, canaryUser}
	}
	return []string{canaryUser}
}

// canaryMessages are what a message may be, by name.
var canaryMessages = map[string]func(*hongyan.Message){
	"text": func(m *hongyan.Message) {
		m.OfflinePush.Desc, m.OfflinePush.Title, m.OfflinePush.IOS.Title = "", "", ""
	},
	"desc":  func(*hongyan.Message) {},
	"photo": func(m *hongyan.Message) { m.Content = hongyan.Content{Type: hongyan.ContentImage, Text: canaryText} },
	"mention": func(m *hongyan.Message) {
		m.Mentions, m.OfflinePush.Desc, m.OfflinePush.Title = []string{canaryUser}, "", ""
	},
	"chat": func(m *hongyan.Message) {
		m.Conversation.Type, m.OfflinePush.Desc, m.OfflinePush.Title = hongyan.ConversationC2C, "", ""
	},
	"call": func(m *hongyan.Message) {
		m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: hongyan.CallVideo, Action: hongyan.CallInvite, ID: canaryCall}}
	},
	"cancel": func(m *hongyan.Message) {
		m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: hongyan.CallAudio, Action: hongyan.CallCancel, ID: canaryCall}}
	},
	"long_ext": func(m *hongyan.Message) {
		m.OfflinePush.Ext = `{"x":"` + canaryExt + strings.Repeat("x", 4000) + `"}`
	},
}

// canaries is a message full of them.
func canaries(change func(*hongyan.Message)) *hongyan.Message {
	params := map[string]string{"keywords1": canaryParam, "keywords2": canaryParam, "title": canaryParam, "content": canaryParam}
	m := &hongyan.Message{
		ID: canaryMessage, SentAt: time.Now(), Recipients: []string{canaryUser},
		Conversation: hongyan.Conversation{Type: hongyan.ConversationGroup, ID: canaryConversation, Name: canaryGroup},
		Sender:       hongyan.Sender{ID: canarySender, Nickname: canaryNick},
		Content:      hongyan.Content{Type: hongyan.ContentText, Text: canaryText},
		OfflinePush: hongyan.OfflinePush{
			Title: canaryTitle, Desc: canaryDesc, Ext: `{"x":"` + canaryExt + `"}`,
			IOS:     hongyan.IOS{Title: canaryTitle, Subtitle: canarySubtitle, Image: "https://im.example.com/" + canaryImage + ".png", MutableContent: true},
			Android: hongyan.Android{Style: "big_text", Image: "https://im.example.com/" + canaryImage + ".png"},
			Harmony: hongyan.Harmony{Image: "https://im.example.com/" + canaryImage + ".png"},
		},
	}
	// The parameters of every vendor that has templates.
	android := reflect.ValueOf(&m.OfflinePush.Android).Elem()
	for i := range android.NumField() {
		if f := android.Field(i); f.Kind() == reflect.Map {
			f.Set(reflect.ValueOf(params))
		}
	}
	change(m)
	return m
}

// vendorsRig has a driver of each of the demo's certificates in front of the fakes.
type vendorsRig struct {
	accounts []vendorAccount

	mu   sync.Mutex
	said strings.Builder
}

type vendorAccount struct {
	certificate, vendor, token string
	voip                       bool
	config                     vendors.Config
	driver                     vendors.Driver
}

func everyVendor(t *testing.T) *vendorsRig {
	t.Helper()
	v := &vendorsRig{}
	demo, err := sandbox.NewDemo(time.Now(), all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	box := sandbox.New(sandbox.Options{Unpaced: true}, demo.Fakes()...)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		v.mu.Lock()
		fmt.Fprintf(&v.said, "%s %s\n%v\n%s\n", r.Method, r.URL, r.Header, body)
		v.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		box.Handler().ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	place := sandbox.Place{URL: server.URL, Dir: dir}
	if err := demo.WriteFiles(dir, place); err != nil {
		t.Fatal(err)
	}
	// The demo's files trust the sandbox's authority; this server is another one.
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	var certificates []vendors.Config
	for _, hidden := range []bool{false, true} {
		conf, err := config.Parse(filepath.Join(dir, "hongyan.yaml"), demo.Apps(place), config.Kinds(registry.Kinds()), os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range conf.Apps[0].Certificates {
			if !hidden || inData(c) {
				certificates = append(certificates, c)
			}
		}
	}
	env := vendors.Env{Tokens: func(_ string, fetch vendors.TokenFetch) vendors.TokenSource {
		return accesstoken.New(fetch, accesstoken.Options{})
	}}
	for _, c := range certificates {
		base := c.Base()
		a := vendorAccount{certificate: base.ID, vendor: base.Vendor, config: c}
		for _, f := range demo.Fakes() {
			if f.Vendor == base.Vendor {
				a.token = f.Token(f.User.ID)
				if a.voip = f.User.VoIP == base.ID; a.voip {
					a.token = f.Token(f.User.ID + "-voip")
				}
			}
		}
		base.Timeout = time.Minute // a busy machine is no vendor that hangs
		tellIDs(base, c)
		driver, err := c.Driver(env)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(driver.Close)
		a.driver = driver
		v.accounts = append(v.accounts, a)
	}
	if len(v.accounts) < len(hongyan.Vendors) {
		t.Fatalf("%d certificates", len(v.accounts))
	}
	return v
}

// inData has the vendor's certificate send all that is shown as data, where it can.
func inData(c vendors.Config) bool {
	f := reflect.ValueOf(c).Elem().FieldByName("DataOnly")
	if !f.IsValid() {
		return false
	}
	f.SetString("all")
	c.Base().ID += "-data"
	return true
}

// tellIDs has a tap open something with the ext and the ids in it, where the vendor can.
func tellIDs(base *vendors.Common, c vendors.Config) {
	const ids = "c={conversation}&m={message}&e={ext}"
	for _, click := range []vendors.Click{
		{URL: "https://im.example.com/open?" + ids}, {URL: "im://open?" + ids},
		{Intent: "intent://open?" + ids + "#Intent;scheme=im;launchFlags=0x4000000;package=com.example.im;end"}, {Action: "com.example.im.OPEN"},
	} {
		if base.Click = click; len(c.Problems()) == 0 {
			return
		}
	}
	base.Click = vendors.Click{}
}

// push composes a message for a certificate, sends it, and returns what the vendor was told.
func (v *vendorsRig) push(t *testing.T, a vendorAccount, m *hongyan.Message, preview hongyan.Preview) string {
	t.Helper()
	decisions := []route.Decision{{
		User: canaryUser, Certificate: a.certificate, Token: a.token, VoIP: a.voip, Preview: preview,
		Device: &directory.Device{ID: canaryUser, Registration: hongyan.Device{Certificate: a.certificate, Token: a.token, Locale: "en"}},
	}}
	conf := route.App{Accounts: map[string]route.Account{a.certificate: {App: "demo", Vendor: a.vendor, Certificate: a.certificate, Options: a.config.Options}}}
	job := route.Compose(m, "demo", conf, decisions, time.Now(), nil)[0]
	v.mu.Lock()
	v.said.Reset()
	v.mu.Unlock()
	result := a.driver.Push(context.Background(), vendors.Batch{Devices: []vendors.Device{job.Device(0)}, Now: time.Now()})[0]
	if result.Reason != vendors.Accepted {
		t.Errorf("%s, preview %q: %v (%s): %v", a.certificate, preview, result.Reason, result.Code, result.Err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.said.String()
}
