// Package oppo plays OPPO Push: a strict fake of its server API, the look of its phones, and its
// account in the demo.
package oppo

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// Account is an account that the fake of oppo knows.
type Account struct {
	AppKey, MasterSecret string
	// Channels are the channel ids entered in the console.
	Channels []string
	// Templates maps a private template id to the names of its title and content variables.
	Templates map[string]Template
	// TemplateRequired refuses messages of communication and service without a private template.
	TemplateRequired bool
	// ChannelRequired refuses messages without a channel, which a phone would silently not show.
	ChannelRequired bool
	// Categories are those that the app has the right for; nil means all that OPPO publishes.
	Categories []string
	// BannerDenied refuses notify_level 16, as OPPO does without a granted right.
	BannerDenied bool
}

// Template names the variables of a private template.
type Template struct{ Title, Content []string }

// fake plays OPPO Push's server API. A fault of kind code with the code "null" makes a batch answer
// code 0 with null data.
type fake struct {
	core     *sandbox.Core
	accounts []Account

	mu     sync.Mutex
	tokens map[string]grant
}

type grant struct {
	app     string
	expires time.Time
}

func newFake(core *sandbox.Core, accounts []Account) *fake {
	return &fake{core: core, accounts: accounts, tokens: map[string]grant{}}
}

func (f *fake) Pushes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/server/v1/message/notification/unicast":       f.unicast,
		"/server/v1/message/notification/unicast_batch": f.batch,
	}
}

func (f *fake) Logins() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/server/v1/auth": f.auth}
}

// refusal is a broken rule with the code that answers it.
type refusal struct {
	code string
	rule string
}

func broken(code, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// form reads a call: POST, and a form.
func (f *fake) form(r *http.Request) (url.Values, *refusal) {
	if r.Method != http.MethodPost {
		return nil, broken("12", "the method must be POST")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, broken("12", "the content type must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, broken("25", "the body must be readable")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, broken("25", "the body must be a form")
	}
	return form, nil
}

var (
	millis  = regexp.MustCompile(`^[0-9]{13}$`)
	hexForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// auth checks the signature and issues a token for 24 hours. An older token stays good.
func (f *fake) auth(w http.ResponseWriter, r *http.Request) {
	form, wrong := f.form(r)
	if wrong == nil {
		wrong = f.checkLogin(form)
	}
	if wrong != nil {
		f.refuse(w, wrong)
		return
	}
	now := f.core.Now()
	token := sandbox.NewAccess("oppo")
	f.mu.Lock()
	for t, held := range f.tokens {
		if !now.Before(held.expires) {
			delete(f.tokens, t)
		}
	}
	f.tokens[token] = grant{form.Get("app_key"), now.Add(24 * time.Hour)}
	f.mu.Unlock()
	f.answer(w, map[string]any{
		"code": 0, "message": "success", "data": map[string]any{"auth_token": token, "create_time": now.UnixMilli()},
	})
}

func (f *fake) checkLogin(form url.Values) *refusal {
	key, timestamp, sign := form.Get("app_key"), form.Get("timestamp"), form.Get("sign")
	at := slices.IndexFunc(f.accounts, func(a Account) bool { return a.AppKey == key })
	switch {
	case key == "":
		return broken("15", "app_key is required")
	case sign == "":
		return broken("17", "sign is required")
	case timestamp == "":
		return broken("18", "timestamp is required")
	case at < 0:
		return broken("14", "app_key must be the console's")
	case !millis.MatchString(timestamp):
		return broken("19", "timestamp must be 13 digits of epoch milliseconds")
	}
	ms, _ := strconv.ParseInt(timestamp, 10, 64) // 13 digits always parse
	if off := f.core.Now().Sub(time.UnixMilli(ms)); off > 10*time.Minute || off < -10*time.Minute {
		return broken("19", "timestamp must lie within the last 10 minutes")
	}
	sum := sha256.Sum256([]byte(key + timestamp + f.accounts[at].MasterSecret))
	if !hexForm.MatchString(sign) || subtle.ConstantTimeCompare([]byte(sign), []byte(hex.EncodeToString(sum[:]))) != 1 {
		return broken("16", "sign must be the lower-case hex of SHA-256(app_key + timestamp + master secret)")
	}
	return nil
}

// open checks what all sends have in common and finds the account and the text of the messages.
func (f *fake) open(r *http.Request, field string) (account Account, text string, wrong *refusal) {
	form, wrong := f.form(r)
	if wrong != nil {
		return account, "", wrong
	}
	for key, values := range form {
		if key != "auth_token" && key != field && key != "sdk_version" {
			return account, "", broken("41", "there is no field %s", key)
		}
		if len(values) != 1 {
			return account, "", broken("41", "the field %s must be given once", key)
		}
	}
	token := form.Get("auth_token")
	f.mu.Lock()
	held, known := f.tokens[token]
	f.mu.Unlock()
	at := slices.IndexFunc(f.accounts, func(a Account) bool { return known && a.AppKey == held.app })
	switch {
	case token == "":
		return account, "", broken("29", "auth_token is required in the body")
	case known && !f.core.Now().Before(held.expires), !known && sandbox.IssuedAccess("oppo", token):
		return account, "", &refusal{code: "11"} // no rule is broken: tokens grow old
	case at < 0:
		return account, "", broken("11", "auth_token must be one that was issued")
	case form.Get(field) == "":
		return account, "", broken("40", "%s is required", field)
	}
	return f.accounts[at], form.Get(field), nil
}

func faultCode(f sandbox.Fault) string {
	switch f.Kind {
	case sandbox.FaultThrottle:
		return "13"
	case sandbox.FaultQuota:
		return "33"
	case sandbox.FaultExpiredAuth:
		return "11"
	case sandbox.FaultCode:
		return f.Code
	}
	return "10000" // a dead token
}

// trouble answers the faults that strike a call as a whole.
func (f *fake) trouble(w http.ResponseWriter) (null, answered bool) {
	fault, struck := f.core.Strike("oppo", "", sandbox.FaultThrottle, sandbox.FaultQuota, sandbox.FaultExpiredAuth, sandbox.FaultCode)
	if !struck {
		return false, false
	}
	code := faultCode(fault)
	if code == "null" {
		return true, false
	}
	if fault.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(fault.RetryAfter)))
	}
	f.core.Refuse("oppo", 1)
	f.fail(w, code, "as the fault says")
	return false, true
}

