package meizu

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// answer is the body of every answer. value changes its type: a map of codes to pushIds after a
// push, "" after an error, and other things elsewhere.
type answer struct {
	Code  vendors.Loose   `json:"code"`
	Value json.RawMessage `json:"value"`
	MsgID vendors.Loose   `json:"msgId"`
}

// targets are pushIds: a list, or one alone.
type targets []string

func (t *targets) UnmarshalJSON(data []byte) error {
	var many []vendors.Loose
	if json.Unmarshal(data, &many) == nil {
		for _, one := range many {
			*t = append(*t, string(one))
		}
		return nil
	}
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = strings.Split(one, ",")
	}
	return nil // what is neither names nobody
}

var (
	codeForm = regexp.MustCompile(`^-?[0-9]{1,9}$`)
	idForm   = regexp.MustCompile(`^[0-9A-Za-z_:.-]{1,128}$`)
)

// Interpret reads the answer: the code for all, and under code 200 value for those that failed.
func (p *protocol) Interpret(resp vendors.Response, batch vendors.Batch) []vendors.Result {
	results := p.read(resp, batch)
	for i, d := range batch.Devices {
		if !sendable(d.Token) {
			results[i] = vendors.Result{Reason: vendors.BadToken, Err: errors.New("a registration whose token can be no pushId; it was not sent")}
		}
	}
	return results
}

func (p *protocol) read(resp vendors.Response, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	var a answer
	if resp.Status < 200 || resp.Status > 299 || json.Unmarshal(resp.Body, &a) != nil || !codeForm.MatchString(string(a.Code)) {
		return vendors.All(n, vendors.HTTPResult(resp))
	}
	result := vendors.Result{Reason: vendors.Unknown, Code: string(a.Code)}
	if idForm.MatchString(string(a.MsgID)) {
		result.VendorID = string(a.MsgID)
	}
	row, known := p.codes[result.Code]
	switch {
	case !known:
		result.Err = errors.New("a code that is not in Meizu's table")
		return vendors.All(n, result)
	case row.Reason == vendors.BadToken && n > 1:
		// The code is about the whole call: probing shows whether it is true of each device.
		result.ProbeSingly, result.Err = true, errors.New(row.Meaning.EN)
		return vendors.All(n, result)
	case row.Reason != vendors.Accepted:
		result.Reason, result.Scope, result.Doubtful, result.Err = row.Reason, row.Scope, row.Doubtful, errors.New(row.Meaning.EN)
		return vendors.All(n, result)
	}
	failed, ok := failures(a.Value)
	if !ok {
		result.Reason, result.Err = vendors.Unavailable, errors.New("an answer whose value cannot be read: nobody knows which pushIds failed")
		return vendors.All(n, result)
	}
	result.Reason = vendors.Accepted
	results := vendors.All(n, result)
	for i, d := range batch.Devices {
		if code, ok := failed[d.Token]; ok {
			results[i] = p.target(code, result.VendorID)
		}
	}
	return results
}

// failures gives the code of each pushId that value names. A value that names none may be {}, "" or
// absent.
func failures(value json.RawMessage) (failed map[string]string, ok bool) {
	var empty string
	if len(value) == 0 || string(value) == "null" || json.Unmarshal(value, &empty) == nil && empty == "" {
		return nil, true
	}
	var byCode map[string]targets
	if json.Unmarshal(value, &byCode) != nil {
		return nil, false
	}
	failed = map[string]string{}
	for code, ids := range byCode {
		for _, id := range ids {
			// A device named twice keeps the smallest code, so that an answer has one meaning
			// whatever the order of a map.
			if had, twice := failed[id]; !twice || code < had {
				failed[id] = code
			}
		}
	}
	return failed, true
}

// target is the result that a code gives for one device.
func (p *protocol) target(code, msgID string) vendors.Result {
	result := vendors.Result{Reason: vendors.Unknown, VendorID: msgID, Err: errors.New("a code of a device that is not in Meizu's table")}
	if codeForm.MatchString(code) {
		result.Code = code
	}
	if row, ok := p.targets[code]; ok {
		result.Reason, result.Scope, result.Doubtful, result.Err = row.Reason, row.Scope, row.Doubtful, errors.New(row.Meaning.EN)
	}
	return result
}
