// Package huawei plays Huawei's Push Kit of HMS: a strict fake of its server API, the look of its
// phones, and its account in the demo.
package huawei

import (
	"crypto/rand"
	"encoding/json"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/pushkit"
)

// Account is an account that the fake of huawei knows.
type Account struct {
	AppID, AppSecret, ProjectID string
	// Categories are those that the self-classification right was granted for.
	Categories []string
	// ReceiptURL takes delivery receipts (format V1), signed where ReceiptUser and ReceiptKey are
	// set. Empty: none.
	ReceiptURL, ReceiptUser, ReceiptKey string
}

// fake plays Push Kit v1 and v2 (HMS) and the OAuth login: the rules of the REST API's
// documentation and of the checks in Huawei's own server SDK.
type fake struct {
	*pushkit.Kit
	accounts []Account

	mu     sync.Mutex
	tokens map[string]grant
	logged map[string]*logins
}

type grant struct {
	account *Account
	expires time.Time
}

// logins counts the tokens of a client in the present five minutes.
type logins struct {
	since time.Time
	n     int
}

const (
	tokenLife  = time.Hour
	loginSpan  = 5 * time.Minute
	loginLimit = 1000
	testsADay  = 500
)

func newFake(core *sandbox.Core, accounts []Account) *fake {
	return &fake{Kit: pushkit.New(core, "huawei"), accounts: accounts, tokens: map[string]grant{}, logged: map[string]*logins{}}
}

func (f *fake) Pushes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/v1/{id}/messages:send": func(w http.ResponseWriter, r *http.Request) {
			f.send(w, r, func(a *Account) bool { return r.PathValue("id") == a.AppID })
		},
		"/v2/{id}/messages:send": func(w http.ResponseWriter, r *http.Request) {
			f.send(w, r, func(a *Account) bool { return a.ProjectID != "" && r.PathValue("id") == a.ProjectID })
		},
	}
}

func (f *fake) Logins() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/oauth2/v3/token": f.login, "/oauth2/v2/token": f.login}
}

var clientForm = regexp.MustCompile(`^[0-9]{1,64}$`)

// login grants an access token for client credentials.
func (f *fake) login(w http.ResponseWriter, r *http.Request) {
	refuse := func(status, sub int, words string) {
		f.Core.Violate("huawei", "1101", words)
		writeJSON(w, status, map[string]any{"error": 1101, "sub_error": sub, "error_description": words})
	}
	if r.Method != http.MethodPost {
		refuse(http.StatusMethodNotAllowed, 20001, "the token endpoint takes POST only")
		return
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		refuse(http.StatusBadRequest, 20001, "the token endpoint takes a form only")
		return
	}
	if err := r.ParseForm(); err != nil {
		refuse(http.StatusBadRequest, 20001, "the form cannot be read")
		return
	}
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	at := slices.IndexFunc(f.accounts, func(a Account) bool { return a.AppID == id })
	switch {
	case r.PostForm.Get("grant_type") != "client_credentials":
		refuse(http.StatusBadRequest, 20001, "grant_type must be client_credentials")
	case !clientForm.MatchString(id):
		refuse(http.StatusBadRequest, 20002, "client_id must be 1 to 64 digits")
	case at < 0:
		refuse(http.StatusBadRequest, 20003, "client_id does not exist")
	case secret == "":
		refuse(http.StatusBadRequest, 20171, "client_secret is empty")
	case secret != f.accounts[at].AppSecret:
		refuse(http.StatusBadRequest, 12304, "client_secret is wrong")
	case !f.mayLogin(id):
		f.Core.Violate("huawei", "HTTP 503", "more than 1000 access tokens for an app in five minutes")
		f.FlowControl(w, 0)
	default:
		token := accessHead + sandbox.NewAccess("huawei") + accessTail + rand.Text() + "=="
		f.mu.Lock()
		f.tokens[token] = grant{account: &f.accounts[at], expires: f.Core.Now().Add(tokenLife)}
		f.mu.Unlock()
		w.Header().Set("Cache-Control", "no-store")
		writeJSON(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": int(tokenLife / time.Second), "token_type": "Bearer"})
	}
}

func (f *fake) mayLogin(client string) bool {
	now := f.Core.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.logged[client]
	if l == nil || !now.Before(l.since.Add(loginSpan)) {
		l = &logins{since: now}
		f.logged[client] = l
	}
	l.n++
	return l.n <= loginLimit
}

// An access token looks like Huawei's, with what the sandbox knows again within.
const accessHead, accessTail = "CgB6", "/+"

// issued reports whether an access token is one of a sandbox that ran before.
func issued(token string) bool {
	middle, _, _ := strings.Cut(strings.TrimPrefix(token, accessHead), accessTail)
	return sandbox.IssuedAccess("huawei", middle)
}

// authorized finds the account behind the access token; a code where there is none, and the rule
// if one is broken.
func (f *fake) authorized(r *http.Request, owns func(*Account) bool) (account *Account, code, rule string) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return nil, "80200001", "the Authorization header must be Bearer, a blank and the access token"
	}
	f.mu.Lock()
	t, known := f.tokens[token]
	f.mu.Unlock()
	switch {
	case !known && issued(token):
		return nil, "80200003", ""
	case !known:
		return nil, "80200001", "the access token is none of the token endpoint's"
	case !owns(t.account):
		return nil, "80200001", "the app or project in the path is not the access token's"
	case !f.Core.Now().Before(t.expires):
		return nil, "80200003", "the access token expired"
	}
	return t.account, "", ""
}

