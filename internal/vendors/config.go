package vendors

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/turns"
)

// Config is a vendor's certificate as the configuration gives it: a struct that embeds [Common]
// and adds the vendor's own keys.
//
// Fields of type [Secret] may also be given as <key>_file; the loader of the configuration reads
// the file. How the other keys must belong together is checked by the vendor's Problems.
type Config interface {
	// Base returns the keys that every vendor has.
	Base() *Common
	// Problems lists everything that is wrong, so that all can be corrected at once. It must not
	// use the network.
	Problems() []Problem
	// Advice lists what is allowed but unwise, such as a class that would cap chat.
	Advice() []string
	// Options returns what a message asks of the vendor: the fields of its offline_push that the
	// driver reads, texts bounded by [MaxText]. It must be a pure function that does not change
	// push.
	Options(push *hongyan.OfflinePush) Options
	// Class returns the vendor's message class in which a notification is counted.
	Class(n *Notification) Class
	// Driver makes a driver. It is called only if Problems returns nothing.
	Driver(env Env) (Driver, error)
}

// Expirer is a [Config] whose credentials may end at a known time.
type Expirer interface {
	// Expires says what ends and when; the zero time where nothing does, or it is not known.
	Expires() (what string, at time.Time)
}

// DryRunner is a [Config] whose vendor can check pushes without delivering them.
type DryRunner interface {
	// DryRun makes drivers that are made from now on ask for that.
	DryRun()
}

// NobodysToken is a device token that no device has, in a form that every vendor takes for one. A
// push to it reaches nobody, and what the vendor says of it tells whether the credentials are
// right.
const NobodysToken = "0000000000000000000000000000000000000000000000000000000000000000"

// Class is a vendor's message class, with the vendor's published limits for it.
type Class struct {
	// Name is the key of the class in daily_quota and device_cap, such as "private"; "all" where a
	// vendor has no classes.
	Name string
	// Capped says that chat in this class would be silently dropped after a few messages a day.
	Capped bool
	// DailyQuota is the vendor's published number a day for the whole app, 0 for unlimited or
	// unpublished.
	DailyQuota int64
	// DeviceCap is the vendor's published number for one device and day, 0 for none.
	DeviceCap int
	// ByArrival says that the vendor counts the pushes that arrive on phones, not those that are
	// sent.
	ByArrival bool
}

// Problem is one thing that is wrong with a certificate's keys.
type Problem struct {
	// Key is the YAML key that is wrong or missing.
	Key string
	// Text says what is wrong, and Remedy what to do about it.
	Text, Remedy string
}

// Env contains what a driver needs from the program around it.
type Env struct {
	// Tokens makes the source of a certificate's access token. Required by vendors that are an
	// [Authenticator] or a [Signer].
	Tokens func(certificate string, fetch TokenFetch) TokenSource
	// Turns are what large calls are written and read by; nil for no waiting.
	Turns *turns.Turns
}

// TokenFetch fetches a fresh access token from the vendor. Its error is a *[TokenError].
type TokenFetch func(ctx context.Context, now time.Time) (AccessToken, error)

