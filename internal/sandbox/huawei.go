package sandbox

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
)

// HuaweiAccount is an account that the fake of huawei knows.
type HuaweiAccount struct {
	AppID, AppSecret, ProjectID string
	// Categories are those that the self-classification right was granted for.
	Categories []string
	// ReceiptURL takes delivery receipts (format V1), signed where ReceiptUser and ReceiptKey are
	// set. Empty: none.
	ReceiptURL, ReceiptUser, ReceiptKey string
}

// huawei plays Push Kit v1 and v2 (HMS) and the OAuth login: the rules of the REST API's
// documentation and of the checks in Huawei's own server SDK.
type huawei struct {
	*pushKit
	accounts []HuaweiAccount

	mu     sync.Mutex
	tokens map[string]huaweiToken
	logged map[string]*huaweiLogins
}

type huaweiToken struct {
	account *HuaweiAccount
	expires time.Time
}

// huaweiLogins counts the tokens of a client in the present five minutes.
type huaweiLogins struct {
	since time.Time
	n     int
}

const (
	huaweiTokenLife  = time.Hour
	huaweiLoginSpan  = 5 * time.Minute
	huaweiLoginLimit = 1000
	huaweiTestsADay  = 500
)

func newHuawei(core *Core, accounts []HuaweiAccount) *huawei {
	return &huawei{pushKit: newPushKit(core, "huawei"), accounts: accounts, tokens: map[string]huaweiToken{}, logged: map[string]*huaweiLogins{}}
}

func (f *huawei) pushes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/v1/{id}/messages:send": func(w http.ResponseWriter, r *http.Request) {
			f.send(w, r, func(a *HuaweiAccount) bool { return r.PathValue("id") == a.AppID })
		},
		"/v2/{id}/messages:send": func(w http.ResponseWriter, r *http.Request) {
			f.send(w, r, func(a *HuaweiAccount) bool { return a.ProjectID != "" && r.PathValue("id") == a.ProjectID })
		},
	}
}

func (f *huawei) logins() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/oauth2/v3/token": f.login, "/oauth2/v2/token": f.login}
}

var huaweiClientForm = regexp.MustCompile(`^[0-9]{1,64}$`)

// login grants an access token for client credentials.
func (f *huawei) login(w http.ResponseWriter, r *http.Request) {
	refuse := func(status, sub int, words string) {
		f.core.Violate("huawei", "1101", words)
		huaweiJSON(w, status, map[string]any{"error": 1101, "sub_error": sub, "error_description": words})
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
	at := slices.IndexFunc(f.accounts, func(a HuaweiAccount) bool { return a.AppID == id })
	switch {
	case r.PostForm.Get("grant_type") != "client_credentials":
		refuse(http.StatusBadRequest, 20001, "grant_type must be client_credentials")
	case !huaweiClientForm.MatchString(id):
		refuse(http.StatusBadRequest, 20002, "client_id must be 1 to 64 digits")
	case at < 0:
		refuse(http.StatusBadRequest, 20003, "client_id does not exist")
	case secret == "":
		refuse(http.StatusBadRequest, 20171, "client_secret is empty")
	case secret != f.accounts[at].AppSecret:
		refuse(http.StatusBadRequest, 12304, "client_secret is wrong")
	case !f.mayLogin(id):
		f.core.Violate("huawei", "HTTP 503", "more than 1000 access tokens for an app in five minutes")
		f.flowControl(w, 0)
	default:
		token := "CgB6" + rand.Text() + "/+" + rand.Text() + "=="
		f.mu.Lock()
		f.tokens[token] = huaweiToken{account: &f.accounts[at], expires: f.core.Now().Add(huaweiTokenLife)}
		f.mu.Unlock()
		w.Header().Set("Cache-Control", "no-store")
		huaweiJSON(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": int(huaweiTokenLife / time.Second), "token_type": "Bearer"})
	}
}

func (f *huawei) mayLogin(client string) bool {
	now := f.core.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.logged[client]
	if l == nil || !now.Before(l.since.Add(huaweiLoginSpan)) {
		l = &huaweiLogins{since: now}
		f.logged[client] = l
	}
	l.n++
	return l.n <= huaweiLoginLimit
}

// authorized finds the account behind the access token; a code and a rule where there is none.
func (f *huawei) authorized(r *http.Request, owns func(*HuaweiAccount) bool) (account *HuaweiAccount, code, rule string) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return nil, "80200001", "the Authorization header must be Bearer, a blank and the access token"
	}
	f.mu.Lock()
	t, known := f.tokens[token]
	f.mu.Unlock()
	switch {
	case !known:
		return nil, "80200001", "the access token is none of the token endpoint's"
	case !owns(t.account):
		return nil, "80200001", "the app or project in the path is not the access token's"
	case !f.core.Now().Before(t.expires):
		return nil, "80200003", "the access token expired"
	}
	return t.account, "", ""
}

