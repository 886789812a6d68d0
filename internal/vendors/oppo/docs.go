package oppo

import (
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Doc is the page docs/vendors/oppo.md.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "oppo", Name: vendors.Both("OPPO Push", "OPPO 推送"), Dated: "2026-11",
		Phones: vendors.Both("ColorOS: phones of OPPO, OnePlus and realme, in China and abroad.", "ColorOS：OPPO、一加、realme 手机，国内外均可。"),
		PerCall: vendors.Bothf(
			"%d, each with a message of its own", "%d 台，内容可各不相同", maxMessages),
		Setup: []vendors.Bilingual{
			vendors.Both(
				"Sign in to open.oppomobile.com, create the app with its package name, and enable push in the push console (push.oppo.com). Formal pushes need the app in OPPO's store.",
				"登录 open.oppomobile.com，按包名创建应用，并在推送平台（push.oppo.com）开通推送服务。正式推送要求应用已上架 OPPO 软件商店。"),
			vendors.Both(
				"Configuration, Application settings (the main account alone sees them): take AppKey (`app_key`) and MasterSecret (`master_secret`). The AppSecret is for the app and is refused here (16).",
				"“配置管理 > 应用配置”（仅主账号可见）：获取 AppKey（`app_key`）和 MasterSecret（`master_secret`）。AppSecret 供客户端使用，用在这里返回 16。"),
			vendors.Both(
				"In the app create the notification channel for chat, list the same id in the console as private, and set `channel_id`. Without it Android 8 and later show nothing, or the message counts as public.",
				"在应用中创建聊天渠道，在平台登记同一渠道 ID（私信），填入 `channel_id`；否则 Android 8 及以上不显示，或按公信计。"),
			vendors.Both(
				"Apply for the class communication and service (in force since 2024-11-20), and there for the category IM; with samples and screenshots.", "申请“通讯与服务”类别（2024-11-20 起施行）及其中的 IM，附示例与截图。"),
			vendors.Both(
				"Apply for a private template for each kind of message and write them under `templates`, or one for all as `template_id` with `title_params` and `content_params`. Without one OPPO answers 54.",
				"为每种消息申请私信模板，填入 `templates`；也可用 `template_id`、`title_params`、`content_params` 为全部消息指定一个。没有模板时返回 54。"),
			vendors.Both(
				"For banner, sound and vibration ask for the right to `notify_level: 16`, and set it once granted: before, OPPO answers 67.", "如需横幅、声音和振动，申请 `notify_level: 16` 的权限，获批后再设置；此前返回 67。"),
			vendors.Both("For reports register their address in the console.", "如需回执，在平台登记回执地址。"),
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
		Classes: []vendors.ClassRow{
			{
				Name:  private,
				Means: vendors.Both("communication and service: `"+strings.Join(service, "`, `")+"`", "通讯与服务：`"+strings.Join(service, "`、`")+"`"),
				Cap:   vendors.Both("none; needs approval, and a template", "不限；需申请，并使用模板"),
			},
			{
				Name: public,
				Means: vendors.Both("content and marketing: `"+strings.Join(marketing, "`, `")+"`; whatever has no channel",
					"内容与营销：`"+strings.Join(marketing, "`、`")+"`；未带渠道的消息"),
				Cap: vendors.Bothf(
					"%d a device and day (5 for news apps), told in receipts only; the app %d below 50,000 users, twice its users above; 1,000 for an app outside the store",
					"每台设备每天 %d 条（新闻类 5 条），超出只体现在回执中；应用用户数不足 5 万时 %d，以上为用户数的 2 倍；未上架应用 1000", publicDeviceCap, publicQuota),
			},
		},
		Kinds: []vendors.Bilingual{
			vendors.ByKind(),
			vendors.Both(
				"A message's own `android.oppo_channel_id`, `oppo_category`, `oppo_notify_level`, `oppo_template_id`, `oppo_title_params` and `oppo_content_params` win; a template of the message gets the message's values alone.",
				"消息自带的 `android.oppo_channel_id`、`oppo_category`、`oppo_notify_level`、`oppo_template_id`、`oppo_title_params`、`oppo_content_params` 优先；消息自带模板时只用消息自带的参数。"),
			vendors.TemplateValues().And(
				"Name all variables; leave out the one of the two parts that has none. "+
					"Whether OPPO wants the values as an object or as its text differs by account (uncertain): `params_as_text` switches.",
				"须列出全部变量；标题或正文没有变量时省略对应的一项。参数应为对象还是其文本，因账号而异（不确定），用 `params_as_text` 切换。"),
			vendors.Both(
				"A wrong template of the certificate (54) parks the pushes of that kind until it is mended; one that a message chose is `refused`.",
				"证书的模板有误（54）时，只暂停该类消息，等待修正；由消息自行指定时结果为 `refused`。"),
			vendors.Both(
				"`category: none` sends no category, for an app that is still in the old classes; do not mix the two schemes.", "`category: none` 不发送类别，用于仍在旧分类的应用；不要混用两套分类。"),
		},
		Limits: []vendors.Row{
			{What: vendors.Both("Title and body", "标题与正文"), Value: vendors.Bothf(
				"%d characters, and %d (standard) or %d (long text, chosen by the length); older documents allow 200 (uncertain)",
				"标题 %d 个字符；正文标准样式 %d，长文本样式 %d（按长度自动选择）；旧文档允许 200（不确定）", maxTitle, maxShort, maxLong)},
			{What: vendors.Both("`ext`", "`ext`"), Value: vendors.Bothf("%d characters as a JSON object; a longer one is left out whole", "以 JSON 对象计最多 %d 个字符；超出时整个不发送", maxParameters)},
			vendors.TextRow("Longest lifetime", "最长保留时间", "10 days", "10 天"),
			vendors.TextRow("In the tray", "通知栏停留", "12 hours public, 24 private by the document, other numbers in the SDK (uncertain)", "文档称公信 12 小时、私信 24 小时，SDK 中数值不同（不确定）"),
			vendors.TextRow("Token", "设备 token", "dead when the app is gone, or after 30 days off", "卸载或离线 30 天后失效"),
		},
		Rates: []vendors.Row{
			vendors.TextRow("Messages a second", "每秒消息数",
				"by users: 5,000 below 10 M, 10,000 to 50 M, 20,000 to 100 M, 30,000 above; all APIs share it, and it cannot be raised",
				"按累计用户：1000 万以下 5000，5000 万以下 10000，1 亿以下 20000，以上 30000；所有接口共用，不能提高"),
			vendors.TextRow("Quota's day", "额度的一天", "when it begins is not published (uncertain); midnight of `timezone` is assumed", "何时重置未公布（不确定），按 `timezone` 的零点计"),
			vendors.TextRow("Login", "鉴权", "an `auth_token` for 24 hours, shared by all workers; the clock must be right to ten minutes", "`auth_token` 有效 24 小时，所有 worker 共用；本机时钟误差不得超过十分钟"),
			vendors.TextRow("Addresses", "地址", "by the region in the token: China `"+hostChina+"`, elsewhere `"+hostAbroad+"`; `endpoint` replaces both",
				"按 token 自带的区域：中国 `"+hostChina+"`，其他 `"+hostAbroad+"`；`endpoint` 同时替换两者"),
			vendors.TextRow("Test pushes", "测试推送", "none; `test_mode` changes nothing", "没有；`test_mode` 不起作用"),
		},
		Screen: vendors.Screen{
			Recall: vendors.Both(
				"Overwritten, under the same `notify_id`, with `notify_level` 1 (where a `category` is sent) and an `app_message_id` of its own.",
				"覆盖：`notify_id` 相同，`notify_level` 为 1（发送了 `category` 时），`app_message_id` 不同。"),
			Read: vendors.ReadSetLater(),
			Repeat: vendors.Both(
				"One notification: OPPO delivers one `app_message_id`, which is that of message and phone, once.", "只显示一条：同一 `app_message_id`（由消息和手机决定）只下发一次。"),
			CallEnded: vendors.CallEnded("notify_id").And("They differ in `app_message_id`.", "各事件的 `app_message_id` 不同。"),
			Collapse:  vendors.Collapsed("notify_id"),
			Group:     vendors.Both("No such field.", "没有该字段。"),
			Badge:     vendors.Both("With `badge: true` the number is set (uncertain); most OPPO phones show a dot instead.", "`badge: true` 时设置数字（不确定）；多数 OPPO 手机只显示圆点。"),
			Sound:     vendors.Both("Not by message: the channel and `notify_level` decide.", "不可按消息设置，由渠道和 `notify_level` 决定。"),
			Image:     vendors.Both("None: pictures belong to broadcasts.", "不支持：图片仅用于广播。"),
			Front:     vendors.Both("Shown; OPPO has no field against it. Hongyan does not push to an app whose presence says foreground.", "会展示，OPPO 没有相应字段。在线状态为前台的应用，鸿雁不推送。"),
			Off:       vendors.Both("All wait, for the message's lifetime.", "在消息有效期内全部保留。"),
		},
		Calls: []vendors.Bilingual{vendors.Both(
			"An invitation is a notification with the channel and template for calls, and lives 60 seconds; it rings with `notify_level: 16` alone. The system's call screen is not used.",
			"来电邀请是使用通话渠道和模板的通知，有效 60 秒；只有 `notify_level: 16` 时会响铃。不使用系统来电界面。")},
		Tap: []vendors.Bilingual{
			vendors.Both(
				"The keys of `ext` are extras of the opened intent. An `ext` that is no JSON object becomes the extra `ext`: OPPO drops a push whose parameters are anything else.",
				"`ext` 的各键成为所打开 Intent 的 extra。不是 JSON 对象的 `ext` 会包成 `{\"ext\": \"…\"}`，因为 OPPO 会丢弃参数不是 JSON 对象的推送。"),
			vendors.Both(
				"`click` takes `activity`, `action`, `intent` or `url`; none opens the app. An activity that begins with a dot is completed by `package`.",
				"`click` 可用 `activity`、`action`、`intent` 或 `url`，不设则打开应用。以点开头的 activity 由 `package` 补全。"),
		},
		Receipts: []vendors.Bilingual{
			vendors.Both(
				"Register the address in the console, and write it as `receipts: {url: …}`, at most 200 characters; it goes with each push, with the message's key as the parameter.",
				"在平台登记地址，并写入 `receipts: {url: …}`（最多 200 个字符）；它随每条推送发送，并以消息的键作为参数。").Unsigned(),
			vendors.Both(
				"Reported are arrivals (`push_arrive`), dead tokens (`regid_invalid`) and the day's limit of a phone (`user_daily_limit`), which no answer tells.",
				"回执包括到达（`push_arrive`）、token 失效（`regid_invalid`）和设备当日超限（`user_daily_limit`），后者不会出现在应答中。"),
		},
		Traps: []vendors.Bilingual{
			vendors.Both("The channel must exist twice: created by the app on the phone, and listed in the console.", "渠道要在两处存在：应用在手机上创建，并在平台登记。"),
			vendors.Both("Code 0 means accepted. What fails of a call stands at each message, under code 0.", "返回 0 只表示已受理。调用中失败的部分体现在每条消息上，外层仍为 0。"),
			vendors.Both("41 may also stand for a malformed token; no token is dropped on it.", "41 也可能是某个 token 格式有误；不会因此删除 token。"),
			vendors.Both("`notify_level` without a category is refused; a category without its right answers 67.", "没有类别的 `notify_level` 会被拒；没有权限的类别返回 67。"),
			vendors.Both("10001 means that the user switched pushes off; the registration goes, and the app's next registration revives it.", "10001 表示用户关闭了推送；登记会被删除，应用下次注册即恢复。"),
			vendors.Both("Phones that installed the app elsewhere than from OPPO's store get no public messages (uncertain).", "未从 OPPO 软件商店安装应用的手机收不到公信（不确定）。"),
		},
		Codes: append(codes(), vendors.Code{
			Code: "10006–20000", Reason: vendors.BadPayload, Uncertain: true, Meaning: vendors.Both("other codes of the API itself", "接口自有的其他返回码"),
		}),
		Sources: []vendors.Source{
			{What: vendors.Both("OPPO PUSH documentation, page 11236", "OPPO PUSH 文档 11236"), URL: "https://open.oppomobile.com/new/developmentDoc/info?id=11236"},
			{What: vendors.Both("OPPO PUSH documentation, page 11227", "OPPO PUSH 文档 11227"), URL: "https://open.oppomobile.com/new/developmentDoc/info?id=11227"},
			{What: vendors.Both("OPPO PUSH documentation, page 11256", "OPPO PUSH 文档 11256"), URL: "https://open.oppomobile.com/new/developmentDoc/info?id=11256"},
			{What: vendors.Both("Private templates, from a reseller", "私信模板（转售商说明）"), URL: "https://cloud.tencent.com/document/product/269/121188"},
		},
	}
}
