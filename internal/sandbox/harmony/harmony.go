// Package harmony plays Huawei's Push Kit of HarmonyOS: a strict fake of its server API, the look
// of its phones, and its account in the demo.
package harmony

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/pushkit"
)

// Account is an account that the fake of harmony knows.
type Account struct {
	// ProjectID, KeyID and SubAccount are of the service account whose public key is Key.
	ProjectID, KeyID, SubAccount string
	Key                          *rsa.PublicKey
	// ClientID is that of the app; without it nothing is taken back.
	ClientID string
	// Categories are those that the self-classification right was granted for.
	Categories []string
	// InAppCalls is the right for push-type 10.
	InAppCalls bool
	// ReceiptURL takes delivery receipts (format V2), signed where ReceiptUser and ReceiptKey are
	// set. Empty: none.
	ReceiptURL, ReceiptUser, ReceiptKey string
}

// fake plays Push Kit v3 (HarmonyOS 5 and later): the rules of the REST API's documentation.
type fake struct {
	*pushkit.Kit
	accounts []Account
	images   checkedImages
}

const (
	maxBytes   = 4096
	maxTokens  = 1000
	testTokens = 10
	testsADay  = 1000
)

func newFake(core *sandbox.Core, accounts []Account) *fake {
	return &fake{Kit: pushkit.New(core, "harmony"), accounts: accounts}
}

func (f *fake) Pushes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/v3/{project}/messages:send": f.send, "/v2/{project}/images:verify": f.verify, "/v1/{client}/messages:revoke": f.revoke}
}

func (f *fake) Logins() map[string]http.HandlerFunc { return nil }

// send is messages:send.
func (f *fake) send(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		f.Core.Violate("harmony", "HTTP 405", "messages:send takes POST only")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	account, broken := f.authorized(r)
	if broken != nil {
		f.Broken(w, broken.Code, codeText(broken.Code), broken.Tip)
		return
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		f.Broken(w, "80100001", codeText("80100001"), "Content-Type must be application/json")
		return
	}
	pushType := r.Header.Get("push-type")
	if !slices.Contains([]string{"0", "1", "2", "6", "7", "10"}, pushType) {
		f.Broken(w, "80100003", "Illegal payload, The header does not contain valid push-type", "the header push-type must be 0, 1, 2, 6, 7 or 10")
		return
	}
	m, broken := read(r.Body, pushType)
	if broken != nil {
		text := codeText(broken.Code)
		if broken.Code == "80100003" {
			text = "Illegal payload, " + broken.Tip
		}
		f.Broken(w, broken.Code, text, broken.Tip)
		return
	}
	if image := m.push.Image; image != "" && !f.images.valid(image, f.Core.Now()) {
		f.Broken(w, "80100022", codeText("80100022"), "image must be the downloadUrl of images:verify, before its expireTime")
		return
	}
	if fault, struck := f.Strike(m.tokens, sandbox.FaultExpiredAuth, sandbox.FaultThrottle, sandbox.FaultCode); struck {
		f.trouble(w, m.tokens, fault)
		return
	}
	_, overQuota := f.Strike(m.tokens, sandbox.FaultQuota)
	f.push(w, account, m, overQuota)
}

var digits = regexp.MustCompile(`^[0-9]+$`)

// trouble answers an armed fault that concerns the whole call. A code that is no number is a
// reason, and all tokens fail for it.
func (f *fake) trouble(w http.ResponseWriter, tokens []string, fault sandbox.Fault) {
	f.Core.Refuse("harmony", len(tokens))
	switch {
	case fault.Kind == sandbox.FaultExpiredAuth:
		f.Answer(w, f.RequestID(), "80200005", codeText("80200005"))
	case fault.Kind == sandbox.FaultThrottle:
		f.FlowControl(w, fault.RetryAfter)
	case !digits.MatchString(fault.Code):
		f.failures(w, f.RequestID(), 0, map[string][]string{fault.Code: tokens})
	default:
		f.Answer(w, f.RequestID(), fault.Code, codeText(fault.Code))
	}
}

