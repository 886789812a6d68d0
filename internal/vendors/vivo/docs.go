package vivo

import (
	"strconv"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Doc is what docs/vendors.md says about vivo.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "vivo", Name: vendors.Both("vivo push", "vivo 推送"), Dated: "2026-11",
		Links: []string{
			"https://dev.vivo.com.cn/documentCenter/doc/362",
			"https://dev.vivo.com.cn/documentCenter/doc/359",
			"https://dev.vivo.com.cn/documentCenter/doc/681",
		},
		Rows: []vendors.Row{
			vendors.TextRow("Badge", "角标", "no number is sent: vivo's addBadge can only add one, and needs a right", "不下发数字：vivo 的 addBadge 只能加一，且需申请权限"),
			vendors.NumberRow("Devices per call", "单次最多设备数", maxList),
			vendors.TextRow("Calls", "调用方式", "one device: /message/send; 2 to 1,000: /message/saveListPayload, then /message/pushToList",
				"单设备用 /message/send；2 至 1000 个设备先 /message/saveListPayload 再 /message/pushToList"),
			vendors.TextRow("List pushes a day", "每日群推消息体数", strconv.Itoa(listBodies)+" by default, more with more subscribers; beyond it (10252) single pushes take over until midnight",
				"默认 "+strconv.Itoa(listBodies)+"，随订阅数增加；超出（10252）后自动改用单推直到零点"),
			vendors.NumberRow("Title, counting Chinese as two", "标题长度（汉字按 2 计）", maxTitle),
			vendors.NumberRow("Content, counting Chinese as two", "内容长度（汉字按 2 计）", maxContent),
			vendors.TextRow("Lifetime", "缓存时间", "1 minute to 1 day; a list push at least 15 minutes", "1 分钟至 1 天；群推至少 15 分钟"),
			vendors.TextRow("Rate", "速率", "3,000 messages a second up to 5 million users, 4,000 up to 8 million, 5,000 above; beyond it 10072",
				"有效用户 500 万以内每秒 3000 条，800 万以内 4000 条，以上 5000 条；超出返回 10072"),
			vendors.TextRow("Access token", "鉴权令牌", "24 hours; used for one hour, several may be valid at once; 10 logins a second",
				"有效 24 小时，本系统使用 1 小时，可多个并存；每秒最多 10 次鉴权"),
			vendors.TextRow("Text check", "文案检查", "a formal push must not be only digits, Latin letters or symbols, nor hold brackets or 测试 (10104); texts are "+
				"dressed for it, and what vivo still refuses is sent once more as generic_title and generic_body",
				"正式消息不得为纯数字、纯字母、纯符号，不得含括号或“测试”（10104）；系统会先行修饰，仍被拒时以 generic_title 与 generic_body 重发一次"),
			vendors.NumberRow("Test devices of an app", "每应用测试设备数", testDevices),
		},
		Classes: []vendors.ClassRow{
			{Name: "system", Means: vendors.Both("classification 1: IM, ACCOUNT, TODO, DEVICE_REMINDER, ORDER, SUBSCRIPTION", "系统消息 classification 1：IM、ACCOUNT、TODO、DEVICE_REMINDER、ORDER、SUBSCRIPTION"),
				Cap: vendors.Both("the app's users times 3 a day (20 in a newer source; unlimited on application), no cap for a device; counted by arrival",
					"每日总量为有效用户数的 3 倍（较新资料为 20 倍，可申请不限），单设备不限；按到达计")},
			{Name: "operational", Means: vendors.Both("classification 0: NEWS, CONTENT, MARKETING, SOCIAL; from 07:00 to 23:00 only", "运营消息 classification 0：NEWS、CONTENT、MARKETING、SOCIAL；仅 7:00 至 23:00"),
				Cap: vendors.Both("2 a device and day, 5 for licensed news apps; the app's users times 2 (3) a day", "每设备每天 2 条，持牌新闻类 5 条；每日总量为有效用户数的 2（3）倍")},
		},
		Codes: codes(),
		Setup: []vendors.Bilingual{
			vendors.Both("Create the app on the vivo open platform, enable push, and take AppID, AppKey and AppSecret.", "在 vivo 开放平台创建应用并开通推送，获取 AppID、AppKey、AppSecret。"),
			vendors.Both("Enter the test devices in the push console. Until the app is in vivo's store, only test_mode: true reaches them (10045).",
				"在推送后台登记测试设备。应用上架前只能用 test_mode: true 推送（否则返回 10045）。"),
			vendors.Both("Ask for system messages to be switched on (10082), and keep category IM for chat only: vivo re-labels what it takes for operational.",
				"申请开通系统消息（10082），IM 类别仅用于聊天：被判定为运营的消息会被改类。"),
			vendors.Both("Turn test_mode off once the app is published.", "上架后关闭 test_mode。"),
			vendors.Both("Export the activity that click.intent opens.", "click.intent 打开的 Activity 必须 exported。"),
		},
		Tap: vendors.Both(`clientCustomMap is {"ext": "<ext>"}; the app reads getIntent().getStringExtra("ext"), with SDK 3.0 and later. {ext} in click.intent carries it as well. An ext of more than 1,021 characters is left out, and {"conversation", "message"} goes instead.`,
			`clientCustomMap 为 {"ext": "<ext>"}，SDK 3.0 及以上用 getIntent().getStringExtra("ext") 读取；也可在 click.intent 中用 {ext} 携带。超过 1021 个字符的 ext 不发送，改为 {"conversation", "message"}。`),
		Repeat: vendors.Both("A repeat has the same notifyId, so it replaces the first on the screen; with the same requestId vivo drops it.",
			"重复推送的 notifyId 相同，会覆盖前一条；requestId 相同时由 vivo 去重。"),
		Example: `- id: "35003"
  vendor: vivo
  app_id: "100001"
  app_key: ${VIVO_APP_KEY}
  app_secret: ${VIVO_APP_SECRET}
  category: IM
  click: {intent: "intent:#Intent;component=com.example.im/.ChatActivity;S.ext={ext};end"}
`,
	}
}
