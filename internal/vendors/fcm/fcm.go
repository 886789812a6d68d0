// Package fcm speaks to Firebase Cloud Messaging, HTTP v1, through the Firebase Admin SDK for Go.
//
//	Push ─▶ message ─▶ messaging.Client.Send ─▶ relay ─▶ transport ─▶ h2conn ─▶ fcm.googleapis.com
//	         shaped      writes the request       │                     several, warmed up
//	                                              ├─ puts the access token, once more after a 401
//	                                              └─ keeps the result, tells the SDK "OK"
//
// The SDK repeats a request up to four times, at once and without asking, when it meets a 503 or a
// broken connection; it has no timeout, and its errors lose what the answer said. The relay under
// it therefore never shows it a failure: one push is one request, and the result is made from the
// real status, headers and body.
//
// https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages and
// https://firebase.google.com/docs/cloud-messaging/scale-fcm are the pages that this follows.
package fcm

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	firebase "firebase.google.com/go/v4"
	"firebase.google.com/go/v4/messaging"
	"google.golang.org/api/option"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// What Google publishes, as of 2026-11; it says that the limits may change.
const (
	address = "https://fcm.googleapis.com"
	// callTimeout: "set a timeout of at least 10 seconds".
	callTimeout = 15 * time.Second
	// maxTTL is the longest and default lifetime, four weeks.
	maxTTL = 28 * 24 * time.Hour
	// maxBytes is the size of a message to a device, keys and values.
	maxBytes = 4096
	// streams is how many requests Google's front end lets one connection carry at once.
	streams = 100
	// perMinute is the default quota of a project in messages. A request that is refused with a 4xx
	// counts too, save for a 429.
	perMinute = 600_000
	// devicePerMinute and devicePerHour are the quotas of one Android device.
	devicePerMinute, devicePerHour = 240, 5000
	// firstRetry is the least wait before a request that failed is sent again.
	firstRetry = 10 * time.Second
	// quotaRetry is the wait after a 429 that names none.
	quotaRetry = 60 * time.Second
)

// Config is a certificate of FCM: one service account of one Firebase project.
type Config struct {
	vendors.Common `yaml:",inline"`
	// ServiceAccount is the JSON key file of a service account with the permission
	// cloudmessaging.messages.create. Its token_uri is honoured. Required.
	ServiceAccount vendors.Secret `yaml:"service_account" secret:"document"`
	// ProjectID is the Firebase project (its id or number). Default: the service account's.
	ProjectID string `yaml:"project_id"`
	// ChannelID is the Android channel; it must exist in the app. Default: the app's own default
	// channel.
	ChannelID string `yaml:"channel_id"`
	// Priority is "high" or "normal". A normal push waits while the phone dozes. Default high.
	Priority string `yaml:"priority"`
	// Sound is a file in the app's res/raw without its suffix. From Android 8 on the channel
	// decides. Default "default".
	Sound string `yaml:"sound"`
	// DataOnly is none, calls or all: which pushes leave the showing to an Android app, as ringing
	// needs. Title, body, tag, channel, sound, image and badge then travel as data, beside ext,
	// conversation and message. Google collapses the notification messages that wait for a phone
	// that is off into the newest, and delays them after a burst of 20 per device; data messages
	// are all kept, up to 100. Default none.
	DataOnly string `yaml:"data_only"`
	// MaxBytes is the largest message. Google does not say how it counts; the driver counts the
	// JSON of all but the token, which is the most that can be meant. Default 4096.
	MaxBytes int `yaml:"max_bytes"`
	// Streams is how many calls one HTTP/2 connection carries at once; more calls open more
	// connections. Default 100.
	Streams int `yaml:"streams"`
}

var _ vendors.Config = (*Config)(nil)

// Values of Config.DataOnly.
const (
	dataNone  = "none"
	dataCalls = "calls"
	dataAll   = "all"
)

// CallTimeout is Timeout, by default 15 s: Google asks to wait for an answer for 10 s at least.
func (c *Config) CallTimeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return callTimeout
}

// Problems lists what is wrong.
func (c *Config) Problems() []vendors.Problem {
	var is vendors.Checks
	const console = "Firebase console, Project settings, Service accounts, Generate new private key"
	if is.Required("service_account", string(c.ServiceAccount), console) {
		if a, err := parseAccount(c.ServiceAccount); err != nil {
			is.Add("service_account", err.Error(), "download the JSON file again: "+console)
		} else if c.ProjectID == "" && a.ProjectID == "" {
			is.Add("project_id", "is neither here nor in the service account's file", "the project id stands in Firebase console, Project settings")
		}
	}
	if c.ProjectID != "" && c.ProjectID != url.PathEscape(c.ProjectID) {
		is.Add("project_id", "is no project id", "take it from Firebase console, Project settings")
	}
	is.Endpoint("endpoint", c.Endpoint)
	is.NoReceipts(&c.Common, "FCM")
	is.Wrong(!slices.Contains([]string{"", dataNone, dataCalls, dataAll}, c.DataOnly), "data_only", "is none of none, calls and all", "leave it out for none")
	if c.Priority != "" && priority(c.Priority) == "" {
		is.Add("priority", "is neither high nor normal", "leave it out for high")
	}
	is.Click(c.Click, vendors.ClickTargets{Vendor: "FCM", Known: []string{"action"}, Instead: "use click.action with the action of an intent filter of the app"})
	if c.MaxBytes < 0 || c.MaxBytes > 0 && c.MaxBytes < 2048 {
		is.Add("max_bytes", "is below 2048", "leave it out for 4096")
	}
	is.NotNegative("streams", c.Streams, "100")
	return is.Problems()
}

