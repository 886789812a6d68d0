package honor

import (
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Where a code stands: as code of the answer, as HTTP status, or as the list of data that names a
// device.
const (
	levelCode   = ""
	levelHTTP   = "http"
	levelDevice = "device"
)

const codeOK = "200"

// codes are the answers of Honor that this driver knows. Only for 200 and the two lists there is
// more than one source; the codes of the form 8001xxx in Honor's documentation belong to the SDK in
// the phone. Config.Codes and Config.SuccessCodes change the rows of the first level.
func codes() []vendors.Code {
	return []vendors.Code{
		{Code: codeOK, Reason: vendors.Accepted, Meaning: "success; data may name tokens that failed"},
		{Code: "0", Reason: vendors.Unknown, Meaning: "success in one source: name it under success_codes if it is", Uncertain: true},
		{Code: "80000000", Reason: vendors.Unknown, Meaning: "success at Huawei: name it under success_codes if it is", Uncertain: true},
		{Code: "12200000", Reason: vendors.Unknown, Meaning: "success in one source: name it under success_codes if it is", Uncertain: true},
		{Code: "400", Reason: vendors.BadPayload, Meaning: "wrong parameters", Uncertain: true},
		{Code: "401", Reason: vendors.AuthExpired, Meaning: "access token invalid or expired", Uncertain: true},
		{Code: "403", Reason: vendors.BadCredentials, Meaning: "no permission", Uncertain: true},
		{Code: "404", Reason: vendors.Unknown, Meaning: "invalid token in one source; no registration is given up for a guess", Uncertain: true},
		{Code: "429", Reason: vendors.RateLimited, Meaning: "too fast", Uncertain: true},
		{Code: "500", Reason: vendors.Unavailable, Meaning: "server error", Uncertain: true},
		{Code: "502", Reason: vendors.Unavailable, Meaning: "server error", Uncertain: true},
		{Code: "503", Reason: vendors.RateLimited, Meaning: "too fast, as at Huawei", Uncertain: true},
		{Code: "504", Reason: vendors.Unavailable, Meaning: "server error", Uncertain: true},

		{Code: "HTTP 400", Level: levelHTTP, Reason: vendors.BadPayload, Meaning: "wrong parameters", Uncertain: true},
		{Code: "HTTP 401", Level: levelHTTP, Reason: vendors.AuthExpired, Meaning: "access token invalid or expired", Uncertain: true},
		{Code: "HTTP 403", Level: levelHTTP, Reason: vendors.BadCredentials, Meaning: "no permission", Uncertain: true},
		{Code: "HTTP 429", Level: levelHTTP, Reason: vendors.RateLimited, Meaning: "too fast", Uncertain: true},
		{Code: "HTTP 503", Level: levelHTTP, Reason: vendors.RateLimited, Meaning: "too fast, as at Huawei", Uncertain: true},

		{Code: "expireTokens", Level: levelDevice, Reason: vendors.BadToken, Doubtful: true, Meaning: "the token is invalid or expired"},
		// Why they failed nobody knows, so they are tried again a few times and no more;
		// unavailable would make an outage of it.
		{Code: "failTokens", Level: levelDevice, Reason: vendors.Unknown, Meaning: "the push to this token failed; the token is kept", Uncertain: true},
	}
}

// Doc is what docs/vendors.md says about Honor.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "honor", Name: vendors.Both("Honor push", "荣耀推送"), Dated: "2026-11",
		Links: []string{
			"https://developer.honor.com/cn/docs/11002/reference/downlink-message",
			"https://developer.honor.com/cn/docs/11002/guides/notification-class",
		},
		Rows: []vendors.Row{
			vendors.TextRow("Phones", "机型", "Magic UI 4.0 and later (4.2 abroad); older Honor phones use huawei", "Magic UI 4.0 及以上（海外 4.2）；更早的荣耀手机请用 huawei"),
			vendors.TextRow("Devices per call", "单次最多设备数", "not published; batch, 100 by default", "官方未公布；由 batch 配置，默认 100"),
			vendors.TextRow("Bytes per request, without the tokens", "请求体字节数（不含 token）", "not published; max_bytes, 3800 by default", "官方未公布；由 max_bytes 配置，默认 3800"),
			vendors.NumberRow("Title, in code points", "标题码点数", maxTitle),
			vendors.NumberRow("Body, in code points", "正文码点数", maxBody),
			vendors.TextRow("Longest lifetime", "最长缓存时间", "15 days", "15 天"),
			vendors.TextRow("Rate", "速率", "3,000 a second", "每秒 3000"),
			vendors.TextRow("Access token", "访问令牌", "as long as expires_in says, about an hour", "以 expires_in 为准，约 1 小时"),
			vendors.TextRow("Night", "夜间", "one source: nothing is shown from 0:00 to 6:00", "有资料称 0 至 6 点不展示"),
			vendors.NumberRow("Test pushes a day for an app", "每应用每天测试消息数", testPushesDay),
			vendors.TextRow("Badge", "角标", "set to the number; devices with different numbers go in calls of their own; needs badge_class",
				"设置为该数字；数字不同的设备分开调用；需要 badge_class"),
			vendors.TextRow("Codes", "返回码", "mostly unpublished; codes and success_codes change the table", "大多未公布；可用 codes 与 success_codes 修改"),
		},
		Classes: []vendors.ClassRow{
			{Name: "communication", Means: vendors.Both("importance NORMAL, with the self-classification right", "importance NORMAL（服务与通讯），需开通自分类权益"), Cap: vendors.Both("none", "不限")},
			{Name: "marketing", Means: vendors.Both("importance LOW, and everything of an app without the right since 2024-12-31", "importance LOW（资讯营销）；2024-12-31 起未开通权益的应用全部按此类"),
				Cap: vendors.Both("2 a device and day, 5 for news apps; beyond it dropped without an error", "每设备每天 2 条，新闻类 5 条；超出静默丢弃")},
		},
		Codes: codes(),
		Setup: []vendors.Bilingual{
			vendors.Both("Create the app with an enterprise account, enable push, and take App ID, Client ID and Client Secret (App Secret is not used).",
				"使用企业账号创建应用并开通推送，获取 App ID、Client ID、Client Secret（不使用 App Secret）。"),
			vendors.Both("Apply for the self-classification right for instant messages: without it chat is marketing.", "申请即时通讯自分类权益，否则聊天按资讯营销处理。"),
			vendors.Both("Until the app is approved, only test_mode: true reaches phones.", "应用审核通过前仅 test_mode: true 可送达。"),
			vendors.Both("Set badge_class to the full name of the launcher activity.", "将 badge_class 设为启动 Activity 的完整类名。"),
		},
		Tap: vendors.Both(`data is {"ext": "<ext>"}; the app reads getIntent().getStringExtra("ext"). {ext} in the click target carries it as well. An ext that does not fit into max_bytes is left out, and {"conversation", "message"} goes instead.`,
			`data 为 {"ext": "<ext>"}，应用用 getIntent().getStringExtra("ext") 读取；也可在 click 中用 {ext} 携带。超出 max_bytes 的 ext 不发送，改为 {"conversation", "message"}。`),
		Repeat: vendors.Both("A repeat has the same notifyId and tag, so it replaces the first on the screen; so do the events of a call, and with policy.collapse the messages of a conversation. group is the conversation.", "重复推送的 notifyId 与 tag 相同，会覆盖屏幕上的前一条；同一通话的各事件，以及设置 policy.collapse 后同一会话的消息也是如此。group 为会话。"),
		Recall: vendors.Both("Overwritten, under the same notifyId and tag. importance is the message class, so it stays, and the phone sounds as for a message.",
			"覆盖：notifyId 与 tag 相同。importance 即消息类别，因此不变，提示方式与普通消息相同。"),
		Example: `- id: "35005"
  vendor: honor
  app_id: "104000001"
  client_id: "220000001"
  client_secret: ${HONOR_CLIENT_SECRET}
  importance: NORMAL
  badge_class: com.example.im.MainActivity
`,
	}
}
