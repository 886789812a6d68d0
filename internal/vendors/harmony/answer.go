package harmony

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// answer is the body of every answer. The code is a string; a number is read as well.
type answer struct {
	Code      vendors.Loose   `json:"code"`
	Msg       json.RawMessage `json:"msg"`
	RequestID vendors.Loose   `json:"requestId"`
}

// failures is what msg holds, as JSON inside the string, when tokens were refused: an object keyed
// by reason, where v1 has a list.
type failures struct {
	IllegalTokens map[string][]string `json:"illegalTokens"`
}

const (
	codeSuccess    = "80000000"
	codePartial    = "80100000"
	codeImage      = "80100022"
	codeAllInvalid = "80300007"

	reasonNoRight = "noRight"
	reasonImage   = "differentImgVerifyPolicy"
)

// manyNoRight is from how many tokens on a call that fails with noRight for all of them means a
// wrong project rather than so many phones that were upgraded.
const manyNoRight = 10

var (
	codeForm = regexp.MustCompile(`^[0-9]{1,12}$`)
	idForm   = regexp.MustCompile(`^[0-9A-Za-z._:-]{1,128}$`)
)

// Interpret reads the answer by its code, whatever the HTTP status: which status comes with which
// code is not published. Only flow control is known by the status (503) alone, and nothing but a
// 2xx is taken for an acceptance.
func (p *protocol) Interpret(resp vendors.Response, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	var a answer
	if json.Unmarshal(resp.Body, &a) != nil || !codeForm.MatchString(string(a.Code)) || resp.Status == 503 {
		return vendors.All(n, p.byStatus(resp))
	}
	result := vendors.Result{Reason: vendors.Unknown, Code: string(a.Code)}
	if id := string(a.RequestID); idForm.MatchString(id) {
		result.VendorID = id
	}
	row, known := p.codes[result.Code]
	if !known {
		if resp.Status >= 500 {
			result.Reason = vendors.Unavailable
		}
		result.Err = errors.New("a code that is not in Huawei's table")
		return vendors.All(n, result)
	}
	result.Reason = row.Reason
	accepted := vendors.Result{Reason: vendors.Accepted, Code: codeSuccess, VendorID: result.VendorID}
	if ok := resp.Status >= 200 && resp.Status <= 299; !ok {
		accepted = vendors.Result{Reason: vendors.Unknown, Code: result.Code, VendorID: result.VendorID, Err: errors.New("a success code under an HTTP error")}
	}
	switch result.Code {
	case codeSuccess:
		return vendors.All(n, accepted)
	case codePartial:
		return p.partial(a.Msg, result, accepted, batch)
	case codeAllInvalid:
		return p.allInvalid(a.Msg, result, batch)
	case codeImage:
		result.Rephrase = !batch.Generic
	}
	result.Err = errors.New(row.Meaning)
	return vendors.All(n, result)
}

// reasons returns the reason of each failed token, or nil if msg contains none. In the documented
// sample there are blanks around a reason.
func reasons(msg json.RawMessage) map[string]string {
	inner := []byte(msg)
	var text string
	if json.Unmarshal(msg, &text) == nil {
		inner = []byte(text)
	}
	var f failures
	if json.Unmarshal(inner, &f) != nil {
		return nil
	}
	byToken := map[string]string{}
	for reason, tokens := range f.IllegalTokens {
		for _, t := range tokens {
			byToken[t] = strings.TrimSpace(reason)
		}
	}
	return byToken
}

// failed is the result of a token that failed for a reason.
func (p *protocol) failed(base vendors.Result, reason string, generic bool) vendors.Result {
	row, known := p.devices[reason]
	if !known {
		base.Reason, base.Err = vendors.Unknown, errors.New("a reason that is not in Huawei's table")
		return base
	}
	base.Code += "/" + reason
	base.Reason, base.Err = row.Reason, errors.New(row.Meaning)
	base.Rephrase = reason == reasonImage && !generic
	return base
}

// partial takes a partial success apart, token by token. Others of the same call were accepted, so
// project and key are in order and what failed is the device's own matter.
func (p *protocol) partial(msg json.RawMessage, base, accepted vendors.Result, batch vendors.Batch) []vendors.Result {
	why := reasons(msg)
	results := make([]vendors.Result, len(batch.Devices))
	found := false
	for i, d := range batch.Devices {
		reason, bad := why[d.Token]
		if !bad {
			results[i] = accepted
			continue
		}
		found = true
		results[i] = p.failed(base, reason, batch.Generic)
		if results[i].Reason == vendors.BadCredentials {
			results[i].Reason = vendors.Refused
		}
	}
	if !found {
		// Some of them failed, and nobody knows which. A repeat is not shown again.
		base.Reason, base.Err = vendors.Unknown, errors.New("a partial success that does not say for whom")
		return vendors.All(len(results), base)
	}
	return results
}

// allInvalid reads why every token failed. If the answer has no reasons, a single token counts as
// dead, and several are probed, because a project that is set up wrongly gets the same code. For
// this reason too, no registration is dropped if the reason of all tokens is noRight.
func (p *protocol) allInvalid(msg json.RawMessage, base vendors.Result, batch vendors.Batch) []vendors.Result {
	why := reasons(msg)
	tokens := unique(batch.Devices)
	strangers := 0
	for _, t := range tokens {
		if why[t] == reasonNoRight {
			strangers++
		}
	}
	results := make([]vendors.Result, len(batch.Devices))
	for i, d := range batch.Devices {
		reason, told := why[d.Token]
		switch {
		case !told && len(tokens) == 1:
			results[i] = base
			results[i].Reason, results[i].Err = vendors.BadToken, errors.New("the token is invalid")
		case !told:
			results[i] = base
			results[i].Reason, results[i].ProbeSingly, results[i].Err = vendors.Unknown, true, errors.New("all tokens are called invalid without a reason")
		default:
			results[i] = p.failed(base, reason, batch.Generic)
			if reason == reasonNoRight {
				results[i].Reason = vendors.NotDisplayed
				if strangers == len(tokens) && strangers >= manyNoRight {
					results[i].Reason = vendors.BadCredentials
				}
			}
		}
	}
	return results
}

// byStatus is for answers without a readable code: a proxy's page, an empty 503.
func (p *protocol) byStatus(resp vendors.Response) vendors.Result {
	result := vendors.HTTPResult(resp)
	if row, ok := p.statuses["HTTP "+strconv.Itoa(resp.Status)]; ok {
		result.Reason, result.Err = row.Reason, errors.New(row.Meaning)
	}
	return result
}
