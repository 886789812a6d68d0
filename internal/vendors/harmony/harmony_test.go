package harmony

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	fake "github.com/hongyan-im/hongyan/internal/sandbox/harmony"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

const (
	testProject = "388421840000000001"
	testClient  = "6917530001"
	testKeyID   = "madeupkeyid0000000000000000000001"
	testSub     = "100000009"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func keyFile(project string, key any) vendors.Secret {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	b, err := json.Marshal(map[string]string{
		"project_id": project, "key_id": testKeyID, "sub_account": testSub,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"token_uri":   audience,
	})
	if err != nil {
		panic(err)
	}
	return vendors.Secret(b)
}

func token(i int) string { return fmt.Sprintf("MAMzLmadeupToken%06d", i) }

func fakeAccount() fake.Account {
	return fake.Account{
		ProjectID: testProject, KeyID: testKeyID, SubAccount: testSub, Key: &testKey().PublicKey, Categories: []string{"IM", "VOIP"},
		ClientID: testClient,
	}
}

func config(endpoint, caFile string) *Config {
	return &Config{
		Common:         vendors.Common{ID: "35003", Vendor: "harmony", Endpoint: endpoint, CAFile: caFile},
		ServiceAccount: keyFile(testProject, testKey()), ClientID: testClient,
	}
}

func subject() vendortest.Subject {
	return vendortest.Subject{
		Fake: fake.Fake(fakeAccount()), Token: token,
		Config: func(endpoint, caFile string) vendors.Config { return config(endpoint, caFile) },
	}
}

func TestConformance(t *testing.T) {
	s := subject()
	s.Problems, s.Advice, s.Doc = problems(t), advice(), Doc
	s.Receipts = &vendors.Receipts{ID: "rcp-1"}
	s.Call = []string{`"receiptId": "rcp-1"`, `"biTag": "{key}"`, `"ttl": 60`}
	s.Badge = func(vendors.Config) {}
	vendortest.Run(t, s)
}

// With the right for it, a call wakes the app through push-type 10; everything else stays a
// notification.
func TestInAppCalls(t *testing.T) {
	t.Parallel()
	s := subject()
	entitled := fakeAccount()
	entitled.InAppCalls = true
	s.Fake = fake.Fake(entitled)
	s.Config = func(endpoint, caFile string) vendors.Config {
		c := config(endpoint, caFile)
		c.CallPush = "voip"
		return c
	}
	r := vendortest.NewRig(t, s, nil)
	call := vendortest.Corpus()["call"]
	if got := r.Driver.Push(t.Context(), r.Batch(2, call)); got[0].Reason != vendors.Accepted {
		t.Fatalf("got %+v; broken rules %v", got, r.Sandbox.Violations())
	}
	sent := r.Requests.Take()[0]
	if !strings.Contains(sent, "Push-Type: 10\n") || !strings.Contains(sent, `"ttl": 60`) || !strings.Contains(sent, `\"call_id\":\"call-7\"`) {
		t.Errorf("sent %s", sent)
	}
	if p := r.Sandbox.Pushes()[0]; !p.Call || p.Title != call.Title || p.Ext != call.Ext || p.Key != call.Key {
		t.Errorf("the app gets %+v", p)
	}
	call.Ext, call.Body = strings.Repeat(`"`, 10<<10), strings.Repeat("长", 10<<10)
	if got := r.Driver.Push(t.Context(), r.Batch(1, call)); got[0].Reason != vendors.Accepted {
		t.Errorf("long call: %+v", got)
	}
	r.Requests.Take()
	cancel := vendortest.Corpus()["call"]
	cancel.Call.Action = hongyan.CallCancel
	named := vendortest.Corpus()["call"]
	named.Harmony.Category = "VOIP"
	for _, note := range []*vendors.Notification{cancel, named, vendortest.Chat()} {
		if got := r.Driver.Push(t.Context(), r.Batch(1, note)); got[0].Reason != vendors.Accepted {
			t.Fatalf("got %+v", got)
		}
		if sent := r.Requests.Take()[0]; !strings.Contains(sent, "Push-Type: 0\n") {
			t.Errorf("sent %s", sent)
		}
	}
}

// Without the right the vendor says so for every token, and the certificate goes on working for
// chat.
func TestInAppCallWithoutRight(t *testing.T) {
	t.Parallel()
	s := subject()
	s.Config = func(endpoint, caFile string) vendors.Config {
		c := config(endpoint, caFile)
		c.CallPush = "voip"
		return c
	}
	r := vendortest.NewRig(t, s, nil)
	for _, got := range r.Driver.Push(t.Context(), r.Batch(3, vendortest.Corpus()["call"])) {
		if got.Reason != vendors.Refused || got.Code != "80300007/noPushTypeRight" {
			t.Errorf("got %+v", got)
		}
	}
}

func TestTestModeTakesTen(t *testing.T) {
	t.Parallel()
	s := subject()
	s.Config = func(endpoint, caFile string) vendors.Config {
		c := config(endpoint, caFile)
		c.TestMode = true
		return c
	}
	r := vendortest.NewRig(t, s, nil)
	if got := r.Driver.Limits().Batch; got != 10 {
		t.Fatalf("a call takes %d devices", got)
	}
	if got := r.Driver.Push(t.Context(), r.Batch(10, vendortest.Chat())); got[9].Reason != vendors.Accepted {
		t.Errorf("got %+v", got)
	}
	if !strings.Contains(r.Requests.Take()[0], `"testMessage": true`) {
		t.Error("not a test push")
	}
}

// problems are what may be wrong with a certificate.
func problems(t *testing.T) []vendortest.ConfigCase {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(from, to string) func(*Config) {
		return func(c *Config) {
			c.ServiceAccount = vendors.Secret(strings.Replace(string(c.ServiceAccount), from, to, 1))
		}
	}
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"complete", func(*Config) {}, nil},
		{"same_project", func(c *Config) { c.ProjectID = testProject }, nil},
		{"empty", func(c *Config) { *c = Config{} }, []string{"service_account"}},
		{"other_project", func(c *Config) { c.ProjectID = "1" }, []string{"project_id"}},
		{"not_json", func(c *Config) { c.ServiceAccount = "-----BEGIN PRIVATE KEY-----" }, []string{"service_account"}},
		{"no_key_id", edit("key_id", "id"), []string{"service_account"}},
		{"not_pem", edit("-----BEGIN PRIVATE KEY-----", "-----"), []string{"service_account"}},
		{"broken_pem", edit("MII", "MIX"), []string{"service_account"}},
		{"elliptic_key", func(c *Config) { c.ServiceAccount = keyFile(testProject, ec) }, []string{"service_account"}},
		{"endpoint", func(c *Config) { c.Endpoint = "push" }, []string{"endpoint"}},
		{"lower_case", func(c *Config) { c.Category, c.CallCategory, c.MissedCallCategory = "im", "voip", "miss" }, []string{"call_category", "category", "missed_call_category"}},
		{"play_voice", func(c *Config) { c.Category = "PLAY_VOICE" }, []string{"category"}},
		{"call_push", func(c *Config) { c.CallPush = "10" }, []string{"call_push"}},
		{"activity", func(c *Config) { c.Click.Activity = "x" }, []string{"click"}},
		{"two_targets", func(c *Config) { c.Click.Action, c.Click.URL = "x", "y" }, []string{"click"}},
		{"sizes", func(c *Config) { c.MaxTitle, c.MaxBody, c.MaxBytes = 1000, -1, 100 }, []string{"max_body", "max_bytes", "max_title"}},
	})
}

