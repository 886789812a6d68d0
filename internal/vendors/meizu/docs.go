package meizu

import (
	"strconv"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

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
		{Code: "200", Level: levelTop, Reason: vendors.Accepted, Meaning: "taken; value names the pushIds that failed"},
		{Code: "300", Level: levelTop, Reason: vendors.Unknown, Meaning: "the call should be made at another address; if it stays, set endpoint", Uncertain: true},
		{Code: "500", Level: levelTop, Reason: vendors.Unknown, Meaning: "any other failure", Uncertain: true},
		{Code: "1001", Level: levelTop, Reason: vendors.Unavailable, Meaning: "system error"},
		{Code: "1003", Level: levelTop, Reason: vendors.Unavailable, Meaning: "server busy"},
		{Code: "1005", Level: levelTop, Reason: payload, Meaning: "parameter error"},
		{Code: "1006", Level: levelTop, Reason: account, Meaning: "signature refused, so app_secret is wrong (App Secret, not App Key)"},
		{Code: "110000", Level: levelTop, Reason: account, Meaning: "appId is illegal"},
		{Code: "110001", Level: levelTop, Reason: account, Meaning: "appKey is illegal"},
		{Code: "110002", Level: levelTop, Reason: vendors.BadToken, Doubtful: true, Meaning: "pushId is not registered"},
		{Code: "110003", Level: levelTop, Reason: vendors.BadToken, Doubtful: true, Meaning: "pushId is illegal"},
		{Code: "110004", Level: levelTop, Reason: payload, Meaning: "a parameter is empty"},
		{Code: "110009", Level: levelTop, Reason: vendors.Refused, Meaning: "the app is blacklisted"},
		{Code: "110010", Level: levelTop, Reason: vendors.RateLimited, Meaning: "the app calls too fast; nobody got it"},
		{Code: "110019", Level: levelTop, Reason: vendors.QuotaSpent, Meaning: "the app's number of pushes a day is used up"},
		{Code: "110031", Level: levelTop, Reason: account, Meaning: "packageName is illegal"},
		{Code: "110032", Level: levelTop, Reason: payload, Meaning: "taskId is illegal"},
		{Code: "110033", Level: levelTop, Reason: account, Meaning: "appSecret is illegal"},
		{Code: "110051", Level: levelTop, Reason: vendors.QuotaSpent, Meaning: "the app's number of pushes is used up; the period is not published"},
		{Code: "110053", Level: levelTop, Reason: payload, Meaning: "data messages are limited"},
		{Code: "-1", Level: levelTop, Reason: vendors.Unknown, Meaning: "unknown; the SDK's own", Uncertain: true},

		{Code: "201", Level: levelDevice, Reason: vendors.Refused, Meaning: "no permission for this device"},
		{Code: "501", Level: levelDevice, Reason: vendors.Unavailable, Meaning: "push failed (database)"},
		{Code: "513", Level: levelDevice, Reason: vendors.Unavailable, Meaning: "push failed (internal)"},
		{Code: "518", Level: levelDevice, Reason: vendors.RateLimited, Meaning: "over the configured rate", Uncertain: true},
		{Code: "519", Level: levelDevice, Reason: vendors.Unavailable, Meaning: "service overloaded"},
		{Code: "520", Level: levelDevice, Reason: vendors.DeviceCapped, Meaning: "folded: more than five pushes to the device within a minute"},
		{Code: "110002", Level: levelDevice, Reason: vendors.BadToken, Doubtful: true, Meaning: "pushId is not subscribed"},
		{Code: "110003", Level: levelDevice, Reason: vendors.BadToken, Doubtful: true, Meaning: "pushId is illegal"},
		{Code: "110005", Level: levelDevice, Reason: vendors.BadToken, Meaning: "alias is not subscribed, or switched off"},
		{Code: "110010", Level: levelDevice, Reason: vendors.NotDisplayed, Meaning: "the pushId's notifications are switched off"},
		{Code: "110011", Level: levelDevice, Reason: vendors.DeviceCapped, Meaning: "the device had its public messages of the day"},
	}
}

