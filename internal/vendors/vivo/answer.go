package vivo

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// answer is the body of every answer.
type answer struct {
	Result       vendors.Loose `json:"result"`
	Desc         vendors.Loose `json:"desc"`
	TaskID       vendors.Loose `json:"taskId"`
	AuthToken    vendors.Loose `json:"authToken"`
	InvalidUser  users         `json:"invalidUser"`
	InvalidUsers users         `json:"invalidUsers"`
}

// user is a device that vivo names. The name is a string, whatever some clients make of it.
type user struct {
	Status vendors.Loose `json:"status"`
	UserID vendors.Loose `json:"userid"`
}

// users reads one user as well as a list of them: a single push names invalidUser, a list push
// invalidUsers.
type users []user

func (u *users) UnmarshalJSON(data []byte) error {
	*u = nil
	var many []user
	if json.Unmarshal(data, &many) == nil {
		*u = many
		return nil
	}
	var one user
	if json.Unmarshal(data, &one) == nil && one != (user{}) {
		*u = users{one}
	}
	return nil // what is neither names nobody
}

var (
	codeForm = regexp.MustCompile(`^-?[0-9]{1,9}$`)
	idForm   = regexp.MustCompile(`^[0-9A-Za-z_:.-]{1,128}$`)
)

// read gives the answer, or the result that an answer without a readable result stands for.
func read(resp vendors.Response) (answer, vendors.Result) {
	var a answer
	if resp.Status < 200 || resp.Status > 299 || json.Unmarshal(resp.Body, &a) != nil || !codeForm.MatchString(string(a.Result)) {
		return answer{}, vendors.HTTPResult(resp)
	}
	if !idForm.MatchString(string(a.TaskID)) {
		a.TaskID = ""
	}
	return a, vendors.Result{Reason: vendors.Accepted}
}

// Prepared reads the taskId of a stored content.
func (p *protocol) Prepared(resp vendors.Response, batch vendors.Batch) (handle string, result vendors.Result) {
	a, result := read(resp)
	if result.Reason != vendors.Accepted {
		return "", result
	}
	if result = p.pushResult(a, batch); result.Reason == vendors.Accepted && result.VendorID == "" {
		return "", vendors.Result{Reason: vendors.Unavailable, Code: codeOK, Err: errors.New("the answer to saveListPayload has no taskId")}
	}
	return result.VendorID, result
}

// Interpret reads the answer to a push. Neither HTTP 200 nor the result 0 of a list push means by
// itself that each device was accepted.
func (p *protocol) Interpret(resp vendors.Response, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	a, result := read(resp)
	if result.Reason != vendors.Accepted {
		return vendors.All(n, result)
	}
	result = p.pushResult(a, batch)
	if n > 1 {
		result.VendorID = batch.Prepared
	}
	named := map[string]vendors.Loose{}
	for _, u := range append(a.InvalidUser, a.InvalidUsers...) {
		named[string(u.UserID)] = u.Status
	}
	if code := string(a.Result); code == codeBadDevice || code == codeUnshowable {
		if n == 1 && len(a.InvalidUser) == 1 { // it is this device, whatever id the answer has
			return []vendors.Result{p.deviceResult(result, a.InvalidUser[0].Status)}
		}
		if n > 1 {
			// vivo does not document how it answers a list of dead tokens only, so the code of a
			// whole list cannot be trusted for each device.
			result.Reason, result.ProbeSingly = vendors.Unknown, true
		}
	}
	results := vendors.All(n, result)
	for i, d := range batch.Devices {
		if status, ok := named[d.Token]; ok {
			results[i] = p.deviceResult(result, status)
		}
	}
	return results
}

// pushResult is the result that the answer gives for a whole push. A class that the message chose
// for itself is the message's fault, and the certificate's own that of all its messages.
func (p *protocol) pushResult(a answer, batch vendors.Batch) vendors.Result {
	r := p.callResult(a)
	if r.Reason != vendors.BadCredentials || r.Code != codeCategory && r.Code != codePair {
		return r
	}
	class, category := p.c.resolve(batch.Devices[0].Notification)
	if own, ownCategory := p.c.resolve(&vendors.Notification{}); class != own || category != ownCategory {
		r.Reason, r.Scope = vendors.Refused, vendors.ScopeNotification
	}
	return r
}

// callResult is the result that the answer gives for the whole call.
func (p *protocol) callResult(a answer) vendors.Result {
	code := string(a.Result)
	row, known := p.codes[code]
	result := vendors.Result{Reason: cmp.Or(row.Reason, vendors.Unknown), Scope: row.Scope, Doubtful: row.Doubtful, Code: code}
	switch {
	case row.Reason == vendors.Accepted && known:
		result.VendorID = string(a.TaskID)
		return result
	case !known && strings.Contains(string(a.Desc), "requestId") && strings.Contains(string(a.Desc), "重复"):
		// vivo documents that a repeated requestId is dropped, but no code for it: the first push
		// with it was taken.
		return vendors.Result{Reason: vendors.Accepted, Code: code, VendorID: string(a.TaskID)}
	case !known:
		result.Err = errors.New("a code that is not in vivo's table")
		return result
	}
	result.Err = errors.New(row.Meaning.EN)
	result.Rephrase = code == codeTestText || code == codeTestText2
	if code == codeBadDevice && p.c.TestMode {
		// Every device outside the test set gets this code: in test mode no registration is given
		// up for it.
		result.Reason = vendors.NotDisplayed
	}
	return result
}

// deviceResult is the result that a status gives for one device.
func (p *protocol) deviceResult(call vendors.Result, status vendors.Loose) vendors.Result {
	result := vendors.Result{Reason: vendors.Unknown, Code: codeBadDevice, VendorID: call.VendorID, Err: errors.New("a device status that is not in vivo's table")}
	if !codeForm.MatchString(string(status)) {
		return result
	}
	result.Code += "/" + string(status)
	if row, ok := p.users[string(status)]; ok {
		result.Reason, result.Doubtful, result.Err = row.Reason, row.Doubtful, errors.New(row.Meaning.EN)
		if p.c.TestMode {
			result.Reason = vendors.NotDisplayed
		}
	}
	return result
}

// InterpretToken reads the authToken. The answer names no lifetime; see [tokenLife].
func (p *protocol) InterpretToken(resp vendors.Response, now time.Time) (vendors.AccessToken, vendors.Result) {
	a, result := read(resp)
	if result.Reason == vendors.Accepted {
		if result = p.callResult(a); result.Reason == vendors.Accepted {
			if a.AuthToken == "" {
				return vendors.AccessToken{}, vendors.Result{Reason: vendors.Unavailable, Code: result.Code, Err: errors.New("the login gave no authToken")}
			}
			return vendors.AccessToken{Value: string(a.AuthToken), Expires: now.Add(tokenLife)}, vendors.Result{Reason: vendors.Accepted}
		}
	}
	result.Rephrase = false
	switch result.Reason {
	case vendors.RateLimited, vendors.Unavailable, vendors.QuotaSpent:
	default: // nothing of a message is in a login, and there is no older token: the account is refused
		result.Reason = vendors.BadCredentials
	}
	if result.Err == nil {
		result.Err = errors.New("vivo refuses the login: " + http.StatusText(resp.Status))
	}
	return vendors.AccessToken{}, result
}