// DryRun makes FCM check every push and deliver none, as test_mode does.
func (c *Config) DryRun() { c.TestMode = true }

// Advice lists what is allowed but unwise.
func (c *Config) Advice() []string {
	var advice []string
	if priority(c.Priority) == "normal" {
		advice = append(advice, "priority normal: chat and calls wait while the phone dozes")
	}
	if c.Timeout > 0 && c.Timeout < 10*time.Second {
		advice = append(advice, "timeout is below the 10s for which Google asks to wait for an answer; a push that is given up may have been accepted")
	}
	if c.ChannelID == "" && c.DataOnly != dataAll {
		advice = append(advice, "no channel_id: the app's default channel decides importance and sound")
	}
	if c.TestMode {
		advice = append(advice, "test_mode: FCM validates every push and delivers none")
	}
	return advice
}

// Options chooses what the driver reads of a message's offline_push.
func (c *Config) Options(push *hongyan.OfflinePush) vendors.Options {
	a := &push.Android
	ios := hongyan.IOS{
		Sound: push.IOS.Sound, IgnoreBadge: push.IOS.IgnoreBadge, MutableContent: push.IOS.MutableContent,
		InterruptionLevel: push.IOS.InterruptionLevel, Category: push.IOS.Category,
	}
	return vendors.Options{IOS: ios, Android: hongyan.Android{
		Sound:        a.Sound,
		Image:        a.Image,
		FCMChannelID: a.FCMChannelID,
		FCMPriority:  a.FCMPriority,
	}}
}

// Class is the one class that FCM has: no caps, no daily quota.
func (c *Config) Class(*vendors.Notification) vendors.Class { return vendors.Class{Name: "all"} }

// Driver makes the driver.
func (c *Config) Driver(env vendors.Env) (vendors.Driver, error) {
	if env.Tokens == nil {
		return nil, errors.New("fcm: Env.Tokens is required")
	}
	a, err := parseAccount(c.ServiceAccount)
	if err != nil {
		return nil, err
	}
	client, err := vendors.NewClient(&c.Common)
	if err != nil {
		return nil, err
	}
	t, err := newTransport(c, client)
	if err != nil {
		return nil, err
	}
	login := &login{account: a, client: client, timeout: c.CallTimeout()}
	r := &relay{client: &http.Client{Transport: t, CheckRedirect: client.CheckRedirect}, tokens: env.Tokens(c.ID, login.fetch), reader: newReader(&c.Common)}
	ctx := context.Background() // used for nothing but the credentials that are not asked for
	app, err := firebase.NewApp(ctx, &firebase.Config{ProjectID: cmp.Or(c.ProjectID, a.ProjectID)},
		option.WithHTTPClient(&http.Client{Transport: r}), option.WithEndpoint(c.base()))
	if err != nil {
		return nil, err
	}
	sdk, err := app.Messaging(ctx)
	if err != nil {
		return nil, err
	}
	send := sdk.Send
	if c.TestMode {
		send = sdk.SendDryRun
	}
	return &driver{config: *c, send: send, transport: t, login: client, timeout: c.CallTimeout()}, nil
}

// base is what the SDK calls the endpoint: the address followed by the API's version.
func (c *Config) base() string {
	return strings.TrimSuffix(strings.TrimRight(c.EndpointOr(address), "/"), "/v1") + "/v1"
}

type driver struct {
	config    Config
	send      func(context.Context, *messaging.Message) (string, error)
	transport *transport
	login     *http.Client
	timeout   time.Duration
}

// Limits: one device a call. The SDK's SendEach is fifty goroutines around the same call.
func (d *driver) Limits() vendors.Limits {
	return vendors.Limits{Batch: 1, Replaces: true, Badge: true}
}

// Push sends to the batch's one device.
func (d *driver) Push(ctx context.Context, batch vendors.Batch) []vendors.Result {
	results := make([]vendors.Result, len(batch.Devices))
	for i, device := range batch.Devices {
		results[i] = d.push(ctx, device, batch.Now)
	}
	return results
}

func (d *driver) push(parent context.Context, device vendors.Device, now time.Time) vendors.Result {
	if err := vendors.CheckToken(device.Token); err != nil {
		return vendors.Result{Reason: vendors.BadToken, Err: err}
	}
	ctx, cancel := context.WithTimeout(parent, d.timeout)
	defer cancel()
	x := &exchange{parent: parent}
	message, note := d.config.message(device, now)
	_, err := d.send(context.WithValue(ctx, exchangeKey{}, x), message)
	if x.done {
		x.result.Note = note
		return x.result
	}
	if ctx.Err() != nil {
		return vendors.TransportResult(parent, ctx.Err())
	}
	// The SDK's own checks refused the message; the error may quote it and is dropped.
	if err != nil {
		err = errors.New("the SDK refused the message before sending it")
	}
	return vendors.Result{Reason: vendors.BadPayload, Err: err}
}

// Close ends the calls and closes the connections.
func (d *driver) Close() {
	d.transport.close()
	d.login.CloseIdleConnections()
}
