// Package vivo plays vivo Push: a strict fake of its server API, the look of its phones, and its
// account in the demo.
package vivo

import (
	"crypto/md5" // vivo's signature is MD5
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// Account is an account that the fake of vivo knows.
type Account struct {
	AppID, AppKey, AppSecret string
	// TestDevices are the tokens that test pushes reach.
	TestDevices []string
	// Review says that the app is not in vivo's store yet: formal pushes are refused.
	Review bool
	// Silent are the tokens of phones whose user has turned notifications off.
	Silent []string
	// PerSecond is how many devices a second the app may push to, and SystemQuota, OperationalQuota
	// and ListBodies are numbers a day. 0 is no limit.
	PerSecond, SystemQuota, OperationalQuota, ListBodies int
}

// fake plays vivo's server API: the login, single and list pushes. As vivo does, it answers HTTP
// 200 to everything but a crash.
type fake struct {
	core     *sandbox.Core
	accounts []Account

	mu     sync.Mutex
	tokens map[string]grant
	apps   map[string]*app
}

type grant struct {
	account *Account
	expires time.Time
}

// app is what vivo knows of an app from one call to the next.
type app struct {
	logins, sends bucket
	day           string
	spent         map[string]int // of day, by counter
	taken         map[string]taken
	stored        map[string]stored
	tasks         int64
}

// bucket counts within one second.
type bucket struct {
	second int64
	n      int
}

func (b *bucket) add(now time.Time, n int) int {
	if s := now.Unix(); s != b.second {
		*b = bucket{second: s}
	}
	b.n += n
	return b.n
}

// taken is a request that was taken: a repeat with its requestId gets its answer and shows
// nothing new.
type taken struct {
	answer map[string]any
	pushes []sandbox.Push
}

// stored is the content of a list push.
type stored struct {
	message message
	expires time.Time
}

const (
	tokenLife   = 24 * time.Hour
	storedLife  = 24 * time.Hour
	clockSkew   = 10 * time.Minute
	loginsASec  = 10
	maxRemember = 100_000 // requests, so that a busy benchmark does not grow for ever
)

func newFake(core *sandbox.Core, accounts []Account) *fake {
	return &fake{core: core, accounts: accounts, tokens: map[string]grant{}, apps: map[string]*app{}}
}

func (f *fake) Pushes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/message/send":            f.call(f.send),
		"/message/saveListPayload": f.call(f.save),
		"/message/pushToList":      f.call(f.list),
	}
}

func (f *fake) Logins() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/message/auth": f.auth}
}

// app must be called with the lock held.
func (f *fake) app(id string) *app {
	if f.apps[id] == nil {
		f.apps[id] = &app{taken: map[string]taken{}, stored: map[string]stored{}, spent: map[string]int{}}
	}
	return f.apps[id]
}

func say(w http.ResponseWriter, answer map[string]any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_ = json.NewEncoder(w).Encode(answer)
}

func result(code int, desc string) map[string]any {
	return map[string]any{"result": code, "desc": desc}
}

// broken answers a request that breaks a rule.
func (f *fake) broken(code int, rule string) map[string]any {
	f.core.Violate("vivo", strconv.Itoa(code), rule)
	return result(code, rule)
}

// object reads the JSON object of a POST. Anything else crashes vivo.
func (f *fake) object(w http.ResponseWriter, r *http.Request) (body, bool) {
	data, err := io.ReadAll(r.Body)
	var body body
	if err != nil || r.Method != http.MethodPost || json.Unmarshal(data, &body) != nil || body == nil {
		f.core.Violate("vivo", "HTTP 500", "a call must be a POST of a JSON object")
		http.Error(w, "Internet server error!", http.StatusInternalServerError)
		return nil, false
	}
	return body, true
}

