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
		{Code: pushkit.CodeSuccess, Reason: vendors.Accepted, Meaning: vendors.Both(
			"accepted, which is not delivered: caps and switched-off notifications show up in receipts only",
			"已受理，不等于已送达：频控和通知关闭只体现在回执中")},
		{Code: pushkit.CodePartial, Reason: vendors.BadToken, Meaning: vendors.Both(
			"some tokens failed, msg says which and why; the others were accepted",
			"部分 token 失败，msg 说明是哪些及原因；其余已受理")},
		{Code: "80100001", Reason: vendors.BadPayload, Meaning: vendors.Both("a parameter is wrong", "参数错误")},
		{Code: "80100003", Reason: vendors.BadPayload, Meaning: vendors.Both("the payload is wrong", "消息体有误")},
		{Code: "80100004", Reason: vendors.BadPayload, Meaning: vendors.Both("the expiry is wrong", "过期时间有误")},
		{Code: "80100016", Reason: vendors.Refused, Meaning: vendors.Both("the text holds sensitive words", "文案含敏感词"), Uncertain: true},
		{Code: codeImage, Reason: vendors.Refused, Meaning: vendors.Both(
			"the image was not checked, or the check has expired; it is sent once more without the image",
			"图片未经审核或审核已过期；去掉图片后重发一次")},
		{Code: "80200001", Reason: vendors.AuthExpired, Meaning: vendors.Both(
			"authentication failed; where a fresh JWT is refused too, the key is not of this project, or the clock is wrong",
			"鉴权失败；若新签发的 JWT 也被拒，则密钥不属于该项目，或本机时钟不准")},
		{Code: "80200003", Reason: vendors.AuthExpired, Meaning: vendors.Both("the access token expired", "访问令牌过期"), Uncertain: true},
		{Code: "80200005", Reason: vendors.AuthExpired, Meaning: vendors.Both("the JWT expired", "JWT 过期")},
		{Code: codeNoRight, Reason: vendors.BadCredentials, Scope: vendors.ScopeDevice, Meaning: vendors.Both(
			"the project may not push: Push Kit is off, or project_id is wrong; or the token is of another app, so that it parks the certificate only where many devices get it and none is accepted",
			"项目无推送权限：未开通推送服务或 project_id 有误；也可能是 token 属于其他应用，因此只有大量设备都得到此码且没有设备被受理时才暂停证书")},
		{Code: pushkit.CodeAllInvalid, Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both(
			"all tokens are invalid; by their reasons, or else believed of a single token and probed where there are several",
			"全部 token 无效；有原因时按原因处理，否则单个 token 直接采信，多个时逐个探测")},
		{Code: "80300008", Reason: vendors.BadPayload, Meaning: vendors.Both("the body is longer than 4096 bytes", "消息体超过 4096 字节")},
		{Code: "80300010", Reason: vendors.BadPayload, Meaning: vendors.Both("no token or too many", "没有 token 或数量过多")},
		{Code: "80300029", Reason: vendors.RateLimited, Meaning: vendors.Both("test pushes come too fast", "测试消息发送过快")},
		{Code: "80300030", Reason: vendors.BadPayload, Meaning: vendors.Both("a test push has more than 10 tokens", "测试消息的 token 超过 10 个")},
		{Code: "80300036", Reason: vendors.BadCredentials, Meaning: vendors.Both("the JWT is good for more than a day", "JWT 有效期超过一天")},
		{Code: "80300037", Reason: vendors.BadCredentials, Meaning: vendors.Both("Huawei has barred the app as a penalty", "应用受华为处罚，禁止推送")},
		{Code: "81000001", Reason: vendors.Unavailable, Meaning: vendors.Both("internal error", "内部错误")},

		{Code: "tokenFormatError", Level: levelDevice, Reason: vendors.BadToken, Meaning: vendors.Both("the token is malformed", "token 格式有误")},
		{Code: "tokenPlatformNotSupport", Level: levelDevice, Reason: vendors.BadToken, Meaning: vendors.Both(
			"a token of a third party's proxy; the app must get a new one",
			"第三方代理的 token，应用须重新获取")},
		{Code: reasonNoRight, Level: levelDevice, Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both(
			"the token's app is not in the project, or the phone was upgraded from HarmonyOS 4 and its app has no new token; a whole large call of them means a wrong project",
			"token 的应用不在该项目中，或手机由鸿蒙 4 升级而应用未取得新 token；若整个大批次都是如此，说明项目配错")},
		{Code: "noPushTypeRight", Level: levelDevice, Reason: vendors.Refused, Meaning: vendors.Both(
			"no right for this push-type, such as in-app calls: set call_push to alert",
			"没有该推送类型（如应用内通话）的权益：把 call_push 设为 alert")},
		{Code: "disableSendHuaweiMsgBecauseOfPenalty", Level: levelDevice, Reason: vendors.BadCredentials, Scope: vendors.ScopeDevice, Meaning: vendors.Both(
			"Huawei has barred the app as a penalty",
			"应用受华为处罚，禁止推送")},
		{Code: "appinfoError", Level: levelDevice, Reason: vendors.BadCredentials, Scope: vendors.ScopeDevice, Meaning: vendors.Both(
			"the app is not in AppGallery Connect",
			"AppGallery Connect 中没有该应用")},
		{Code: "countryNotSupport", Level: levelDevice, Reason: vendors.NotDisplayed, Meaning: vendors.Both(
			"Push Kit does not serve the device's country",
			"设备所在国家或地区不支持推送服务")},
		{Code: reasonImage, Level: levelDevice, Reason: vendors.BadPayload, Meaning: vendors.Both(
			"the image was checked for another push-type; it is sent once more without the image",
			"图片是为其他推送类型审核的；去掉图片后重发一次")},
		{Code: "notSupportPlayVoice", Level: levelDevice, Reason: vendors.BadPayload, Meaning: vendors.Both(
			"PLAY_VOICE with another push-type",
			"PLAY_VOICE 用在了其他推送类型上")},
		{Code: "atomicUnableSendUnsubscribedMsg", Level: levelDevice, Reason: vendors.BadPayload, Meaning: vendors.Both(
			"atomic services only: the message was not subscribed to",
			"仅元服务：该消息未被订阅")},
		{Code: "noRightToSendThisLiveNotificationEvent", Level: levelDevice, Reason: vendors.BadPayload, Meaning: vendors.Both(
			"live views only: no right for this event",
			"仅实况窗：没有该事件的权益")},

		{Code: pushkit.CodeSuccess, Level: levelRevoke, Reason: vendors.Accepted, Meaning: vendors.Both("taken back where it is not shown yet", "已收回尚未展示的通知")},
		{Code: "80100001", Level: levelRevoke, Reason: vendors.BadPayload, Meaning: vendors.Both("a parameter is wrong", "参数错误")},
		{Code: "80100003", Level: levelRevoke, Reason: vendors.BadPayload, Meaning: vendors.Both("the payload is wrong", "消息体有误")},
		{Code: codeRevokedPartly, Level: levelRevoke, Reason: vendors.Unknown, Meaning: vendors.Both("some tokens failed; those that msg does not name were taken back", "部分 token 失败；msg 未列出的已收回"), Uncertain: true},
		{Code: "80200001", Level: levelRevoke, Reason: vendors.AuthExpired, Meaning: vendors.Both("authentication failed", "鉴权失败")},
		{Code: "80200003", Level: levelRevoke, Reason: vendors.AuthExpired, Meaning: vendors.Both("the access token expired", "访问令牌过期")},
		{Code: "80200005", Level: levelRevoke, Reason: vendors.AuthExpired, Meaning: vendors.Both("the JWT expired", "JWT 过期")},
		{Code: "80300002", Level: levelRevoke, Reason: vendors.BadCredentials, Meaning: vendors.Both("Push Kit is off, or client_id is not that of the app", "未开通推送服务，或 client_id 不是该应用的")},
		{Code: pushkit.CodeAllInvalid, Level: levelRevoke, Reason: vendors.NotDisplayed, Meaning: vendors.Both("all tokens are invalid; no registration goes for it", "全部 token 无效；不会因此删除注册")},
		{Code: "80300008", Level: levelRevoke, Reason: vendors.BadPayload, Meaning: vendors.Both("the body is too long", "消息体过长"), Uncertain: true},
		{Code: "80300010", Level: levelRevoke, Reason: vendors.BadPayload, Meaning: vendors.Both("no token or too many", "没有 token 或数量过多")},
		{Code: "80300017", Level: levelRevoke, Reason: vendors.BadPayload, Meaning: vendors.Both("the tokens are of several apps", "token 属于多个应用")},
		{Code: "80300028", Level: levelRevoke, Reason: vendors.BadCredentials, Meaning: vendors.Both("the tokens are of another app than client_id", "token 不属于 client_id 的应用")},
		{Code: "80300032", Level: levelRevoke, Reason: vendors.BadPayload, Meaning: vendors.Both("token and notifyId are both needed, and the notifyId is that of a push", "token 与 notifyId 均必填，且 notifyId 须是已推送的")},
		{Code: "80000001", Level: levelRevoke, Reason: vendors.Unavailable, Meaning: vendors.Both("internal error", "内部错误")},
	}, pushkit.StatusCodes(levelHTTP, vendors.Both("endpoint or project_id", "endpoint 或 project_id"))...)
}