// Doc is what docs/vendors.md says about Meizu.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "meizu", Name: vendors.Both("Meizu (Flyme) push", "魅族（Flyme）推送"), Dated: "2026-11",
		Links: []string{
			"https://github.com/MEIZUPUSH/PushAPI",
			"https://github.com/MEIZUPUSH/JavaSdk",
		},
		Rows: []vendors.Row{
			vendors.TextRow("Badge", "角标", "no number is sent: the API has no field for one", "不下发数字：接口没有此字段"),
			vendors.NumberRow("Devices per call", "单次最多设备数", maxTokens),
			vendors.NumberRow("Title, in characters", "标题字符数", maxTitle),
			vendors.NumberRow("Content, in characters", "内容字符数", maxContent),
			vendors.TextRow("Lifetime", "缓存时间", "whole hours, 1 to 72; incoming calls are not kept at all", "整小时，1 至 72；来电不缓存"),
			vendors.TextRow("Rate", "速率", "200 a second in one source, 500 in another; whether devices or calls is not published; beyond it 110010",
				"一说每秒 200，一说 500，单位未公布；超出返回 110010"),
			vendors.TextRow("Folding", "折叠", strconv.Itoa(foldedOver)+" pushes to a device within a minute, of any class; the rest are dropped (520)",
				"任何类别每设备每分钟 "+strconv.Itoa(foldedOver)+" 条，其余折叠（520）"),
			vendors.TextRow("Test pushes", "测试消息", "none", "无"),
			vendors.TextRow("Abroad", "海外", "endpoint: https://server-api-push.in.meizu.com", "endpoint: https://server-api-push.in.meizu.com"),
		},
		Classes: []vendors.ClassRow{
			{Name: "private", Means: vendors.Both("noticeMsgType 1 (私信): what concerns the one user, such as chat", "私信 noticeMsgType 1：与单个用户相关，如聊天"),
				Cap: vendors.Both("none", "不限")},
			{Name: "public", Means: vendors.Both("noticeMsgType 0 (公信), which is Meizu's own default", "公信 noticeMsgType 0，为魅族默认值"),
				Cap: vendors.Both("3 a device and day since 2025-05-07, 5 for news and reading apps (110011)", "自 2025-05-07 起每设备每天 3 条，资讯阅读类 5 条（110011）")},
		},
		Codes: codes(),
		Setup: []vendors.Bilingual{
			vendors.Both("Create the app on the Flyme push platform and take App ID and App Secret.", "在 Flyme 推送平台创建应用，获取 App ID 与 App Secret。"),
			vendors.Both("Leave notice_type at 1 for chat.", "聊天消息保持 notice_type 为 1。"),
			vendors.Both("Let the app report its pushId again whenever it changes: pushIds expire after about a week.", "pushId 约一周失效，变更后应用需重新上报。"),
		},
		Tap: vendors.Both(`clickTypeInfo.parameters is the ext where it is a JSON object, else {"ext": "<ext>"}; its keys are extras of the intent. {ext} in click.url carries it as well. An ext of more than 4,096 bytes is left out, and {"conversation", "message"} goes instead.`,
			`clickTypeInfo.parameters 为 ext 本身（当其为 JSON 对象）或 {"ext": "<ext>"}，各键出现在 Intent 的 extras 中；也可在 click.url 中用 {ext} 携带。超过 4096 字节的 ext 不发送，改为 {"conversation", "message"}。`),
		Repeat: vendors.Both("A repeat has the same notifyKey, so it replaces the first on the screen, as the events of a call replace each other; Meizu deduplicates nothing.",
			"重复推送的 notifyKey 相同，会覆盖前一条，同一通话的各事件也是如此；魅族不去重。"),
		Example: `- id: "35004"
  vendor: meizu
  app_id: "100001"
  app_secret: ${MEIZU_APP_SECRET}
  notice_type: 1
  click: {activity: com.example.im.ChatActivity}
`,
	}
}