// auth is the login. Accounts, clocks and signatures are checked in the order of the code table.
func (f *fake) auth(w http.ResponseWriter, r *http.Request) {
	body, ok := f.object(w, r)
	if !ok {
		return
	}
	id, key, sign := body.scalar("appId"), body.scalar("appKey"), body.scalar("sign")
	stamp := body.scalar("timestamp")
	now := f.core.Now()
	ms, err := strconv.ParseInt(stamp, 10, 64)
	at := slices.IndexFunc(f.accounts, func(a Account) bool { return a.AppID == id })
	var account Account
	if at >= 0 {
		account = f.accounts[at]
	}
	sum := md5.Sum([]byte(id + key + stamp + account.AppSecret))
	switch {
	case id == "":
		say(w, f.broken(10200, "appId is empty"))
	case key == "":
		say(w, f.broken(10201, "appKey is empty"))
	case at < 0:
		say(w, f.broken(10205, "appId does not exist"))
	case key != account.AppKey:
		say(w, f.broken(10202, "appKey is illegal"))
	case stamp == "":
		say(w, f.broken(10203, "timestamp is empty"))
	case sign == "":
		say(w, f.broken(10204, "sign is empty"))
	case err != nil || len(stamp) != 13:
		say(w, f.broken(10207, "timestamp must be 13 digits of milliseconds"))
	case now.Sub(time.UnixMilli(ms)).Abs() > clockSkew:
		say(w, f.broken(10207, "timestamp must be within ten minutes of vivo's clock"))
	case sign != hex.EncodeToString(sum[:]):
		say(w, f.broken(10206, "sign must be the lower-case MD5 of appId, appKey, timestamp and appSecret"))
	case !f.mayLogin(id, now):
		say(w, f.broken(10093, "an app may log in ten times a second"))
	default:
		token := sandbox.NewAccess("vivo")
		f.mu.Lock()
		f.tokens[token] = grant{account: &f.accounts[at], expires: now.Add(tokenLife)}
		f.mu.Unlock()
		say(w, map[string]any{"result": 0, "desc": "请求成功", "authToken": token})
	}
}

func (f *fake) mayLogin(id string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.app(id).logins.add(now, 1) <= loginsASec
}

// call wraps a push call: the authToken and the app are checked first. A handler answers and says
// what was taken.
func (f *fake) call(handle func(*Account, body) taken) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, ok := f.object(w, r)
		if !ok {
			return
		}
		if _, struck := f.core.Strike("vivo", "", sandbox.FaultExpiredAuth); struck {
			f.core.Refuse("vivo", 1)
			say(w, result(10000, "权限认证失败"))
			return
		}
		f.mu.Lock()
		shown := r.Header.Get("authToken")
		token, known := f.tokens[shown]
		f.mu.Unlock()
		switch {
		case !known && sandbox.IssuedAccess("vivo", shown):
			f.core.Refuse("vivo", 1)
			say(w, result(10000, "权限认证失败"))
			return
		case !known:
			say(w, f.broken(10000, "the header authToken must hold a token of /message/auth"))
			return
		case !f.core.Now().Before(token.expires):
			say(w, f.broken(10000, "the authToken is older than a day"))
			return
		case body.scalar("appId") != token.account.AppID:
			say(w, f.broken(10094, "appId must be the app of the authToken"))
			return
		}
		request := r.URL.Path + " " + body.scalar("requestId")
		f.mu.Lock()
		before, repeated := f.app(token.account.AppID).taken[request]
		f.mu.Unlock()
		if repeated {
			for _, p := range before.pushes {
				f.core.Accept(p) // the ledger knows it for a repeat by its key
			}
			say(w, before.answer)
			return
		}
		taken := handle(token.account, body)
		if taken.answer["result"] == 0 {
			f.mu.Lock()
			app := f.app(token.account.AppID)
			if len(app.taken) > maxRemember {
				clear(app.taken)
			}
			app.taken[request] = taken
			f.mu.Unlock()
		}
		say(w, taken.answer)
	}
}

// send pushes to one device.
func (f *fake) send(account *Account, body body) taken {
	token := body.scalar("regId")
	no := func(answer map[string]any) taken { return taken{answer: answer} }
	if token == "" {
		return no(f.broken(10050, "regId and alias are both empty"))
	}
	m, code, rule := body.message(time.Minute)
	if code != 0 {
		return no(f.broken(code, rule))
	}
	if answer := f.trouble(token, m.classification, 1); answer != nil {
		return no(answer)
	}
	if answer := f.policy(account, m); answer != nil {
		return no(answer)
	}
	if status := f.status(account, token, m.test); status != 0 {
		f.core.Refuse("vivo", 1)
		answer := result(10302, "regId不合法")
		answer["invalidUser"] = map[string]any{"status": status, "userid": token}
		return no(answer)
	}
	if slices.Contains(account.Silent, token) {
		f.core.Refuse("vivo", 1)
		return no(result(10311, "the device cannot be pushed to now"))
	}
	if answer := f.limits(account, m, 1); answer != nil {
		return no(answer)
	}
	task := f.task(account)
	return taken{
		answer: map[string]any{"result": 0, "desc": "请求成功", "taskId": task},
		pushes: []sandbox.Push{f.core.Accept(m.push(account.AppID, token, task))},
	}
}

