package huawei

import (
	"slices"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// Doc is the page docs/vendors/huawei.md.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "huawei", Name: vendors.Both("Huawei Push Kit (HMS)", "华为推送（HMS）"), Dated: "2026-11",
		Phones: vendors.Both(
			"EMUI, and HarmonyOS up to 4, in China and abroad; also Honor phones from before the split, whose SDK gives a token of Huawei. HarmonyOS 5 and later is vendor `harmony`.",
			"EMUI 与 HarmonyOS 4 及以下，国内外均可；也包括拆分前的荣耀手机（其 SDK 给出华为 token）。HarmonyOS 5 及以上请用 `harmony`。"),
		PerCall: vendors.Bothf("%d, with one notification", "%d 台，内容相同", pushkit.MaxTokens),
		Setup: []vendors.Bilingual{
			vendors.Both(
				"Sign in to AppGallery Connect (developer.huawei.com), create a project and in it the app, with its package name and the fingerprint of its signing certificate.",
				"登录 AppGallery Connect（developer.huawei.com），创建项目并在其中创建应用，填写包名和签名证书指纹。"),
			vendors.Both(
				"Grow, Push Kit: enable it for the app. For users abroad choose a data storage site; without one their pushes are answered 80300002.",
				"“增长 > 推送服务”：为应用开通。有海外用户时选择数据处理位置，否则发往海外的推送返回 80300002。"),
			vendors.Both(
				"Project settings, General information: take App ID (`app_id`) and, under OAuth 2.0 client ID, the Client Secret (`app_secret`). The project's id and the developer's are other numbers.",
				"“项目设置 > 常规”：获取 App ID（`app_id`）和 OAuth 2.0 客户端 ID 下的 Client Secret（`app_secret`）。项目 ID 与开发者 ID 是另外的数字。"),
			pushkit.Right(vendors.Both("`IM` and `VOIP`", "`IM` 与 `VOIP`")),
			vendors.Both("Where `VOIP` is not granted set `call_category: IM`.", "未获 `VOIP` 权益时设置 `call_category: IM`。"),
			vendors.Both(
				"Set `badge_class` to the full name of the activity that the launcher starts: Huawei changes no badge without it.", "将 `badge_class` 设为启动 Activity 的完整类名，否则华为不改变角标。"),
			vendors.Both(
				"In the app create the channel for chat, if it shall not be the SDK's own, and name it in `channel_id`.", "如不用 SDK 自带渠道，在应用中创建聊天渠道并填入 `channel_id`。"),
		},
		Example: `- id: "35002"
  vendor: huawei
  app_id: "100000001"
  app_secret: ${HUAWEI_APP_SECRET}
  category: IM
  badge_class: com.example.im.MainActivity
`,
		Classes: pushkit.Classes(),
		Kinds: []vendors.Bilingual{
			vendors.Both(
				"`category` is for messages, `call_category` for invitations; `android.huawei_category` of a message wins. There are no templates.",
				"`category` 用于消息，`call_category` 用于来电邀请；消息中的 `android.huawei_category` 优先。没有模板。"),
			vendors.Both(
				"`channel_id`, or `android.huawei_channel_id` of a message, is a channel that the app created. The class decides over the channel: a channel does not make marketing ring.",
				"`channel_id`（或消息中的 `android.huawei_channel_id`）为应用创建的渠道。类别优先于渠道：营销类消息不会因渠道而响铃。"),
		},
		Limits: slices.Concat(pushkit.Limits(), []vendors.Row{
			vendors.TextRow("Longest lifetime", "最长保留时间", "15 days; up to 120 messages wait for a phone", "15 天；每台手机最多缓存 120 条"),
			vendors.TextRow("Image", "图片", "https, PNG or JPG, below 512 KB", "https 地址，PNG 或 JPG，小于 512 KB"),
			{What: vendors.Both("Test pushes", "测试推送"), Value: vendors.Bothf("%d a day for an app (`test_mode`)", "每应用每天 %d 条（`test_mode`）", testPushesDay)},
		}),
		Rates: []vendors.Row{
			vendors.TextRow("Rate", "速率", "devices a second, shown in AppGallery Connect, at least 6,000; beyond it HTTP 503, which may also come at any load",
				"按每秒设备数计，见 AppGallery Connect，至少 6000；超出返回 HTTP 503，全网高峰时也可能出现"),
			vendors.TextRow("Daily total of an app", "应用每日总量", "none", "无"),
			vendors.TextRow("Access token", "访问令牌", "one hour, shared by all workers; Huawei gives 1,000 for an app in five minutes", "有效 1 小时，所有 worker 共用；每应用五分钟最多申请 1000 次"),
			vendors.TextRow("Addresses", "地址", "`"+pushHost+"` and `"+loginHost+"`, the same for all regions; API v1 by app, v2 with `project_id`",
				"`"+pushHost+"` 与 `"+loginHost+"`，各地区相同；默认按应用使用 v1 接口，设置 `project_id` 后用 v2"),
		},
		Screen: vendors.Screen{
			Recall: vendors.Both(
				"Overwritten, under the same `notify_id` and `tag`, with `importance` LOW and no sound; the `category` stays.",
				"覆盖：`notify_id` 与 `tag` 相同，`importance` 为 LOW，不带铃声；`category` 不变。"),
			Read:      vendors.ReadSetLater(),
			Repeat:    vendors.RepeatReplaced("notify_id", "tag").And("Huawei deduplicates nothing.", "华为不去重。"),
			CallEnded: vendors.CallEnded("notify_id", "tag"),
			Collapse: vendors.Collapsed("notify_id", "tag").And(
				"`collapse_key` is not used: it would drop other messages that wait for a phone that is off.", "不使用 `collapse_key`：它会丢弃为离线手机保留的其他消息。"),
			Group: vendors.Both("By conversation: `group` folds its notifications and shows the newest with a count.", "按会话折叠：`group` 只展示最新一条和条数。"),
			Badge: vendors.BadgeOfCall().And("Needs `badge_class`.", "需要 `badge_class`。"),
			Sound: vendors.Both(
				"`android.sound` is a file in res/raw; from Android 8 on the channel keeps the sound it was created with.", "`android.sound` 为 res/raw 中的文件；Android 8 及以上以渠道首次创建时的铃声为准。"),
			Image: vendors.Both("`android.image`, for service and communication.", "`android.image`，仅服务与通讯类展示。"),
			Front: vendors.Both("Not shown, unless `foreground_show`.", "不展示，除非设置 `foreground_show`。"),
			Off:   vendors.Both("All that fit wait, for the message's lifetime; with a class that is capped only the first of the day are shown.", "在消息有效期内全部保留；有上限的类别每天只展示最先的几条。"),
		},
		Calls: []vendors.Bilingual{
			vendors.Both(
				"An invitation is a notification of category `VOIP` that lives 60 seconds; it rings with the channel's sound once. There is no call screen.",
				"来电邀请是一条 `VOIP` 类别的通知，有效 60 秒，按渠道铃声响一次。没有系统来电界面。"),
		},
		Tap: []vendors.Bilingual{
			vendors.ExtInExtras("data"),
			vendors.Both(
				"`click` takes `action`, `intent` or an https `url`; none opens the app. An `ext` that does not fit is left out, with the note `ext_dropped`.",
				"`click` 可用 `action`、`intent` 或 https 的 `url`，不设则打开应用。放不下的 `ext` 不发送，note 为 `ext_dropped`。"),
		},
		Receipts: pushkit.Receipts(""),
		Traps: []vendors.Bilingual{
			vendors.Both(
				"80000000 means accepted, never delivered. Caps, switched-off notifications and uninstalled apps show up in receipts only.", "80000000 只表示已受理，不等于送达。频控、通知关闭、卸载只体现在回执中。"),
			vendors.Both(
				"A phone that was upgraded from HarmonyOS 4 to 5 keeps its old token here until the app registers anew, as `harmony`.", "手机由 HarmonyOS 4 升级到 5 后，这里的旧 token 一直保留，直到应用以 `harmony` 重新登记。"),
			vendors.Both(
				"80300007 also comes of a wrong app or project, and was seen after one phone was pushed to in a loop: registrations are removed for it only while others are accepted.",
				"80300007 也可能由应用或项目配错引起，还曾在循环推送同一手机后出现：只有其他设备正被受理时才会据此删除登记。"),
			vendors.Both(
				"80300002 for one token means that it belongs to another app, such as the beta; Hongyan then parks nothing.", "单个 token 得到 80300002 说明它属于另一应用（如测试版）；鸿雁不会因此暂停证书。"),
			vendors.Both("A category of the wrong case is taken for marketing, without an error.", "类别大小写错误会被当作营销类，且不报错。"),
			vendors.Both(
				"IM means chat between users. Strangers, official accounts and bulk messages are not IM: misuse is punished, from a warning to 90 days of silence.",
				"IM 指用户之间的聊天，不含陌生人、公众号和群发；滥用会受处罚，从警告直至静默 90 天。"),
			vendors.Both("`test_mode` left on caps the whole app.", "忘记关闭 `test_mode` 会使整个应用受测试上限限制。"),
		},
		Codes: codes(),
		Levels: map[string]vendors.Bilingual{
			"": vendors.Both("answer to the push", "推送应答"), levelHTTP: vendors.Both("HTTP status of the push", "推送的 HTTP 状态码"), levelOAuth: vendors.Both("login", "登录"),
		},
		Sources: []vendors.Source{
			{What: vendors.Both("Sending messages, and result codes", "发送消息与返回码"), URL: "https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-api-0000001050986197"},
			{What: vendors.Both("OAuth 2.0 login", "OAuth 2.0 登录"), URL: "https://developer.huawei.com/consumer/cn/doc/HMSCore-Guides/open-platform-oauth-0000001053629189"},
			{What: vendors.Both("Message classification", "消息分类"), URL: "https://developer.huawei.com/consumer/cn/doc/HMSCore-Guides/message-classification-0000001149358835"},
			{What: vendors.Both("Common errors", "常见错误"), URL: "https://developer.huawei.com/consumer/cn/doc/HMSCore-Guides/commonerror-0000001059816656"},
			{What: vendors.Both("The same classes as a reseller tells them", "转售商对消息分类的说明"), URL: "https://cloud.tencent.com/document/product/269/105123", Dated: "2025-12-24"},
		},
	}
}