// send is messages:send.
func (f *fake) send(w http.ResponseWriter, r *http.Request, owns func(*Account) bool) {
	if r.Method != http.MethodPost {
		f.Core.Violate("huawei", "HTTP 405", "messages:send takes POST only")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	account, code, rule := f.authorized(r, owns)
	if account == nil && rule == "" {
		f.Core.Refuse("huawei", 1)
		f.Answer(w, f.RequestID(), code, "Access token expired.")
		return
	}
	if account == nil {
		f.Broken(w, code, "Authentication Error", rule)
		return
	}
	if kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		f.Broken(w, "80100001", "Illegal content type", "Content-Type must be application/json;charset=UTF-8")
		return
	}
	m, tokens, broken := read(r.Body)
	if broken != nil {
		f.Broken(w, broken.Code, broken.Tip, broken.Tip)
		return
	}
	if m.validateOnly {
		f.Answer(w, f.RequestID(), "80000000", "Success")
		return
	}
	if f.troubled(w, tokens) {
		return
	}
	_, overQuota := f.Strike(tokens, sandbox.FaultQuota)
	f.push(w, account, m, tokens, overQuota)
}

// troubled answers the armed faults that concern a whole call.
func (f *fake) troubled(w http.ResponseWriter, tokens []string) bool {
	fault, struck := f.Strike(tokens, sandbox.FaultExpiredAuth, sandbox.FaultThrottle, sandbox.FaultCode)
	if !struck {
		return false
	}
	f.Core.Refuse("huawei", len(tokens))
	switch {
	case fault.Kind == sandbox.FaultExpiredAuth:
		f.Answer(w, f.RequestID(), "80200003", "Access token expired.")
	case fault.Kind == sandbox.FaultThrottle:
		f.FlowControl(w, fault.RetryAfter)
	case fault.Code == "80100000":
		f.partial(w, f.RequestID(), tokens[1:], tokens[:1])
	default:
		f.Answer(w, f.RequestID(), fault.Code, "armed fault")
	}
	return true
}

// push takes the tokens apart and delivers to the good ones.
func (f *fake) push(w http.ResponseWriter, account *Account, m *push, tokens []string, overQuota bool) {
	good, bad := make([]string, 0, len(tokens)), []string(nil)
	for _, t := range tokens {
		if f.Illegal(t) {
			bad = append(bad, t)
		} else {
			good = append(good, t)
		}
	}
	f.Core.Refuse("huawei", len(bad))
	if len(good) == 0 {
		f.Answer(w, f.RequestID(), "80300007", "All the tokens are invalid")
		return
	}
	id := f.RequestID()
	p := m.push
	p.Vendor, p.App, p.VendorID = "huawei", account.AppID, id
	marketing := !slices.Contains(account.Categories, p.Class)
	if marketing {
		p.Class = "MARKETING"
	}
	f.Deliver(pushkit.Delivery{
		Push: p, Tokens: good, Marketing: marketing, Test: m.test, TestCap: testsADay, TestKey: account.AppID, OverQuota: overQuota,
		Receipt: pushkit.Receipt{BITag: m.biTag, App: account.AppID, RequestID: id},
		To:      pushkit.ReceiptTarget{URL: account.ReceiptURL, User: account.ReceiptUser, Key: account.ReceiptKey},
	})
	f.partial(w, id, good, bad)
}

// partial answers a success, whole or partial.
func (f *fake) partial(w http.ResponseWriter, id string, good, bad []string) {
	if len(bad) == 0 {
		f.Answer(w, id, "80000000", "Success")
		return
	}
	// always marshals
	inner, _ := json.Marshal(map[string]any{"success": len(good), "failure": len(bad), "illegal_tokens": bad})
	f.Answer(w, id, "80100000", string(inner))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