// send is messages:send.
func (f *huawei) send(w http.ResponseWriter, r *http.Request, owns func(*HuaweiAccount) bool) {
	if r.Method != http.MethodPost {
		f.core.Violate("huawei", "HTTP 405", "messages:send takes POST only")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	account, code, rule := f.authorized(r, owns)
	if account == nil {
		f.broken(w, code, "Authentication Error", rule)
		return
	}
	if kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		f.broken(w, "80100001", "Illegal content type", "Content-Type must be application/json;charset=UTF-8")
		return
	}
	m, tokens, broken := readHuawei(r.Body)
	if broken != nil {
		f.broken(w, broken.code, broken.tip, broken.tip)
		return
	}
	if m.validateOnly {
		f.answer(w, f.requestID(), "80000000", "Success")
		return
	}
	if f.troubled(w, tokens) {
		return
	}
	_, overQuota := f.strike(tokens, FaultQuota)
	f.push(w, account, m, tokens, overQuota)
}

// troubled answers the armed faults that concern a whole call.
func (f *huawei) troubled(w http.ResponseWriter, tokens []string) bool {
	fault, struck := f.strike(tokens, FaultExpiredAuth, FaultThrottle, FaultCode)
	if !struck {
		return false
	}
	f.core.Refuse("huawei", len(tokens))
	switch {
	case fault.Kind == FaultExpiredAuth:
		f.answer(w, f.requestID(), "80200003", "Access token expired.")
	case fault.Kind == FaultThrottle:
		f.flowControl(w, fault.RetryAfter)
	case fault.Code == "80100000":
		f.partial(w, f.requestID(), tokens[1:], tokens[:1])
	default:
		f.answer(w, f.requestID(), fault.Code, "armed fault")
	}
	return true
}

// push takes the tokens apart and delivers to the good ones.
func (f *huawei) push(w http.ResponseWriter, account *HuaweiAccount, m *huaweiPush, tokens []string, overQuota bool) {
	good, bad := make([]string, 0, len(tokens)), []string(nil)
	for _, t := range tokens {
		if f.illegal(t) {
			bad = append(bad, t)
		} else {
			good = append(good, t)
		}
	}
	f.core.Refuse("huawei", len(bad))
	if len(good) == 0 {
		f.answer(w, f.requestID(), "80300007", "All the tokens are invalid")
		return
	}
	id := f.requestID()
	p := m.push
	p.Vendor, p.App, p.VendorID = "huawei", account.AppID, id
	marketing := !slices.Contains(account.Categories, p.Class)
	if marketing {
		p.Class = "MARKETING"
	}
	f.deliver(delivery{
		push: p, tokens: good, marketing: marketing, test: m.test, testCap: huaweiTestsADay, testKey: account.AppID, overQuota: overQuota,
		receipt: receipt{biTag: m.biTag, app: account.AppID, requestID: id},
		to:      receiptTarget{url: account.ReceiptURL, user: account.ReceiptUser, key: account.ReceiptKey},
	})
	f.partial(w, id, good, bad)
}

// partial answers a success, whole or partial.
func (f *huawei) partial(w http.ResponseWriter, id string, good, bad []string) {
	if len(bad) == 0 {
		f.answer(w, id, "80000000", "Success")
		return
	}
	// always marshals
	inner, _ := json.Marshal(map[string]any{"success": len(good), "failure": len(bad), "illegal_tokens": bad})
	f.answer(w, id, "80100000", string(inner))
}

func huaweiJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
