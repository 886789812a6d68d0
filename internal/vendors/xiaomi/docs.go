package xiaomi

import (
	"fmt"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Doc is the page docs/vendors/xiaomi.md.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "xiaomi", Name: vendors.Both("Xiaomi MiPush", "小米推送"), Dated: "2026-11",
		Phones: vendors.Both(
			"MIUI and HyperOS in mainland China. Mi Push ended everywhere else on 2024-04-02: Xiaomi's phones abroad need FCM.",
			"中国大陆的 MIUI 与 HyperOS。小米推送已于 2024-04-02 停止其他地区的服务，海外小米手机请用 FCM。"),
		PerCall: vendors.Bothf("%d, with one notification or with different ones", "%d 台，内容相同或各不相同均可", maxTargets),
		Setup: []vendors.Bilingual{
			vendors.Both(
				"Sign in to dev.mi.com, create the app with its package name, and enable push in the push console (admin.xmpush.xiaomi.com).",
				"登录 dev.mi.com，按包名创建应用，并在推送运营平台（admin.xmpush.xiaomi.com）开通推送。"),
			vendors.Both(
				"Take the package name (`package`) and the AppSecret (`app_secret`); not the AppKey or AppID, which belong into the app.", "获取包名（`package`）和 AppSecret（`app_secret`）；AppKey 与 AppID 供客户端使用。"),
			vendors.Both(
				"Apply for a channel of the important (private) class for instant messages, with screenshots of the scene; about five working days. Its id is `channel_id`. "+
					"Each channel is approved for one kind of message, an app has at most 30.",
				"申请即时消息的重要级别渠道（私信），附场景截图，审核约五个工作日；渠道 ID 即 `channel_id`。每个渠道只对应一种消息，每个应用最多 30 个渠道。"),
			vendors.Both(
				"Choose templates: the official ones need no application (M12762 one-to-one, M12763 group, M12764 call, M12771 mention), your own are reviewed. Write them under `templates`. "+
					"Private messages need one, from apps new since 2026-07-01 at once, from all others by 2026-12-31 (uncertain).",
				"选用模板：官方模板无需申请（M12762 单聊、M12763 群聊、M12764 通话、M12771 @提及），自建模板需审核。填入 `templates`。"+
					"私信必须使用模板：2026-07-01 后的新应用立即执行，其他应用不晚于 2026-12-31（不确定）。"),
			vendors.Both(
				"Where a kind has a channel of its own (calls), name it under `channels`; list ordinary channels under `public_channels`.", "某种消息（如通话）有单独渠道时填入 `channels`；普通级别的渠道列入 `public_channels`。"),
			vendors.Both(
				"Try it with a sentence of a real chat: a text that looks like a test may be blocked (uncertain).", "用真实的聊天语句调试：像测试的文案可能被拦截（不确定）。"),
		},
		Example: `id: "35002"
vendor: xiaomi
app_secret: ${XIAOMI_APP_SECRET}
package: com.example.im
channel_id: "123456"
templates:
  c2c: {id: M12762, params: {keywords1: "{title}", keywords2: "{text}"}}
  group: {id: M12763, params: {keywords1: "{title}", keywords2: "{sender}", keywords3: "{text}"}}
  call: {id: M12764, params: {keywords1: "{title}"}}
`,
		Classes: []vendors.ClassRow{
			{
				Name: private,
				Means: vendors.Both("important: eight kinds alone, among them instant messages; an approved channel, and a template",
					"私信（重要）：仅限即时消息等八类，需审核通过的渠道和模板"),
				Cap: vendors.Both("none", "不限"),
			},
			{
				Name: public, Means: vendors.Both("ordinary: everything else", "公信（普通）：其余消息"),
				Cap: vendors.Bothf(
					"%d a device and day (8 with a news licence); the app twice its installs with notifications on, at least %d. Counted by arrival; fewer for an app whose users switch notifications off (uncertain)",
					"每台设备每天 %d 条（新闻资质 8 条）；应用为通知开启设备数的 2 倍，至少 %d。按到达计；用户关闭通知较多的应用会降低（不确定）", publicDeviceCap, leastPublicQuota),
			},
			{
				Name: public, Means: vendors.Both("without a channel", "未带渠道"),
				Cap: vendors.Bothf("%d a device and day; may be refused altogether (uncertain)", "每台设备每天 %d 条，也可能直接被拒（不确定）", defaultDeviceCap),
			},
		},
		Kinds: []vendors.Bilingual{
			vendors.ByKind(),
			vendors.Both(
				"A message's own `android.xiaomi_channel_id`, `xiaomi_template_id` and `xiaomi_template_params` win over both; a template of the message gets the message's values alone.",
				"消息自带的 `android.xiaomi_channel_id`、`xiaomi_template_id`、`xiaomi_template_params` 优先于两者；消息自带模板时只用消息自带的参数。"),
			vendors.TemplateValues().And(
				fmt.Sprintf("Name all variables of the template and no others: at most %d, 1 to %d characters each. Emoji are taken out, long ones cut, and what is left "+
					"empty becomes `blank_text`.", maxParams, maxParam),
				fmt.Sprintf("须且仅须列出模板的全部变量：最多 %d 个，每个 1 至 %d 个字符。表情符号会被去除，过长的会截断，空的以 `blank_text` 代替。", maxParams, maxParam)),
			vendors.Both(
				"A wrong template or channel of the certificate (10041, 27001) parks the pushes of that kind until it is mended; one that a message chose is `refused`.",
				"证书的模板或渠道有误（10041、27001）时，只暂停该类消息，等待修正；由消息自行指定时结果为 `refused`。"),
		},
		Limits: []vendors.Row{
			{What: vendors.Both("Title and body", "标题与正文"), Value: vendors.Bothf("at most %d and %d characters", "最多 %d 与 %d 个字符", maxTitle, maxText)},
			{What: vendors.Both("Title, body and `ext` together", "标题、正文与 `ext` 合计"), Value: vendors.Bothf(
				"%d bytes (uncertain); the texts are shortened for the `ext`, and one above %d bytes is left out whole", "%d 字节（不确定）；优先缩短文字以保留 `ext`，`ext` 超过 %d 字节时整个不发送", maxMessage, maxMessage-leastTexts)},
			vendors.TextRow("Longest lifetime", "最长保留时间", "10 days private, 1 day public", "私信 10 天，公信 1 天"),
			vendors.TextRow("In the tray", "通知栏停留", "48 hours private, 24 public, if nobody taps (uncertain)", "无人点击时私信 48 小时、公信 24 小时（不确定）"),
			vendors.TextRow("Token", "设备 token", "dead after 30 days without a connection, 90 in older texts (uncertain)", "30 天未连接即失效，旧文档为 90 天（不确定）"),
		},
		Rates: []vendors.Row{
			vendors.TextRow("Requests a second", "每秒请求数",
				"by phones with notifications on: 500 below 100,000, 1,000 to 1 M, 2,000 to 5 M, 2,500 to 10 M, 3,000 above; each for up to 1,000 phones",
				"按通知开启设备数：10 万以下 500，100 万以下 1000，500 万以下 2000，1000 万以下 2500，以上 3000；每次最多 1000 台"),
			vendors.TextRow("Quota's day", "额度的一天", "when it begins is not published (uncertain); midnight of `timezone` is assumed", "何时重置未公布（不确定），按 `timezone` 的零点计"),
			vendors.TextRow("Login", "鉴权", "the AppSecret in every call; nothing to renew", "每次调用携带 AppSecret，无需续期"),
			vendors.TextRow("Address", "地址", "`"+host+"`", "`"+host+"`"),
			vendors.TextRow("Test pushes", "测试推送", "none: Xiaomi's sandbox is for iOS; use a phone of your own", "没有：小米沙箱仅用于 iOS，请用自己的手机"),
		},
		Screen: vendors.Screen{
			Recall: vendors.Both(
				"Overwritten, under the same `notify_id`, with `notify_type` 0 and a `jobkey` of its own. Xiaomi's own recall is not used: what it needs and answers is not documented well enough.",
				"覆盖：`notify_id` 相同，`notify_type` 为 0，`jobkey` 不同。小米自身的撤回接口资料不足，不使用。"),
			Read: vendors.ReadStays(),
			Repeat: vendors.Both(
				"One notification: the phone shows only the first push with an `extra.jobkey`, which is the message's.", "只显示一条：手机只展示同一 `extra.jobkey` 的第一条，该值每条消息唯一。"),
			CallEnded: vendors.CallEnded("notify_id").And("They differ in `jobkey`.", "各事件的 `jobkey` 不同。"),
			Collapse:  vendors.Collapsed("notify_id"),
			Group:     vendors.Both("No such field; without `policy.collapse` each message has its own entry.", "没有该字段；不设 `policy.collapse` 时每条消息单独展示。"),
			Badge:     vendors.Both("No field: the phone counts one more for each notification and clears it when the app opens (uncertain).", "没有字段：手机每条通知自动加一，打开应用时清零（不确定）。"),
			Sound: vendors.Both(
				"`android.sound` is a file in res/raw; from Android 8 on the sound is the channel's, as approved in the console.", "`android.sound` 为 res/raw 中的文件；Android 8 及以上以平台审核的渠道铃声为准。"),
			Image: vendors.Both("None.", "不支持。"),
			Front: vendors.Both("Not shown (`extra.notify_foreground` is 0).", "不展示（`extra.notify_foreground` 为 0）。"),
			Off:   vendors.Both("All wait, for the message's lifetime; of capped classes only the first of the day are shown.", "在消息有效期内全部保留；有上限的类别每天只展示最先的几条。"),
		},
		Calls: []vendors.Bilingual{vendors.Both(
			"An invitation is a notification with the channel and template for calls, and lives 60 seconds. The system's call screen (HyperOS 3.1) is not used.",
			"来电邀请是使用通话渠道和模板的通知，有效 60 秒。不使用系统来电界面（HyperOS 3.1）。")},
		Tap: []vendors.Bilingual{
			vendors.Both(
				"`ext` is the content of the MiPushMessage in the opened intent: `getSerializableExtra(PushMessageHelper.KEY_MESSAGE)`, then `getContent()`. `onNotificationMessageClicked` is not called.",
				"`ext` 是所打开 Intent 中 MiPushMessage 的内容：`getSerializableExtra(PushMessageHelper.KEY_MESSAGE)`，再 `getContent()`。不会回调 `onNotificationMessageClicked`。"),
			vendors.Bothf(
				"Up to %d characters it is also `getExtra().get(\"ext\")`, where clients of Tencent's push look for it.", "不超过 %d 个字符时也可用 `getExtra().get(\"ext\")` 读取，与腾讯推送的客户端一致。", maxExtra),
			vendors.Both("`click` takes `activity`, `action`, `intent` or an http or https `url`; none opens the app.", "`click` 可用 `activity`、`action`、`intent` 或 http(s) 的 `url`，不设则打开应用。"),
		},
		Receipts: []vendors.Bilingual{
			vendors.Both(
				"Nothing is registered in the console: `receipts: {url: …}` goes with each push, with the message's key as `callback.param`. An https address is best; older texts know http only (uncertain).",
				"无需在平台登记：`receipts: {url: …}` 随每条推送发送，并以消息的键作为 `callback.param`。建议用 https，旧文档只提到 http（不确定）。").Unsigned(),
			vendors.Both(
				"Asked for are arrivals (1), taps (2), dead tokens (16), pushes switched off (32), limits of the day (128) and lifetimes that ended (1024).",
				"请求的回执有：到达（1）、点击（2）、token 失效（16）、推送关闭（32）、当日超限（128）、过期（1024）。"),
		},
		Traps: []vendors.Bilingual{
			vendors.Both(
				"Without a channel, or with a wrong one, a phone shows one message a day and Xiaomi says code 0: it looks like random loss.", "未带渠道或渠道有误时，手机每天只展示一条，而小米返回 0：看上去像随机丢失。"),
			vendors.Both("Code 0 may name dead tokens in `bad_regids`, and channels over their quota; Hongyan reads both.", "返回 0 时仍可能在 `bad_regids` 中列出失效 token，或列出超额的渠道；鸿雁都会读取。"),
			vendors.Both("20301 means dead tokens only with the reason \"No valid targets!\".", "20301 只有在原因为 `No valid targets!` 时才表示 token 失效。"),
			vendors.Both("65003 is mostly a phone that was off for long; the token stays.", "65003 多为长期离线的手机；token 会保留。"),
			vendors.Both("The important class is for its eight kinds: other use can end on the blacklist (10031).", "重要级别仅限八类消息，滥用可能进入黑名单（10031）。"),
			vendors.Both("Where the group's name is the title, a template of `{title}` and `{text}` alone loses who wrote: use `{sender}` too, or `{body}`.",
				"群消息的标题是群名，只用 `{title}` 与 `{text}` 的模板看不到是谁发的：请加上 `{sender}`，或改用 `{body}`。"),
		},
		Codes: codes(),
		Sources: []vendors.Source{
			{What: vendors.Both("Error codes", "错误码"), URL: "https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1560"},
			{What: vendors.Both("Classes and limits", "消息分类与限额"), URL: "https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1656", Dated: "2026-02-04"},
			{What: vendors.Both("Public templates", "公共模板"), URL: "https://dev.mi.com/xiaomihyperos/documentation/detail?pId=2314", Dated: "2026-06-02"},
			{What: vendors.Both("Rules of 2026", "2026 年规则"), URL: "https://dev.mi.com/xiaomihyperos/documentation/detail?pId=2321"},
			{What: vendors.Both("The end abroad, from a reseller", "海外停止服务（转售商说明）"), URL: "https://developer.clevertap.com/docs/xiaomi-push-notifications"},
		},
	}
}
