package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// named is what explain must say of a cause: what it is, and what to do.
type named struct{ cause, remedy string }

var suppressed = map[hongyan.Reason]named{
	hongyan.Disabled:           {"asked for no push", "Change the message, or the policy"},
	hongyan.Expired:            {"older than its ttl_seconds", "Compare the clocks, or give a longer ttl_seconds"},
	hongyan.Recalled:           {"was recalled before", "Nothing to do"},
	hongyan.Read:               {"had read the conversation", "compare the clocks of at and sent_at"},
	hongyan.OwnMessage:         {"wrote the message", "Nothing to do"},
	hongyan.NoContent:          {"without offline_push.desc", "give a desc"},
	hongyan.CallOver:           {"call had ended", "a call_id of its own"},
	hongyan.NoDevice:           {"no registered device", "publisher device set"},
	hongyan.LoggedOut:          {"last presence is logged_out", "publish another presence"},
	hongyan.Kicked:             {"another login pushed it out", "publish another presence"},
	hongyan.NotificationsOff:   {"switched them off", "registers again"},
	hongyan.TooManyDevices:     {"more than 32 devices", "publisher device remove"},
	hongyan.Stale:              {"longer than the app's stale_after", "raise stale_after"},
	hongyan.Foreground:         {"was in the foreground", "publish background or disconnected"},
	hongyan.ActiveElsewhere:    {"Another device of the user was in the foreground", "quiet_when_active_elsewhere"},
	hongyan.Muted:              {"muted the conversation", "publisher settings"},
	hongyan.QuietHours:         {"quiet hours", "mind their time zone"},
	hongyan.UnknownCertificate: {"does not have for this app", "Add it there"},
}

var waits = map[hongyan.Reason]named{
	hongyan.Busy:           {"no free place", "raise the certificate's concurrency"},
	hongyan.Parked:         {"certificate is parked", "publisher limits"},
	vendors.RateLimited:    {"rate lets no more through", "set the rate to what the vendor grants"},
	vendors.QuotaSpent:     {"day's quota is used up", "ask the vendor for more"},
	vendors.BadCredentials: {"Key, secret, certificate or permission is wrong", "that was put right"},
	vendors.AuthExpired:    {"access token or JWT was too old", "compare the worker's clock"},
	vendors.Unavailable:    {"server error or not at all", "status page"},
	vendors.Timeout:        {"No answer came in time", "raise the certificate's timeout"},
	vendors.Interrupted:    {"worker stopped", "is a worker running"},
	vendors.Unknown:        {"code that nobody here knows", "look the code up"},
}

var dead = map[hongyan.Reason]named{
	vendors.BadToken:           {"calls the token dead", "registers again when it starts"},
	vendors.NotDisplayed:       {"phone refuses", "check the certificate's environment, topic, project and app"},
	vendors.BadPayload:         {"request wrong", "Correct the message or the certificate's defaults"},
	vendors.Refused:            {"policy refused it", "apply for the class"},
	vendors.BadCredentials:     {"Key, secret, certificate or permission is wrong", "until it is put right"},
	vendors.AuthExpired:        {"was too old", "compare the worker's clock"},
	vendors.RateLimited:        {"too fast", "set the certificate's rate"},
	vendors.QuotaSpent:         {"would not have lived until the vendor's midnight", "replay with --include-expired"},
	vendors.DeviceCapped:       {"share of the day", "private or communication class"},
	vendors.Unavailable:        {"server error or not at all", "proxy, DNS, firewall"},
	vendors.Timeout:            {"No answer in time", "raise the certificate's timeout"},
	vendors.Interrupted:        {"worker stopped in the middle", "by itself"},
	vendors.Unknown:            {"code that nobody here knows", "Look it up"},
	vendors.Expired:            {"waited until it was worthless", "See what the certificate suffers from"},
	hongyan.UnknownCertificate: {"no worker serves any more", "Put it back"},
	vendors.AttemptsExhausted:  {"tried as often as allowed", "when its cause is gone, replay"},
	vendors.Malformed:          {"could not be read", "Correct the publisher"},
}

