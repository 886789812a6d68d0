// Package xiaomi plays Xiaomi Push: a strict fake of its server API, the look of its phones, and
// its account in the demo.
package xiaomi

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// Account is an account that the fake of xiaomi knows.
type Account struct {
	Package, AppSecret string
	// Channels maps an approved channel id to its class, "private" or "public".
	Channels map[string]string
	// Templates maps a template id to the names of its variables.
	Templates map[string][]string
	// TemplateRequired refuses private messages without a template, as Xiaomi does by 2026-12-31.
	TemplateRequired bool
	// ChannelRequired refuses messages without a channel instead of taking them for the default
	// class.
	ChannelRequired bool
}

// fake plays MiPush's server API. It is strict where the real one is only silent: an unknown
// field, a second encoding of the payload.
type fake struct {
	core     *sandbox.Core
	accounts []Account
}

func newFake(core *sandbox.Core, accounts []Account) *fake {
	return &fake{core: core, accounts: accounts}
}

func (f *fake) Pushes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/v2/message/regid":         f.list,
		"/v3/message/regid":         f.list,
		"/v4/message/regid":         f.list,
		"/v2/multi_messages/regids": f.multi,
	}
}

func (f *fake) Logins() map[string]http.HandlerFunc { return nil }

// refusal is a broken rule with the code that answers it.
type refusal struct {
	code string
	rule string
}

func broken(code, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// list sends one message to a comma-separated list of tokens.
func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	form, account, wrong := f.open(r)
	if wrong != nil {
		f.refuse(w, wrong)
		return
	}
	targets := strings.Split(strings.TrimSuffix(form.Get("registration_id"), ","), ",")
	m, wrong := fromForm(form)
	if wrong == nil {
		wrong = f.checkTargets(form.Get("registration_id") == "", targets)
	}
	if wrong == nil {
		several := !strings.HasPrefix(r.URL.Path, "/v2/")
		wrong = account.check(m, several)
	}
	if wrong != nil {
		f.refuse(w, wrong)
		return
	}
	if f.trouble(w, targets, sandbox.FaultThrottle, sandbox.FaultCode, sandbox.FaultQuota) {
		return
	}
	sends := make([]send, len(targets))
	for i, t := range targets {
		sends[i] = send{t, m}
	}
	f.deliver(w, account, sends, nil)
}

// multi sends a message of its own to each target.
func (f *fake) multi(w http.ResponseWriter, r *http.Request) {
	form, account, wrong := f.open(r)
	if wrong != nil {
		f.refuse(w, wrong)
		return
	}
	sends, wrong := elements(form)
	targets := make([]string, len(sends))
	for i, s := range sends {
		targets[i] = s.target
	}
	if wrong == nil {
		wrong = f.checkTargets(len(sends) == 0, targets)
	}
	for i := 0; wrong == nil && i < len(sends); i++ {
		wrong = account.check(sends[i].message, false)
	}
	if wrong != nil {
		f.refuse(w, wrong)
		return
	}
	if f.trouble(w, targets, sandbox.FaultThrottle, sandbox.FaultCode) {
		return
	}
	// A list send that is over its quota fails with 200001; here the code stays 0 and the channels
	// are counted.
	exceeded := map[string]int{}
	_, all := f.core.Strike("xiaomi", "", sandbox.FaultQuota)
	left := sends[:0:0]
	for _, s := range sends {
		struck := all
		if !all {
			_, struck = f.core.Strike("xiaomi", s.target, sandbox.FaultQuota)
		}
		if struck {
			exceeded[cmp.Or(s.message.Extra["channel_id"], "no_channel")]++
		} else {
			left = append(left, s)
		}
	}
	f.core.Refuse("xiaomi", len(sends)-len(left))
	f.deliver(w, account, left, exceeded)
}

type send struct {
	target  string
	message message
}

// open checks what all calls have in common and finds the account.
func (f *fake) open(r *http.Request) (url.Values, Account, *refusal) {
	none := Account{}
	if r.Method != http.MethodPost {
		return nil, none, broken("10021", "the method must be POST")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, none, broken("10007", "the content type must be application/x-www-form-urlencoded")
	}
	// Literally "key=" and the secret: no other case, no blank.
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "key=")
	at := slices.IndexFunc(f.accounts, func(a Account) bool { return ok && a.AppSecret == secret })
	if at < 0 {
		return nil, none, broken("21301", "the header Authorization must be key=<AppSecret>")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, none, broken("10012", "the body must be readable")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, none, broken("10012", "the body must be a form")
	}
	for key, values := range form {
		if len(values) != 1 {
			return nil, none, broken("10017", "the field %s must be given once", key)
		}
	}
	return form, f.accounts[at], nil
}

