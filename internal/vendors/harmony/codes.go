package harmony

import (
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// Levels of the code table besides the result code of messages:send, which has none.
const (
	levelDevice = "device" // the reason that 80100000 and 80300007 give for a token
	levelHTTP   = "http"   // the HTTP status where the body holds no code
	levelRevoke = "revoke" // the result code of messages:revoke
)

// codes is the whole table.
func codes() []vendors.Code {
	return append([]vendors.Code{
		{Code: pushkit.CodeSuccess, Reason: vendors.Accepted, Meaning: "accepted, which is not delivered: caps and switched-off notifications show up in receipts only"},
		{Code: pushkit.CodePartial, Reason: vendors.BadToken, Meaning: "some tokens failed, msg says which and why; the others were accepted"},
		{Code: "80100001", Reason: vendors.BadPayload, Meaning: "a parameter is wrong"},
		{Code: "80100003", Reason: vendors.BadPayload, Meaning: "the payload is wrong"},
		{Code: "80100004", Reason: vendors.BadPayload, Meaning: "the expiry is wrong"},
		{Code: "80100016", Reason: vendors.Refused, Meaning: "the text holds sensitive words", Uncertain: true},
		{Code: codeImage, Reason: vendors.Refused, Meaning: "the image was not checked, or the check has expired; it is sent once more without the image"},
		{Code: "80200001", Reason: vendors.AuthExpired, Meaning: "authentication failed; where a fresh JWT is refused too, the key is not of this project, or the clock is wrong"},
		{Code: "80200003", Reason: vendors.AuthExpired, Meaning: "the access token expired", Uncertain: true},
		{Code: "80200005", Reason: vendors.AuthExpired, Meaning: "the JWT expired"},
		{Code: codeNoRight, Reason: vendors.BadCredentials, Scope: vendors.ScopeDevice, Meaning: "the project may not push: Push Kit is off, or project_id is wrong; " +
			"or the token is of another app, so that it parks the certificate only where many devices get it and none is accepted"},
		{Code: pushkit.CodeAllInvalid, Reason: vendors.BadToken, Doubtful: true, Meaning: "all tokens are invalid; by their reasons, or else believed of a single token and probed where there are several"},
		{Code: "80300008", Reason: vendors.BadPayload, Meaning: "the body is longer than 4096 bytes"},
		{Code: "80300010", Reason: vendors.BadPayload, Meaning: "no token or too many"},
		{Code: "80300029", Reason: vendors.RateLimited, Meaning: "test pushes come too fast"},
		{Code: "80300030", Reason: vendors.BadPayload, Meaning: "a test push has more than 10 tokens"},
		{Code: "80300036", Reason: vendors.BadCredentials, Meaning: "the JWT is good for more than a day"},
		{Code: "80300037", Reason: vendors.BadCredentials, Meaning: "Huawei has barred the app as a penalty"},
		{Code: "81000001", Reason: vendors.Unavailable, Meaning: "internal error"},

		{Code: "tokenFormatError", Level: levelDevice, Reason: vendors.BadToken, Meaning: "the token is malformed"},
		{Code: "tokenPlatformNotSupport", Level: levelDevice, Reason: vendors.BadToken, Meaning: "a token of a third party's proxy; the app must get a new one"},
		{Code: reasonNoRight, Level: levelDevice, Reason: vendors.BadToken, Doubtful: true, Meaning: "the token's app is not in the project, or the phone was upgraded from HarmonyOS 4 and its app has no new token; " +
			"a whole large call of them means a wrong project"},
		{Code: "noPushTypeRight", Level: levelDevice, Reason: vendors.Refused, Meaning: "no right for this push-type, such as in-app calls: set call_push to alert"},
		{Code: "disableSendHuaweiMsgBecauseOfPenalty", Level: levelDevice, Reason: vendors.BadCredentials, Scope: vendors.ScopeDevice, Meaning: "Huawei has barred the app as a penalty"},
		{Code: "appinfoError", Level: levelDevice, Reason: vendors.BadCredentials, Scope: vendors.ScopeDevice, Meaning: "the app is not in AppGallery Connect"},
		{Code: "countryNotSupport", Level: levelDevice, Reason: vendors.NotDisplayed, Meaning: "Push Kit does not serve the device's country"},
		{Code: reasonImage, Level: levelDevice, Reason: vendors.BadPayload, Meaning: "the image was checked for another push-type; it is sent once more without the image"},
		{Code: "notSupportPlayVoice", Level: levelDevice, Reason: vendors.BadPayload, Meaning: "PLAY_VOICE with another push-type"},
		{Code: "atomicUnableSendUnsubscribedMsg", Level: levelDevice, Reason: vendors.BadPayload, Meaning: "atomic services only: the message was not subscribed to"},
		{Code: "noRightToSendThisLiveNotificationEvent", Level: levelDevice, Reason: vendors.BadPayload, Meaning: "live views only: no right for this event"},

		{Code: pushkit.CodeSuccess, Level: levelRevoke, Reason: vendors.Accepted, Meaning: "taken back where it is not shown yet"},
		{Code: "80100001", Level: levelRevoke, Reason: vendors.BadPayload, Meaning: "a parameter is wrong"},
		{Code: "80100003", Level: levelRevoke, Reason: vendors.BadPayload, Meaning: "the payload is wrong"},
		{Code: codeRevokedPartly, Level: levelRevoke, Reason: vendors.Unknown, Meaning: "some tokens failed; those that msg does not name were taken back", Uncertain: true},
		{Code: "80200001", Level: levelRevoke, Reason: vendors.AuthExpired, Meaning: "authentication failed"},
		{Code: "80200003", Level: levelRevoke, Reason: vendors.AuthExpired, Meaning: "the access token expired"},
		{Code: "80200005", Level: levelRevoke, Reason: vendors.AuthExpired, Meaning: "the JWT expired"},
		{Code: "80300002", Level: levelRevoke, Reason: vendors.BadCredentials, Meaning: "Push Kit is off, or client_id is not that of the app"},
		{Code: pushkit.CodeAllInvalid, Level: levelRevoke, Reason: vendors.NotDisplayed, Meaning: "all tokens are invalid; no registration goes for it"},
		{Code: "80300008", Level: levelRevoke, Reason: vendors.BadPayload, Meaning: "the body is too long", Uncertain: true},
		{Code: "80300010", Level: levelRevoke, Reason: vendors.BadPayload, Meaning: "no token or too many"},
		{Code: "80300017", Level: levelRevoke, Reason: vendors.BadPayload, Meaning: "the tokens are of several apps"},
		{Code: "80300028", Level: levelRevoke, Reason: vendors.BadCredentials, Meaning: "the tokens are of another app than client_id"},
		{Code: "80300032", Level: levelRevoke, Reason: vendors.BadPayload, Meaning: "token and notifyId are both needed, and the notifyId is that of a push"},
		{Code: "80000001", Level: levelRevoke, Reason: vendors.Unavailable, Meaning: "internal error"},
	}, pushkit.StatusCodes(levelHTTP, "endpoint or project_id")...)
}
