// Package apns is the driver of Apple's Push Notification service, over HTTP/2 and with the types
// of github.com/sideshow/apns2.
//
//	Push ──▶ payload, apns2.Notification ──▶ request ──▶ h2conn.Transport ──▶ APNs
//	         apns2's provider token           headers      a few connections for all pushes
//	results ◀── reader: apns2's reasons ◀──── answer, or why there is none
//
// The provider token, the notification and its push types, and the reasons are apns2's. Its client
// is not used. It cannot send apns-expiration 0, escapes the payload for HTML, loses the status of
// an answer that is not JSON, cuts the timestamp of a 410 to seconds, and hides Retry-After and the
// reason of a GOAWAY; and what it and net/http do for each push takes more than half of a worker's
// CPU. The connections are those of [h2conn], which is made for pushes: the first push on a new
// connection is sent alone, because with a provider token APNs allows a single stream until one
// push was answered, and a further connection is opened only when those that there are can carry no
// more.
//
// Beside "aps" the payload has these keys: "ext" is the message's ext, a string; "image" is the
// picture that a notification service extension shall attach; "conversation", "message_id" and
// "sender" (a name) are there where such an extension runs; "call" is an object with the call_id,
// media and action of a call. In a VoIP push "aps" is empty, and "call" also has title, body,
// conversation and message_id.
//
// Apple, "Sending notification requests to APNs", "Handling notification responses from APNs",
// "Establishing a token-based connection to APNs", "Generating a remote notification", "Responding
// to VoIP notifications from PushKit".
package apns

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sideshow/apns2"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Config is one APNs account of an app: a bundle id with a key or a certificate.
type Config struct {
	vendors.Common `yaml:",inline"`
	// Topic is the app's bundle id, such as com.example.im. Required. VoIP pushes go to the topic
	// with ".voip" added.
	Topic string `yaml:"topic"`
	// Key is the .p8 signing key from the developer account: PKCS#8, PEM, P-256. Either this or
	// Certificate.
	Key vendors.Secret `yaml:"key" secret:"document"`
	// KeyID is the key's id, ten characters. Required with Key.
	KeyID string `yaml:"key_id"`
	// TeamID is the developer team's id, ten characters. Required with Key.
	TeamID string `yaml:"team_id"`
	// Certificate is the push certificate with its private key, PKCS#12 or PEM. Key serves all push
	// types and does not run out; a certificate serves one app for a year.
	Certificate vendors.Secret `yaml:"certificate" secret:"document"`
	// CertificatePassword opens Certificate. Default: none.
	CertificatePassword vendors.Secret `yaml:"certificate_password"`
	// Sound is played when the message names none: a file of the app, "default", or "none". Default
	// "default".
	Sound string `yaml:"sound"`
	// InterruptionLevel is used when the message names none: passive, active, time-sensitive or
	// critical. The last two need an entitlement of the app. Default: none is sent, which iOS takes
	// for active.
	InterruptionLevel string `yaml:"interruption_level"`
	// MutableContent runs the app's notification service extension for every push, as avatars need.
	// Default false: only for messages that ask for it or bring an image.
	MutableContent bool `yaml:"mutable_content"`
	// Connections is how many connections to APNs one worker opens at most, 1 to 64; further ones
	// are opened when the others are full. One carries about 65,535 bytes per round trip, so far
	// from Apple's hosts more are faster. Default 4.
	Connections int `yaml:"connections"`
}

const (
	defaultConnections = 4
	maxConnections     = 64
)

// Interruption levels (UNNotificationInterruptionLevel).
const (
	passive  = "passive"
	critical = "critical"
)

func isLevel(s string) bool {
	return slices.Contains([]string{passive, "active", "time-sensitive", critical}, s)
}

