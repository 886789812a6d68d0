package fcm

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	fake "github.com/hongyan-im/hongyan/internal/sandbox/fcm"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

// TestMain holds that no driver leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testKey is one key for all tests: making one takes long.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

const email = "push@demo-im.iam.gserviceaccount.com"

func serviceAccount(tokenURI string) vendors.Secret {
	der, err := x509.MarshalPKCS8PrivateKey(testKey())
	if err != nil {
		panic(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "demo-im", "private_key_id": "k1", "client_email": email, "token_uri": tokenURI,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		panic(err)
	}
	return vendors.Secret(file)
}

func token(i int) string {
	return fmt.Sprintf("cIm%019d:APA91b%s%04d", i, strings.Repeat("aB3-x_", 21), i)
}

// assertions differ with the key, which is made anew for each run.
var assertion = regexp.MustCompile(`(?m)^assertion = .*$`)

// subject is the driver under test with changes to its settings.
func subject(changes ...func(*Config)) vendortest.Subject {
	return vendortest.Subject{
		Fake: fake.Fake(fake.Account{ProjectID: "demo-im", ClientEmail: email, Key: &testKey().PublicKey}),
		Config: func(endpoint, caFile string) vendors.Config {
			c := &Config{ServiceAccount: serviceAccount(endpoint + "/token"), ChannelID: "im_messages"}
			c.ID, c.Vendor, c.Endpoint, c.CAFile = "35003", "fcm", endpoint, caFile
			c.Click.Action = "OPEN_CHAT"
			for _, change := range changes {
				change(c)
			}
			return c
		},
		Token: token,
		Scrub: func(s string) string { return assertion.ReplaceAllString(s, "assertion = <secret>") },
	}
}

func TestConformance(t *testing.T) {
	s := subject()
	s.Problems, s.Advice, s.Doc = problems(), advice(), Doc
	s.Call = []string{`"ttl": "60s"`}
	s.Badge = func(vendors.Config) {}
	vendortest.Run(t, s)
}

func push(r *vendortest.Rig, n *vendors.Notification) vendors.Result {
	return r.Driver.Push(context.Background(), r.Batch(1, n))[0]
}

func warm(t *testing.T, s vendortest.Subject) *vendortest.Rig {
	t.Helper()
	r := vendortest.NewRig(t, s, nil)
	if got := push(r, vendortest.Chat()); got.Reason != vendors.Accepted {
		t.Fatalf("first push: %v (code %q, err %v); %v", got.Reason, got.Code, got.Err, r.Sandbox.Violations())
	}
	r.Requests.Take()
	return r
}

// TestOneRequestAPush: the SDK by itself would send a 503 or a reset five times, the second time at
// once.
func TestOneRequestAPush(t *testing.T) {
	t.Parallel()
	for _, fault := range []sandbox.Fault{
		{Kind: sandbox.FaultServerError, Status: 500},
		{Kind: sandbox.FaultServerError, Status: 502},
		{Kind: sandbox.FaultServerError, Status: 503},
		{Kind: sandbox.FaultServerError, Status: 503, RetryAfter: 30},
		{Kind: sandbox.FaultServerError, Status: 504},
		{Kind: sandbox.FaultCode, Code: "UNAVAILABLE"},
		{Kind: sandbox.FaultThrottle, RetryAfter: 30},
		{Kind: sandbox.FaultGarbage},
		{Kind: sandbox.FaultResetBefore},
		{Kind: sandbox.FaultResetAfter},
	} {
		t.Run(fmt.Sprint(fault.Kind, fault.Status, fault.Code), func(t *testing.T) {
			t.Parallel()
			r := warm(t, subject())
			fault.Vendor = "fcm"
			r.Sandbox.Arm(fault) // until cleared
			began := time.Now()
			if got := push(r, vendortest.Chat()); got.Reason == vendors.Accepted {
				t.Error("accepted")
			}
			if n := len(r.Requests.Take()); n != 1 {
				t.Errorf("%d requests reached FCM, want 1", n)
			}
			// nobody waits for Retry-After here
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestAnswerIsKept: what the SDK's errors would lose.
func TestAnswerIsKept(t *testing.T) {
	t.Parallel()
	r := warm(t, subject())
	for _, c := range []struct {
		fault sandbox.Fault
		want  vendors.Result
	}{
		{sandbox.Fault{Kind: sandbox.FaultThrottle, RetryAfter: 7}, vendors.Result{Reason: vendors.RateLimited, Code: "QUOTA_EXCEEDED", RetryAfter: 7 * time.Second}},
		{sandbox.Fault{Kind: sandbox.FaultThrottle}, vendors.Result{Reason: vendors.RateLimited, Code: "QUOTA_EXCEEDED", RetryAfter: time.Minute}},
		{sandbox.Fault{Kind: sandbox.FaultServerError, Status: 503, RetryAfter: 120}, vendors.Result{Reason: vendors.Unavailable, Code: "HTTP 503", RetryAfter: 2 * time.Minute}},
		{sandbox.Fault{Kind: sandbox.FaultServerError, Status: 503, RetryAfter: 3}, vendors.Result{Reason: vendors.Unavailable, Code: "HTTP 503", RetryAfter: 10 * time.Second}},
		{sandbox.Fault{Kind: sandbox.FaultServerError}, vendors.Result{Reason: vendors.Unavailable, Code: "HTTP 500", RetryAfter: 10 * time.Second}},
	} {
		c.fault.Vendor, c.fault.Times = "fcm", 1
		r.Sandbox.Arm(c.fault)
		got := push(r, vendortest.Chat())
		got.Err = nil
		if got != c.want {
			t.Errorf("%v: got %+v, want %+v", c.fault.Kind, got, c.want)
		}
	}
}

// TestLongAnswer: a body without end is cut off.
func TestLongAnswer(t *testing.T) {
	t.Parallel()
	s := bareServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"name":"`))
		for range 3 << 10 {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	})
	if got := s.push(t, 0); got.Reason != vendors.Unavailable {
		t.Errorf("got %v (err %v), want unavailable", got.Reason, got.Err)
	}
}

// TestExpiredTokenTwice: one 401 is met by a fresh token (the suite holds that); a second one is a
// matter for people.
func TestExpiredTokenTwice(t *testing.T) {
	t.Parallel()
	r := warm(t, subject())
	r.Sandbox.Arm(sandbox.Fault{Vendor: "fcm", Kind: sandbox.FaultExpiredAuth, Times: 2})
	if got := push(r, vendortest.Chat()); got.Reason != vendors.BadCredentials || got.Code != "UNAUTHENTICATED" {
		t.Errorf("got %v (code %q), want bad_credentials", got.Reason, got.Code)
	}
	sent := 0
	for _, q := range r.Requests.Take() {
		if strings.Contains(q, "messages:send") {
			sent++
		}
	}
	if sent != 2 {
		t.Errorf("%d sends, want 2", sent)
	}
	if got := push(r, vendortest.Chat()); got.Reason != vendors.Accepted {
		t.Errorf("afterwards: got %v (code %q)", got.Reason, got.Code)
	}
}

func TestEndpointForms(t *testing.T) {
	t.Parallel()
	for _, tail := range []string{"", "/", "/v1", "/v1/"} {
		r := vendortest.NewRig(t, subject(func(c *Config) { c.Endpoint += tail }), nil)
		if got := push(r, vendortest.Chat()); got.Reason != vendors.Accepted {
			t.Errorf("endpoint + %q: got %v (code %q, err %v)", tail, got.Reason, got.Code, got.Err)
		}
	}
	if got := (&Config{}).base(); got != "https://fcm.googleapis.com/v1" {
		t.Errorf("default endpoint is %s", got)
	}
}

func TestTestModeDeliversNothing(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(), func(c *vendors.Common) { c.TestMode = true })
	if got := push(r, vendortest.Chat()); got.Reason != vendors.Accepted {
		t.Errorf("got %v (code %q, err %v)", got.Reason, got.Code, got.Err)
	}
	if n := len(r.Sandbox.Pushes()); n != 0 {
		t.Errorf("%d pushes were delivered", n)
	}
}

// TestProjectOfOthers: a login that works and a project that it may not use.
func TestProjectOfOthers(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(func(c *Config) { c.ProjectID = "theirs" }), nil)
	if got := push(r, vendortest.Chat()); got.Reason != vendors.BadCredentials || got.Code != "PERMISSION_DENIED" {
		t.Errorf("got %v (code %q), want bad_credentials", got.Reason, got.Code)
	}
}

func TestTimeoutAndClass(t *testing.T) {
	t.Parallel()
	if got := (&Config{}).CallTimeout(); got != 15*time.Second {
		t.Errorf("default timeout %v, want 15s", got)
	}
	if got := (&Config{Common: vendors.Common{Timeout: 5 * time.Second}}).CallTimeout(); got != 5*time.Second {
		t.Errorf("timeout %v, want 5s", got)
	}
	if got := (&Config{}).Class(vendortest.Chat()); got != (vendors.Class{Name: "all"}) {
		t.Errorf("class %+v", got)
	}
}

// problems are what may be wrong with a certificate.
func problems() []vendortest.ConfigCase {
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"complete", func(*Config) {}, nil},
		{"no_account", func(c *Config) { c.ServiceAccount = "" }, []string{"service_account"}},
		{"no_json", func(c *Config) { c.ServiceAccount = "AIza-an-old-server-key" }, []string{"service_account"}},
		{"user_account", func(c *Config) { c.ServiceAccount = `{"type":"authorized_user"}` }, []string{"service_account"}},
		{"no_email", func(c *Config) { c.ServiceAccount = `{"type":"service_account"}` }, []string{"service_account"}},
		{"no_key", func(c *Config) {
			c.ServiceAccount = `{"type":"service_account","client_email":"a@b","private_key":"x"}`
		}, []string{"service_account"}},
		{"token_uri", func(c *Config) { c.ServiceAccount = serviceAccount("ftp://x/y") }, []string{"service_account"}},
		{"no_project", func(c *Config) {
			c.ServiceAccount = vendors.Secret(strings.Replace(string(c.ServiceAccount), `"project_id":"demo-im"`, `"project_id":""`, 1))
		}, []string{"project_id"}},
		{"project_by_key", func(c *Config) { c.ProjectID = "123456789" }, nil},
		{"project_with_slash", func(c *Config) { c.ProjectID = "a/b" }, []string{"project_id"}},
		{"priority", func(c *Config) { c.Priority = "urgent" }, []string{"priority"}},
		{"priority_upper", func(c *Config) { c.Priority = "HIGH" }, nil},
		{"endpoint", func(c *Config) { c.Endpoint = "fcm.googleapis.com" }, []string{"endpoint"}},
		{"click_url", func(c *Config) { c.Click.URL = "https://x" }, []string{"click"}},
		{"max_bytes", func(c *Config) { c.MaxBytes = 100 }, []string{"max_bytes"}},
		{"streams", func(c *Config) { c.Streams = -1 }, []string{"streams"}},
	})
}

