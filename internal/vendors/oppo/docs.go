package oppo

import (
	"fmt"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Doc is what docs/vendors.md says about OPPO.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "oppo",
		Name:   vendors.Bilingual{EN: "OPPO Push", ZH: "OPPO 推送"},
		Dated:  "2026-11",
		Links: []string{
			"https://open.oppomobile.com/new/developmentDoc/info?id=11236",
			"https://open.oppomobile.com/new/developmentDoc/info?id=11227",
			"https://open.oppomobile.com/new/developmentDoc/info?id=11256",
		},
		Rows: []vendors.Row{
			vendors.TextRow("Badge", "角标", "with badge: true, set to the number, at most 9,999; most phones show a dot instead", "badge: true 时设置为该数字，最大 9999；多数手机只显示圆点"),
			{What: vendors.Bilingual{EN: "Devices per call", ZH: "每次调用的设备数"}, Value: vendors.Bilingual{
				EN: fmt.Sprintf("%d, each with a message of its own", maxMessages), ZH: fmt.Sprintf("%d 台，内容可各不相同", maxMessages)}},
			{What: vendors.Bilingual{EN: "Title, body", ZH: "标题、正文"}, Value: vendors.Bilingual{
				EN: fmt.Sprintf("at most %d characters, and %d (standard) or %d (long text, chosen by the length)", maxTitle, maxShort, maxLong),
				ZH: fmt.Sprintf("标题最多 %d 个字符；正文标准样式 %d，长文本样式 %d（按长度自动选择）", maxTitle, maxShort, maxLong)}},
			{What: vendors.Bilingual{EN: "Ext", ZH: "ext"}, Value: vendors.Bilingual{
				EN: fmt.Sprintf("%d characters as a JSON object; a longer one is left out whole", maxParameters),
				ZH: fmt.Sprintf("以 JSON 对象计最多 %d 个字符；超出时整个不下发", maxParameters)}},
			{What: vendors.Bilingual{EN: "Kept for a phone that is off", ZH: "离线保留时间"}, Value: vendors.Bilingual{EN: "10 days", ZH: "10 天"}},
			{What: vendors.Bilingual{EN: "Messages per second", ZH: "每秒消息数"}, Value: vendors.Bilingual{
				EN: "5,000 below 10 M users, 10,000 to 50 M, 20,000 to 100 M, 30,000 above; all APIs share it",
				ZH: "累计用户 1000 万以下 5000，5000 万以下 10000，1 亿以下 20000，以上 30000；所有接口共用"}},
			{What: vendors.Bilingual{EN: "Login", ZH: "鉴权"}, Value: vendors.Bilingual{
				EN: "auth_token for 24 hours; the clock must be right to ten minutes", ZH: "auth_token 有效期 24 小时；本机时钟误差不得超过十分钟"}},
			{What: vendors.Bilingual{EN: "Hosts", ZH: "主机"}, Value: vendors.Bilingual{
				EN: "by the token's own region: China " + hostChina + ", elsewhere " + hostAbroad,
				ZH: "按令牌自带的区域：中国 " + hostChina + "，其他 " + hostAbroad}},
			{What: vendors.Bilingual{EN: "Sound, vibration", ZH: "声音、振动"}, Value: vendors.Bilingual{
				EN: "not by message: the channel and notify_level decide", ZH: "不可按消息设置，由渠道和 notify_level 决定"}},
		},
		Classes: []vendors.ClassRow{
			{Name: private, Means: vendors.Bilingual{EN: "communication and service: " + strings.Join(service, ", "), ZH: "通讯与服务：" + strings.Join(service, "、")},
				Cap: vendors.Bilingual{EN: "none; needs approval, and a template", ZH: "不限；需申请，并使用模板"}},
			{Name: public, Means: vendors.Bilingual{EN: "content and marketing: " + strings.Join(marketing, ", ") + "; whatever has no channel",
				ZH: "内容与营销：" + strings.Join(marketing, "、") + "；未带渠道的消息"}, Cap: vendors.Bilingual{
				EN: fmt.Sprintf("%d a device and day (5 for news apps); the app %d below 50,000 users, twice its users above", publicDeviceCap, publicQuota),
				ZH: fmt.Sprintf("每台设备每天 %d 条（新闻类 5 条）；应用用户数不足 5 万时 %d，以上为用户数的 2 倍", publicDeviceCap, publicQuota)}},
		},
		Codes: append(codes(), vendors.Code{
			Code: "10006–20000", Reason: vendors.BadPayload, Uncertain: true, Meaning: "other codes of the API itself",
		}),
		Setup: []vendors.Bilingual{
			{EN: "Create the app in OPPO's push console and take AppKey and MasterSecret (not AppSecret).", ZH: "在 OPPO 推送平台创建应用，取得 AppKey 和 MasterSecret（不是 AppSecret）。"},
			{EN: "Create a notification channel in the app, list the same id in the console as private, and set channel_id. Without it Android 8+ shows nothing.",
				ZH: "客户端创建通知渠道，在平台登记同一渠道 ID（私信），填入 channel_id；否则 Android 8 及以上不显示。"},
			{EN: "Apply for the class communication and service with the category IM.", ZH: "申请“通讯与服务”类别，category 用 IM。"},
			{EN: "Apply for a private template for each kind of message and set templates, or one for all with template_id, title_params and content_params; a channel of its own for a kind goes under channels.",
				ZH: "为每种消息申请私信模板，填入 templates；也可用 template_id、title_params 和 content_params 为全部消息指定一个。某种消息有单独渠道时填入 channels。"},
		},
		Tap: vendors.Bilingual{
			EN: "The keys of the ext are extras of the opened intent. An ext that is no JSON object is the extra \"ext\": OPPO drops a push whose parameters are anything else.",
			ZH: "ext 的各键成为所打开 Intent 的 extra。不是 JSON 对象的 ext 会包成 {\"ext\": \"…\"}，因为 OPPO 会丢弃参数不是 JSON 对象的推送。",
		},
		Repeat: vendors.Bilingual{
			EN: "OPPO delivers one app_message_id once to a device; the same notify_id, which the events of a call share, replaces what is shown.",
			ZH: "同一 app_message_id 对同一设备只下发一次；notify_id 相同时覆盖已展示的通知，同一通话的各事件共用 notify_id。",
		},
		Example: `id: "35001"
vendor: oppo
package: com.example.im
app_key: ${OPPO_APP_KEY}
master_secret: ${OPPO_MASTER_SECRET}
channel_id: new_message
category: IM
template_id: "1001"
title_params: {sender: "{title}"}
content_params: {text: "{body}"}
templates:
  group: {id: "1002", title_params: {group: "{title}"}, content_params: {sender: "{sender}", text: "{text}"}}
click: {activity: com.example.im.OPPOMessageActivity}
`,
	}
}
