// Package honor plays Honor Push: a strict fake of its server API, the look of its phones, and its
// account in the demo.
package honor

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// Account is an account that the fake of honor knows. What Honor does not publish can be set.
type Account struct {
	AppID, ClientID, ClientSecret string
	// Success is the code of success, 200 when empty.
	Success string
	// Most is how many tokens one call may have, 1000 when 0.
	Most int
	// AuthStatus is the HTTP status for a bad or old access token, 401 when 0; AuthEmpty leaves its
	// body empty.
	AuthStatus int
	AuthEmpty  bool
	// ErrorsWithoutData answers errors with "data": null instead of empty lists.
	ErrorsWithoutData bool
}

// fake plays Honor's sendMessage and its OAuth login. It is strict in what is known of requests.
type fake struct {
	core     *sandbox.Core
	accounts []Account

	mu     sync.Mutex
	tokens map[string]grant
	calls  int
}

type grant struct {
	account *Account
	expires time.Time
}

const tokenLife = time.Hour

func newFake(core *sandbox.Core, accounts []Account) *fake {
	return &fake{core: core, accounts: accounts, tokens: map[string]grant{}}
}

func (f *fake) Pushes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/api/v1/{app}/sendMessage": f.send}
}

func (f *fake) Logins() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/auth/token": f.login}
}

func say(w http.ResponseWriter, status int, answer map[string]any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// login grants an access token for client credentials.
func (f *fake) login(w http.ResponseWriter, r *http.Request) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || kind != "application/x-www-form-urlencoded" || r.ParseForm() != nil || r.PostForm.Get("grant_type") != "client_credentials" {
		f.core.Violate("honor", "invalid_request", "a login must be a POST of a form with grant_type client_credentials")
		say(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "Invalid request"})
		return
	}
	at := slices.IndexFunc(f.accounts, func(a Account) bool {
		return a.ClientID == r.PostForm.Get("client_id") && a.ClientSecret == r.PostForm.Get("client_secret")
	})
	if at < 0 {
		f.core.Violate("honor", "invalid_client", "client_id and client_secret must be those of an app; the App ID is no client_id")
		say(w, http.StatusUnauthorized, map[string]any{
			"error": "invalid_client", "error_description": "Invalid client or Invalid client credentials",
		})
		return
	}
	token := sandbox.NewAccess("honor")
	f.mu.Lock()
	f.tokens[token] = grant{account: &f.accounts[at], expires: f.core.Now().Add(tokenLife)}
	f.mu.Unlock()
	say(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": int(tokenLife / time.Second), "token_type": "Bearer"})
}

var stampForm = regexp.MustCompile(`^[0-9]{13}$`)

func (f *fake) send(w http.ResponseWriter, r *http.Request) {
	account := Account{}
	if at := slices.IndexFunc(f.accounts, func(a Account) bool { return a.AppID == r.PathValue("app") }); at >= 0 {
		account = f.accounts[at]
	}
	fail := func(status int, code, words string) {
		if account.AuthEmpty && code == "401" {
			w.WriteHeader(status)
			return
		}
		say(w, status, f.answer(account, code, words, nil, nil, false))
	}
	broken := func(status int, code, rule string) {
		f.core.Violate("honor", code, rule)
		fail(status, code, rule)
	}
	unauthorized := account.AuthStatus
	if unauthorized == 0 {
		unauthorized = http.StatusUnauthorized
	}
	data, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost {
		broken(http.StatusMethodNotAllowed, "400", "sendMessage must be a POST")
		return
	}
	if _, struck := f.core.Strike("honor", "", sandbox.FaultExpiredAuth); struck {
		f.core.Refuse("honor", 1)
		fail(unauthorized, "401", "access token expired")
		return
	}
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	f.mu.Lock()
	token, known := f.tokens[bearer]
	f.mu.Unlock()
	switch {
	case ok && !known && sandbox.IssuedAccess("honor", bearer):
		f.core.Refuse("honor", 1)
		fail(unauthorized, "401", "access token expired")
		return
	case !ok || !known:
		broken(unauthorized, "401", "Authorization must be Bearer and an access token")
		return
	case !f.core.Now().Before(token.expires):
		broken(unauthorized, "401", "the access token expired")
		return
	case account.AppID == "" || token.account.AppID != account.AppID:
		broken(http.StatusForbidden, "403", "the path must hold the App ID of the access token's app")
		return
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		broken(http.StatusBadRequest, "400", "Content-Type must be application/json")
		return
	}
	if !stampForm.MatchString(r.Header.Get("timestamp")) {
		broken(http.StatusBadRequest, "400", "the header timestamp must be 13 digits of milliseconds")
		return
	}
	m, rule := read(data, account.Most)
	if rule != "" {
		broken(http.StatusBadRequest, "400", rule)
		return
	}
	aim := ""
	if len(m.tokens) == 1 {
		aim = m.tokens[0]
	}
	if fault, struck := f.strike(aim); struck {
		f.core.Refuse("honor", len(m.tokens))
		switch fault.Kind {
		case sandbox.FaultThrottle:
			if fault.RetryAfter > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(int(fault.RetryAfter)))
			}
			fail(http.StatusTooManyRequests, "429", "flow control")
		default:
			fail(http.StatusOK, fault.Code, "injected")
		}
		return
	}
	f.push(w, account, m)
}

// fail is the code of a fault by which single devices fail without being dead.
const fail = "failTokens"

// strike finds a fault of the call; the code failTokens is one of a device, and waits for push.
func (f *fake) strike(aim string) (sandbox.Fault, bool) {
	kinds := []string{sandbox.FaultThrottle, sandbox.FaultCode}
	if slices.ContainsFunc(f.core.Faults(), func(a sandbox.Fault) bool {
		return a.Vendor == "honor" && a.Kind == sandbox.FaultCode && a.Code == fail
	}) {
		kinds = kinds[:1]
	}
	return f.core.Strike("honor", aim, kinds...)
}

func (f *fake) push(w http.ResponseWriter, account Account, m message) {
	failed, expired := []string{}, []string{}
	for _, token := range m.tokens {
		if _, dead := f.core.Dead("honor", token); dead {
			expired = append(expired, token)
		} else if fault, struck := f.core.Strike("honor", token, sandbox.FaultDeadToken, sandbox.FaultPartial, sandbox.FaultCode); struck {
			if fault.Kind == sandbox.FaultCode {
				failed = append(failed, token)
			} else {
				expired = append(expired, token)
			}
		} else {
			p := m.push
			p.App, p.Token = account.AppID, token
			f.core.Accept(p)
		}
	}
	f.core.Refuse("honor", len(failed)+len(expired))
	code := account.Success
	if code == "" {
		code = "200"
	}
	// A single dead token is told with sendResult false, under a code of success.
	say(w, http.StatusOK, f.answer(account, code, "success", failed, expired, len(failed)+len(expired) < len(m.tokens)))
}

// answer is the body of every answer. The code is a number.
func (f *fake) answer(account Account, code, words string, failed, expired []string, sent bool) map[string]any {
	answer := map[string]any{"code": code, "message": words, "data": nil}
	if n, err := strconv.ParseInt(code, 10, 64); err == nil {
		answer["code"] = n
	}
	if failed == nil && account.ErrorsWithoutData {
		return answer
	}
	f.mu.Lock()
	f.calls++
	id := "honor-" + strconv.Itoa(f.calls)
	f.mu.Unlock()
	answer["data"] = map[string]any{
		"sendResult": sent, "requestId": id, "failTokens": append([]string{}, failed...), "expireTokens": append([]string{}, expired...),
	}
	return answer
}
