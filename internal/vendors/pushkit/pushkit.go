// Package pushkit holds what the two generations of Huawei's Push Kit share, which packages huawei
// (HMS) and harmony (HarmonyOS 5 and later) speak: the form of an answer, the checks of their keys,
// and what is derived from a message. Requests, code tables and logins differ and stay with each.
package pushkit

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// The published numbers that both share, gathered in November 2026.
const (
	MaxTokens = 1000 // of one call
	MaxBytes  = 4096 // of the body without the tokens
	MinTTL    = time.Second
	MaxTTL    = 15 * 24 * time.Hour
	// MarketingCap is how many messages of class marketing a device shows a day; 5 for news apps
	// with the licence.
	MarketingCap = 2
)

// Codes of an answer that the drivers treat apart from their tables.
const (
	CodeSuccess    = "80000000"
	CodePartial    = "80100000"
	CodeAllInvalid = "80300007"
)

// answer is the body of every answer. The code is a string; a number is read as well.
type answer struct {
	Code      vendors.Loose   `json:"code"`
	Msg       json.RawMessage `json:"msg"`
	RequestID vendors.Loose   `json:"requestId"`
}

var (
	codeForm = regexp.MustCompile(`^[0-9]{1,12}$`)
	idForm   = regexp.MustCompile(`^[0-9A-Za-z._:-]{1,128}$`)
)

// IsCode says whether a text can be a code.
func IsCode(s string) bool { return codeForm.MatchString(s) }

// Verdict is what an answer says of the whole call, before the tokens that it names.
type Verdict struct {
	// Result is that of the answer's code.
	Result vendors.Result
	// Known says that the code is in the table, and Meaning what it means there. Where it is not
	// known, Result is final.
	Known   bool
	Meaning string
	// Accepted is the result of a device that was accepted by an answer of this HTTP status:
	// nothing but a 2xx is taken for an acceptance.
	Accepted vendors.Result
	// Details is the answer's msg: JSON where it names tokens, also where it came inside a string.
	Details []byte
}

// Read reads an answer by its code, whatever the HTTP status: which status comes with which code is
// not published. Only flow control is known by the status (503) alone. codes is the table of codes,
// statuses that of HTTP statuses, for answers without a readable code: a proxy's page, an empty
// 503.
func Read(resp vendors.Response, codes, statuses map[string]vendors.Code) Verdict {
	var a answer
	if json.Unmarshal(resp.Body, &a) != nil || !IsCode(string(a.Code)) || resp.Status == 503 {
		return Verdict{Result: byStatus(resp, statuses)}
	}
	v := Verdict{Result: vendors.Result{Reason: vendors.Unknown, Code: string(a.Code)}, Details: []byte(a.Msg)}
	if id := string(a.RequestID); idForm.MatchString(id) {
		v.Result.VendorID = id
	}
	row, known := codes[v.Result.Code]
	if !known {
		if resp.Status >= 500 {
			v.Result.Reason = vendors.Unavailable
		}
		v.Result.Err = errors.New("a code that is not in Huawei's table")
		return v
	}
	v.Known, v.Meaning = true, row.Meaning.EN
	v.Result.Reason, v.Result.Scope, v.Result.Doubtful = row.Reason, row.Scope, row.Doubtful
	v.Accepted = vendors.Result{Reason: vendors.Accepted, Code: CodeSuccess, VendorID: v.Result.VendorID}
	if ok := resp.Status >= 200 && resp.Status <= 299; !ok {
		v.Accepted = vendors.Result{Reason: vendors.Unknown, Code: v.Result.Code, VendorID: v.Result.VendorID, Err: errors.New("a success code under an HTTP error")}
	}
	var text string
	if json.Unmarshal(a.Msg, &text) == nil {
		v.Details = []byte(text)
	}
	return v
}

func byStatus(resp vendors.Response, statuses map[string]vendors.Code) vendors.Result {
	result := vendors.HTTPResult(resp)
	if result.Reason == vendors.Unavailable && resp.Status < 500 {
		return result // not Huawei's own answer
	}
	if row, ok := statuses["HTTP "+strconv.Itoa(resp.Status)]; ok {
		result.Reason, result.Err = row.Reason, errors.New(row.Meaning.EN)
	}
	return result
}

// StatusCodes is the table of HTTP statuses of messages:send, at a level of a vendor's table. keys
// are the keys of a certificate that are wrong where the path is.
func StatusCodes(level string, keys vendors.Bilingual) []vendors.Code {
	return []vendors.Code{
		{Code: "HTTP 400", Level: level, Reason: vendors.BadPayload, Meaning: vendors.Both("a parameter is wrong", "参数错误")},
		{Code: "HTTP 401", Level: level, Reason: vendors.AuthExpired, Meaning: vendors.Both("authentication failed", "鉴权失败")},
		{Code: "HTTP 404", Level: level, Reason: vendors.BadCredentials, Meaning: vendors.Both("no such path: "+keys.EN+" is wrong", "路径不存在："+keys.ZH+" 有误")},
		{Code: "HTTP 500", Level: level, Reason: vendors.Unavailable, Meaning: vendors.Both("internal error", "内部错误")},
		{Code: "HTTP 502", Level: level, Reason: vendors.Unavailable, Meaning: vendors.Both("connection problem", "连接异常")},
		{Code: "HTTP 503", Level: level, Reason: vendors.RateLimited, Meaning: vendors.Both(
			"flow control: too many devices a second, or the network is at its peak",
			"流量控制：每秒设备数过多，或全网处于高峰")},
	}
}

