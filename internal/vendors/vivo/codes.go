package vivo

import "github.com/hongyan-im/hongyan/internal/vendors"

// levelDevice is the status that stands beside a device's name in invalidUser and invalidUsers.
const levelDevice = "device"

const (
	codeOK         = "0"
	codeTooOld     = "10000"
	codeTestText   = "10104"
	codeTestText2  = "10085"
	codeCategory   = "10096"
	codePair       = "10097"
	codeListBodies = "10252"
	codeBadDevice  = "10302"
	codeUnshowable = "10311"
)

// codes is vivo's table: "result" of every answer, and the status of a device. Its "desc" is not
// used: it may quote the request.
func codes() []vendors.Code {
	const (
		payload = vendors.BadPayload
		account = vendors.BadCredentials
	)
	return []vendors.Code{
		{Code: codeOK, Reason: vendors.Accepted, Meaning: "taken; a list may still name dead devices"},
		{Code: codeTooOld, Reason: vendors.AuthExpired, Meaning: "the authToken is missing, wrong or too old"},
		{Code: "10040", Reason: vendors.Unavailable, Meaning: "not documented; others try again", Uncertain: true},
		{Code: "10043", Reason: account, Meaning: "the app has closed its push channel", Uncertain: true},
		{Code: "10045", Reason: account, Meaning: "the app is under review or not in the store: only test pushes (test_mode)"},
		{Code: "10050", Reason: payload, Meaning: "alias and regId are both empty"},
		{Code: "10051", Reason: payload, Meaning: "classification is not supported for this message", Uncertain: true},
		{Code: "10054", Reason: payload, Meaning: "notifyType is illegal"},
		{Code: "10055", Reason: payload, Meaning: "title is empty"},
		{Code: "10056", Reason: payload, Meaning: "title is longer than 40 characters"},
		{Code: "10057", Reason: payload, Meaning: "content is empty"},
		{Code: "10058", Reason: payload, Meaning: "content is longer than 100 characters"},
		{Code: "10059", Reason: payload, Meaning: "timeToLive is illegal"},
		{Code: "10060", Reason: payload, Meaning: "skipType is illegal"},
		{Code: "10061", Reason: payload, Meaning: "skipType 2 without skipContent", Uncertain: true},
		{Code: "10062", Reason: payload, Meaning: "skipType 2 with a skipContent that is too long", Uncertain: true},
		{Code: "10063", Reason: payload, Meaning: "skipType 3 without skipContent", Uncertain: true},
		{Code: "10064", Reason: payload, Meaning: "skipType 3 with a skipContent that is too long", Uncertain: true},
		{Code: "10065", Reason: payload, Meaning: "networkType is illegal"},
		{Code: "10066", Reason: payload, Meaning: "clientCustomMap has more than 10 pairs"},
		{Code: "10067", Reason: payload, Meaning: "clientCustomMap is illegal or too large"},
		{Code: "10068", Reason: payload, Meaning: "skipType 4 without skipContent", Uncertain: true},
		{Code: "10069", Reason: payload, Meaning: "skipType 4 with a skipContent that is too long", Uncertain: true},
		{Code: "10070", Reason: vendors.QuotaSpent, Meaning: "the day's total of operational messages is used up"},
		{Code: "10071", Reason: vendors.Refused, Meaning: "an operational message outside 07:00 to 23:00"},
		{Code: "10072", Reason: vendors.RateLimited, Meaning: "the app pushes too fast"},
		{Code: "10073", Reason: vendors.QuotaSpent, Meaning: "the day's total of system messages is used up"},
		{Code: "10082", Reason: vendors.Refused, Meaning: "system messages are not switched on for the app", Uncertain: true},
		{Code: codeTestText2, Reason: vendors.Refused, Meaning: "the text looks like a test", Uncertain: true},
		{Code: "10093", Reason: vendors.RateLimited, Meaning: "more than ten logins a second"},
		{Code: "10094", Reason: account, Meaning: "appId is not the authToken's app"},
		{Code: "10095", Reason: payload, Meaning: "notifyId is illegal", Uncertain: true},
		{Code: codeCategory, Reason: account, Meaning: "category is none of vivo's; refused where the message chose it"},
		{Code: codePair, Reason: account, Meaning: "category and classification do not agree; refused where the message chose them"},
		{Code: "10103", Reason: vendors.Refused, Meaning: "the content has sensitive words", Uncertain: true},
		{Code: codeTestText, Reason: vendors.Refused, Meaning: "the text of a formal push looks like a test"},
		{Code: "10150", Reason: payload, Meaning: "regIds and aliases are empty"},
		{Code: "10151", Reason: payload, Meaning: "taskId is empty"},
		{Code: "10152", Reason: vendors.Unavailable, Meaning: "taskId is illegal; the next attempt stores the content again"},
		{Code: "10153", Reason: payload, Meaning: "not 2 to 1000 regIds"},
		{Code: "10154", Reason: payload, Meaning: "not 2 to 1000 aliases"},
		{Code: "10155", Reason: vendors.Unavailable, Meaning: "the stored content is gone; the next attempt stores it again", Uncertain: true},
		{Code: "10200", Reason: account, Meaning: "login: appId is empty"},
		{Code: "10201", Reason: account, Meaning: "login: appKey is empty"},
		{Code: "10202", Reason: account, Meaning: "login: appKey is illegal", Uncertain: true},
		{Code: "10203", Reason: account, Meaning: "login: timestamp is empty", Uncertain: true},
		{Code: "10204", Reason: account, Meaning: "login: sign is empty", Uncertain: true},
		{Code: "10205", Reason: account, Meaning: "login: appId does not exist", Uncertain: true},
		{Code: "10206", Reason: account, Meaning: "login: sign is wrong, so app_secret or app_key is", Uncertain: true},
		{Code: "10207", Reason: account, Meaning: "login: timestamp is illegal: this machine's clock is more than ten minutes off", Uncertain: true},
		{Code: codeListBodies, Reason: vendors.QuotaSpent, Meaning: "the day's number of stored list contents is used up; single pushes still work, and take over"},
		{Code: "10254", Reason: vendors.QuotaSpent, Meaning: "the day's pushes to everyone are used up", Uncertain: true},
		{Code: "10301", Reason: payload, Meaning: "alias is too long", Uncertain: true},
		{Code: codeBadDevice, Reason: vendors.BadToken, Doubtful: true, Meaning: "regId is not valid: invalidUser.status says why"},
		{Code: "10304", Reason: payload, Meaning: "extra has an unknown key", Uncertain: true},
		{Code: "10305", Reason: payload, Meaning: "callback is longer than 128 characters"},
		{Code: "10306", Reason: payload, Meaning: "callback.param is too long"},
		{Code: codeUnshowable, Reason: vendors.NotDisplayed, Meaning: "the device cannot be pushed to now: notifications off, or inactive", Uncertain: true},
		{Code: "10352", Reason: payload, Meaning: "requestId is empty"},
		{Code: "10353", Reason: payload, Meaning: "requestId is longer than 64 characters"},
		{Code: "10471", Reason: payload, Meaning: "statistics: more than 100 taskIds", Uncertain: true},
		{Code: "10473", Reason: payload, Meaning: "statistics: taskIds are empty", Uncertain: true},
		{Code: "10800", Reason: payload, Meaning: "more than 100 registration_tokens (another interface)", Uncertain: true},
		{Code: "10801", Reason: payload, Meaning: "notification is empty (another interface)", Uncertain: true},
		{Code: "11000", Reason: payload, Meaning: "classification is neither 0 nor 1", Uncertain: true},

		{Code: "1", Level: levelDevice, Reason: vendors.BadToken, Doubtful: true, Meaning: "the device is not known to this app"},
		{Code: "2", Level: levelDevice, Reason: vendors.BadToken, Meaning: "uninstalled, unsubscribed, or its data cleared"},
		{Code: "3", Level: levelDevice, Reason: vendors.NotDisplayed, Meaning: "not seen for 14 days", Uncertain: true},
		{Code: "4", Level: levelDevice, Reason: vendors.NotDisplayed, Meaning: "a test push to a device that is no test device"},
	}
}
