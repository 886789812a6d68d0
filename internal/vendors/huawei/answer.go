package huawei

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// answer is the body of every answer. The code is a string; a number is read as well.
type answer struct {
	Code      vendors.Loose   `json:"code"`
	Msg       json.RawMessage `json:"msg"`
	RequestID vendors.Loose   `json:"requestId"`
}

// partial is what msg holds, as JSON inside the string, when some tokens were refused.
type partial struct {
	Success       int      `json:"success"`
	Failure       int      `json:"failure"`
	IllegalTokens []string `json:"illegal_tokens"`
}

const (
	codeSuccess    = "80000000"
	codePartial    = "80100000"
	codeSensitive  = "80100016"
	codeAllInvalid = "80300007"
)

var (
	codeForm = regexp.MustCompile(`^[0-9]{1,12}$`)
	idForm   = regexp.MustCompile(`^[0-9A-Za-z._:-]{1,128}$`)
)

// Interpret reads the answer by its code, whatever the HTTP status: which status comes with which
// code is not published. Only flow control is known by the status (503) alone, and nothing but a
// 2xx is taken for an acceptance.
func (p *protocol) Interpret(resp vendors.Response, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	code, a := read(resp.Body)
	if code == "" || resp.Status == 503 {
		return vendors.All(n, p.byStatus(resp))
	}
	result := vendors.Result{Reason: vendors.Unknown, Code: code}
	if id := string(a.RequestID); idForm.MatchString(id) {
		result.VendorID = id
	}
	row, known := p.codes[code]
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
		accepted = vendors.Result{Reason: vendors.Unknown, Code: code, VendorID: result.VendorID, Err: errors.New("a success code under an HTTP error")}
	}
	switch code {
	case codeSuccess:
		return vendors.All(n, accepted)
	case codePartial:
		return part(a.Msg, result, accepted, batch)
	case codeAllInvalid:
		result.Err = errors.New(row.Meaning)
		if len(unique(batch.Devices)) > 1 {
			// The same code means that the app or project is set up wrongly: sending to a few
			// single devices shows which of the two it is.
			result.Reason, result.ProbeSingly = vendors.Unknown, true
		}
	case codeSensitive:
		result.Err, result.Rephrase = errors.New(row.Meaning), !batch.Generic
	default:
		result.Err = errors.New(row.Meaning)
	}
	return vendors.All(n, result)
}

// part takes a partial success apart, token by token: the tokens it names are dead, the rest went
// out and must not be sent again.
func part(msg json.RawMessage, bad, accepted vendors.Result, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	var p partial
	inner := []byte(msg)
	var text string
	if json.Unmarshal(msg, &text) == nil {
		inner = []byte(text)
	}
	err := json.Unmarshal(inner, &p)
	illegal := make(map[string]struct{}, len(p.IllegalTokens))
	for _, t := range p.IllegalTokens {
		illegal[t] = struct{}{}
	}
	bad.Reason, bad.Err = vendors.BadToken, errors.New("named among the illegal tokens")
	results := make([]vendors.Result, n)
	found := false
	for i, d := range batch.Devices {
		results[i] = accepted
		if _, is := illegal[d.Token]; is {
			results[i], found = bad, true
		}
	}
	if err != nil || !found {
		// Some of them failed, and nobody knows which. A repeat replaces itself on the screen.
		return vendors.All(n, vendors.Result{Reason: vendors.Unknown, Code: bad.Code, VendorID: bad.VendorID, Err: errors.New("a partial success that does not say for whom")})
	}
	return results
}

// read finds the code in an answer; "" where there is none.
func read(body []byte) (string, answer) {
	var a answer
	if json.Unmarshal(body, &a) != nil || !codeForm.MatchString(string(a.Code)) {
		return "", answer{}
	}
	return string(a.Code), a
}

// byStatus is for answers without a readable code: a proxy's page, an empty 503.
func (p *protocol) byStatus(resp vendors.Response) vendors.Result {
	result := vendors.HTTPResult(resp)
	if row, ok := p.statuses["HTTP "+strconv.Itoa(resp.Status)]; ok {
		result.Reason, result.Err = row.Reason, errors.New(row.Meaning)
	}
	return result
}