// The cause and the remedy of each suppression, of each reason while a push waits, and of each that
// it can be dead of, are named to who asks for the message.
func TestExplainNamesEveryReason(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := time.Now().Add(-time.Minute)
	ask := func(status hongyan.Status, reason hongyan.Reason, want named) {
		t.Helper()
		message := string(status) + "-" + string(reason)
		r.records(status, "bob", nil, about(message, at, bobs("phone", reason, 1)))
		got := r.ok("explain", "--app", "demo", "--user", "bob", "--message", message)
		if want.cause == "" || want.remedy == "" {
			t.Errorf("%s: nothing is asked of it here", message)
		}
		says(t, got, fmt.Sprintf("%s %s", status, strings.TrimPrefix(string(reason), string(status)+" ")), want.cause, want.remedy)
		if n, of := explain.Rule(reason); status == hongyan.StatusSuppressed {
			says(t, got, fmt.Sprintf("(rule %d of %d, the first that applied)", n, of))
		}
	}
	for _, reason := range hongyan.Suppressions {
		ask(hongyan.StatusSuppressed, reason, suppressed[reason])
	}
	for reason, want := range waits {
		ask(hongyan.StatusWaiting, reason, want)
	}
	for _, reason := range hongyan.Results {
		if reason != vendors.Accepted {
			ask(hongyan.StatusDead, reason, dead[reason])
		}
	}
}

// seed is a user whose push suffers from a misconfiguration, under a certificate of its own.
type seed struct {
	*rig
	app, user, certificate string
}

func (s *seed) register(certificate string, more ...string) {
	s.ok(append([]string{"device", "set", "--app", s.app, "--user", s.user, "--device", "phone", "--certificate", certificate, "--token", "CN_" + s.user + "_0123456789"}, more...)...)
}

func (s *seed) put(subject, body string) {
	if err := s.bus.Put(s.t.Context(), subject, []byte(body)); err != nil {
		s.t.Fatal(err)
	}
}

// said stores what became of the push, in the vendor's words.
func (s *seed) said(status hongyan.Status, reason hongyan.Reason, vendor, code string) {
	s.t.Helper()
	if _, known := explain.Meaning(vendor, code, reason); code != "" && !known {
		s.t.Errorf("%s has no code %s", vendor, code)
	}
	if status == hongyan.StatusDead {
		job := sampleJob("m-1", s.user)
		job.Vendor, job.Certificate = vendor, s.certificate
		data, err := job.Encode()
		if err != nil {
			s.t.Fatal(err)
		}
		s.publish(dispatch.Outgoing{Subject: hongyan.Subjects{}.Dead(vendor, s.certificate, reason), Data: data, Header: map[string]string{
			dispatch.HeaderReason: reason.String(), dispatch.HeaderVendorCode: code, dispatch.HeaderError: "the vendor's own words", dispatch.HeaderApp: s.app, dispatch.HeaderMessageID: "m-1"}})
	}
	s.records(status, s.user, nil, hongyan.Outcome{MessageID: "m-1", Vendor: vendor, Certificate: s.certificate, At: time.Now().UTC(),
		Devices: []hongyan.DeviceOutcome{{User: s.user, Device: "phone", Reason: reason, VendorCode: code, Attempt: 1}}})
}

// parked parks the certificate, or its pushes of a kind, for a code of the vendor, as a worker
// does, in the driver's words.
func (s *seed) parked(kind vendors.Kind, vendor, code string) {
	s.t.Helper()
	meaning, known := explain.Meaning(vendor, code, vendors.BadCredentials)
	if !known {
		s.t.Errorf("%s has no code %s", vendor, code)
	}
	key := s.certificate
	if kind != "" {
		key = parking.KindKey(key, kind)
	}
	s.note(parking.Room, key, parking.Note{Reason: "bad_credentials", Code: code, Error: meaning.EN, Since: time.Now().Add(-time.Minute), Worker: "w1"})
	s.said(hongyan.StatusWaiting, hongyan.Parked, vendor, "")
}