// save stores the content of a list push.
func (f *fake) save(account *Account, body body) taken {
	no := func(answer map[string]any) taken { return taken{answer: answer} }
	if body["regId"] != nil || body["alias"] != nil || body["profileId"] != nil {
		return no(f.broken(10050, "a stored content names no device"))
	}
	m, code, rule := body.message(15 * time.Minute)
	if code != 0 {
		return no(f.broken(code, rule))
	}
	if answer := f.trouble("", m.classification, 1); answer != nil {
		return no(answer)
	}
	if answer := f.policy(account, m); answer != nil {
		return no(answer)
	}
	if account.ListBodies > 0 && f.spend(account, "bodies", 1) > account.ListBodies {
		f.core.Refuse("vivo", 1)
		return no(result(10252, "批量发送消息体超出限制"))
	}
	task := f.task(account)
	f.mu.Lock()
	defer f.mu.Unlock()
	app := f.app(account.AppID)
	if len(app.stored) > maxRemember {
		clear(app.stored)
	}
	app.stored[task] = stored{message: m, expires: f.core.Now().Add(storedLife)}
	return taken{answer: map[string]any{"result": 0, "desc": "请求成功", "taskId": task}}
}

// list pushes a stored content. Dead devices do not change the result.
func (f *fake) list(account *Account, body body) taken {
	no := func(answer map[string]any) taken { return taken{answer: answer} }
	var tokens []string
	if raw := body["regIds"]; raw != nil && json.Unmarshal(raw, &tokens) != nil || raw == nil {
		return no(f.broken(10150, "regIds and aliases are empty"))
	}
	task, request := body.scalar("taskId"), body.scalar("requestId")
	f.mu.Lock()
	stored, known := f.app(account.AppID).stored[task]
	f.mu.Unlock()
	switch {
	case len(tokens) == 0:
		return no(f.broken(10150, "regIds and aliases are empty"))
	case task == "":
		return no(f.broken(10151, "taskId is empty"))
	case !known:
		return no(f.broken(10152, "taskId is none of saveListPayload's"))
	case len(tokens) < 2 || len(tokens) > 1000:
		return no(f.broken(10153, "regIds must be 2 to 1000"))
	case !f.core.Now().Before(stored.expires):
		f.core.Refuse("vivo", len(tokens))
		return no(result(10155, "the stored content has expired"))
	case request == "":
		return no(f.broken(10352, "requestId is empty"))
	case len(request) > 64:
		return no(f.broken(10353, "requestId must be at most 64 characters"))
	}
	m := stored.message
	if (body.scalar("pushMode") == "1") != m.test {
		return no(f.broken(10152, "pushMode must be that of the stored content"))
	}
	if answer := f.trouble("", m.classification, len(tokens)); answer != nil {
		return no(answer)
	}
	if answer := f.limits(account, m, len(tokens)); answer != nil {
		return no(answer)
	}
	taken := taken{}
	invalid := []map[string]any{}
	for _, token := range tokens {
		if status := f.status(account, token, m.test); status != 0 {
			invalid = append(invalid, map[string]any{"status": status, "userid": token})
			f.core.Refuse("vivo", 1)
		} else if slices.Contains(account.Silent, token) {
			f.core.Refuse("vivo", 1)
		} else {
			taken.pushes = append(taken.pushes, f.core.Accept(m.push(account.AppID, token, task)))
		}
	}
	taken.answer = map[string]any{"result": 0, "desc": "请求成功", "requestId": request}
	if len(invalid) > 0 {
		taken.answer["invalidUsers"] = invalid
	}
	return taken
}

func (f *fake) task(account *Account) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	app := f.app(account.AppID)
	app.tasks++
	return strconv.FormatInt(700_000_000+app.tasks, 10)
}
