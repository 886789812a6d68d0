// Package meizu plays Meizu Push: a strict fake of its server API, the look of its phones, and its
// account in the demo.
package meizu

import (
	"crypto/md5" // Meizu's signature is MD5
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// Account is an account that the fake of meizu knows.
type Account struct {
	AppID, AppSecret string
	// VIP says that the app may use vipInfo and big pictures.
	VIP bool
	// News raises the cap of public messages from 3 to 5 a device and day.
	News bool
	// Callbacks are the receipt addresses that are registered in the console.
	Callbacks []string
	// Silent are the pushIds whose notifications are switched off.
	Silent []string
	// PerSecond is how many devices a second the app may push to, PerDay how many a day; 0 is no
	// limit.
	PerSecond, PerDay int
	// PerMinute is how many pushes a device gets within a minute before the rest are folded; 0 is
	// Meizu's own 5, below 0 no limit.
	PerMinute int
}

// fake plays Flyme's pushByPushId.
type fake struct {
	core     *sandbox.Core
	accounts []Account

	mu      sync.Mutex
	second  int64
	sent    map[string]int // of second, by app
	minute  int64
	folded  map[string]int // of minute, by app and pushId
	day     string
	ofDay   map[string]int // of day, by app
	publics map[string]int // of day, by app and pushId
}

func newFake(core *sandbox.Core, accounts []Account) *fake {
	return &fake{
		core: core, accounts: accounts,
		sent: map[string]int{}, folded: map[string]int{}, ofDay: map[string]int{}, publics: map[string]int{},
	}
}

func (f *fake) Pushes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/garcia/api/server/push/varnished/pushByPushId": f.push}
}

func (f *fake) Logins() map[string]http.HandlerFunc { return nil }

