package harmony

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// failures is what msg holds, as JSON inside the string, when tokens were refused: an object keyed
// by reason, where v1 has a list.
type failures struct {
	IllegalTokens map[string][]string `json:"illegalTokens"`
}

const (
	codeImage   = "80100022"
	codeNoRight = "80300002"
	// of messages:revoke
	codeRevokedPartly = "80100020"

	reasonNoRight = "noRight"
	reasonImage   = "differentImgVerifyPolicy"
)

// manyNoRight is from how many tokens on a call that fails with noRight for all of them means a
// wrong project rather than so many phones that were upgraded.
const manyNoRight = 10

// Interpret reads the answer by its code, and the reasons of the tokens that it names.
func (p *protocol) Interpret(resp vendors.Response, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	v := pushkit.Read(resp, p.codes, p.statuses)
	result := v.Result
	if !v.Known {
		return vendors.All(n, result)
	}
	switch result.Code {
	case pushkit.CodeSuccess:
		if batch.Generic {
			v.Accepted.Note = vendors.NoteImageDropped // which is all that Generic means here
		}
		return vendors.All(n, v.Accepted)
	case pushkit.CodePartial:
		return p.partial(v.Details, result, v.Accepted, batch)
	case pushkit.CodeAllInvalid:
		return p.allInvalid(v.Details, result, batch)
	case codeNoRight:
		result = pushkit.Foreign(result, len(pushkit.Tokens(batch.Devices)))
	case codeImage:
		result.Rephrase = !batch.Generic
	}
	result.Err = errors.New(v.Meaning)
	return vendors.All(n, result)
}

// reasons returns the reason of each failed token, or nil where there is none. In the documented
// sample there are blanks around a reason.
func reasons(details []byte) map[string]string {
	var f failures
	if json.Unmarshal(details, &f) != nil {
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
	base.Reason, base.Scope, base.Doubtful, base.Err = row.Reason, row.Scope, row.Doubtful, errors.New(row.Meaning.EN)
	base.Rephrase = reason == reasonImage && !generic
	return base
}

// partial takes a partial success apart, token by token. Others of the same call were accepted, so
// project and key are in order and what failed is the device's own matter.
func (p *protocol) partial(details []byte, base, accepted vendors.Result, batch vendors.Batch) []vendors.Result {
	why := reasons(details)
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
// dead, and several are probed, because a project that is set up wrongly gets the same code.
func (p *protocol) allInvalid(details []byte, base vendors.Result, batch vendors.Batch) []vendors.Result {
	why := reasons(details)
	tokens := pushkit.Tokens(batch.Devices)
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
				if strangers == len(tokens) && strangers >= manyNoRight {
					results[i].Reason, results[i].Scope = vendors.BadCredentials, vendors.ScopeCertificate
				}
			}
		}
	}
	return results
}