// advice is what may be unwise about one.
func advice() []vendortest.ConfigCase {
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"slow_priority", func(c *Config) { c.Priority = "normal" }, []string{"wait while the phone dozes"}},
		{"impatient", func(c *Config) { c.Timeout = 5 * time.Second }, []string{"below the 10s"}},
		{"no_channel", func(c *Config) { c.ChannelID = "" }, []string{"no channel_id"}},
		{"test_mode", func(c *Config) { c.TestMode = true }, []string{"delivers none"}},
	})
}

func TestAdvice(t *testing.T) {
	t.Parallel()
	c := subject().Config("https://127.0.0.1:1", "").(*Config)
	if got := c.Advice(); len(got) != 0 {
		t.Errorf("advice for a good certificate: %v", got)
	}
	c.Priority, c.Timeout, c.ChannelID, c.TestMode = "normal", 5*time.Second, "", true
	if got := c.Advice(); len(got) != 4 {
		t.Errorf("got %d pieces of advice, want 4: %v", len(got), got)
	}
	if got := (&Config{}).CallTimeout(); got != 15*time.Second {
		t.Errorf("default timeout %v, want 15s", got)
	}
	if got := c.CallTimeout(); got != 5*time.Second {
		t.Errorf("timeout %v, want 5s", got)
	}
	if got := c.Class(vendortest.Chat()); got != (vendors.Class{Name: "all"}) {
		t.Errorf("class %+v", got)
	}
}