// push takes the tokens apart and delivers to the good ones.
func (f *fake) push(w http.ResponseWriter, account *Account, m *push, overQuota bool) {
	good := make([]string, 0, len(m.tokens))
	bad := map[string][]string{}
	for _, t := range m.tokens {
		switch {
		case f.Illegal(t):
			bad["tokenFormatError"] = append(bad["tokenFormatError"], t)
		case m.push.OnlyBadge && !slices.Contains(account.Categories, "IM"):
			bad["noRight"] = append(bad["noRight"], t)
		case m.pushType == "10" && !account.InAppCalls, m.pushType != "10" && m.pushType != "0":
			bad["noPushTypeRight"] = append(bad["noPushTypeRight"], t)
		default:
			good = append(good, t)
		}
	}
	f.Core.Refuse("harmony", len(m.tokens)-len(good))
	id := f.RequestID()
	p := m.push
	p.Vendor, p.App, p.VendorID = "harmony", account.ProjectID, id
	marketing := m.pushType == "0" && !p.OnlyBadge && !slices.Contains(account.Categories, p.Class)
	if marketing {
		p.Class = "MARKETING"
	}
	if len(good) > 0 {
		f.Deliver(pushkit.Delivery{
			Push: p, Tokens: good, Marketing: marketing, Test: m.test, TestCap: testsADay, TestKey: account.ProjectID, OverQuota: overQuota,
			Receipt: pushkit.Receipt{BITag: m.biTag, App: account.ProjectID, RequestID: id, PushType: m.number()},
			To:      pushkit.ReceiptTarget{URL: account.ReceiptURL, User: account.ReceiptUser, Key: account.ReceiptKey, V2: true},
		})
	}
	if len(bad) == 0 {
		f.Answer(w, id, "80000000", "Success")
		return
	}
	f.failures(w, id, len(good), bad)
}

// failures answers that some tokens, or all, failed. A reason stands between blanks where others
// succeeded, as in the documentation's own sample.
func (f *fake) failures(w http.ResponseWriter, id string, success int, bad map[string][]string) {
	f.partly(w, id, "80100000", success, bad)
}

// partly is failures where a partial success has a code of its own.
func (f *fake) partly(w http.ResponseWriter, id, partial string, success int, bad map[string][]string) {
	failure := 0
	named := map[string][]string{}
	for reason, tokens := range bad {
		failure += len(tokens)
		if success > 0 {
			reason = " " + reason + " "
		}
		named[reason] = tokens
	}
	msg := map[string]any{"failure": failure, "illegalTokens": named}
	code := "80300007"
	if success > 0 {
		msg["success"], code = success, partial
	}
	inner, _ := json.Marshal(msg) // strings and numbers always marshal
	f.Answer(w, id, code, string(inner))
}

// codeText is the published text of a code.
func codeText(code string) string {
	switch code {
	case "80100001":
		return "Check Parameter Error."
	case "80100004":
		return "Illegal expire time."
	case "80100020":
		return "Check Parameter Partial Success."
	case "80100022":
		return "Anti-Spam: image not verify."
	case "80200001":
		return "Authentication Error."
	case "80200005":
		return "Jwt token expired."
	case "80300002":
		return "No permission to send message to these tmIDs."
	case "80300007":
		return "All the tokens are invalid."
	case "80300008":
		return "Push message size is too long."
	case "80300010":
		return fmt.Sprintf("token count should within 1 and %d.", maxTokens)
	case "80300029":
		return "When send test message, the api request exceed limit."
	case "80300030":
		return "When send test message, token count exceed limit."
	case "80300032":
		return "No permission to revoke messages."
	case "80300036":
		return "JWT expire period over threshold."
	case "80300037":
		return "Disable send huawei msg because of penalty."
	case "81000001":
		return "Inner Error."
	}
	return strings.TrimSpace("armed fault " + code)
}