// unicast sends one message; its failure is the call's.
func (f *fake) unicast(w http.ResponseWriter, r *http.Request) {
	account, text, wrong := f.open(r, "message")
	var m message
	if wrong == nil {
		wrong = read(text, &m)
	}
	if wrong == nil {
		wrong = account.check(m)
	}
	if wrong != nil {
		f.refuse(w, wrong)
		return
	}
	if _, answered := f.trouble(w); answered {
		return
	}
	if id, code := f.deliver(account, m); code != "" {
		f.fail(w, code, "refused")
	} else {
		f.answer(w, map[string]any{"code": 0, "message": "Success", "data": map[string]any{"messageId": id}})
	}
}

// batch sends up to 1,000 messages; each has its own result, in no promised order.
func (f *fake) batch(w http.ResponseWriter, r *http.Request) {
	account, text, wrong := f.open(r, "messages")
	var messages []message
	if wrong == nil {
		wrong = read(text, &messages)
	}
	if wrong == nil && (len(messages) < 1 || len(messages) > 1000) {
		wrong = broken("41", "messages must have 1 to 1000 elements, not %d", len(messages))
	}
	for i := 0; wrong == nil && i < len(messages); i++ {
		wrong = account.check(messages[i])
	}
	if wrong != nil {
		f.refuse(w, wrong)
		return
	}
	null, answered := f.trouble(w)
	if answered {
		return
	}
	results := make([]map[string]any, 0, len(messages))
	seen := map[string]bool{}
	for _, m := range messages {
		once := m.Target + "\x00" + m.Notification.AppMessageID
		if m.Notification.AppMessageID != "" && seen[once] {
			f.core.Violate("oppo", "10004", "a registration id must not stand twice in a call with one app_message_id")
			results = append(results, map[string]any{"messageId": "", "registrationId": m.Target, "errorCode": 10004, "errorMessage": "repeated"})
			continue
		}
		seen[once] = true
		id, code := f.deliver(account, m)
		if code != "" {
			results = append(results, map[string]any{"messageId": "", "registrationId": m.Target, "errorCode": sandbox.NumericCode(code), "errorMessage": "refused"})
			continue
		}
		results = append(results, map[string]any{"messageId": id, "registrationId": m.Target})
	}
	slices.Reverse(results) // so that nobody relies on the order
	var data any = results
	if null {
		data = nil
	}
	f.answer(w, map[string]any{"code": 0, "message": "Success", "data": data})
}

var regID = regexp.MustCompile(`^(((([0-9A-Za-z]{2,10})_)?([A-Z]{2}|EUEX)_)?[0-9a-fA-F]{32}|[0-9a-fA-F]{24})$`)

// deliver accepts the push unless the token is bad or a fault is aimed at it, and then says with
// which code it was refused. A repeated app_message_id is answered like a success and not shown
// again.
func (f *fake) deliver(account Account, m message) (id, code string) {
	if _, dead := f.core.Dead("oppo", m.Target); dead {
		code = "10000"
	} else if !regID.MatchString(m.Target) {
		f.core.Violate("oppo", "10000", "a registration id must be 32 hex digits behind an optional brand and region, or 24")
		return "", "10000"
	} else if fault, struck := f.core.Strike("oppo", m.Target, sandbox.FaultDeadToken, sandbox.FaultPartial, sandbox.FaultThrottle, sandbox.FaultQuota, sandbox.FaultExpiredAuth, sandbox.FaultCode); struck {
		code = faultCode(fault)
	}
	if code != "" {
		f.core.Refuse("oppo", 1)
		return "", code
	}
	n := m.Notification
	id = "30712345-1-1-" + strings.ToLower(rand.Text())
	f.core.Accept(sandbox.Push{
		Vendor: "oppo", App: account.AppKey, Token: m.Target, Key: n.key(), VendorID: id,
		Title: n.Title, Subtitle: n.SubTitle, Body: n.Content, Ext: n.ActionParameters, Channel: n.ChannelID,
		Class: cmp.Or(n.Category, "none"), Badge: n.BadgeCount, Once: n.AppMessageID,
		Quiet: n.NotifyLevel != nil && *n.NotifyLevel == 1,
	})
	return id, ""
}

// refuse answers a broken rule and records it; a token that grew old breaks none.
func (f *fake) refuse(w http.ResponseWriter, wrong *refusal) {
	if wrong.rule == "" {
		f.fail(w, wrong.code, "Invalid AuthToken")
		return
	}
	f.core.Violate("oppo", wrong.code, wrong.rule)
	f.fail(w, wrong.code, wrong.rule)
}

// fail is an error of the whole call, under HTTP 200 and without data.
func (f *fake) fail(w http.ResponseWriter, code, message string) {
	f.answer(w, map[string]any{"code": sandbox.NumericCode(code), "message": message})
}

func (f *fake) answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_ = json.NewEncoder(w).Encode(body) // the client may have left
}
