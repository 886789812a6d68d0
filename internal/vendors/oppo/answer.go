package oppo

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

const (
	codeOK          = "0"
	codeDuplicate   = "32"
	codeTemplate    = "54"
	codeCategory    = "67"
	codeBadToken    = "10000"
	codeOptedOut    = "10001"
	codeDoubled     = "10004"
	codeDoubleAlias = "10005"
)

// Codes of the API itself lie in this range; those that are not in the table blame the request.
const firstOwnCode, lastOwnCode = 10000, 20000

var (
	codeForm = regexp.MustCompile(`^-?[0-9]{1,9}$`)
	idForm   = regexp.MustCompile(`^[0-9A-Za-z._:-]{1,128}$`)
)

// item is one device's part of an answer; errorCode is a number or text, and absent for an accepted
// message.
type item struct {
	MessageID vendors.Loose `json:"messageId"`
	Token     vendors.Loose `json:"registrationId"`
	ErrorCode vendors.Loose `json:"errorCode"`
}

// read finds code and data in an answer; the code is empty where there is none. A body that is a
// JSON string of the answer was seen once.
func read(body []byte) (code string, data json.RawMessage) {
	var quoted string
	if json.Unmarshal(body, &quoted) == nil {
		body = []byte(quoted)
	}
	var a struct {
		Code vendors.Loose   `json:"code"`
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &a) != nil || !codeForm.MatchString(string(a.Code)) {
		return "", nil
	}
	return string(a.Code), a.Data
}

// Interpret reads the answer by its code; HTTP 200 is the normal status of all of them. Failures of
// single devices hide under code 0. The code of a call for several is taken for each of them only
// where it must be true of all.
func (p *protocol) Interpret(resp vendors.Response, batch vendors.Batch) []vendors.Result {
	code, data := read(resp.Body)
	ok := resp.Status >= 200 && resp.Status <= 299
	switch {
	case code == "", code == codeOK && !ok:
		return batch.Whole(vendors.HTTPResult(resp))
	case code == codeOK:
		return p.perDevice(data, batch)
	}
	result := p.judge(code, batch.Devices[0], batch)
	if !ok && (result.Reason == vendors.Accepted || result.Reason == vendors.Unknown) {
		result.Reason, result.Scope = vendors.HTTPResult(resp).Reason, vendors.ScopeUnsaid
	}
	for _, d := range batch.Devices[1:] {
		if other := p.judge(code, d, batch); other.Reason != result.Reason || code == codeTemplate && !batch.Same() {
			result.Scope = vendors.ScopeNotification // some chose a category or template for themselves, or a text is at fault
		}
	}
	return batch.Whole(result)
}

// judge is what a code means for one device.
func (p *protocol) judge(code string, d vendors.Device, batch vendors.Batch) vendors.Result {
	row, known := p.codes[code]
	if !known {
		r := vendors.Result{Reason: vendors.Unknown, Code: code, Err: errors.New("a code that is not in OPPO's table")}
		if n, err := strconv.Atoi(code); err == nil && n >= firstOwnCode && n <= lastOwnCode {
			r.Reason = vendors.BadPayload
		}
		return r
	}
	r := row.Result()
	n := d.Notification
	switch code {
	case codeTemplate:
		t, own := p.c.template(n)
		switch {
		case own || len(n.Android.OPPOTitleParams)+len(n.Android.OPPOContentParams) > 0:
			// the message chose it, and the certificate must not be parked for it
			r.Reason, r.Scope = vendors.Refused, vendors.ScopeNotification
		case t.ID == "" && p.c.Templates.none():
			r.Scope = vendors.ScopeCertificate // without any template nothing can pass
		}
	case codeCategory:
		plain := &vendors.Notification{}
		if p.c.category(n) != p.c.category(nil) || p.c.notifyLevel(n) != p.c.notifyLevel(plain) {
			r.Reason, r.Scope = vendors.Refused, vendors.ScopeNotification
		}
	case codeDoubled, codeDoubleAlias:
		if doubled(d.Token, batch) {
			// two messages for one device met in a call: the other one comes later
			r.Reason = vendors.Unknown
		}
	}
	return r
}

// none says that no kind of message has a template of its own.
func (t *Templates) none() bool { return t.C2C.ID+t.Group.ID+t.Call.ID+t.Mention.ID == "" }

func doubled(token string, batch vendors.Batch) bool {
	n := 0
	for _, d := range batch.Devices {
		if d.Token == token {
			n++
		}
	}
	return n > 1
}

// perDevice takes a success apart. data has an element for each message, matched by token and not
// by order; without an array nothing is known of single devices, and code 0 holds for all.
func (p *protocol) perDevice(data json.RawMessage, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	var items []item
	if json.Unmarshal(data, &items) != nil || len(items) == 0 {
		accepted := vendors.Result{Reason: vendors.Accepted, Code: codeOK}
		var single item // unicast answers an object
		if json.Unmarshal(data, &single) == nil && n == 1 {
			return []vendors.Result{p.byItem(single, batch.Devices[0], batch)}
		}
		return vendors.All(n, accepted)
	}
	named := map[string][]item{}
	var nameless []item
	for _, it := range items {
		if it.Token == "" {
			nameless = append(nameless, it)
			continue
		}
		key := strings.ToLower(string(it.Token))
		named[key] = append(named[key], it)
	}
	results := make([]vendors.Result, n)
	var missing []int
	for i, d := range batch.Devices {
		key := strings.ToLower(d.Token)
		switch mine := named[key]; len(mine) {
		case 0:
			missing = append(missing, i)
		default:
			results[i] = p.byItem(mine[0], d, batch)
			if len(mine) > 1 { // a token that stands twice in the call, in order
				named[key] = mine[1:]
			}
		}
	}
	for k, i := range missing {
		if len(missing) == len(nameless) {
			results[i] = p.byItem(nameless[k], batch.Devices[i], batch)
			continue
		}
		// a repeat is safe
		results[i] = vendors.Result{Reason: vendors.Unknown, Code: codeOK, Err: errors.New("the answer does not name this device")}
	}
	return results
}

func (p *protocol) byItem(it item, d vendors.Device, batch vendors.Batch) vendors.Result {
	code := string(it.ErrorCode)
	switch {
	case code == "" || code == codeOK:
		r := vendors.Result{Reason: vendors.Accepted, Code: codeOK}
		if idForm.MatchString(string(it.MessageID)) {
			r.VendorID = string(it.MessageID)
		}
		return r
	case !codeForm.MatchString(code):
		return vendors.Result{Reason: vendors.Unknown, Code: "?", Err: errors.New("an errorCode that is no code")}
	}
	return p.judge(code, d, batch)
}