// Problems lists what is wrong with the keys.
func (c *Config) Problems() []vendors.Problem {
	var is vendors.Checks
	is.Required("topic", c.Topic, "the app's bundle id, from Xcode or the developer account's list of identifiers")
	switch {
	case c.Key != "" && c.Certificate != "":
		is.Add("certificate", "is given beside key", "keep one of the two; the key is the better one")
	case c.Key == "" && c.Certificate == "":
		is.Required("key", "", "the .p8 file from the developer account, Keys (or certificate, for certificate authentication)")
	case c.Key != "":
		is.Required("key_id", c.KeyID, "shown beside the key in the developer account, Keys")
		is.Required("team_id", c.TeamID, "shown in the developer account, Membership")
		if _, err := parseKey(c.Key); err != nil {
			is.Add("key", err.Error(), "give the .p8 file as it was downloaded")
		}
	default:
		if _, err := parseCertificate(c.Certificate, c.CertificatePassword); err != nil {
			is.Add("certificate", err.Error(), "export it anew, or convert it: openssl pkcs12 -in push.p12 -out push.pem -nodes (with -legacy for files of Keychain)")
		}
	}
	if c.InterruptionLevel != "" && !isLevel(c.InterruptionLevel) {
		is.Add("interruption_level", "is none of passive, active, time-sensitive, critical", "choose one, or leave it out")
	}
	is.NoReceipts(&c.Common, "APNs")
	is.Between("connections", c.Connections, 1, maxConnections, "4")
	if c.Endpoint != "" {
		if u, err := url.Parse(c.Endpoint); err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
			is.Add("endpoint", "is not an https address", "APNs speaks HTTP/2 over TLS only, such as https://127.0.0.1:8443")
		}
	}
	return is.Problems()
}

// Expires is when a push certificate ends; a key does not.
func (c *Config) Expires() (what string, at time.Time) {
	if c.Certificate == "" {
		return "", time.Time{}
	}
	cert, err := parseCertificate(c.Certificate, c.CertificatePassword)
	if err != nil || cert.Leaf == nil {
		return "", time.Time{} // Problems says so
	}
	return "the push certificate", cert.Leaf.NotAfter
}

// Advice lists what is allowed but unwise.
func (c *Config) Advice() []string {
	var advice []string
	add := func(text string) { advice = append(advice, text) }
	if c.Certificate != "" {
		add("certificate: a push certificate runs out after a year and serves one app; a key (key, key_id, team_id) does neither")
	}
	if c.Key != "" && (len(c.KeyID) != 10 || len(c.TeamID) != 10) {
		add("key_id, team_id: Apple's ids have ten characters")
	}
	if strings.HasSuffix(c.Topic, ".voip") {
		add("topic: give the bundle id; .voip is added to it for VoIP pushes")
	}
	if c.TestMode {
		add("test_mode: pushes go to Apple's development host, where tokens of apps from the App Store or TestFlight are bad tokens and would be removed")
	}
	if c.TestMode && c.Endpoint != "" {
		add("test_mode: has no effect beside endpoint")
	}
	if c.Click != (vendors.Click{}) {
		add("click: APNs has no such thing; the app reads ext when it is opened")
	}
	if c.InterruptionLevel == critical {
		add("interruption_level: critical sounds even on a muted phone, and needs an entitlement that Apple grants to few apps")
	}
	return advice
}

// Options chooses what the driver reads of a message's offline_push.
func (c *Config) Options(push *hongyan.OfflinePush) vendors.Options {
	ios := push.IOS
	ios.Title, ios.Subtitle = vendors.MaxText.Fit(ios.Title), vendors.MaxText.Fit(ios.Subtitle)
	return vendors.Options{IOS: ios}
}

// Class is "all" for everything: APNs publishes no quota and no cap.
func (c *Config) Class(*vendors.Notification) vendors.Class { return vendors.Class{Name: "all"} }

// host is where the pushes go, without a trailing slash.
func (c *Config) host() string {
	vendor := apns2.HostProduction
	if c.TestMode {
		vendor = apns2.HostDevelopment
	}
	return strings.TrimRight(c.EndpointOr(vendor), "/")
}

func (c *Config) connections() int {
	if c.Connections > 0 {
		return c.Connections
	}
	return defaultConnections
}