func (s *seed) limit(key, value string) {
	if err := s.bus.LimitStore().Put(s.t.Context(), key, []byte(value), time.Minute); err != nil {
		s.t.Fatal(err)
	}
}

func parks(kind vendors.Kind, vendor, code string) func(*seed) {
	return func(s *seed) { s.register(s.certificate); s.parked(kind, vendor, code) }
}

func ends(status hongyan.Status, reason hongyan.Reason, vendor, code string) func(*seed) {
	return func(s *seed) { s.register(s.certificate); s.said(status, reason, vendor, code) }
}

const credentials = "nothing of this certificate goes out until it is put right"

// misconfigurations are mistakes that people make, each with what it leaves behind in the streams.
var misconfigurations = []struct {
	name   string
	make   func(*seed)
	cause  string
	remedy string
}{
	{"wrong-environment", ends("dead", vendors.NotDisplayed, "apns", "BadDeviceToken"), "of the other environment", "test_mode or endpoint is wrong"},
	{"wrong-topic", ends("dead", vendors.NotDisplayed, "apns", "DeviceTokenNotForTopic"), "another bundle id", "check the certificate's environment, topic"},
	{"topic-not-allowed", parks("", "apns", "TopicDisallowed"), "Pushing to this topic is not allowed", credentials},
	{"certificate-of-the-other-environment", parks("", "apns", "BadCertificateEnvironment"), "The certificate is for the other environment", credentials},
	{"key-of-another-team", parks("", "apns", "InvalidProviderToken"), "its signature wrong", "check key, key_id and team_id"},
	{"ext-too-long", ends("dead", vendors.BadPayload, "apns", "PayloadTooLarge"), "exceeds 4,096 bytes", "Correct the message"},
	{"project-of-another-app", ends("dead", vendors.NotDisplayed, "fcm", "SENDER_ID_MISMATCH"), "another Firebase project", "check the certificate's environment, topic, project"},
	{"api-not-enabled", parks("", "fcm", "403"), "FCM API is disabled", credentials},
	{"iphone-without-a-credential", ends("dead", vendors.Refused, "fcm", "THIRD_PARTY_AUTH_ERROR"), "credential in the Firebase project is missing", "vendor's console"},
	{"service-account-deleted", parks("", "fcm", "invalid_grant"), "the key was deleted", credentials},
	{"wrong-token-endpoint", parks("", "fcm", "invalid_request"), "did not understand the login", "is token_uri right?"},
	{"swapped-secrets", parks("", "oppo", "16"), "invalid sign", "is master_secret the MasterSecret, not the AppSecret?"},
	{"wrong-app-key", parks("", "oppo", "14"), "invalid app_key", credentials},
	{"worker-clock", parks("", "oppo", "19"), "clock is wrong by more than ten minutes", credentials},
	{"address-not-allowed", parks("", "oppo", "26"), "this IP address is on the blacklist", credentials},
	{"right-not-granted", parks("", "oppo", "30"), "the push right is not granted", credentials},
	{"wrong-template", parks(vendors.KindGroup, "oppo", "54"), "private template", "Mend the channel or template of this kind"},
	{"class-not-granted", ends("dead", vendors.Refused, "oppo", "67"), "no right for the category", "apply for the class"},
	{"quota", func(s *seed) {
		s.register(s.certificate)
		s.said(hongyan.StatusWaiting, vendors.QuotaSpent, "oppo", "33")
	}, "the day's number of messages is used up", "ask the vendor for more"},
	{"two-senders-on-one-quota", func(s *seed) {
		s.register(s.certificate)
		s.said(hongyan.StatusWaiting, vendors.QuotaSpent, "oppo", "33")
		s.limit("state.spent."+s.certificate+".public", `{"until":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`)
	}, "the vendor says that the quota is spent", "is there another sender"},
	{"capped-class", ends("dead", vendors.DeviceCapped, "oppo", ""), "its share of the day in this message class", "private or communication class"},
	{"rate-above-the-grant", func(s *seed) {
		s.register(s.certificate)
		s.said(hongyan.StatusWaiting, vendors.RateLimited, "oppo", "55")
		s.limit("state.slow."+s.certificate, `{"from":500,"rate":250,"n":1}`)
	}, `the vendor said "too fast"`, "set the rate to what the vendor grants"},
	{"missing-channel", parks(vendors.KindCall, "xiaomi", "27001"), "the channel is missing, not approved", "Mend the channel or template of this kind"},
	{"package-of-another-app", parks("", "xiaomi", "22022"), "package name does not belong to the app secret", credentials},
	{"key-for-secret", parks("", "xiaomi", "21301"), "it is the AppSecret, not the AppKey", credentials},
	{"no-way-to-the-vendor", ends("waiting", vendors.Unavailable, "oppo", "-1"), "server error or not at all", "proxy, DNS, firewall"},
	{"certificate-mistyped", func(s *seed) { s.register("nobodys"); s.said("suppressed", hongyan.UnknownCertificate, "", "") },
		"No live worker serves certificate nobodys, which device phone names", "correct what the app registers"},
	{"certificate-of-another-app", func(s *seed) { s.register("theirs"); s.said("suppressed", hongyan.UnknownCertificate, "", "") },
		"belongs to app other and not to demo", "Correct what the app registers"},
	{"app-mistyped", func(s *seed) {
		s.app = "dmeo"
		s.publish(dispatch.Outgoing{Subject: "push.dead.none.none.malformed", Data: []byte("{}"), Header: map[string]string{
			dispatch.HeaderApp: "dmeo", dispatch.HeaderMessageID: "m-1", dispatch.HeaderError: "the configuration has no app of this name"}})
	}, "No live worker has app dmeo in its configuration", "correct the name that the IM backend publishes under"},
	{"no-token-from-the-sdk", func(s *seed) {
		s.put("push.user.demo."+s.user+".device.phone", `{"certificate":"`+s.certificate+`","token":"","registration_error":"907135000"}`)
	}, "registered without a token", "the error 907135000"},
	{"sent-at-in-the-past", ends("suppressed", hongyan.Expired, "oppo", ""), "older than its ttl_seconds", "Compare the clocks"},
	{"presence-never-ends", ends("suppressed", hongyan.Foreground, "oppo", ""), "its presence is wrong", "let a gateway lease vouch"},
	{"not-the-event-of-the-contract", func(s *seed) {
		s.publish(dispatch.Outgoing{Subject: "push.dead.none.none.malformed", Data: []byte("{}"), Header: map[string]string{
			dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: "m-1", dispatch.HeaderError: "recipients is missing"}})
	}, "could not be read: recipients is missing", "Correct the publisher"},
}

