// Package fcm plays FCM: a strict fake of its server API, the look of its phones, and its account
// in the demo.
package fcm

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// Account is an account that the fake of fcm knows.
type Account struct {
	// ProjectID and ClientEmail are of the service account whose public key is Key.
	ProjectID, ClientEmail string
	Key                    *rsa.PublicKey
	// PerMinute, DevicePerMinute and DevicePerHour are the quotas that are kept; 0 keeps none.
	// Google's are 600,000, 240 and 5,000.
	PerMinute, DevicePerMinute, DevicePerHour int
}

// fake plays FCM HTTP v1 and Google's token endpoint.
type fake struct {
	core     *sandbox.Core
	accounts []Account
	schema   object

	mu      sync.Mutex
	tokens  map[string]grant
	windows map[string]*window
	sent    int64
}

// grant is an access token that the fake gave out.
type grant struct {
	project string
	expires time.Time
}

// window counts what a quota counts; it begins with its first message.
type window struct {
	began time.Time
	n     int
}

const (
	maxBytes      = 4096
	maxTopicBytes = 2048
	tokenLife     = 3599 * time.Second
)

func newFake(core *sandbox.Core, accounts []Account) *fake {
	return &fake{core: core, accounts: accounts, schema: requestSchema(), tokens: map[string]grant{}, windows: map[string]*window{}}
}

func (f *fake) Pushes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/v1/projects/{project}/messages:send": f.send}
}

func (f *fake) Logins() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/token": f.login}
}

func (f *fake) account(project string) (Account, bool) {
	i := slices.IndexFunc(f.accounts, func(a Account) bool { return a.ProjectID == project })
	if i < 0 {
		return Account{}, false
	}
	return f.accounts[i], true
}

