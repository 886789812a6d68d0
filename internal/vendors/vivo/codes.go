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
		{Code: codeOK, Reason: vendors.Accepted, Meaning: vendors.Both("taken; a list may still name dead devices", "已受理；群推应答中仍可能列出失效设备")},
		{Code: codeTooOld, Reason: vendors.AuthExpired, Meaning: vendors.Both("the authToken is missing, wrong or too old", "authToken 缺失、错误或过期")},
		{Code: "10040", Reason: vendors.Unavailable, Meaning: vendors.Both("not documented; others try again", "文档未说明；其他实现选择重试"), Uncertain: true},
		{Code: "10043", Reason: account, Meaning: vendors.Both("the app has closed its push channel", "应用已关闭推送"), Uncertain: true},
		{Code: "10045", Reason: account, Meaning: vendors.Both(
			"the app is under review or not in the store: only test pushes (test_mode)",
			"应用审核中或未上架：只能发测试消息（test_mode）")},
		{Code: "10050", Reason: payload, Meaning: vendors.Both("alias and regId are both empty", "alias 与 regId 都为空")},
		{Code: "10051", Reason: payload, Meaning: vendors.Both("classification is not supported for this message", "该消息不支持此 classification"), Uncertain: true},
		{Code: "10054", Reason: payload, Meaning: vendors.Both("notifyType is illegal", "notifyType 不合法")},
		{Code: "10055", Reason: payload, Meaning: vendors.Both("title is empty", "标题为空")},
		{Code: "10056", Reason: payload, Meaning: vendors.Both("title is longer than 40 characters", "标题超过 40 个字符")},
		{Code: "10057", Reason: payload, Meaning: vendors.Both("content is empty", "内容为空")},
		{Code: "10058", Reason: payload, Meaning: vendors.Both("content is longer than 100 characters", "内容超过 100 个字符")},
		{Code: "10059", Reason: payload, Meaning: vendors.Both("timeToLive is illegal", "timeToLive 不合法")},
		{Code: "10060", Reason: payload, Meaning: vendors.Both("skipType is illegal", "skipType 不合法")},
		{Code: "10061", Reason: payload, Meaning: vendors.Both("skipType 2 without skipContent", "skipType 为 2 而 skipContent 为空"), Uncertain: true},
		{Code: "10062", Reason: payload, Meaning: vendors.Both("skipType 2 with a skipContent that is too long", "skipType 为 2 而 skipContent 过长"), Uncertain: true},
		{Code: "10063", Reason: payload, Meaning: vendors.Both("skipType 3 without skipContent", "skipType 为 3 而 skipContent 为空"), Uncertain: true},
		{Code: "10064", Reason: payload, Meaning: vendors.Both("skipType 3 with a skipContent that is too long", "skipType 为 3 而 skipContent 过长"), Uncertain: true},
		{Code: "10065", Reason: payload, Meaning: vendors.Both("networkType is illegal", "networkType 不合法")},
		{Code: "10066", Reason: payload, Meaning: vendors.Both("clientCustomMap has more than 10 pairs", "clientCustomMap 超过 10 对")},
		{Code: "10067", Reason: payload, Meaning: vendors.Both("clientCustomMap is illegal or too large", "clientCustomMap 不合法或过大")},
		{Code: "10068", Reason: payload, Meaning: vendors.Both("skipType 4 without skipContent", "skipType 为 4 而 skipContent 为空"), Uncertain: true},
		{Code: "10069", Reason: payload, Meaning: vendors.Both("skipType 4 with a skipContent that is too long", "skipType 为 4 而 skipContent 过长"), Uncertain: true},
		{Code: "10070", Reason: vendors.QuotaSpent, Meaning: vendors.Both("the day's total of operational messages is used up", "当日运营消息总量已用尽")},
		{Code: "10071", Reason: vendors.Refused, Meaning: vendors.Both("an operational message outside 07:00 to 23:00", "运营消息超出 7:00 至 23:00 的允许时段")},
		{Code: "10072", Reason: vendors.RateLimited, Meaning: vendors.Both("the app pushes too fast", "应用推送速度过快")},
		{Code: "10073", Reason: vendors.QuotaSpent, Meaning: vendors.Both("the day's total of system messages is used up", "当日系统消息总量已用尽")},
		{Code: "10082", Reason: vendors.Refused, Meaning: vendors.Both("system messages are not switched on for the app", "应用未开通系统消息"), Uncertain: true},
		{Code: codeTestText2, Reason: vendors.Refused, Meaning: vendors.Both("the text looks like a test", "文案像测试消息"), Uncertain: true},
		{Code: "10093", Reason: vendors.RateLimited, Meaning: vendors.Both("more than ten logins a second", "鉴权每秒超过十次")},
		{Code: "10094", Reason: account, Meaning: vendors.Both("appId is not the authToken's app", "appId 与 authToken 的应用不符")},
		{Code: "10095", Reason: payload, Meaning: vendors.Both("notifyId is illegal", "notifyId 不合法"), Uncertain: true},
		{Code: codeCategory, Reason: account, Meaning: vendors.Both("category is none of vivo's; refused where the message chose it", "category 不是 vivo 的类别；由消息指定时为 refused")},
		{Code: codePair, Reason: account, Meaning: vendors.Both("category and classification do not agree; refused where the message chose them", "category 与 classification 不对应；由消息指定时为 refused")},
		{Code: "10103", Reason: vendors.Refused, Meaning: vendors.Both("the content has sensitive words", "内容含敏感词"), Uncertain: true},
		{Code: codeTestText, Reason: vendors.Refused, Meaning: vendors.Both("the text of a formal push looks like a test", "正式消息的文案像测试消息")},
		{Code: "10150", Reason: payload, Meaning: vendors.Both("regIds and aliases are empty", "regIds 与 aliases 都为空")},
		{Code: "10151", Reason: payload, Meaning: vendors.Both("taskId is empty", "taskId 为空")},
		{Code: "10152", Reason: vendors.Unavailable, Meaning: vendors.Both("taskId is illegal; the next attempt stores the content again", "taskId 不合法；下次尝试会重新保存消息体")},
		{Code: "10153", Reason: payload, Meaning: vendors.Both("not 2 to 1000 regIds", "regIds 数量不在 2 至 1000 之间")},
		{Code: "10154", Reason: payload, Meaning: vendors.Both("not 2 to 1000 aliases", "aliases 数量不在 2 至 1000 之间")},
		{Code: "10155", Reason: vendors.Unavailable, Meaning: vendors.Both("the stored content is gone; the next attempt stores it again", "保存的消息体已不存在；下次尝试会重新保存"), Uncertain: true},
		{Code: "10200", Reason: account, Meaning: vendors.Both("login: appId is empty", "鉴权：appId 为空")},
		{Code: "10201", Reason: account, Meaning: vendors.Both("login: appKey is empty", "鉴权：appKey 为空")},
		{Code: "10202", Reason: account, Meaning: vendors.Both("login: appKey is illegal", "鉴权：appKey 不合法"), Uncertain: true},
		{Code: "10203", Reason: account, Meaning: vendors.Both("login: timestamp is empty", "鉴权：timestamp 为空"), Uncertain: true},
		{Code: "10204", Reason: account, Meaning: vendors.Both("login: sign is empty", "鉴权：sign 为空"), Uncertain: true},
		{Code: "10205", Reason: account, Meaning: vendors.Both("login: appId does not exist", "鉴权：appId 不存在"), Uncertain: true},
		{Code: "10206", Reason: account, Meaning: vendors.Both("login: sign is wrong, so app_secret or app_key is", "鉴权：签名错误，即 app_secret 或 app_key 有误"), Uncertain: true},
		{Code: "10207", Reason: account, Meaning: vendors.Both(
			"login: timestamp is illegal: this machine's clock is more than ten minutes off",
			"鉴权：timestamp 不合法：本机时钟误差超过十分钟"), Uncertain: true},
		{Code: codeListBodies, Reason: vendors.QuotaSpent, Meaning: vendors.Both(
			"the day's number of stored list contents is used up; single pushes still work, and take over",
			"当日可保存的群推消息体已用尽；单推仍可用，并自动接替")},
		{Code: "10254", Reason: vendors.QuotaSpent, Meaning: vendors.Both("the day's pushes to everyone are used up", "当日全量推送次数已用尽"), Uncertain: true},
		{Code: "10301", Reason: payload, Meaning: vendors.Both("alias is too long", "别名过长"), Uncertain: true},
		{Code: codeBadDevice, Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both(
			"regId is not valid: invalidUser.status says why",
			"regId 无效：原因见 invalidUser.status")},
		{Code: "10304", Reason: payload, Meaning: vendors.Both("extra has an unknown key", "extra 含不支持的键"), Uncertain: true},
		{Code: "10305", Reason: payload, Meaning: vendors.Both("callback is longer than 128 characters", "callback 超过 128 个字符")},
		{Code: "10306", Reason: payload, Meaning: vendors.Both("callback.param is too long", "callback.param 过长")},
		{Code: codeUnshowable, Reason: vendors.NotDisplayed, Meaning: vendors.Both(
			"the device cannot be pushed to now: notifications off, or inactive",
			"设备当前不可推送：通知关闭或不活跃"), Uncertain: true},
		{Code: "10352", Reason: payload, Meaning: vendors.Both("requestId is empty", "requestId 为空")},
		{Code: "10353", Reason: payload, Meaning: vendors.Both("requestId is longer than 64 characters", "requestId 超过 64 个字符")},
		{Code: "10471", Reason: payload, Meaning: vendors.Both("statistics: more than 100 taskIds", "统计：taskIds 超过 100 个"), Uncertain: true},
		{Code: "10473", Reason: payload, Meaning: vendors.Both("statistics: taskIds are empty", "统计：taskIds 为空"), Uncertain: true},
		{Code: "10800", Reason: payload, Meaning: vendors.Both("more than 100 registration_tokens (another interface)", "registration_tokens 超过 100 个（另一接口）"), Uncertain: true},
		{Code: "10801", Reason: payload, Meaning: vendors.Both("notification is empty (another interface)", "notification 为空（另一接口）"), Uncertain: true},
		{Code: "11000", Reason: payload, Meaning: vendors.Both("classification is neither 0 nor 1", "classification 既不是 0 也不是 1"), Uncertain: true},

		{Code: "1", Level: levelDevice, Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both("the device is not known to this app", "该应用下没有此设备")},
		{Code: "2", Level: levelDevice, Reason: vendors.BadToken, Meaning: vendors.Both("uninstalled, unsubscribed, or its data cleared", "已卸载、已取消订阅或已清除应用数据")},
		{Code: "3", Level: levelDevice, Reason: vendors.NotDisplayed, Meaning: vendors.Both("not seen for 14 days", "设备 14 天未出现"), Uncertain: true},
		{Code: "4", Level: levelDevice, Reason: vendors.NotDisplayed, Meaning: vendors.Both("a test push to a device that is no test device", "测试消息发给了非测试设备")},
	}
}