// Each misconfiguration is named with what to do about it. The records, letters and notes are what
// workers store of it; the codes are those of the vendors' own tables.
func TestExplainNamesMisconfigurations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	certificates := []dispatch.CertificateNote{{App: "other", Vendor: "oppo", Limits: ratelimit.Certificate{ID: "theirs"}}}
	for i := range misconfigurations {
		c := limited(1000)
		c.Limits.ID = fmt.Sprint("c-", i)
		certificates = append(certificates, c)
	}
	r.introduce("w1", time.Now(), certificates...)
	found := 0
	for i, m := range misconfigurations {
		s := &seed{rig: r, app: "demo", user: fmt.Sprint("user-", i), certificate: fmt.Sprint("c-", i)}
		m.make(s)
		got := r.ok("explain", "--user", s.user, "--message", s.app+"/m-1")
		if strings.Contains(got, m.cause) && strings.Contains(got, m.remedy) {
			found++
			continue
		}
		t.Errorf("%s: it does not say %q and %q:\n%s", m.name, m.cause, m.remedy, got)
	}
	if t.Logf("%d of %d are named", found, len(misconfigurations)); len(misconfigurations) < 30 {
		t.Error("fewer than thirty are asked for")
	}
}

func TestExplainWithoutAWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ok("send", "--app", "demo", "--from", "alice", "--to", "bob", "--text", "x", "--id", "m-1")
	says(t, r.ok("explain", "--app", "demo", "--user", "bob", "--message", "m-1"), "no worker has read it yet", "No worker runs", "start one (worker run)")
}
