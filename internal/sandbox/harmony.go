package sandbox

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// HarmonyAccount is an account that the fake of harmony knows.
type HarmonyAccount struct {
	// ProjectID, KeyID and SubAccount are of the service account whose public key is Key.
	ProjectID, KeyID, SubAccount string
	Key                          *rsa.PublicKey
	// Categories are those that the self-classification right was granted for.
	Categories []string
	// InAppCalls is the right for push-type 10.
	InAppCalls bool
	// ReceiptURL takes delivery receipts (format V2), signed where ReceiptUser and ReceiptKey are
	// set. Empty: none.
	ReceiptURL, ReceiptUser, ReceiptKey string
}

// harmony plays Push Kit v3 (HarmonyOS 5 and later): the rules of the REST API's documentation.
type harmony struct {
	*pushKit
	accounts []HarmonyAccount
}

const (
	harmonyMaxBytes   = 4096
	harmonyMaxTokens  = 1000
	harmonyTestTokens = 10
	harmonyTestsADay  = 1000
)

func newHarmony(core *Core, accounts []HarmonyAccount) *harmony {
	return &harmony{pushKit: newPushKit(core, "harmony"), accounts: accounts}
}

func (f *harmony) pushes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/v3/{project}/messages:send": f.send}
}

func (f *harmony) logins() map[string]http.HandlerFunc { return nil }

// send is messages:send.
func (f *harmony) send(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		f.core.Violate("harmony", "HTTP 405", "messages:send takes POST only")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	account, broken := f.authorized(r)
	if broken != nil {
		f.broken(w, broken.code, pushKitText(broken.code), broken.tip)
		return
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		f.broken(w, "80100001", pushKitText("80100001"), "Content-Type must be application/json")
		return
	}
	pushType := r.Header.Get("push-type")
	if !slices.Contains([]string{"0", "1", "2", "6", "7", "10"}, pushType) {
		f.broken(w, "80100003", "Illegal payload, The header does not contain valid push-type", "the header push-type must be 0, 1, 2, 6, 7 or 10")
		return
	}
	m, broken := readHarmony(r.Body, pushType)
	if broken != nil {
		text := pushKitText(broken.code)
		if broken.code == "80100003" {
			text = "Illegal payload, " + broken.tip
		}
		f.broken(w, broken.code, text, broken.tip)
		return
	}
	if fault, struck := f.strike(m.tokens, FaultExpiredAuth, FaultThrottle, FaultCode); struck {
		f.trouble(w, m.tokens, fault)
		return
	}
	_, overQuota := f.strike(m.tokens, FaultQuota)
	f.push(w, account, m, overQuota)
}

var pushKitDigits = regexp.MustCompile(`^[0-9]+$`)

// trouble answers an armed fault that concerns the whole call. A code that is no number is a
// reason, and all tokens fail for it.
func (f *harmony) trouble(w http.ResponseWriter, tokens []string, fault Fault) {
	f.core.Refuse("harmony", len(tokens))
	switch {
	case fault.Kind == FaultExpiredAuth:
		f.answer(w, f.requestID(), "80200005", pushKitText("80200005"))
	case fault.Kind == FaultThrottle:
		f.flowControl(w, fault.RetryAfter)
	case !pushKitDigits.MatchString(fault.Code):
		f.failures(w, f.requestID(), 0, map[string][]string{fault.Code: tokens})
	default:
		f.answer(w, f.requestID(), fault.Code, pushKitText(fault.Code))
	}
}

// push takes the tokens apart and delivers to the good ones.
func (f *harmony) push(w http.ResponseWriter, account *HarmonyAccount, m *harmonyPush, overQuota bool) {
	good := make([]string, 0, len(m.tokens))
	bad := map[string][]string{}
	for _, t := range m.tokens {
		switch {
		case f.illegal(t):
			bad["tokenFormatError"] = append(bad["tokenFormatError"], t)
		case m.pushType == "10" && !account.InAppCalls, m.pushType != "10" && m.pushType != "0":
			bad["noPushTypeRight"] = append(bad["noPushTypeRight"], t)
		default:
			good = append(good, t)
		}
	}
	f.core.Refuse("harmony", len(m.tokens)-len(good))
	id := f.requestID()
	p := m.push
	p.Vendor, p.App, p.VendorID = "harmony", account.ProjectID, id
	marketing := m.pushType == "0" && !slices.Contains(account.Categories, p.Class)
	if marketing {
		p.Class = "MARKETING"
	}
	if len(good) > 0 {
		f.deliver(delivery{
			push: p, tokens: good, marketing: marketing, test: m.test, testCap: harmonyTestsADay, testKey: account.ProjectID, overQuota: overQuota,
			receipt: receipt{biTag: m.biTag, app: account.ProjectID, requestID: id, pushType: m.number()},
			to:      receiptTarget{url: account.ReceiptURL, user: account.ReceiptUser, key: account.ReceiptKey, v2: true},
		})
	}
	if len(bad) == 0 {
		f.answer(w, id, "80000000", "Success")
		return
	}
	f.failures(w, id, len(good), bad)
}

// failures answers that some tokens, or all, failed. A reason stands between blanks where others
// succeeded, as in the documentation's own sample.
func (f *harmony) failures(w http.ResponseWriter, id string, success int, bad map[string][]string) {
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
		msg["success"], code = success, "80100000"
	}
	inner, _ := json.Marshal(msg) // strings and numbers always marshal
	f.answer(w, id, code, string(inner))
}

// pushKitText is the published text of a code.
func pushKitText(code string) string {
	switch code {
	case "80100001":
		return "Check Parameter Error."
	case "80100004":
		return "Illegal expire time."
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
		return fmt.Sprintf("token count should within 1 and %d.", harmonyMaxTokens)
	case "80300029":
		return "When send test message, the api request exceed limit."
	case "80300030":
		return "When send test message, token count exceed limit."
	case "80300036":
		return "JWT expire period over threshold."
	case "80300037":
		return "Disable send huawei msg because of penalty."
	case "81000001":
		return "Inner Error."
	}
	return strings.TrimSpace("armed fault " + code)
}
