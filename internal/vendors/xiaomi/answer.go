package xiaomi

import (
	"cmp"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// answer is the body of every answer. day_quota and day_acked in data are strings and nobody needs
// them here.
type answer struct {
	Result vendors.Loose   `json:"result"`
	Code   vendors.Loose   `json:"code"`
	Reason vendors.Loose   `json:"reason"`
	Data   json.RawMessage `json:"data"`
}

// data of an accepted call. encoding/json matches names without regard to case, so the spelling
// bad_regIds is read too.
type data struct {
	ID        vendors.Loose   `json:"id"`
	BadTokens json.RawMessage `json:"bad_regids"` // "a,b"
	Exceeded  vendors.Loose   `json:"channel_exceed_quota"`
}

const (
	codeOK         = "0"
	codeNoTargets  = "20301"
	codeBadDevice  = "10029"
	codeBadToken   = "66007"
	codeBadChannel = "27001"
	codeTemplate   = "10041"
	noValidTargets = "no valid targets"
	noChannel      = "no_channel"
)

var (
	codeForm = regexp.MustCompile(`^-?[0-9]{1,9}$`)
	idForm   = regexp.MustCompile(`^[0-9A-Za-z._:-]{1,128}$`)
)

// Interpret reads the answer by its code; HTTP 200 is the normal status of all of them. Nothing but
// a 2xx with code 0 and result "ok" is taken for an acceptance.
func (p *protocol) Interpret(resp vendors.Response, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	var a answer
	code := ""
	if json.Unmarshal(resp.Body, &a) == nil && codeForm.MatchString(string(a.Code)) {
		code = string(a.Code)
	}
	ok := resp.Status >= 200 && resp.Status <= 299
	switch {
	case code == "", code == codeOK && !ok:
		return batch.Whole(byStatus(resp))
	case code == codeOK && a.Result != "ok":
		return vendors.All(n, vendors.Result{Reason: vendors.Unknown, Code: code, Err: errors.New("code 0 without the result ok")})
	case code == codeOK:
		return p.accepted(a.Data, batch)
	}
	result := vendors.Result{Reason: vendors.Unknown, Code: code}
	row, known := p.codes[code]
	if !known {
		if !ok {
			result.Reason = byStatus(resp).Reason
		}
		result.Err = errors.New("a code that is not in Xiaomi's table")
		return batch.Whole(result)
	}
	result.Reason, result.Scope, result.Doubtful, result.Err = row.Reason, row.Scope, row.Doubtful, errors.New(row.Meaning.EN)
	switch code {
	case codeNoTargets:
		if strings.Contains(strings.ToLower(string(a.Reason)), noValidTargets) {
			// Every token of the call is meant.
			return vendors.All(n, vendors.Result{Reason: vendors.BadToken, Doubtful: true, Code: code, Err: errors.New("no valid targets")})
		}
	case codeBadChannel:
		if p.c.Channels != (Channels{}) {
			result.Scope = vendors.ScopeKind
		}
		return blame(result, batch, func(n *vendors.Notification) bool { return p.c.channel(n) != p.c.channelOf(n.Kind) })
	case codeTemplate:
		if !batch.Same() {
			result.Scope = vendors.ScopeNotification // a text may be at fault, too
		}
		return blame(result, batch, func(n *vendors.Notification) bool {
			_, own := p.c.template(n)
			return own || len(n.Android.XiaomiTemplateParams) > 0
		})
	}
	return batch.Whole(result)
}

// blame tells a message that chose a wrong channel or template for itself, which is refused, from
// the certificate's own, which keeps waiting until somebody mends it. Where one call has both, or
// several kinds of messages, smaller calls show who is meant.
func blame(result vendors.Result, batch vendors.Batch, own func(*vendors.Notification) bool) []vendors.Result {
	first := batch.Devices[0].Notification
	for _, d := range batch.Devices {
		if own(d.Notification) != own(first) || d.Notification.Kind != first.Kind {
			result.Scope = vendors.ScopeNotification
		}
	}
	if own(first) {
		result.Reason, result.Scope = vendors.Refused, vendors.ScopeNotification
	}
	return batch.Whole(result)
}

// accepted takes a success apart: bad_regids lists dead tokens, channel_exceed_quota the channels
// whose quota was over ("a:3 b:1").
func (p *protocol) accepted(raw json.RawMessage, batch vendors.Batch) []vendors.Result {
	var d data
	_ = json.Unmarshal(raw, &d) // data may be missing; then nothing is known of single devices
	good := vendors.Result{Reason: vendors.Accepted, Code: codeOK}
	if idForm.MatchString(string(d.ID)) {
		good.VendorID = string(d.ID)
	}
	results := vendors.All(len(batch.Devices), good)
	if d.Exceeded != "" {
		p.exceeded(string(d.Exceeded), batch, results)
	}
	bad := tokens(d.BadTokens)
	for i, device := range batch.Devices {
		if _, is := bad[target(device.Token)]; is {
			results[i] = vendors.Result{Reason: vendors.BadToken, Doubtful: true, Code: "bad_regids", Err: errors.New("named among the bad tokens")}
		}
	}
	return results
}

// exceeded marks the devices of the channels whose quota is over. The answer counts devices and
// does not name them: where only a part of a channel's devices was over, all are marked, because a
// repeat is dropped by the phone and a lost push is not.
func (p *protocol) exceeded(list string, batch vendors.Batch, results []vendors.Result) {
	over := map[string]bool{}
	for _, item := range strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == ',' || r == ';' }) {
		at := strings.LastIndexByte(item, ':')
		if at <= 0 {
			continue
		}
		if count, err := strconv.Atoi(item[at+1:]); err != nil || count > 0 {
			over[item[:at]] = true
		}
	}
	found := false
	for i, d := range batch.Devices {
		if over[cmp.Or(p.c.channel(d.Notification), noChannel)] {
			results[i] = vendors.Result{Reason: vendors.QuotaSpent, Code: "channel_exceed_quota", Err: errors.New("the quota of the channel is used up")}
			found = true
		}
	}
	if !found && len(over) > 0 {
		unknown := vendors.Result{Reason: vendors.Unknown, Code: "channel_exceed_quota", Err: errors.New("some channel's quota is used up, and none of this call is named")}
		copy(results, vendors.All(len(results), unknown))
	}
}

// tokens reads a list of tokens: one string split by commas, or an array.
func tokens(raw json.RawMessage) map[string]struct{} {
	var list []string
	var joined string
	if json.Unmarshal(raw, &joined) == nil {
		list = strings.Split(joined, ",")
	} else {
		_ = json.Unmarshal(raw, &list) // anything else names nobody
	}
	set := make(map[string]struct{}, len(list))
	for _, t := range list {
		if t = strings.TrimSpace(t); t != "" {
			set[t] = struct{}{}
		}
	}
	return set
}

// byStatus is for answers without a readable code. There is no access token that a 401 could call
// too old: the secret is wrong.
func byStatus(resp vendors.Response) vendors.Result {
	result := vendors.HTTPResult(resp)
	if result.Reason == vendors.AuthExpired {
		result.Reason, result.Err = vendors.BadCredentials, errors.New("the app secret is refused")
	}
	return result
}
