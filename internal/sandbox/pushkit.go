package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// pushKit is what both generations of Huawei's Push Kit have in common: the form of an answer, the
// daily caps that only receipts tell of, and the receipts.
type pushKit struct {
	core     *Core
	vendor   string
	receipts *receipts

	mu       sync.Mutex
	requests int64
	day      string
	sent     map[string]int // of day: what counts, by app and token
}

func newPushKit(core *Core, vendor string) *pushKit {
	return &pushKit{core: core, vendor: vendor, receipts: newReceipts(core.Now), sent: map[string]int{}}
}

// Caps a day, as published in November 2026.
const (
	pushKitMarketingCap = 2    // messages of class marketing to one device
	pushKitDeviceCap    = 3000 // messages of all classes to one device
)

// Statuses in receipts.
const (
	receiptDelivered = 0
	receiptDeviceCap = 102
	receiptSceneCap  = 256
)

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

// count counts one more of what today and says how many there are.
func (k *pushKit) count(what string) int {
	today := k.core.Now().In(shanghai).Format(time.DateOnly)
	k.mu.Lock()
	defer k.mu.Unlock()
	if today != k.day || len(k.sent) > 2_000_000 { // a busy benchmark must not grow for ever
		k.day = today
		clear(k.sent)
	}
	k.sent[what]++
	return k.sent[what]
}

// requestID is as opaque as the vendor's.
func (k *pushKit) requestID() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests++
	return fmt.Sprintf("%d%012d", k.core.Now().UnixMilli(), k.requests)
}

// answer writes code, msg and requestId, all of them strings.
func (k *pushKit) answer(w http.ResponseWriter, id, code, msg string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(pushKitStatus(code))
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "msg": msg, "requestId": id})
}

// broken answers a request that broke a rule.
func (k *pushKit) broken(w http.ResponseWriter, code, msg, rule string) {
	k.core.Violate(k.vendor, code, rule)
	k.answer(w, k.requestID(), code, msg)
}

// flowControl is 503 with a body that is no JSON.
func (k *pushKit) flowControl(w http.ResponseWriter, retryAfter float64) {
	if retryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(retryAfter)))
	}
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte("<html><body>Service Unavailable</body></html>"))
}

// pushKitStatus is the HTTP status of a code. Which goes with which is not published; this is what
// the general table of statuses suggests.
func pushKitStatus(code string) int {
	switch {
	case code == "80000000", code == "80100000":
		return http.StatusOK
	case strings.HasPrefix(code, "802"):
		return http.StatusUnauthorized
	case strings.HasPrefix(code, "81"):
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// strike uses up a fault that is armed for the whole call, or for one of its tokens.
func (k *pushKit) strike(tokens []string, kinds ...string) (Fault, bool) {
	if f, struck := k.core.Strike(k.vendor, "", kinds...); struck {
		return f, true
	}
	for _, t := range tokens {
		if f, struck := k.core.Strike(k.vendor, t, kinds...); struck {
			return f, true
		}
	}
	return Fault{}, false
}

// illegal reports whether the vendor refuses the token: dead, struck by a fault, or no token at
// all.
func (k *pushKit) illegal(token string) bool {
	if _, dead := k.core.Dead(k.vendor, token); dead {
		return true
	}
	if _, struck := k.core.Strike(k.vendor, token, FaultDeadToken, FaultPartial); struck {
		return true
	}
	return token == "" || len(token) > 4096 || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// delivery is one push to many tokens, after all checks.
type delivery struct {
	push      Push // without Token
	tokens    []string
	marketing bool
	test      bool
	testCap   int    // pushes of this app and day, when test is set
	testKey   string // what testCap counts
	overQuota bool   // the fault: everything is dropped
	receipt   receipt
	to        receiptTarget
}

// deliver hands the push to every phone, or drops it without a word where a cap is reached: only a
// receipt tells.
func (k *pushKit) deliver(d delivery) {
	testOver := d.test && k.count("test\x00"+d.testKey) > d.testCap
	for _, token := range d.tokens {
		device := d.push.App + "\x00" + token
		status := receiptDelivered
		switch {
		case d.overQuota:
			status = receiptDeviceCap
		case testOver:
			status = receiptSceneCap
		case d.test:
		case d.marketing && k.count("marketing\x00"+device) > pushKitMarketingCap:
			status = receiptSceneCap
		case k.count("all\x00"+device) > pushKitDeviceCap:
			status = receiptDeviceCap
		}
		if status == receiptDelivered {
			p := d.push
			p.Token = token
			k.core.Accept(p)
		} else {
			k.core.Refuse(k.vendor, 1)
		}
		r := d.receipt
		r.token, r.status = token, status
		k.receipts.add(d.to, r)
	}
}