// Common holds the keys of a certificate that every vendor has.
type Common struct {
	// ID is the certificate's name, unique in the installation, [A-Za-z0-9_-]{1,64}.
	ID string `yaml:"id"`
	// Vendor is apns, fcm, huawei, harmony, honor, xiaomi, oppo, vivo or meizu.
	Vendor string `yaml:"vendor"`
	// Endpoint replaces the vendor's address, scheme and host, for a proxy or a sandbox. Default:
	// the vendor's own.
	Endpoint string `yaml:"endpoint"`
	// CAFile is a PEM file of extra root certificates to trust at the endpoint, relative to the
	// configuration's folder. Default: none.
	CAFile string `yaml:"ca_file"`
	// CAOnly trusts the roots of ca_file alone, not those of the system. Default false.
	CAOnly bool `yaml:"ca_only"`
	// Proxy is the HTTP proxy through which the vendor is reached, by CONNECT: http://host:port, or
	// with a user and a password, which belong into the environment:
	// http://${PROXY_USER}:${PROXY_PASSWORD}@host:port. Default: what HTTPS_PROXY, HTTP_PROXY and
	// NO_PROXY of the environment say.
	Proxy string `yaml:"proxy"`
	// Timeout bounds one call. Default 10s.
	Timeout time.Duration `yaml:"timeout"`
	// TTL bounds how long the vendor keeps a push for a phone that is off. Default: the message's
	// own lifetime.
	TTL time.Duration `yaml:"ttl"`
	// Concurrency is how many calls may be under way at once in one worker. Default 2000 for a
	// vendor that takes one device a call, 64 for the others.
	Concurrency int `yaml:"concurrency"`
	// Rate is the certificate's share of the vendor's rate, for all workers together. Default:
	// none, until the vendor says that pushes come too fast; then what it takes.
	Rate Rate `yaml:"rate"`
	// DailyQuota maps a message class to a number of devices a day or "unlimited". Default: the
	// vendor's published numbers.
	DailyQuota map[string]Quota `yaml:"daily_quota"`
	// DeviceCap maps a message class to a number a device and day. Default: none for the chat
	// classes.
	DeviceCap map[string]Quota `yaml:"device_cap"`
	// UrgentReserve is the share of the daily quota, 0 to 1, that only calls may use. Default 0.
	UrgentReserve float64 `yaml:"urgent_reserve"`
	// Timezone is the vendor's day. Default Asia/Shanghai.
	Timezone string `yaml:"timezone"`
	// Click says what a tap opens. Default: the app.
	Click Click `yaml:"click"`
	// TestMode sends test pushes where the vendor knows them. Never leave it on in production.
	TestMode bool `yaml:"test_mode"`
	// Receipts asks the vendor to report the delivery of each push, where it can. Nothing listens
	// to the reports yet. Default: none are asked for.
	Receipts *Receipts `yaml:"receipts"`
	// Codes gives codes of the vendor's answers a reason, over the built-in table, such as
	// {"80100003": bad_payload}. Default: none.
	Codes map[string]Reason `yaml:"codes"`
}

// Receipts says where a vendor's delivery reports go, as far as the vendor wants to be told; see
// [Checks.Receipts].
type Receipts struct {
	// URL is the address that the vendor calls. Default: none.
	URL string `yaml:"url"`
	// ID names an address that is registered in the vendor's console. Default: none.
	ID string `yaml:"id"`
}

// ReceiptKey is what a vendor's delivery report names a push by: the key of its message, 32
// characters, so that it fits every vendor's field.
func ReceiptKey(n *Notification) string { return n.Key }

// Base returns the keys that every vendor has.
func (c *Common) Base() *Common { return c }

// Rate is a speed; at most one of the two is set.
type Rate struct {
	// DevicesPerSecond counts each device of a call. Default 0: not set.
	DevicesPerSecond float64 `yaml:"devices_per_second"`
	// RequestsPerSecond counts calls, whatever they carry. Default 0: not set.
	RequestsPerSecond float64 `yaml:"requests_per_second"`
}

// Click is what a tap opens, as the vendor knows it; at most one is set. In each value "{ext}"
// stands for the message's ext, escaped as the place needs it, "{conversation}" and "{message}" for
// their ids.
type Click struct {
	// Action is the action of an intent, or of an ability of HarmonyOS. Default: none.
	Action string `yaml:"action"`
	// Activity is an activity's full class name. Default: none.
	Activity string `yaml:"activity"`
	// Intent is an intent as a URI, as Intent.toUri writes it. Default: none.
	Intent string `yaml:"intent"`
	// URL is a web page or a deep link. Default: none.
	URL string `yaml:"url"`
}

// clickTarget is one field of a [Click] that is set.
type clickTarget struct{ key, value string }

