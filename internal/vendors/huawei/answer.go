package huawei

import (
	"encoding/json"
	"errors"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// partial is what msg holds, as JSON inside the string, when some tokens were refused.
type partial struct {
	Success       int      `json:"success"`
	Failure       int      `json:"failure"`
	IllegalTokens []string `json:"illegal_tokens"`
}

const (
	codeSensitive = "80100016"
	codeNoRight   = "80300002"
)

// Interpret reads the answer by its code, and the tokens that it names.
func (p *protocol) Interpret(resp vendors.Response, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	v := pushkit.Read(resp, p.codes, p.statuses)
	result := v.Result
	if !v.Known {
		return vendors.All(n, result)
	}
	result.Err = errors.New(v.Meaning)
	switch result.Code {
	case pushkit.CodeSuccess:
		return vendors.All(n, v.Accepted)
	case pushkit.CodePartial:
		return part(v.Details, v.Result, v.Accepted, batch)
	case pushkit.CodeAllInvalid:
		if len(pushkit.Tokens(batch.Devices)) > 1 {
			// The same code means that the app or project is set up wrongly: sending to a few
			// single devices shows which of the two it is.
			result.Reason, result.ProbeSingly = vendors.Unknown, true
		}
	case codeNoRight:
		result = pushkit.Foreign(result, len(pushkit.Tokens(batch.Devices)))
	case codeSensitive:
		result.Rephrase = !batch.Generic
	}
	return vendors.All(n, result)
}

// part takes a partial success apart, token by token: the tokens it names are dead, the rest went
// out and must not be sent again.
func part(details []byte, bad, accepted vendors.Result, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	var p partial
	err := json.Unmarshal(details, &p)
	illegal := make(map[string]struct{}, len(p.IllegalTokens))
	for _, t := range p.IllegalTokens {
		illegal[t] = struct{}{}
	}
	// Others of the call were accepted, so app and project are in order.
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