// Tokens lists the tokens of the devices, each once: Huawei would deliver a repeated one twice.
func Tokens(devices []vendors.Device) []string {
	tokens := make([]string, 0, len(devices))
	seen := make(map[string]struct{}, len(devices))
	for _, d := range devices {
		if _, twice := seen[d.Token]; !twice {
			seen[d.Token] = struct{}{}
			tokens = append(tokens, d.Token)
		}
	}
	return tokens
}

// BITag comes back in delivery receipts; empty where the certificate asks for none.
func BITag(c *vendors.Common, note *vendors.Notification) string {
	if c.Receipts == nil {
		return ""
	}
	return vendors.ReceiptKey(note)
}

// ReceiptID chooses the receipt configuration of AppGallery Connect; empty where the certificate
// asks for no receipts.
func ReceiptID(c *vendors.Common) string {
	if c.Receipts == nil {
		return ""
	}
	return c.Receipts.ID
}

// CheckReceipts finds receipts without the id of their configuration.
func CheckReceipts(is *vendors.Checks, c *vendors.Common) {
	is.Receipts(c, "Huawei", "id", "the address of the receipts is registered in AppGallery Connect > Push Kit > Configure > Receipt; give the id of that configuration")
}

// Foreign is the result of a code that means wrong credentials, or only the token of another app
// among those of the call. One device's word is that device's; a call of several is taken apart.
func Foreign(result vendors.Result, devices int) vendors.Result {
	result.Scope = vendors.ScopeDevice
	if devices > 1 {
		result.Scope, result.Split = vendors.ScopeCall, true
	}
	return result
}

// Categories.
const (
	Marketing = "MARKETING"
	PlayVoice = "PLAY_VOICE"
)

var categoryForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,31}$`)

// IsCategory says whether a text has the form of a category.
func IsCategory(s string) bool { return categoryForm.MatchString(s) }

// CheckCategories finds what cannot be a category of a notification. own are the certificate's
// categories by key; playVoice says what PLAY_VOICE is for.
func CheckCategories(is *vendors.Checks, own map[string]string, playVoice string) {
	for key, value := range own {
		switch {
		case value == "":
		case value == PlayVoice:
			is.Add(key, "PLAY_VOICE is for "+playVoice+" only", "use IM or VOIP")
		case !IsCategory(value):
			is.Add(key, "is not in upper case", "use IM, VOIP or another category of the console, letter by letter")
		}
	}
}

// CheckSizes finds limits of a request that are no limits.
func CheckSizes(is *vendors.Checks, title, body, bytes int) {
	is.Between("max_title", title, 1, 200, strconv.Itoa(DefaultTitle))
	is.NotNegative("max_body", body, strconv.Itoa(DefaultBody))
	is.Between("max_bytes", bytes, 2048, MaxBytes, strconv.Itoa(DefaultBytes))
}

// The limits where a certificate names none: code points of title and body, and bytes of a request.
const (
	DefaultTitle = 40
	DefaultBody  = 256
	DefaultBytes = 3800
)

// CategoryAdvice warns of categories that cap chat. unknown says what becomes of one that is not
// among the published.
func CategoryAdvice(own map[string]string, published []string, unknown string) []string {
	days := strconv.Itoa(MarketingCap)
	var advice []string
	for key, value := range own {
		switch {
		case value == Marketing:
			advice = append(advice, key+" MARKETING is capped: Huawei accepts but silently drops all after "+days+" messages a day to a device "+
				"(5 for licensed news apps); apply for the IM right and use IM")
		case value != "" && value != PlayVoice && IsCategory(value) && !slices.Contains(published, value):
			advice = append(advice, key+" "+value+" is none that Huawei publishes: it is "+unknown+", of which all after "+days+" messages "+
				"a day to a device (5 for licensed news apps) are silently dropped")
		}
	}
	slices.Sort(advice)
	return advice
}

// Class is that of a category. Whether the app has the right for the category is known to Huawei
// only. Communication has no published number; the former cap of 3,000 a device and day for all
// classes is no longer printed.
func Class(category string) vendors.Class {
	if category == Marketing {
		return vendors.Class{Name: "marketing", Capped: true, DeviceCap: MarketingCap}
	}
	return vendors.Class{Name: "communication"}
}