// byKey lists the fields that are set.
func (c Click) byKey() []clickTarget {
	var set []clickTarget
	for _, t := range []clickTarget{{"action", c.Action}, {"activity", c.Activity}, {"intent", c.Intent}, {"url", c.URL}} {
		if t.value != "" {
			set = append(set, t)
		}
	}
	return set
}

// Quota is a number of pushes a day, or Unlimited.
type Quota int64

// Unlimited is the Quota that is written "unlimited".
const Unlimited Quota = -1

// UnmarshalText reads a number or "unlimited".
func (q *Quota) UnmarshalText(text []byte) error {
	if string(text) == "unlimited" {
		*q = Unlimited
		return nil
	}
	var n int64
	if _, err := fmt.Sscanf(string(text)+"\n", "%d\n", &n); err != nil || n < 0 {
		return fmt.Errorf("%q is neither a number of pushes a day nor \"unlimited\"", text)
	}
	*q = Quota(n)
	return nil
}

// UnmarshalJSON reads a number as json.Marshal writes it; Unlimited is -1.
func (q *Quota) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("%q is no number of pushes a day", text)
	}
	*q = Quota(n)
	return nil
}

// CallTimeout returns Timeout, or its default where it is not set.
func (c *Common) CallTimeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return 10 * time.Second
}

// TTLAdvice warns of a ttl that is longer than the vendor allows (longest), which the driver
// therefore shortens. limit names the vendor's limit, such as "Huawei's 15 days".
func (c *Common) TTLAdvice(longest time.Duration, limit string) []string {
	if c.TTL <= longest {
		return nil
	}
	return []string{"ttl is longer than " + limit + ", which is what it gets"}
}

// Keep returns for how long the vendor shall keep a push: what is left of the message, at most ttl
// where it is set, and from shortest to longest, in whole seconds.
func (c *Common) Keep(n *Notification, now time.Time, shortest, longest time.Duration) time.Duration {
	if c.TTL > 0 {
		longest = min(longest, max(c.TTL.Truncate(time.Second), time.Second))
	}
	return n.TTL(now, min(shortest, longest), longest)
}

// EndpointOr returns Endpoint, or the vendor's own address where it is not set.
func (c *Common) EndpointOr(vendor string) string { return cmp.Or(c.Endpoint, vendor) }

// Address adds the vendor's path to an endpoint that has none, and returns an endpoint with a path
// unchanged. It returns an error if the endpoint is not an HTTP address.
func Address(endpoint, path string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", errors.New("is no http or https address")
	}
	if u.Path == "" || u.Path == "/" {
		return u.Scheme + "://" + u.Host + path, nil
	}
	return endpoint, nil
}

// ProxyFor is the proxy for a request, as http.Transport and h2conn ask for it: Proxy, or else that
// of the environment.
func (c *Common) ProxyFor() func(*http.Request) (*url.URL, error) {
	if c.Proxy == "" {
		return http.ProxyFromEnvironment
	}
	u, err := ParseProxy(c.Proxy)
	return func(*http.Request) (*url.URL, error) { return u, err }
}

// ParseProxy reads the address of a proxy. Its error quotes nothing of it: it may hold a password.
func ParseProxy(proxy string) (*url.URL, error) {
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("is no address of an HTTP proxy")
	}
	return u, nil
}

// TLS returns the TLS configuration for the endpoint. It trusts the system's root certificates and,
// where CAFile is set, those in that file; with CAOnly those in that file alone.
func (c *Common) TLS() (*tls.Config, error) {
	if c.CAFile == "" {
		return &tls.Config{MinVersion: tls.VersionTLS12}, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !c.CAOnly {
		if system, err := x509.SystemCertPool(); err == nil {
			pool = system
		}
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("ca_file holds no PEM certificate")
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

// Secret is a value that must not be printed: it shows as "<secret>" in fmt, JSON, YAML and slog.
// Its bytes are string(s).
type Secret string

// String hides the secret.
func (s Secret) String() string { return "<secret>" }

// GoString hides the secret.
func (s Secret) GoString() string { return "<secret>" }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte("<secret>"), nil }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue("<secret>") }
