package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// blunder is a mistake that people make, or a state of the world, of a user of its own: what is
// made wrong, and what explain must say of its cause and of the remedy.
type blunder struct {
	name, vendor string
	// change is keys of the vendor's certificate in the demo with other values; "" takes a key out.
	// Without it the user has a certificate like the demo's.
	change map[string]string
	// fault is what the vendor answers for the user's phone.
	fault sandbox.Fault
	// set, if it is set, makes more wrong, before the message is sent; registered says that it
	// makes the registration too.
	set        func(*blunders, *blunder)
	registered bool
	// message, if it is set, changes the message; so many more are sent before it.
	message func(*hongyan.Message)
	more    int
	// late says that the message comes when what came before it has ended.
	late   bool
	cause  string
	remedy string
}

func (b *blunder) user() string { return "u-" + b.name }

func (b *blunder) certificate() string { return "c-" + b.name }

func (b *blunder) id() string { return "m-" + b.name }

// blunders is the installation that suffers from them.
type blunders struct {
	*rig
	http string
}

// mistakes reads those that are a vendor's own.
func mistakes(t *testing.T) (list []blunder) {
	t.Helper()
	data, err := os.ReadFile("testdata/mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var read []struct {
		Name, Vendor, Cause, Remedy string
		Change                      map[string]string
		Fault                       sandbox.Fault
		TTLSeconds                  int64 `yaml:"ttl_seconds"`
		More                        int
		Late                        bool
	}
	if err := yaml.UnmarshalWithOptions(data, &read, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for _, m := range read {
		if m.Remedy == "PARKED" {
			m.Remedy = parkedRemedy
		}
		list = append(list, blunder{name: m.Name, vendor: m.Vendor, change: m.Change, fault: m.Fault, more: m.More, late: m.Late, cause: m.Cause, remedy: m.Remedy,
			message: func(message *hongyan.Message) { message.TTLSeconds = m.TTLSeconds }})
	}
	return list
}

// device registers the user's phone, changed.
func device(change func(*hongyan.Device)) func(*blunders, *blunder) {
	return func(r *blunders, b *blunder) {
		d := hongyan.Device{Certificate: b.certificate(), Token: all.Token(b.vendor, b.user()+"/phone")}
		change(&d)
		r.put(hongyan.Subjects{}.Device("demo", b.user(), "phone"), d)
	}
}

func presence(state hongyan.PresenceState) func(*blunders, *blunder) {
	return func(r *blunders, b *blunder) {
		r.put(hongyan.Subjects{}.Presence("demo", b.user(), "phone"), hongyan.Presence{State: state, At: time.Now().UTC()})
	}
}

func settings(s hongyan.Settings) func(*blunders, *blunder) {
	return func(r *blunders, b *blunder) { r.put(hongyan.Subjects{}.Settings("demo", b.user()), s) }
}

// raw publishes bytes in the place of the message.
func raw(subject, body string) func(*blunders, *blunder) {
	return func(r *blunders, b *blunder) {
		r.publish(dispatch.Outgoing{Subject: subject, ID: strings.TrimPrefix(subject, "push.message.") + "/" + b.id(), Data: []byte(strings.ReplaceAll(body, "ID", b.id()))})
	}
}

func (r *blunders) publish(m dispatch.Outgoing) {
	r.t.Helper()
	if errs := r.bus.Publish(r.t.Context(), []dispatch.Outgoing{m}); errs != nil {
		r.t.Fatal(errs)
	}
}

// parkedRemedy is told of a certificate that is parked.
const parkedRemedy = "nothing of this certificate goes out until it is put right"

// misconfigurations are, with those of testdata/mistakes.yaml, at least thirty: what is configured,
// registered, published or granted wrong.
var misconfigurations = []blunder{
	{name: "certificate-mistyped", vendor: "oppo", registered: true, set: device(func(d *hongyan.Device) { d.Certificate = "nobodys" }), cause: "No live worker serves certificate nobodys", remedy: "correct what the app registers"},
	{name: "certificate-of-another-app", vendor: "oppo", registered: true, set: device(func(d *hongyan.Device) { d.Certificate = "theirs" }), cause: "belongs to app other and not to demo", remedy: "Correct what the app registers"},
	{name: "no-token-from-the-sdk", vendor: "oppo", registered: true, set: device(func(d *hongyan.Device) { d.Token, d.RegistrationError = "", "907135000" }), cause: "registered without a token", remedy: "the error 907135000"},
	{name: "app-mistyped", vendor: "oppo", set: raw("push.message.dmeo", `{"id":"ID","conversation":{"type":"c2c","id":"c"},"sender":{"id":"a"},"recipients":["b"],"content":{"type":"text","text":"x"}}`), message: nobody, cause: "No live worker has app dmeo in its configuration", remedy: "correct the name that the IM backend publishes under"},
	{name: "not-the-event-of-the-contract", vendor: "oppo", set: raw("push.message.demo", `{"id":"ID","conversation":{"type":"c2c","id":"c"},"sender":{"id":"a"},"content":{"type":"text","text":"x"}}`), message: nobody, cause: "recipients", remedy: "Correct the publisher"},
	{name: "sent-at-in-the-past", vendor: "oppo", message: func(m *hongyan.Message) { m.SentAt = time.Now().Add(-48 * time.Hour); m.TTLSeconds = 3600 }, cause: "older than its ttl_seconds", remedy: "Compare the clocks"},
	{name: "presence-never-ends", vendor: "oppo", set: presence(hongyan.StateForeground), cause: "its presence is wrong", remedy: "let a gateway lease vouch"},
}

// nobody is a message that is not sent: the blunder publishes by itself.
func nobody(m *hongyan.Message) { m.ID = "" }

// ends are the reasons to wait and to die of that misconfigurations alone do not bring about.
var ends = []blunder{
	{name: "dead-token", vendor: "oppo", fault: sandbox.Fault{Kind: sandbox.FaultDeadToken}, more: 1, set: func(r *blunders, b *blunder) {
		// the vendor accepts others of the certificate, so it is believed
		r.put(hongyan.Subjects{}.Device("demo", "well", "phone"), hongyan.Device{Certificate: b.certificate(), Token: all.Token(b.vendor, "well/phone")})
		well := chat("m-well", "well")
		r.send(well)
	}, cause: "calls the token dead", remedy: "registers again when it starts"},
	{name: "late-to-a-parked-certificate", vendor: "oppo", registered: true, set: device(func(d *hongyan.Device) { d.Certificate = "c-swapped-secrets" }), late: true, cause: "certificate is parked", remedy: "publisher limits"},
	{name: "left-behind", vendor: "oppo", set: func(r *blunders, b *blunder) {
		job := &dispatch.Job{ID: b.id(), App: "demo", Vendor: "oppo", Certificate: "gone", Lane: hongyan.LaneNormal, Published: time.Now(),
			Notification: &vendors.Notification{Key: "0123456789abcdef0123456789abcdef", MessageID: b.id(), Title: "a", Body: "b", Deadline: time.Now().Add(time.Hour)},
			Targets:      []dispatch.Target{{User: b.user(), Device: "phone", Token: "x"}}}
		data, err := job.Encode()
		if err != nil {
			r.t.Fatal(err)
		}
		r.publish(dispatch.Outgoing{Subject: "push.job.oppo.gone.normal", Data: data})
	}, message: nobody, cause: "no worker serves any more", remedy: "Put it back"},
}

// suppressions bring about each suppression.
var suppressions = map[hongyan.Reason]blunder{
	hongyan.Disabled: {message: func(m *hongyan.Message) { m.OfflinePush.Disable = true }},
	hongyan.Expired:  {message: func(m *hongyan.Message) { m.SentAt = time.Now().Add(-48 * time.Hour); m.TTLSeconds = 3600 }},
	hongyan.Recalled: {set: func(r *blunders, b *blunder) {
		r.signal(hongyan.Signal{Type: hongyan.SignalRecall, MessageID: b.id()})
	}},
	hongyan.Read: {set: func(r *blunders, b *blunder) {
		r.signal(hongyan.Signal{Type: hongyan.SignalRead, User: b.user(), Conversation: "c2c_alice", At: time.Now().UTC()})
	}, message: func(m *hongyan.Message) { m.SentAt = time.Now().Add(-time.Minute) }},
	hongyan.OwnMessage: {message: func(m *hongyan.Message) { m.Sender.ID = m.Recipients[0] }},
	hongyan.NoContent:  {message: func(m *hongyan.Message) { m.Content = hongyan.Content{Type: hongyan.ContentCustom} }},
	hongyan.CallOver: {set: func(r *blunders, b *blunder) {
		over := chat("m-over", b.user())
		over.Content = call(hongyan.CallHangup)
		r.send(over)
	}, message: func(m *hongyan.Message) {
		m.Content, m.SentAt = call(hongyan.CallInvite), time.Now().Add(-5*time.Second)
	}},
	hongyan.NoDevice:         {registered: true},
	hongyan.LoggedOut:        {set: presence(hongyan.StateLoggedOut)},
	hongyan.Kicked:           {set: presence(hongyan.StateKicked)},
	hongyan.NotificationsOff: {registered: true, set: device(func(d *hongyan.Device) { d.Notifications = hongyan.SwitchOff })},
	hongyan.TooManyDevices: {set: func(r *blunders, b *blunder) {
		for i := range 33 {
			r.put(hongyan.Subjects{}.Device("demo", b.user(), fmt.Sprint("pad-", i)), hongyan.Device{Certificate: b.certificate(), Token: all.Token(b.vendor, fmt.Sprint(b.user(), i))})
		}
	}},
	hongyan.Stale:      {registered: true, set: device(func(d *hongyan.Device) { d.RegisteredAt = time.Now().Add(-8 * 24 * time.Hour).UTC() })},
	hongyan.Foreground: {set: presence(hongyan.StateForeground)},
	hongyan.ActiveElsewhere: {set: func(r *blunders, b *blunder) {
		r.put(hongyan.Subjects{}.Device("demo", b.user(), "pad"), hongyan.Device{Certificate: b.certificate(), Token: all.Token(b.vendor, b.user()+"/pad")})
		r.put(hongyan.Subjects{}.Presence("demo", b.user(), "pad"), hongyan.Presence{State: hongyan.StateForeground, At: time.Now().UTC()})
	}},
	hongyan.Muted: {set: settings(hongyan.Settings{Conversations: map[string]hongyan.Mute{"c2c_alice": hongyan.MuteAll}})},
	hongyan.QuietHours: {set: settings(hongyan.Settings{QuietHours: &hongyan.QuietWindow{
		From: time.Now().UTC().Add(-time.Hour).Format("15:04"), To: time.Now().UTC().Add(time.Hour).Format("15:04"), Timezone: "UTC"}})},
	hongyan.UnknownCertificate: {registered: true, set: device(func(d *hongyan.Device) { d.Certificate = "nobodys" })},
}

func call(action hongyan.CallAction) hongyan.Content {
	return hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: hongyan.CallAudio, Action: action, ID: "the-call"}}
}

