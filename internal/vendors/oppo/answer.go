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
// single devices hide under code 0.
func (p *protocol) Interpret(resp vendors.Response, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	code, data := read(resp.Body)
	ok := resp.Status >= 200 && resp.Status <= 299
	switch {
	case code == "", code == codeOK && !ok:
		return vendors.All(n, vendors.HTTPResult(resp))
	case code == codeOK:
		return p.perDevice(data, batch)
	}
	results := make([]vendors.Result, n)
	for i, d := range batch.Devices {
		results[i] = p.judge(code, d, batch)
		if !ok && (results[i].Reason == vendors.Accepted || results[i].Reason == vendors.Unknown) {
			results[i].Reason = vendors.HTTPResult(resp).Reason
		}
	}
	if n == 1 {
		return results
	}
	switch code {
	case codeBadToken, codeOptedOut:
		// Some of the tokens are meant, but the answer does not say which: probing shows it.
		for i := range results {
			results[i].Reason, results[i].ProbeSingly = vendors.Unknown, true
		}
	case codeDuplicate:
		for i := range results { // of some, perhaps: a repeat is safe, a lost push is not
			results[i].Reason = vendors.Unknown
		}
	}
	return apart(results)
}

// apart keeps messages that chose a category or a template for themselves from deciding about the
// others of their call: where the verdicts differ, those that are not refused are tried again in
// other company.
func apart(results []vendors.Result) []vendors.Result {
	differ := false
	for _, r := range results {
		differ = differ || r.Reason != results[0].Reason
	}
	for i := range results {
		if differ && results[i].Reason != vendors.Refused {
			results[i].Reason = vendors.Unknown
		}
	}
	return results
}

// judge is what a code means for one device.
func (p *protocol) judge(code string, d vendors.Device, batch vendors.Batch) vendors.Result {
	r := vendors.Result{Reason: vendors.Unknown, Code: code}
	row, known := p.codes[code]
	if !known {
		r.Err = errors.New("a code that is not in OPPO's table")
		if n, err := strconv.Atoi(code); err == nil && n >= firstOwnCode && n <= lastOwnCode {
			r.Reason = vendors.BadPayload
		}
		return r
	}
	r.Reason, r.Err = row.Reason, errors.New(row.Meaning)
	switch code {
	case codeTemplate:
		// Without any template nothing of this certificate can pass; with one, its values are at
		// fault.
		if id, _ := p.c.templateID(d.Notification); id == "" {
			r.Reason = vendors.BadCredentials
		}
	case codeCategory:
		plain := &vendors.Notification{}
		if p.c.category(d.Notification) != p.c.category(nil) || p.c.notifyLevel(d.Notification) != p.c.notifyLevel(plain) {
			// the message chose it, and the certificate must not be parked for it
			r.Reason = vendors.Refused
		}
	case codeDoubled, codeDoubleAlias:
		if doubled(d.Token, batch) {
			// two messages for one device met in a call: the other one comes later
			r.Reason = vendors.Unknown
		}
	}
	return r
}

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