func (f *fake) checkTargets(none bool, targets []string) *refusal {
	switch {
	case none:
		return broken("10016", "at least one registration id is required")
	case len(targets) > 1000:
		return broken("10017", "a call takes at most 1000 registration ids, not %d", len(targets))
	case slices.Contains(targets, ""):
		return broken("10017", "a registration id must not be empty")
	}
	return nil
}

// trouble answers the faults that strike a call as a whole, be they aimed at nobody or at one of
// its targets.
func (f *fake) trouble(w http.ResponseWriter, targets []string, kinds ...string) bool {
	fault, struck := f.core.Strike("xiaomi", "", kinds...)
	for i := 0; !struck && i < len(targets); i++ {
		fault, struck = f.core.Strike("xiaomi", targets[i], kinds...)
	}
	if !struck {
		return false
	}
	f.core.Refuse("xiaomi", len(targets))
	switch fault.Kind {
	case sandbox.FaultCode:
		f.fail(w, fault.Code, "as the fault says")
	case sandbox.FaultQuota:
		f.fail(w, "200001", "exceed quota, quota: 50000, have acked: 50000")
	default:
		if fault.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(fault.RetryAfter)))
		}
		f.fail(w, "200002", "qps exceeded")
	}
	return true
}

// deliver accepts the pushes to live tokens and names the dead ones. Where all are dead the call as
// a whole failed.
func (f *fake) deliver(w http.ResponseWriter, account Account, sends []send, exceeded map[string]int) {
	var bad []string
	id := "scm" + rand.Text()
	for _, s := range sends {
		_, dead := f.core.Dead("xiaomi", s.target)
		if !dead {
			_, dead = f.core.Strike("xiaomi", s.target, sandbox.FaultDeadToken, sandbox.FaultPartial)
		}
		if dead {
			bad = append(bad, s.target)
			continue
		}
		m := s.message
		channel := m.Extra["channel_id"]
		f.core.Accept(sandbox.Push{
			Vendor: "xiaomi", App: account.Package, Token: s.target, Key: m.key(), VendorID: id,
			Title: m.Title, Body: m.Description, Ext: m.Payload, Channel: channel,
			Class: cmp.Or(account.Channels[channel], "default"), Sound: m.Extra["sound_uri"], Once: m.Extra["jobkey"],
			Quiet: m.NotifyType != nil && *m.NotifyType == 0,
		})
	}
	f.core.Refuse("xiaomi", len(bad))
	if len(bad) > 0 && len(bad) == len(sends) && len(exceeded) == 0 {
		f.fail(w, "20301", "No valid targets!")
		return
	}
	// strings, as Xiaomi has them
	data := map[string]any{"id": id, "day_quota": "50000", "day_acked": "17"}
	if len(bad) > 0 {
		data["bad_regids"] = strings.Join(bad, ",")
	}
	if len(exceeded) > 0 {
		var list []string
		for channel, n := range exceeded {
			list = append(list, channel+":"+strconv.Itoa(n))
		}
		slices.Sort(list)
		data["channel_exceed_quota"] = strings.Join(list, " ")
	}
	f.answer(w, http.StatusOK, map[string]any{
		"result": "ok", "trace_id": "Xcm" + rand.Text(), "code": 0, "data": data,
		"description": "成功", "info": fmt.Sprintf("Received push messages for %d REGID", len(sends)-len(bad)),
	})
}

// refuse answers a broken rule and records it.
func (f *fake) refuse(w http.ResponseWriter, wrong *refusal) {
	f.core.Violate("xiaomi", wrong.code, wrong.rule)
	reason := wrong.rule
	switch wrong.code {
	case "21301":
		reason = "Invalid application secret."
	case "27001":
		reason = "invalid channel info!"
	case "65011":
		reason = "Title or Description is empty!"
	}
	f.fail(w, wrong.code, reason)
}

// fail is an error as Xiaomi writes it, under HTTP 200.
func (f *fake) fail(w http.ResponseWriter, code, reason string) {
	f.answer(w, http.StatusOK, map[string]any{
		"result": "error", "trace_id": "Xcm" + rand.Text(), "code": sandbox.NumericCode(code), "reason": reason, "description": "发送消息失败",
	})
}

func (f *fake) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have left
}