// configure writes a certificate for each blunder, like the demo's but for its changes, and opens
// the worker's page.
func (r *blunders) configure(list []blunder) {
	conf, err := os.ReadFile(r.config())
	if err != nil {
		r.t.Fatal(err)
	}
	text := strings.Replace(string(conf), "  - id: demo\n", "  - id: demo\n    policy: {quiet_when_active_elsewhere: true}\n", 1)
	like := func(vendor string) string {
		_, after, ok := strings.Cut(text, "- id: demo-"+vendor+"\n")
		if !ok {
			r.t.Fatalf("the demo has no certificate of %s", vendor)
		}
		block, _, _ := strings.Cut(after, "      - id: ")
		return strings.TrimRight(block, "\n") + "\n"
	}
	var more strings.Builder
	for i := range list {
		b := &list[i]
		block := like(b.vendor)
		for key, value := range b.change {
			line := ""
			if value != "" {
				line = "        " + key + ": " + value + "\n"
			}
			old := regexp.MustCompile(`(?m)^        ` + key + `: .*\n`)
			if block = old.ReplaceAllString(block, ""); line != "" {
				block += line
			}
		}
		more.WriteString("      - id: " + b.certificate() + "\n" + block)
	}
	more.WriteString("  - id: other\n    certificates:\n      - id: theirs\n" + like("oppo"))
	if err := os.WriteFile(r.config(), []byte(strings.TrimRight(text, "\n")+"\n"+more.String()), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// commit makes a blunder.
func (r *blunders) commit(b *blunder) {
	if !b.registered {
		device(func(*hongyan.Device) {})(r, b)
	}
	if b.fault.Kind != "" {
		b.fault.Vendor, b.fault.Token = b.vendor, all.Token(b.vendor, b.user()+"/phone")
		r.box.Arm(b.fault)
	}
	if b.set != nil {
		b.set(r, b)
	}
}

func (r *blunders) say(b *blunder) {
	m := chat(b.id(), b.user())
	if b.message != nil {
		b.message(&m)
	}
	if m.ID != "" {
		r.send(m)
	}
}

// ask is what explain answers about a blunder, and all texts of it.
func (r *blunders) ask(b *blunder) (e explanation, said string) {
	r.t.Helper()
	app := "demo"
	if b.name == "app-mistyped" {
		app = "dmeo"
	}
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.http+"/api/explain?"+url.Values{"app": {app}, "user": {b.user()}, "message": {b.id()}}.Encode(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-User", "carol")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: HTTP %d, %v\n%s", b.name, resp.StatusCode, err, body)
	}
	var all any
	if err := errors.Join(json.Unmarshal(body, &e), json.Unmarshal(body, &all)); err != nil {
		r.t.Fatal(err)
	}
	return e, words(all)
}

// A real worker and the sandbox suffer from each mistake, and explain names its cause and the
// remedy. Every suppression, and every reason to wait and to die that does not need a worker to
// stop, is told with what to do.
func TestExplainNamesWhatIsWrong(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel()
	wrong := slices.Concat(mistakes(t), misconfigurations)
	list := slices.Concat(wrong, ends)
	for reason, b := range suppressions {
		b.name, b.vendor, b.cause, b.remedy = "suppressed-"+string(reason), "oppo", string(reason), explain.Suppression(reason).EN
		list = append(list, b)
	}
	if len(wrong) < 30 || len(suppressions) != len(hongyan.Suppressions) {
		t.Errorf("%d misconfigurations and %d suppressions", len(wrong), len(suppressions))
	}
	r := &blunders{rig: newRig(t, "retry: {attempts: 3, base: 300ms, max: 1s}")}
	r.configure(list)
	address := freePort(t)
	r.http = "http://" + address
	r.startInside(time.Second, func(c *config.Config) {
		c.HTTP.Listen, c.HTTP.Explain = address, config.Explain{TrustedHeader: "X-User"}
	})
	began := time.Now()
	for i := range list {
		r.commit(&list[i])
	}
	for i := range list {
		b := &list[i]
		for n := range b.more {
			r.send(chat(fmt.Sprint(b.id(), "-", n), b.user()))
		}
		if !b.late {
			r.say(b)
		}
	}
	r.until(time.Minute, "parked", func() bool {
		_, said := r.ask(&blunder{name: "swapped-secrets"})
		return strings.Contains(said, parkedRemedy)
	})
	for i := range list {
		if list[i].late {
			r.say(&list[i])
		}
	}
	missing := list
	for end := time.Now().Add(40 * time.Second); len(missing) > 0 && time.Now().Before(end); time.Sleep(200 * time.Millisecond) { // polling a real worker
		var still []blunder
		for _, b := range missing {
			if _, said := r.ask(&b); !strings.Contains(said, b.cause) || !strings.Contains(said, b.remedy) {
				still = append(still, b)
			}
		}
		missing = still
	}
	for _, b := range missing {
		_, said := r.ask(&b)
		t.Errorf("%s: it does not say %q and %q:\n%s", b.name, b.cause, b.remedy, said)
	}
	t.Logf("%d of %d are named after %v", len(list)-len(missing), len(list), time.Since(began).Round(time.Second))
	r.everyReason(list)
}

// everyReason holds that the answers tell of each reason, with advice.
func (r *blunders) everyReason(list []blunder) {
	told := map[string]bool{}
	hear := func(b *blunder) {
		e, _ := r.ask(b)
		for _, d := range e.Decisions {
			if d.Advice != explain.Advice(d.Status, d.Reason).EN || (d.Rule > 0) != (d.Status == hongyan.StatusSuppressed) {
				r.t.Errorf("%s: %+v", b.name, d)
			}
			told[string(d.Status)+" "+string(d.Reason)] = true
		}
	}
	for _, want := range []string{
		"waiting busy", "waiting parked", "waiting bad_credentials", "waiting rate_limited", "waiting quota_spent", "waiting unavailable", "waiting timeout", "waiting unknown",
		"dead bad_token", "dead not_displayed", "dead bad_payload", "dead refused", "dead quota_spent", "dead device_capped", "dead expired", "dead attempts_exhausted", "dead unknown_certificate",
	} {
		r.until(time.Minute, "told of "+want, func() bool {
			for i := range list {
				if !told[want] {
					hear(&list[i])
				}
			}
			return told[want]
		})
	}
}

// explanation is what a test asks of the answer.
type explanation struct {
	Decisions []struct {
		Status hongyan.Status
		Reason hongyan.Reason
		Advice string
		Rule   int
	}
}

// words are all texts of an answer.
func words(v any) (text string) {
	switch v := v.(type) {
	case string:
		return v + "\n"
	case []any:
		for _, x := range v {
			text += words(x)
		}
	case map[string]any:
		for _, x := range v {
			text += words(x)
		}
	}
	return text
}

// A test message goes the real way to the phone, and is explained when it is there.
func TestSendTestThroughAWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel()
	r := newRig(t, "")
	r.startInside(0, func(*config.Config) {})
	token := r.register("bob", "phone", all.Vendors()[0])
	got := r.publisher("explain", "--app", "demo", "--user", "bob", "--send-test", "--text", "Is it there?")
	for _, want := range []string{"following test-", "device phone  accepted accepted", "accepted: The vendor took it"} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
	if shown := r.box.PushesAfter(0); len(shown) != 1 || shown[0].Token != token || !strings.Contains(shown[0].Body, "Is it there?") {
		t.Errorf("the phone shows %+v", shown)
	}
}
