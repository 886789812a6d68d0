package huawei

import (
	"fmt"
	"slices"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// Levels of the code table besides the result code of messages:send, which has none.
const (
	levelHTTP  = "http"  // the HTTP status of messages:send where the body holds no code
	levelOAuth = "oauth" // the token endpoint: "error/sub_error", or the HTTP status
)

// codes is the whole table. The codes 100 to 111 and 8000000x of older lists belong to the retired
// NSP API and cannot come here.
func codes() []vendors.Code {
	table := slices.Concat([]vendors.Code{
		{Code: pushkit.CodeSuccess, Reason: vendors.Accepted, Meaning: "accepted, which is not delivered: quotas and switched-off notifications show up in receipts only"},
		{Code: pushkit.CodePartial, Reason: vendors.BadToken, Meaning: "some tokens are illegal, msg names them; the others were accepted"},
		{Code: "80100001", Reason: vendors.BadPayload, Meaning: "a parameter is wrong"},
		{Code: "80100002", Reason: vendors.BadPayload, Meaning: "a sync or system message takes one token (older versions)"},
		{Code: "80100003", Reason: vendors.BadPayload, Meaning: "the message's structure is wrong"},
		{Code: "80100004", Reason: vendors.BadPayload, Meaning: "the expiry lies in the past"},
		{Code: "80100013", Reason: vendors.BadPayload, Meaning: "collapse_key is illegal"},
		{Code: codeSensitive, Reason: vendors.Refused, Meaning: "the text holds sensitive words; it is sent once more in its generic form"},
		{Code: "80100017", Reason: vendors.RateLimited, Meaning: "more than 100 topic tasks at a time"},
		{Code: "80100018", Reason: vendors.BadPayload, Meaning: "the review's signature does not match the body"},
		{Code: "80200001", Reason: vendors.AuthExpired, Meaning: "authentication failed; where a fresh access token is refused too, app_id, app_secret or project_id do not belong together"},
		{Code: "80200003", Reason: vendors.AuthExpired, Meaning: "the access token expired"},
		{Code: "80200005", Reason: vendors.AuthExpired, Meaning: "the JWT expired"},
		{Code: codeNoRight, Reason: vendors.BadCredentials, Scope: vendors.ScopeDevice, Meaning: "the app may not push: Push Kit is off, the id in the path is wrong, or the right for overseas is missing; " +
			"or the token is of another app, so that it parks the certificate only where many devices get it and none is accepted"},
		{Code: pushkit.CodeAllInvalid, Reason: vendors.BadToken, Doubtful: true, Meaning: "all tokens are invalid; believed of a single token, probed where there are several"},
		{Code: "80300008", Reason: vendors.BadPayload, Meaning: "the body is longer than 4096 bytes"},
		{Code: "80300010", Reason: vendors.BadPayload, Meaning: "no token, too many, or message or token misspelt"},
		{Code: "80300011", Reason: vendors.Refused, Meaning: "no right for pass-through messages of urgency HIGH"},
		{Code: "80300013", Reason: vendors.BadCredentials, Meaning: "the receipt address or its certificate is wrong"},
		{Code: "80600003", Reason: vendors.AuthExpired, Meaning: "Huawei could not check the access token; where a fresh one fails too, check app_id and app_secret"},
		{Code: "81000001", Reason: vendors.Unavailable, Meaning: "internal error"},
	}, pushkit.StatusCodes(levelHTTP, "endpoint, app_id or project_id"), []vendors.Code{
		{Code: "1101/12304", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: "app_secret is wrong"},
		{Code: "1101/20002", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: "app_id is not 1 to 64 digits"},
		{Code: "1101/20003", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: "app_id does not exist"},
		{Code: "1101/20171", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: "app_secret is empty"},
		{Code: "HTTP 400", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: "a parameter is wrong"},
		{Code: "HTTP 403", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: "forbidden"},
		{Code: "HTTP 404", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: "no such path: token_endpoint is wrong"},
		{Code: "HTTP 405", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: "wrong method: token_endpoint is wrong"},
		{Code: "HTTP 500", Level: levelOAuth, Reason: vendors.Unavailable, Meaning: "internal error"},
		{Code: "HTTP 502", Level: levelOAuth, Reason: vendors.Unavailable, Meaning: "connection problem"},
		{Code: "HTTP 503", Level: levelOAuth, Reason: vendors.RateLimited, Meaning: "flow control: more than 1,000 tokens for an app in five minutes"},
		{Code: "HTTP 504", Level: levelOAuth, Reason: vendors.Unavailable, Meaning: "gateway timeout"},
		{Code: "HTTP 590", Level: levelOAuth, Reason: vendors.Unavailable, Meaning: "internal error"},
	})
	for i := range 13 {
		table = append(table, vendors.Code{
			Code: fmt.Sprintf("820000%02d", i+1), Reason: vendors.BadPayload, Meaning: "topic API only: a group, topic or token list is wrong",
		})
	}
	return table
}
