// Package pushkit holds what the fakes of both generations of Huawei's Push Kit share: the form of
// an answer, the daily caps that only receipts tell of, and the receipts.
package pushkit

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// Kit is one vendor's Push Kit in one sandbox. It may be used by many goroutines.
type Kit struct {
	// Core is the sandbox's.
	Core     *sandbox.Core
	vendor   string
	receipts *receipts

	mu       sync.Mutex
	requests int64
	day      string
	sent     map[string]int // of day: what counts, by app and token
}

// New returns the Push Kit of a vendor.
func New(core *sandbox.Core, vendor string) *Kit {
	return &Kit{Core: core, vendor: vendor, receipts: newReceipts(core.Now), sent: map[string]int{}}
}

// Caps a day, as published in November 2026.
const (
	marketingCap = 2    // messages of class marketing to one device
	deviceCap    = 3000 // messages of all classes to one device
)

// Statuses in receipts.
const (
	receiptDelivered = 0
	receiptDeviceCap = 102
	receiptSceneCap  = 256
)

// count counts one more of what today and says how many there are.
func (k *Kit) count(what string) int {
	today := k.Core.Now().In(sandbox.Shanghai).Format(time.DateOnly)
	k.mu.Lock()
	defer k.mu.Unlock()
	if today != k.day || len(k.sent) > 2_000_000 { // a busy benchmark must not grow for ever
		k.day = today
		clear(k.sent)
	}
	k.sent[what]++
	return k.sent[what]
}

// RequestID is as opaque as the vendor's.
func (k *Kit) RequestID() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests++
	return fmt.Sprintf("%d%012d", k.Core.Now().UnixMilli(), k.requests)
}

// Answer writes code, msg and requestId, all of them strings.
func (k *Kit) Answer(w http.ResponseWriter, id, code, msg string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status(code))
	_ = stdjson.NewEncoder(w).Encode(map[string]string{"code": code, "msg": msg, "requestId": id})
}

// Broken answers a request that broke a rule.
func (k *Kit) Broken(w http.ResponseWriter, code, msg, rule string) {
	k.Core.Violate(k.vendor, code, rule)
	k.Answer(w, k.RequestID(), code, msg)
}

// Wait returns when every receipt so far has been posted.
func (k *Kit) Wait() { k.receipts.Wait() }

// FlowControl is 503 with a body that is no JSON.
func (k *Kit) FlowControl(w http.ResponseWriter, retryAfter float64) {
	if retryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(retryAfter)))
	}
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte("<html><body>Service Unavailable</body></html>"))
}

// status is the HTTP status of a code. Which goes with which is not published; this is what
// the general table of statuses suggests.
func status(code string) int {
	switch {
	case code == "80000000", code == "80100000", code == "80100020":
		return http.StatusOK
	case strings.HasPrefix(code, "802"):
		return http.StatusUnauthorized
	case strings.HasPrefix(code, "81"):
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// Strike uses up a fault that is armed for the whole call, or for one of its tokens.
func (k *Kit) Strike(tokens []string, kinds ...string) (sandbox.Fault, bool) {
	if f, struck := k.Core.Strike(k.vendor, "", kinds...); struck {
		return f, true
	}
	for _, t := range tokens {
		if f, struck := k.Core.Strike(k.vendor, t, kinds...); struck {
			return f, true
		}
	}
	return sandbox.Fault{}, false
}

// Illegal reports whether the vendor refuses the token: dead, struck by a fault, or no token at
// all.
func (k *Kit) Illegal(token string) bool {
	if _, dead := k.Core.Dead(k.vendor, token); dead {
		return true
	}
	if _, struck := k.Core.Strike(k.vendor, token, sandbox.FaultDeadToken, sandbox.FaultPartial); struck {
		return true
	}
	return token == "" || len(token) > 4096 || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Delivery is one push to many tokens, after all checks.
type Delivery struct {
	Push      sandbox.Push // without Token
	Tokens    []string
	Marketing bool
	Test      bool
	TestCap   int    // pushes of this app and day, when Test is set
	TestKey   string // what TestCap counts
	OverQuota bool   // the fault: everything is dropped
	Receipt   Receipt
	To        ReceiptTarget
}

// Deliver hands the push to every phone, or drops it without a word where a cap is reached: only a
// receipt tells.
func (k *Kit) Deliver(d Delivery) {
	testOver := d.Test && k.count("test\x00"+d.TestKey) > d.TestCap
	for _, token := range d.Tokens {
		device := d.Push.App + "\x00" + token
		status := receiptDelivered
		switch {
		case d.OverQuota:
			status = receiptDeviceCap
		case testOver:
			status = receiptSceneCap
		case d.Test:
		case d.Marketing && k.count("marketing\x00"+device) > marketingCap:
			status = receiptSceneCap
		case k.count("all\x00"+device) > deviceCap:
			status = receiptDeviceCap
		}
		if status == receiptDelivered {
			p := d.Push
			p.Token = token
			k.Core.Accept(p)
		} else {
			k.Core.Refuse(k.vendor, 1)
		}
		r := d.Receipt
		r.token, r.status = token, status
		k.receipts.add(d.To, r)
	}
}

// BrokenRule is the first rule that a request broke, in words, and the code for it.
type BrokenRule struct{ Code, Tip string }

// Rule is a broken rule.
func Rule(code, tip string) *BrokenRule { return &BrokenRule{Code: code, Tip: tip} }

// Misread is the rule behind an error of the JSON library: a misspelt message or token has a code
// of its own.
func Misread(raw []byte, err error) *BrokenRule {
	if !stdjson.Valid(raw) {
		return Rule("80100003", "the body must be JSON")
	}
	at := ""
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		at = string(semantic.JSONPointer)
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		at = string(syntactic.JSONPointer)
	}
	if errors.Is(err, json.ErrUnknownName) {
		if deep := strings.Count(at, "/"); deep == 1 || deep == 2 && strings.HasPrefix(at, "/message/") {
			return Rule("80300010", "no such field: "+at)
		}
		return Rule("80100001", "no such field: "+at)
	}
	return Rule("80100001", "wrong type or repeated name: "+at)
}

// Ext is what the app gets of data on tap: the key "ext" where it is all there is, else the
// object.
func Ext(data string) (string, bool) {
	var object map[string]jsontext.Value
	if json.Unmarshal([]byte(data), &object) != nil || object == nil {
		return "", false
	}
	var ext string
	if len(object) == 1 && json.Unmarshal(object["ext"], &ext) == nil {
		return ext, true
	}
	return data, true
}
