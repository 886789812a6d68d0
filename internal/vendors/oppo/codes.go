package oppo

import "github.com/hongyan-im/hongyan/internal/vendors"

// codes is the table of codes, the same for a whole answer and for the errorCode of a device, from
// OPPO's list of return codes and the official SDK's.
func codes() []vendors.Code {
	return []vendors.Code{
		{Code: "-2", Reason: vendors.RateLimited, Meaning: "the service is in flow control"},
		{Code: "-1", Reason: vendors.Unavailable, Meaning: "the service is currently unavailable"},
		{Code: codeOK, Reason: vendors.Accepted, Meaning: "success; each device still has its own errorCode"},
		{Code: "11", Reason: vendors.AuthExpired, Meaning: "invalid auth_token: wrong or expired"},
		{Code: "12", Reason: vendors.BadCredentials, Meaning: "HTTP method not allowed"},
		{Code: "13", Reason: vendors.RateLimited, Meaning: "the app's calls are limited"},
		{Code: "14", Reason: vendors.BadCredentials, Meaning: "invalid app_key"},
		{Code: "15", Reason: vendors.BadCredentials, Meaning: "app_key is missing"},
		{Code: "16", Reason: vendors.BadCredentials, Meaning: "invalid sign: is master_secret the MasterSecret, not the AppSecret?"},
		{Code: "17", Reason: vendors.BadCredentials, Meaning: "sign is missing"},
		{Code: "18", Reason: vendors.BadCredentials, Meaning: "timestamp is missing"},
		{Code: "19", Reason: vendors.BadCredentials, Meaning: "invalid timestamp: this machine's clock is wrong by more than ten minutes"},
		{Code: "20", Reason: vendors.BadCredentials, Meaning: "invalid method"},
		{Code: "21", Reason: vendors.BadCredentials, Meaning: "method is missing"},
		{Code: "22", Reason: vendors.BadCredentials, Meaning: "version is missing"},
		{Code: "23", Reason: vendors.BadCredentials, Meaning: "invalid version"},
		{Code: "24", Reason: vendors.BadCredentials, Meaning: "unsupported version"},
		{Code: "25", Reason: vendors.BadPayload, Meaning: "invalid encoding, not UTF-8"},
		{Code: "26", Reason: vendors.BadCredentials, Meaning: "this IP address is on the blacklist"},
		{Code: "27", Reason: vendors.BadCredentials, Meaning: "access denied"},
		{Code: "28", Reason: vendors.BadCredentials, Meaning: "the app is disabled"},
		{Code: "29", Reason: vendors.BadCredentials, Meaning: "auth_token is missing"},
		{Code: "30", Reason: vendors.BadCredentials, Meaning: "no permission for the API: the push right is not granted or not reviewed"},
		{Code: "31", Reason: vendors.BadPayload, Meaning: "the data does not exist"},
		{Code: codeDuplicate, Reason: vendors.Accepted, Scope: vendors.ScopeDevice, Uncertain: true, Meaning: "duplicate data: the message was taken before; a call for several is taken apart"},
		{Code: "33", Reason: vendors.QuotaSpent, Meaning: "the day's number of messages is used up"},
		{Code: "34", Reason: vendors.QuotaSpent, Meaning: "the day's number of uploaded pictures is used up; not an answer to a push"},
		{Code: "40", Reason: vendors.BadPayload, Scope: vendors.ScopeCall, Meaning: "a required argument is missing"},
		{Code: "41", Reason: vendors.BadPayload, Scope: vendors.ScopeCall, Meaning: "invalid arguments; may stand for a malformed token, yet no token is dropped on it"},
		{Code: "51", Reason: vendors.BadPayload, Meaning: "invalid picture"},
		{Code: codeTemplate, Reason: vendors.BadCredentials, Scope: vendors.ScopeKind, Meaning: "the certificate's private template for this kind of message or its values are wrong; refused where the message chose them"},
		{Code: "55", Reason: vendors.RateLimited, Uncertain: true, Meaning: "the app calls too often"},
		{Code: "59", Reason: vendors.BadCredentials, Uncertain: true, Meaning: "no right for the action button"},
		{Code: codeCategory, Reason: vendors.BadCredentials, Uncertain: true, Meaning: "no right for the category or notify_level; refused where the message chose it"},
		{Code: codeBadToken, Reason: vendors.BadToken, Scope: vendors.ScopeDevice, Doubtful: true, Meaning: "invalid registration_id"},
		{Code: codeOptedOut, Reason: vendors.BadToken, Scope: vendors.ScopeDevice, Uncertain: true, Meaning: "the registration_id is unsubscribed; a new registration revives it"},
		{Code: "10002", Reason: vendors.BadToken, Uncertain: true, Meaning: "invalid alias; not used here"},
		{Code: "10003", Reason: vendors.BadToken, Uncertain: true, Meaning: "the alias is unsubscribed; not used here"},
		{Code: codeDoubled, Reason: vendors.BadPayload, Uncertain: true, Meaning: "the registration_id stands twice in the call; the second is tried again where it does"},
		{Code: codeDoubleAlias, Reason: vendors.BadPayload, Uncertain: true, Meaning: "the alias stands twice in the call; not used here"},
	}
}
