package meizu

import "github.com/hongyan-im/hongyan/internal/vendors"

// Where a code stands in an answer: as its code, or as a key of value.
const (
	levelTop    = "top"
	levelDevice = "device"
)

// codes is Meizu's table. Its "message" is not used: it may quote the request.
func codes() []vendors.Code {
	const (
		payload = vendors.BadPayload
		account = vendors.BadCredentials
	)
	return []vendors.Code{
		{Code: "200", Level: levelTop, Reason: vendors.Accepted, Meaning: vendors.Both("taken; value names the pushIds that failed", "已受理；value 列出失败的 pushId")},
		{Code: "300", Level: levelTop, Reason: vendors.Unknown, Meaning: vendors.Both(
			"the call should be made at another address; if it stays, set endpoint",
			"应改用另一地址；若持续出现，请设置 endpoint"), Uncertain: true},
		{Code: "500", Level: levelTop, Reason: vendors.Unknown, Meaning: vendors.Both("any other failure", "其他失败"), Uncertain: true},
		{Code: "1001", Level: levelTop, Reason: vendors.Unavailable, Meaning: vendors.Both("system error", "系统错误")},
		{Code: "1003", Level: levelTop, Reason: vendors.Unavailable, Meaning: vendors.Both("server busy", "服务器繁忙")},
		{Code: "1005", Level: levelTop, Reason: payload, Meaning: vendors.Both("parameter error", "参数错误")},
		{Code: "1006", Level: levelTop, Reason: account, Meaning: vendors.Both(
			"signature refused, so app_secret is wrong (App Secret, not App Key)",
			"签名被拒，即 app_secret 有误（应为 App Secret，不是 App Key）")},
		{Code: "110000", Level: levelTop, Reason: account, Meaning: vendors.Both("appId is illegal", "appId 不合法")},
		{Code: "110001", Level: levelTop, Reason: account, Meaning: vendors.Both("appKey is illegal", "appKey 不合法")},
		{Code: "110002", Level: levelTop, Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both("pushId is not registered", "pushId 未注册")},
		{Code: "110003", Level: levelTop, Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both("pushId is illegal", "pushId 不合法")},
		{Code: "110004", Level: levelTop, Reason: payload, Meaning: vendors.Both("a parameter is empty", "参数为空")},
		{Code: "110009", Level: levelTop, Reason: vendors.Refused, Meaning: vendors.Both("the app is blacklisted", "应用在黑名单中")},
		{Code: "110010", Level: levelTop, Reason: vendors.RateLimited, Meaning: vendors.Both("the app calls too fast; nobody got it", "应用调用过快；没有设备收到")},
		{Code: "110019", Level: levelTop, Reason: vendors.QuotaSpent, Meaning: vendors.Both("the app's number of pushes a day is used up", "应用当日推送数已用尽")},
		{Code: "110031", Level: levelTop, Reason: account, Meaning: vendors.Both("packageName is illegal", "packageName 不合法")},
		{Code: "110032", Level: levelTop, Reason: payload, Meaning: vendors.Both("taskId is illegal", "taskId 不合法")},
		{Code: "110033", Level: levelTop, Reason: account, Meaning: vendors.Both("appSecret is illegal", "appSecret 不合法")},
		{Code: "110051", Level: levelTop, Reason: vendors.QuotaSpent, Meaning: vendors.Both(
			"the app's number of pushes is used up; the period is not published",
			"应用推送数已用尽；周期未公布")},
		{Code: "110053", Level: levelTop, Reason: payload, Meaning: vendors.Both("data messages are limited", "透传消息受限")},
		{Code: "-1", Level: levelTop, Reason: vendors.Unknown, Meaning: vendors.Both("unknown; the SDK's own", "未知；SDK 自有的返回码"), Uncertain: true},

		{Code: "201", Level: levelDevice, Reason: vendors.Refused, Meaning: vendors.Both("no permission for this device", "没有向该设备推送的权限")},
		{Code: "501", Level: levelDevice, Reason: vendors.Unavailable, Meaning: vendors.Both("push failed (database)", "推送失败（数据库）")},
		{Code: "513", Level: levelDevice, Reason: vendors.Unavailable, Meaning: vendors.Both("push failed (internal)", "推送失败（内部）")},
		{Code: "518", Level: levelDevice, Reason: vendors.RateLimited, Meaning: vendors.Both("over the configured rate", "超过配置的速率"), Uncertain: true},
		{Code: "519", Level: levelDevice, Reason: vendors.Unavailable, Meaning: vendors.Both("service overloaded", "服务过载")},
		{Code: "520", Level: levelDevice, Reason: vendors.DeviceCapped, Meaning: vendors.Both(
			"folded: more than five pushes to the device within a minute",
			"被折叠：一分钟内发给该设备的推送超过五条")},
		{Code: "110002", Level: levelDevice, Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both("pushId is not subscribed", "pushId 未订阅")},
		{Code: "110003", Level: levelDevice, Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both("pushId is illegal", "pushId 不合法")},
		{Code: "110005", Level: levelDevice, Reason: vendors.BadToken, Meaning: vendors.Both("alias is not subscribed, or switched off", "别名未订阅或已关闭")},
		{Code: "110010", Level: levelDevice, Reason: vendors.NotDisplayed, Meaning: vendors.Both("the pushId's notifications are switched off", "该 pushId 的通知开关已关闭")},
		{Code: "110011", Level: levelDevice, Reason: vendors.DeviceCapped, Meaning: vendors.Both("the device had its public messages of the day", "该设备当日的公信消息已达上限")},
	}
}
