package sandbox

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
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
)

// FCMAccount is an account that the fake of fcm knows.
type FCMAccount struct {
	// ProjectID and ClientEmail are of the service account whose public key is Key.
	ProjectID, ClientEmail string
	Key                    *rsa.PublicKey
	// PerMinute, DevicePerMinute and DevicePerHour are the quotas that are kept; 0 keeps none.
	// Google's are 600,000, 240 and 5,000.
	PerMinute, DevicePerMinute, DevicePerHour int
}

// fcm plays FCM HTTP v1 and Google's token endpoint.
type fcm struct {
	core     *Core
	accounts []FCMAccount
	schema   fcmObject

	mu      sync.Mutex
	tokens  map[string]fcmToken
	windows map[string]*fcmWindow
	sent    int64
}

// fcmToken is an access token that the fake gave out.
type fcmToken struct {
	project string
	expires time.Time
}

// fcmWindow counts what a quota counts; it begins with its first message.
type fcmWindow struct {
	began time.Time
	n     int
}

const (
	fcmMaxBytes      = 4096
	fcmMaxTopicBytes = 2048
	fcmTokenLife     = 3599 * time.Second
)

func newFCM(core *Core, accounts []FCMAccount) *fcm {
	return &fcm{core: core, accounts: accounts, schema: fcmRequestSchema(), tokens: map[string]fcmToken{}, windows: map[string]*fcmWindow{}}
}

func (f *fcm) pushes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/v1/projects/{project}/messages:send": f.send}
}

func (f *fcm) logins() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/token": f.login}
}

func (f *fcm) account(project string) (FCMAccount, bool) {
	i := slices.IndexFunc(f.accounts, func(a FCMAccount) bool { return a.ProjectID == project })
	if i < 0 {
		return FCMAccount{}, false
	}
	return f.accounts[i], true
}

func (f *fcm) send(w http.ResponseWriter, r *http.Request) {
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
func (f *fcm) judge(r *http.Request, project string) (answer *fcmAnswer, push Push, dry bool) {
	no := func(a fcmAnswer, rule string) (*fcmAnswer, Push, bool) {
		a.rule = rule
		return &a, push, false
	}
	if r.Method != http.MethodPost {
		return no(fcmAnswer{status: 404, html: true}, "messages:send takes POST")
	}
	if r.URL.RawQuery != "" {
		return no(fcmAnswer{status: 400, rpc: "INVALID_ARGUMENT", message: "Invalid query"}, "messages:send takes no query")
	}
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme != "Bearer" || bearer == "" {
		return no(fcmMissingAuth, "Authorization must be Bearer <access token>")
	}
	f.mu.Lock()
	token, issued := f.tokens[bearer]
	f.mu.Unlock()
	if !issued || !f.core.Now().Before(token.expires) {
		return no(fcmUnauthenticated, "") // time did that, or a restart of the fake
	}
	if token.project != project {
		return no(fcmDenied, "the service account belongs to another project")
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return no(fcmInvalid("Invalid content type."), "Content-Type must be application/json")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return no(fcmAnswer{status: 400, rpc: "INVALID_ARGUMENT"}, "the body must be readable")
	}
	message, dry, bad := f.parse(body)
	if bad != nil {
		return bad, push, false
	}
	push = fcmPush(project, message)
	if push.Token != "" && !fcmTokenForm.MatchString(push.Token) {
		return no(fcmBadToken, "")
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

var fcmTokenForm = regexp.MustCompile(`^[A-Za-z0-9_:-]+$`)

// strike answers the armed faults.
func (f *fcm) strike(token, bearer string) *fcmAnswer {
	if _, dead := f.core.Dead("fcm", token); dead {
		a := fcmUnregistered
		return &a
	}
	fault, struck := f.core.Strike("fcm", token, FaultExpiredAuth, FaultThrottle, FaultQuota, FaultDeadToken, FaultPartial, FaultCode)
	if !struck {
		return nil
	}
	a := fcmUnregistered
	switch fault.Kind {
	case FaultExpiredAuth:
		f.mu.Lock()
		delete(f.tokens, bearer)
		f.mu.Unlock()
		a = fcmUnauthenticated
	case FaultThrottle, FaultQuota:
		a = fcmQuota
	case FaultCode:
		a = fcmNamed(fault.Code)
	}
	a.retryAfter = time.Duration(fault.RetryAfter * float64(time.Second))
	return &a
}

// fcmPush is the message as the phone would show it. m is valid.
func fcmPush(project string, m map[string]any) Push {
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
	p := Push{
		Vendor: "fcm", App: project, Token: first(text(m, "token"), text(m, "fid")),
		Key:   first(text(shown, "tag"), text(data, "tag")),
		Title: first(text(shown, "title"), text(notification, "title"), text(data, "title")),
		Body:  first(text(shown, "body"), text(notification, "body"), text(data, "body")),
		Ext:   text(data, "ext"), Class: strings.ToLower(text(android, "priority")),
		Channel: first(text(shown, "channel_id"), text(data, "channel")), Sound: first(text(shown, "sound"), text(data, "sound")),
		Image: first(text(shown, "image"), text(notification, "image"), text(data, "image")), Call: text(data, "call_id") != "",
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
func (f *fcm) parse(body []byte) (message map[string]any, dry bool, bad *fcmAnswer) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var raw any
	if err := dec.Decode(&raw); err != nil || dec.More() || !utf8.Valid(body) {
		a := fcmInvalid("Invalid JSON payload received. Parse error.")
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
	if wrong := fcmRules(message); wrong != nil {
		return nil, false, wrong
	}
	return message, dry, nil
}

// window finds the count that begins anew each span.
func (f *fcm) window(key string, span time.Duration) *fcmWindow {
	now := f.core.Now()
	w := f.windows[key]
	if w == nil || !now.Before(w.began.Add(span)) {
		if len(f.windows) > 200_000 { // a fake that runs for ever must not grow for ever
			clear(f.windows)
		}
		w = &fcmWindow{began: now}
		f.windows[key] = w
	}
	return w
}

// quotas lists the counts that a message falls into.
func (a FCMAccount) quotas(token string) map[string]struct {
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

func (f *fcm) count(a FCMAccount, token string) {
	if a.PerMinute <= 0 && a.DevicePerMinute <= 0 && a.DevicePerHour <= 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, q := range a.quotas(token) {
		f.window(key, q.span).n++
	}
}

func (f *fcm) quota(a FCMAccount, token string) *fcmAnswer {
	if a.PerMinute <= 0 && a.DevicePerMinute <= 0 && a.DevicePerHour <= 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	quotas := a.quotas(token)
	for _, key := range slices.Sorted(maps.Keys(quotas)) {
		q := quotas[key]
		if w := f.window(key, q.span); w.n >= q.limit {
			answer := fcmQuota
			answer.quota, _, _ = strings.Cut(key, ":")
			answer.retryAfter = w.began.Add(q.span).Sub(f.core.Now())
			return &answer
		}
	}
	return nil
}

// issue gives out an access token for a project.
func (f *fcm) issue(project string) string {
	token := "ya29.sandbox-" + rand.Text()
	now := f.core.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.tokens, func(_ string, t fcmToken) bool { return !now.Before(t.expires) })
	f.tokens[token] = fcmToken{project: project, expires: now.Add(fcmTokenLife)}
	return token
}