func (f *fake) send(w http.ResponseWriter, r *http.Request) {
	project := r.PathValue("project")
	answer, push, dry := f.judge(r, project)
	account, known := f.account(project)
	if known && (answer == nil || answer.status >= 400 && answer.status < 500 && answer.status != http.StatusTooManyRequests) {
		f.count(account, push.Token) // refused messages use up quota as well
	}
	if answer != nil {
		if answer.rule != "" {
			f.core.Violate("fcm", strings.TrimSpace(fmt.Sprint(answer.status, " ", answer.code)), answer.rule)
		} else {
			f.core.Refuse("fcm", 1)
		}
		answer.write(w)
		return
	}
	name := "projects/" + project + "/messages/fake_message_id"
	if !dry {
		f.mu.Lock()
		f.sent++
		name = fmt.Sprintf("projects/%s/messages/0:%d%%%016x", project, f.core.Now().UnixMicro(), f.sent)
		f.mu.Unlock()
		push.VendorID = name
		f.core.Accept(push)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(map[string]string{"name": name})
}

// judge checks a request. The answer is nil for one that FCM takes.
func (f *fake) judge(r *http.Request, project string) (answer *failure, push sandbox.Push, dry bool) {
	no := func(a failure, rule string) (*failure, sandbox.Push, bool) {
		a.rule = rule
		return &a, push, false
	}
	if r.Method != http.MethodPost {
		return no(failure{status: 404, html: true}, "messages:send takes POST")
	}
	if r.URL.RawQuery != "" {
		return no(failure{status: 400, rpc: "INVALID_ARGUMENT", message: "Invalid query"}, "messages:send takes no query")
	}
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme != "Bearer" || bearer == "" {
		return no(missingAuth, "Authorization must be Bearer <access token>")
	}
	f.mu.Lock()
	token, issued := f.tokens[bearer]
	f.mu.Unlock()
	if !issued || !f.core.Now().Before(token.expires) {
		return no(unauthenticated, "") // time did that, or a restart of the fake
	}
	if token.project != project {
		return no(denied, "the service account belongs to another project")
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return no(invalid("Invalid content type."), "Content-Type must be application/json")
	}
	body, err := sandbox.Body(r)
	if err != nil {
		return no(failure{status: 400, rpc: "INVALID_ARGUMENT"}, "the body must be readable")
	}
	message, dry, bad := f.parse(body)
	if bad != nil {
		return bad, push, false
	}
	push = pushOf(project, message)
	if push.Token != "" && !tokenForm.MatchString(push.Token) {
		return no(badToken, "")
	}
	if a := f.strike(push.Token, bearer); a != nil {
		return a, push, false
	}
	account, _ := f.account(project)
	if a := f.quota(account, push.Token); a != nil {
		return a, push, false
	}
	return nil, push, dry
}

var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_:-]+$`)

// strike answers the armed faults.
func (f *fake) strike(token, bearer string) *failure {
	fault, struck := f.core.Strike("fcm", token, sandbox.FaultExpiredAuth)
	if _, dead := f.core.Dead("fcm", token); dead && !struck {
		a := unregistered
		return &a
	}
	if !struck {
		fault, struck = f.core.Strike("fcm", token, sandbox.FaultThrottle, sandbox.FaultQuota, sandbox.FaultDeadToken, sandbox.FaultPartial, sandbox.FaultCode)
	}
	if !struck {
		return nil
	}
	a := unregistered
	switch fault.Kind {
	case sandbox.FaultExpiredAuth:
		f.mu.Lock()
		delete(f.tokens, bearer)
		f.mu.Unlock()
		a = unauthenticated
	case sandbox.FaultThrottle, sandbox.FaultQuota:
		a = quota
	case sandbox.FaultCode:
		a = named(fault.Code)
	}
	a.retryAfter = time.Duration(fault.RetryAfter * float64(time.Second))
	return &a
}

// pushOf is the message as the phone would show it. m is valid.
func pushOf(project string, m map[string]any) sandbox.Push {
	object := func(in map[string]any, key string) map[string]any { o, _ := in[key].(map[string]any); return o }
	text := func(in map[string]any, key string) string { s, _ := in[key].(string); return s }
	data, notification, android := object(m, "data"), object(m, "notification"), object(m, "android")
	if own := object(android, "data"); own != nil {
		data = own
	}
	shown := object(android, "notification")
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	p := sandbox.Push{
		Vendor: "fcm", App: project, Token: first(text(m, "token"), text(m, "fid")),
		Key:   first(text(shown, "tag"), text(data, "tag")),
		Title: first(text(shown, "title"), text(notification, "title"), text(data, "title")),
		Body:  first(text(shown, "body"), text(notification, "body"), text(data, "body")),
		Ext:   text(data, "ext"), Class: strings.ToLower(text(android, "priority")),
		Channel: first(text(shown, "channel_id"), text(data, "channel")), Sound: first(text(shown, "sound"), text(data, "sound")),
		Image: first(text(shown, "image"), text(notification, "image"), text(data, "image")), Call: text(data, "call_id") != "" && text(data, "call_action") == "invite",
		Quiet: text(shown, "notification_priority") == "PRIORITY_LOW" && text(shown, "sound") == "",
	}
	badge := text(data, "badge")
	if n, ok := shown["notification_count"].(json.Number); ok {
		badge = n.String()
	}
	if n, err := strconv.Atoi(badge); err == nil {
		p.Badge = &n
	}
	return p
}

// parse reads the body against the schema and the rules between fields, and returns the message
// with snake_case names.
func (f *fake) parse(body []byte) (message map[string]any, dry bool, bad *failure) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var raw any
	if err := dec.Decode(&raw); err != nil || dec.More() || !utf8.Valid(body) {
		a := invalid("Invalid JSON payload received. Parse error.")
		a.rule = "the body must be one JSON value in UTF-8"
		return nil, false, &a
	}
	value, wrong := f.schema.check(raw, "")
	if wrong != nil {
		return nil, false, wrong
	}
	request := value.(map[string]any)
	message, _ = request["message"].(map[string]any)
	dry, _ = request["validate_only"].(bool)
	if wrong := rules(message); wrong != nil {
		return nil, false, wrong
	}
	return message, dry, nil
}

// window finds the count that begins anew each span.
func (f *fake) window(key string, span time.Duration) *window {
	now := f.core.Now()
	w := f.windows[key]
	if w == nil || !now.Before(w.began.Add(span)) {
		if len(f.windows) > 200_000 { // a fake that runs for ever must not grow for ever
			clear(f.windows)
		}
		w = &window{began: now}
		f.windows[key] = w
	}
	return w
}

// quotas lists the counts that a message falls into.
func (a Account) quotas(token string) map[string]struct {
	limit int
	span  time.Duration
} {
	type q = struct {
		limit int
		span  time.Duration
	}
	all := map[string]q{
		"project:" + a.ProjectID: {a.PerMinute, time.Minute}, "device:" + token: {a.DevicePerMinute, time.Minute}, "device-hour:" + token: {a.DevicePerHour, time.Hour},
	}
	maps.DeleteFunc(all, func(_ string, v q) bool { return v.limit <= 0 })
	return all
}

func (f *fake) count(a Account, token string) {
	if a.PerMinute <= 0 && a.DevicePerMinute <= 0 && a.DevicePerHour <= 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, q := range a.quotas(token) {
		f.window(key, q.span).n++
	}
}

func (f *fake) quota(a Account, token string) *failure {
	if a.PerMinute <= 0 && a.DevicePerMinute <= 0 && a.DevicePerHour <= 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	quotas := a.quotas(token)
	for _, key := range slices.Sorted(maps.Keys(quotas)) {
		q := quotas[key]
		if w := f.window(key, q.span); w.n >= q.limit {
			answer := quota
			answer.quota, _, _ = strings.Cut(key, ":")
			answer.retryAfter = w.began.Add(q.span).Sub(f.core.Now())
			return &answer
		}
	}
	return nil
}

// issue gives out an access token for a project.
func (f *fake) issue(project string) string {
	token := "ya29.sandbox-" + rand.Text()
	now := f.core.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.tokens, func(_ string, t grant) bool { return !now.Before(t.expires) })
	f.tokens[token] = grant{project: project, expires: now.Add(tokenLife)}
	return token
}
