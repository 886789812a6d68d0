package xiaomi

import "github.com/hongyan-im/hongyan/internal/vendors"

// codes is the table of codes, from Xiaomi's list of error codes and the official SDK's. What a
// code that is not here means nobody knows.
func codes() []vendors.Code {
	table := []vendors.Code{
		{Code: "0", Reason: vendors.Accepted, Meaning: "success; data may still name dead tokens (bad_regids) and spent channels (channel_exceed_quota)"},
		{Code: "-1", Reason: vendors.Unavailable, Meaning: "unknown error of the server"},
		{Code: "1", Reason: vendors.Unavailable, Meaning: "internal error"},
		{Code: "100", Reason: vendors.BadPayload, Meaning: "a parameter must not be empty"},

		{Code: "10001", Reason: vendors.Unavailable, Meaning: "system error"},
		{Code: "10002", Reason: vendors.Unavailable, Meaning: "service suspended or busy"},
		{Code: "10003", Reason: vendors.Unavailable, Meaning: "remote service error"},
		{Code: "10004", Reason: vendors.BadCredentials, Meaning: "this IP address may not use the API"},
		{Code: "10005", Reason: vendors.BadCredentials, Meaning: "the app key is not authorised for the API"},
		{Code: "10006", Reason: vendors.BadCredentials, Meaning: "the app key is missing"},
		{Code: "10007", Reason: vendors.BadPayload, Meaning: "unsupported MIME type"},
		{Code: "10008", Reason: vendors.BadPayload, Meaning: "parameter error"},
		{Code: "10009", Reason: vendors.Unavailable, Meaning: "system busy"},
		{Code: "10010", Reason: vendors.Unavailable, Meaning: "job time-out"},
		{Code: "10011", Reason: vendors.Unavailable, Meaning: "RPC error"},
		{Code: "10012", Reason: vendors.BadPayload, Meaning: "illegal request"},
		{Code: "10013", Reason: vendors.BadCredentials, Meaning: "illegal user"},
		{Code: "10014", Reason: vendors.BadCredentials, Meaning: "the app's access to the API is limited"},
		{Code: "10016", Reason: vendors.BadPayload, Meaning: "a required parameter is missing"},
		{Code: "10017", Reason: vendors.BadPayload, Meaning: "illegal value of a parameter"},
		{Code: "10018", Reason: vendors.BadPayload, Meaning: "the body is too long"},
		{Code: "10020", Reason: vendors.BadCredentials, Meaning: "API not found"},
		{Code: "10021", Reason: vendors.BadCredentials, Meaning: "HTTP method not supported"},
		{Code: "10022", Reason: vendors.RateLimited, Meaning: "too many requests from this IP address"},
		{Code: "10023", Reason: vendors.RateLimited, Meaning: "too many requests of this user"},
		{Code: "10024", Reason: vendors.RateLimited, Meaning: "too many requests of this user to this API"},
		{Code: "10025", Reason: vendors.BadPayload, Meaning: "illegal callback URL"},
		{Code: "10026", Reason: vendors.Refused, Meaning: "the app is on the blacklist and may not call the API: ask Xiaomi why"},
		{Code: "10027", Reason: vendors.RateLimited, Meaning: "the app calls the API too often"},
		{Code: "10028", Reason: vendors.RateLimited, Meaning: "the app calls too often in all"},
		{Code: codeBadDevice, Reason: vendors.BadToken, Uncertain: true, Meaning: "illegal device; in a call for several, some are probed alone"},
		{Code: "10030", Reason: vendors.RateLimited, Meaning: "invalid tokens are fetched too often"},
		{Code: "10031", Reason: vendors.Refused, Meaning: "the app is on the blacklist and may not send: ask Xiaomi why"},
		{Code: "10032", Reason: vendors.Unknown, Uncertain: true, Meaning: "in Xiaomi's list, text not known"},
		{Code: "10033", Reason: vendors.Unknown, Uncertain: true, Meaning: "in Xiaomi's list, text not known"},
		{Code: "10034", Reason: vendors.QuotaSpent, Meaning: "too many messages today"},
		{Code: "10035", Reason: vendors.Unknown, Uncertain: true, Meaning: "in Xiaomi's list, text not known"},
		{Code: "10036", Reason: vendors.BadCredentials, Meaning: "operation forbidden"},
		{Code: "10037", Reason: vendors.Unavailable, Meaning: "the request expired: a wrong clock or a slow network"},
		{Code: "10038", Reason: vendors.Refused, Meaning: "the trace API is forbidden; not an answer to a push"},
		{Code: "10039", Reason: vendors.RateLimited, Meaning: "the trace API is called too often"},
		{Code: codeTemplate, Reason: vendors.BadPayload, Uncertain: true, Meaning: "the template check refused the message"},

		{Code: "20209", Reason: vendors.BadPayload, Uncertain: true, Meaning: "about topics or targets, text not known"},
		{Code: "20215", Reason: vendors.BadPayload, Uncertain: true, Meaning: "about topics or targets, text not known"},
		{Code: "20216", Reason: vendors.BadPayload, Uncertain: true, Meaning: "about topics or targets, text not known"},
		{Code: codeNoTargets, Reason: vendors.BadPayload, Meaning: "sending failed; with the reason \"No valid targets!\" every token of the call is dead"},
		{Code: "20315", Reason: vendors.BadPayload, Uncertain: true, Meaning: "about topics or targets, text not known"},
		{Code: "20607", Reason: vendors.Unavailable, Meaning: "database error"},

		{Code: "21301", Reason: vendors.BadCredentials, Meaning: "authentication failed: wrong app_secret (it is the AppSecret, not the AppKey)"},
		{Code: "21302", Reason: vendors.BadCredentials, Meaning: "authentication of the token failed"},
		{Code: "21303", Reason: vendors.BadCredentials, Meaning: "restricted"},
		{Code: "21305", Reason: vendors.BadPayload, Meaning: "a required parameter is missing"},

		{Code: "22000", Reason: vendors.BadCredentials, Meaning: "illegal app"},
		{Code: "22001", Reason: vendors.BadCredentials, Meaning: "the app does not exist"},
		{Code: "22002", Reason: vendors.BadCredentials, Meaning: "the app was withdrawn"},
		{Code: "22003", Reason: vendors.BadCredentials, Meaning: "updating the app failed"},
		{Code: "22004", Reason: vendors.BadCredentials, Meaning: "the app's data is missing"},
		{Code: "22005", Reason: vendors.BadCredentials, Meaning: "illegal app name"},
		{Code: "22006", Reason: vendors.BadCredentials, Meaning: "illegal app id"},
		{Code: "22007", Reason: vendors.BadCredentials, Meaning: "illegal app key"},
		{Code: "22008", Reason: vendors.BadCredentials, Meaning: "illegal app secret"},
		{Code: "22020", Reason: vendors.BadCredentials, Meaning: "illegal app description"},
		{Code: "22021", Reason: vendors.BadCredentials, Meaning: "the user did not authorise the app"},
		{Code: "22022", Reason: vendors.BadCredentials, Meaning: "the package name does not belong to the app secret"},
		{Code: "22100", Reason: vendors.BadPayload, Meaning: "illegal format of the notification"},
		{Code: "22101", Reason: vendors.RateLimited, Meaning: "too many notifications"},
		{Code: "22102", Reason: vendors.Unavailable, Meaning: "sending the notification failed"},
		{Code: "22103", Reason: vendors.BadPayload, Meaning: "illegal notify_id"},

		{Code: "26003", Reason: vendors.Unavailable, Meaning: "internal call error"},
		{Code: "26004", Reason: vendors.RateLimited, Meaning: "broadcasts too often"},
		{Code: "26005", Reason: vendors.BadCredentials, Uncertain: true, Meaning: "in Xiaomi's list, text not known"},
		{Code: "26006", Reason: vendors.BadCredentials, Meaning: "needs review in the console"},
		{Code: codeBadChannel, Reason: vendors.BadCredentials, Meaning: "the channel is missing, not approved or another app's; refused where the message named it"},

		{Code: "65003", Reason: vendors.NotDisplayed, Uncertain: true, Meaning: "device not found, usually offline for long; no proof that the token is dead"},
		{Code: "65009", Reason: vendors.BadPayload, Meaning: "a parameter of the message is wrong"},
		{Code: "65011", Reason: vendors.BadPayload, Meaning: "title or description is empty"},
		{Code: "65014", Reason: vendors.BadPayload, Meaning: "a parameter of the message is wrong"},
		{Code: "65015", Reason: vendors.BadPayload, Meaning: "a parameter of the message is wrong"},
		{Code: "65029", Reason: vendors.Unavailable, Meaning: "temporary trouble of the server"},
		{Code: "65030", Reason: vendors.BadPayload, Meaning: "a parameter of the message is wrong"},
		{Code: "65036", Reason: vendors.BadPayload, Meaning: "callback.param is too long"},
		{Code: "65037", Reason: vendors.BadPayload, Meaning: "the callback URL is too long"},
		{Code: "65038", Reason: vendors.BadPayload, Meaning: "illegal callback URL"},
		{Code: codeBadToken, Reason: vendors.BadToken, Uncertain: true, Meaning: "invalid token; in a call for several, some are probed alone"},
		{Code: "200001", Reason: vendors.QuotaSpent, Meaning: "the day's quota of the class is used up"},
		{Code: "200002", Reason: vendors.RateLimited, Meaning: "the app's requests per second are exceeded"},
	}
	for _, code := range []string{
		"65006", "65007", "65008", "65010", "65012", "65013", "65016", "65017", "65028", "65035", "65040", "65041",
	} {
		table = append(table, vendors.Code{Code: code, Reason: vendors.BadPayload, Uncertain: true, Meaning: "in Xiaomi's list, text not known"})
	}
	return table
}