// say answers. value is {} or a map under code 200, and an empty string under any other.
func say(w http.ResponseWriter, code, message string, value any, msgID string) {
	answer := map[string]any{"code": code, "message": message, "value": value, "redirect": ""}
	if msgID != "" {
		answer["msgId"] = msgID
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_ = json.NewEncoder(w).Encode(answer)
}

func (f *fake) push(w http.ResponseWriter, r *http.Request) {
	broken := func(code, rule string) {
		f.core.Violate("meizu", code, rule)
		say(w, code, rule, "", "")
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || kind != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		broken("1005", "a push must be a POST of a form")
		return
	}
	form := r.PostForm
	for _, field := range []string{"appId", "pushIds", "messageJson", "sign"} {
		if form.Get(field) == "" {
			broken("110004", field+" is empty")
			return
		}
	}
	at := slices.IndexFunc(f.accounts, func(a Account) bool { return a.AppID == form.Get("appId") })
	if at < 0 {
		broken("110000", "appId does not exist")
		return
	}
	account := &f.accounts[at]
	if form.Get("sign") != sign(form, account.AppSecret) {
		broken("1006", "sign must be the lower-case MD5 over all other fields in order, raw, and the app's secret")
		return
	}
	m, rule := read(form.Get("messageJson"), account)
	if rule != "" {
		broken("1005", rule)
		return
	}
	tokens := strings.Split(form.Get("pushIds"), ",")
	if len(tokens) > 100 {
		broken("1005", "pushIds must be 1 to 100")
		return
	}
	if fault, struck := f.strike(tokens); struck {
		f.core.Refuse("meizu", len(tokens))
		code := map[string]string{sandbox.FaultThrottle: "110010", sandbox.FaultQuota: "110019", sandbox.FaultCode: fault.Code}[fault.Kind]
		say(w, code, "injected", "", "")
		return
	}
	if code := f.spend(account, len(tokens)); code != "" {
		f.core.Refuse("meizu", len(tokens))
		say(w, code, "limit", "", "")
		return
	}
	id := strings.ToLower(hex.EncodeToString([]byte(rand.Text()[:16])))
	failed := map[string][]string{}
	for _, token := range tokens {
		if code := f.target(account, token, m.public); code != "" {
			failed[code] = append(failed[code], token)
			f.core.Refuse("meizu", 1)
			continue
		}
		class := "private"
		if m.public {
			class = "public"
		}
		f.core.Accept(sandbox.Push{
			Vendor: "meizu", App: account.AppID, Token: token, Key: m.key, VendorID: id, Title: m.title, Body: m.content, Ext: m.ext, Class: class, Quiet: m.quiet,
		})
	}
	say(w, "200", "", failed, id)
}

// sign is over the values as received and decoded.
func sign(form url.Values, secret string) string {
	text := ""
	for _, key := range slices.Sorted(maps.Keys(form)) {
		if key != "sign" {
			text += key + "=" + form.Get(key)
		}
	}
	sum := md5.Sum([]byte(text + secret))
	return hex.EncodeToString(sum[:])
}

// deviceCodes are the codes that stand in value, and never at the top.
var deviceCodes = []string{"201", "501", "513", "518", "519", "520", "110005", "110011"}

// strike finds a fault of the call. A code that Meizu says of devices only, and one aimed at a
// device, waits for [meizu.target].
func (f *fake) strike(tokens []string) (sandbox.Fault, bool) {
	if len(tokens) == 1 {
		if fault, struck := f.core.Strike("meizu", tokens[0], sandbox.FaultThrottle, sandbox.FaultQuota); struck {
			return fault, true
		}
	} else if fault, struck := f.core.Strike("meizu", "", sandbox.FaultThrottle, sandbox.FaultQuota); struck {
		return fault, true
	}
	for _, armed := range f.core.Faults() {
		if armed.Vendor == "meizu" && armed.Kind == sandbox.FaultCode && (armed.Token != "" || slices.Contains(deviceCodes, armed.Code)) {
			return sandbox.Fault{}, false
		}
	}
	return f.core.Strike("meizu", "", sandbox.FaultCode)
}

// spend counts the call's devices, and gives the code of the limit that they break.
func (f *fake) spend(account *Account, n int) (code string) {
	now := f.core.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Unix() != f.second {
		f.second = now.Unix()
		clear(f.sent)
	}
	if today := now.In(sandbox.Shanghai).Format(time.DateOnly); today != f.day {
		f.day = today
		clear(f.ofDay)
		clear(f.publics)
	}
	f.sent[account.AppID] += n
	if account.PerSecond > 0 && f.sent[account.AppID] > account.PerSecond {
		return "110010"
	}
	if account.PerDay > 0 && f.ofDay[account.AppID]+n > account.PerDay {
		return "110019"
	}
	f.ofDay[account.AppID] += n
	return ""
}

var tokenForm = regexp.MustCompile(`^[0-9A-Za-z._:-]{1,128}$`)

// target is the code by which a pushId fails, empty for one that takes the push.
func (f *fake) target(account *Account, token string, public bool) string {
	if !tokenForm.MatchString(token) {
		f.core.Violate("meizu", "110003", "a pushId must be letters and digits")
		return "110003"
	}
	if _, dead := f.core.Dead("meizu", token); dead {
		return "110002"
	}
	if fault, struck := f.core.Strike("meizu", token, sandbox.FaultDeadToken, sandbox.FaultPartial, sandbox.FaultCode); struck {
		if fault.Kind == sandbox.FaultCode {
			return fault.Code
		}
		return "110002"
	}
	if slices.Contains(account.Silent, token) {
		return "110010"
	}
	device := account.AppID + "\x00" + token
	most, daily := account.PerMinute, 3
	if most == 0 {
		most = 5
	}
	if account.News {
		daily = 5
	}
	minute := f.core.Now().Unix() / 60
	f.mu.Lock()
	defer f.mu.Unlock()
	if minute != f.minute {
		f.minute = minute
		clear(f.folded)
	}
	if public && f.publics[device] >= daily {
		return "110011"
	}
	if f.folded[device]++; most > 0 && !f.core.Unpaced() && f.folded[device] > most {
		return "520"
	}
	if public {
		f.publics[device]++
	}
	return ""
}
