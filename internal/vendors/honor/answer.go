package honor

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// answer is the body of every answer. data may be null on errors, and its lists absent.
type answer struct {
	Code    vendors.Loose `json:"code"`
	Message vendors.Loose `json:"message"`
	Data    data          `json:"data"`
}

type data struct {
	SendResult   vendors.Loose `json:"sendResult"`
	RequestID    vendors.Loose `json:"requestId"`
	FailTokens   names         `json:"failTokens"`
	ExpireTokens names         `json:"expireTokens"`
}

// UnmarshalJSON takes null and whatever is no object for nothing.
func (d *data) UnmarshalJSON(text []byte) error {
	type plain data
	var p plain
	if json.Unmarshal(text, &p) == nil {
		*d = data(p)
	}
	return nil
}

// names are tokens; what is no list of them names nobody.
type names []string

func (n *names) UnmarshalJSON(text []byte) error {
	var many []vendors.Loose
	if json.Unmarshal(text, &many) == nil {
		for _, one := range many {
			*n = append(*n, string(one))
		}
	}
	return nil
}

var requestIDForm = regexp.MustCompile(`^[0-9A-Za-z_:.-]{1,128}$`)

// Interpret reads the answer: a reason for all, and those of the tokens that data names, whatever
// the code.
func (p *protocol) Interpret(resp vendors.Response, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	var a answer
	readable := json.Unmarshal(resp.Body, &a) == nil && (codeForm.MatchString(string(a.Code)) || a.Code == "" && a.Data.SendResult != "")
	switch {
	case resp.Status < 200 || resp.Status > 299:
		return vendors.All(n, p.byStatus(resp, a))
	case !readable:
		return vendors.All(n, vendors.HTTPResult(resp))
	}
	result := p.byCode(a)
	if requestIDForm.MatchString(string(a.Data.RequestID)) {
		result.VendorID = string(a.Data.RequestID)
	}
	results := vendors.All(n, result)
	failed, expired := set(a.Data.FailTokens), set(a.Data.ExpireTokens)
	for i, d := range batch.Devices {
		if expired[d.Token] {
			results[i] = p.named("expireTokens", result)
		} else if failed[d.Token] && result.Reason == vendors.Accepted {
			results[i] = p.named("failTokens", result)
		}
	}
	return results
}

func (p *protocol) named(list string, result vendors.Result) vendors.Result {
	row := p.lists[list]
	named := row.Result()
	named.VendorID = result.VendorID
	return named
}

// byStatus is the result of an HTTP status that means failure. A code that is in the table is more
// precise than the status and is preferred.
func (p *protocol) byStatus(resp vendors.Response, a answer) vendors.Result {
	result := vendors.HTTPResult(resp)
	if result.Reason == vendors.Unavailable && resp.Status < 500 {
		return result // not Honor's own answer
	}
	if row, ok := p.http[result.Code]; ok {
		result.Reason, result.Scope, result.Err = row.Reason, row.Scope, errors.New(row.Meaning.EN)
	}
	code := string(a.Code)
	if !codeForm.MatchString(code) {
		return result
	}
	result.Code = code
	if row, ok := p.codes[code]; ok && row.Reason != vendors.Unknown && !slices.Contains(p.success, code) {
		result.Reason, result.Err = row.Reason, errors.New(row.Meaning.EN)
	}
	return result
}

// byCode is the result that the answer's code gives for the whole call, before its lists of tokens.
func (p *protocol) byCode(a answer) vendors.Result {
	code := string(a.Code)
	result := vendors.Result{Reason: vendors.Unknown, Code: code}
	row, known := p.codes[code]
	nobody := len(a.Data.FailTokens) == 0 && len(a.Data.ExpireTokens) == 0
	switch {
	case slices.Contains(p.success, code):
		result.Reason = vendors.Accepted
		if a.Data.SendResult == "false" && nobody {
			// Success for none that it names, failure for all: the sources have no such answer.
			result.Reason, result.Err = vendors.Unknown, errors.New("a code of success with sendResult false, naming no token")
		}
	case known && row.Reason != vendors.Unknown:
		result.Reason, result.Err = row.Reason, errors.New(row.Meaning.EN)
	case a.Data.SendResult == "true" && len(a.Data.FailTokens) == 0:
		// the code stays in the result, to be named under success_codes
		result.Reason = vendors.Accepted
	case known:
		result.Err = errors.New(row.Meaning.EN)
	default:
		result.Reason = guess(string(a.Message))
		result.Err = errors.New("a code that is not in the table: give it a reason under codes")
	}
	return result
}

// guess reads the message of a code that nobody knows, as far as it leaves no doubt. A message
// about a token may mean the access token or a device's: only the first is guessed, since a wrong
// guess at the other would cost registrations.
func guess(message string) vendors.Reason {
	m := strings.ToLower(message)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(m, word) })
	}
	switch {
	case has("access token", "access_token", "accesstoken") && has("expire", "invalid"):
		return vendors.AuthExpired
	case has("parameter", "param ", "format"):
		return vendors.BadPayload
	case has("flow control", "frequency", "too fast", "too many requests", "rate limit"):
		return vendors.RateLimited
	default:
		return vendors.Unknown
	}
}

func set(tokens []string) map[string]bool {
	m := make(map[string]bool, len(tokens))
	for _, t := range tokens {
		m[t] = true
	}
	return m
}

// grant is the answer of the token endpoint, a token or an error.
type grant struct {
	AccessToken vendors.Loose `json:"access_token"`
	ExpiresIn   vendors.Loose `json:"expires_in"`
	Error       vendors.Loose `json:"error"`
}

// defaultLifetime is that of Honor's samples.
const defaultLifetime = time.Hour

var errorForm = regexp.MustCompile(`^[a-z_]{1,40}$`)

// InterpretToken reads the token. An error may come under HTTP 200 as well.
func (p *protocol) InterpretToken(resp vendors.Response, now time.Time) (vendors.AccessToken, vendors.Result) {
	var g grant
	readable := json.Unmarshal(resp.Body, &g) == nil
	if ok := resp.Status >= 200 && resp.Status <= 299; ok && readable && g.Error == "" && g.AccessToken != "" {
		return vendors.AccessToken{Value: string(g.AccessToken), Expires: now.Add(vendors.Lifetime(g.ExpiresIn, defaultLifetime))}, vendors.Result{Reason: vendors.Accepted}
	}
	result := vendors.LoginResult(resp)
	if readable && errorForm.MatchString(string(g.Error)) {
		result.Code = string(g.Error)
		if resp.Status < http.StatusInternalServerError && resp.Status != http.StatusTooManyRequests {
			result.Reason = vendors.BadCredentials
		}
	}
	result.Err = errors.New("the token endpoint gave no token")
	if result.Reason == vendors.BadCredentials {
		result.Err = errors.New("the token endpoint refuses client_id and client_secret")
	}
	return vendors.AccessToken{}, result
}