// advice is what may be unwise about one.
func advice() []vendortest.ConfigCase {
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"good", func(c *Config) { c.Category = "IM" }, nil},
		{"marketing", func(c *Config) { c.Category = "MARKETING" }, []string{"all after 2 messages a day to a device (5 for licensed news apps)"}},
		{"unknown_category", func(c *Config) { c.CallCategory = "CALLS" }, []string{"taken for MARKETING"}},
		{"test_mode", func(c *Config) { c.TestMode = true }, []string{"10 devices a call and 1000 calls a day"}},
		{"long_ttl", func(c *Config) { c.TTL = 16 * 24 * time.Hour }, []string{"15 days"}},
	})
}

func TestClass(t *testing.T) {
	t.Parallel()
	communication := vendors.Class{Name: "communication"}
	marketingClass := vendors.Class{Name: "marketing", Capped: true, DeviceCap: 2}
	for _, c := range []struct {
		name         string
		conf         Config
		message      string
		action       hongyan.CallAction
		wantCategory string
		want         vendors.Class
	}{
		{"default", Config{}, "", "", "IM", communication},
		{"certificate", Config{Category: "WORK"}, "", "", "WORK", communication},
		{"message_wins", Config{Category: "MARKETING"}, "im", "", "IM", communication},
		{"message_in_marketing", Config{}, "MARKETING", "", "MARKETING", marketingClass},
		// A category that Huawei does not know would be refused.
		{"nonsense_in_message", Config{}, "no category", "", "IM", communication},
		{"marketing", Config{Category: "MARKETING"}, "", "", "MARKETING", marketingClass},
		{"invite", Config{}, "", hongyan.CallInvite, "VOIP", communication},
		{"invite_without_right", Config{CallCategory: "IM"}, "", hongyan.CallInvite, "IM", communication},
		{"in_app_call", Config{CallPush: "voip", CallCategory: "MARKETING"}, "", hongyan.CallInvite, "MARKETING", communication},
		{"missed_call", Config{}, "", hongyan.CallCancel, "IM", communication},
		{"missed_call_with_right", Config{MissedCallCategory: "MISS_CALL"}, "", hongyan.CallCancel, "MISS_CALL", communication},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := vendortest.Chat()
			n.Harmony.Category = c.message
			if c.action != "" {
				n.Call = &hongyan.Call{Media: "audio", Action: c.action, ID: "call-7"}
			}
			if got := c.conf.category(n); got != c.wantCategory {
				t.Errorf("category is %s, want %s", got, c.wantCategory)
			}
			if got := c.conf.Class(n); got != c.want {
				t.Errorf("class is %+v, want %+v", got, c.want)
			}
		})
	}
}
