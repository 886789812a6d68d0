package honor

import "github.com/hongyan-im/hongyan/internal/vendors"

// Doc is the page docs/vendors/honor.md.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "honor", Name: vendors.Both("Honor push", "荣耀推送"), Dated: "2026-11",
		Phones: vendors.Both(
			"Honor phones with Magic UI 4.0 and later, 4.2 abroad. Older Honor phones have tokens of Huawei: the token that the SDK gave decides the vendor, not the phone's brand.",
			"Magic UI 4.0 及以上（海外 4.2 及以上）的荣耀手机。更早的荣耀手机使用华为 token：由 SDK 给出的 token 决定厂商，而不是品牌。"),
		PerCall: vendors.Bothf("not published (uncertain); `batch`, %d by default", "官方未公布（不确定）；由 `batch` 配置，默认 %d", defaultTokens),
		Setup: []vendors.Bilingual{
			vendors.Both(
				"Sign in to developer.honor.com with an account of a company, create the app with its package name and the fingerprint of its signing certificate, and enable push for it.",
				"用企业账号登录 developer.honor.com，按包名和签名证书指纹创建应用，并为其开通推送服务。"),
			vendors.Both(
				"Take App ID (`app_id`), Client ID (`client_id`) and Client Secret (`client_secret`). The App Secret beside them is not used.",
				"获取 App ID（`app_id`）、Client ID（`client_id`）和 Client Secret（`client_secret`）。旁边的 App Secret 不使用。"),
			vendors.Both(
				"Apply for the self-classification right for instant messages: since 2024-12-31 everything of an app without it is marketing, of which a phone shows two a day.",
				"申请即时通讯的自分类权益：2024-12-31 起未开通的应用全部按资讯营销处理，每台手机每天只展示两条。"),
			vendors.Both(
				"Until the app is approved only `test_mode: true` reaches phones. Turn it off afterwards.", "应用审核通过前仅 `test_mode: true` 可送达；通过后关闭。"),
			vendors.Both(
				"Set `badge_class` to the full name of the activity that the launcher starts.", "将 `badge_class` 设为启动 Activity 的完整类名。"),
			vendors.Both(
				"On the first day push to one phone of your own and look at the outcome's vendor_code: what is in no table below goes into `codes`, or `success_codes` where the push arrived.",
				"第一天先推送到自己的一台手机，查看结局中的 vendor_code：下表没有的返回码写入 `codes`；若推送已到达，则写入 `success_codes`。"),
		},
		Example: `- id: "35005"
  vendor: honor
  app_id: "104000001"
  client_id: "220000001"
  client_secret: ${HONOR_CLIENT_SECRET}
  importance: NORMAL
  badge_class: com.example.im.MainActivity
`,
		Classes: []vendors.ClassRow{
			{
				Name:  "communication",
				Means: vendors.Both("importance `NORMAL`, with the self-classification right; lock screen, sound and vibration", "importance 为 `NORMAL`，需开通自分类权益；有锁屏、铃声和振动"),
				Cap:   vendors.Both("none", "不限"),
			},
			{
				Name: "marketing",
				Means: vendors.Both("importance `LOW`, and everything of an app without the right; a silent entry, text only",
					"importance 为 `LOW`，以及未开通权益的应用的全部消息；静默展示，仅文字"),
				Cap: vendors.Bothf("%d a device and day, 5 for news apps; beyond it dropped, as it seems without an error (uncertain)",
					"每设备每天 %d 条，新闻类 5 条；超出后被丢弃，似乎不报错（不确定）", marketingCap),
			},
		},
		Kinds: []vendors.Bilingual{vendors.Both(
			"`importance`, or `android.honor_importance` of a message, is all that chooses the class. Honor has neither channels of the app's own (uncertain) nor templates.",
			"类别只由 `importance`（或消息中的 `android.honor_importance`）决定。荣耀没有应用自有渠道（不确定），也没有模板。")},
		Limits: []vendors.Row{
			{What: vendors.Both("Request, without the tokens", "请求体（不含 token）"), Value: vendors.Bothf(
				"not published (uncertain); `max_bytes`, %d by default. The body is shortened first, then image, long text and title; then `ext` gives way to `{\"conversation\", \"message\"}`",
				"官方未公布（不确定）；由 `max_bytes` 配置，默认 %d。依次缩短正文，再去掉图片、长文本和标题的一部分，最后 `ext` 换成 `{\"conversation\", \"message\"}`", defaultBytes)},
			{What: vendors.Both("Title and body", "标题与正文"), Value: vendors.Bothf(
				"%d and %d code points; resellers print more (uncertain)", "%d 与 %d 个码点；转售商给出的数值更大（不确定）", maxTitle, maxBody)},
			vendors.TextRow("Longest lifetime", "最长保留时间", "15 days", "15 天"),
			vendors.TextRow("Night", "夜间", "one source: nothing is shown from 0:00 to 6:00 (uncertain)", "有资料称 0 至 6 点不展示（不确定）"),
			{What: vendors.Both("Test pushes", "测试推送"), Value: vendors.Bothf("%d a day for an app (`test_mode`), beside the cap of a device", "每应用每天 %d 条（`test_mode`），不占设备上限", testPushesDay)},
		},
		Rates: []vendors.Row{
			vendors.TextRow("Rate", "速率", "3,000 a second, which cannot be raised (uncertain)", "每秒 3000，不能提高（不确定）"),
			vendors.TextRow("Access token", "访问令牌", "as long as `expires_in` says, about an hour; shared by all workers", "以 `expires_in` 为准，约 1 小时，所有 worker 共用"),
			vendors.TextRow("Addresses", "地址", "`"+pushHost+"` and `"+loginHost+"`; no other for abroad is known (uncertain)", "`"+pushHost+"` 与 `"+loginHost+"`；未见海外地址（不确定）"),
			vendors.TextRow("Clock", "时钟", "each call carries the time in milliseconds; how far it may be off is not published (uncertain)", "每次调用都带毫秒时间戳；允许的误差未公布（不确定）"),
		},
		Screen: vendors.Screen{
			Recall: vendors.Both(
				"Overwritten, under the same `notifyId` and `tag`. `importance` is the message class, so it stays, and the phone sounds as for a message.",
				"覆盖：`notifyId` 与 `tag` 相同。`importance` 即消息类别，因此不变，提示方式与普通消息相同。"),
			Read:      vendors.ReadSetLater(),
			Repeat:    vendors.RepeatReplaced("notifyId", "tag").And("Honor is not known to deduplicate.", "没有资料表明荣耀会去重。"),
			CallEnded: vendors.CallEnded("notifyId", "tag"),
			Collapse:  vendors.Collapsed("notifyId", "tag"),
			Group:     vendors.Both("By conversation: `group` folds its notifications and shows the newest with a count.", "按会话折叠：`group` 只展示最新一条和条数。"),
			Badge:     vendors.BadgeOfCall().And("Needs `badge_class`.", "需要 `badge_class`。"),
			Sound:     vendors.Both("The phone's own: a push cannot choose it.", "由手机决定，推送不能指定。"),
			Image:     vendors.Both("`android.image`, an https address, with importance `NORMAL` only.", "`android.image`，https 地址，仅 importance 为 `NORMAL` 时展示。"),
			Front:     vendors.Both("The SDK decides; no field of the request is known for it (uncertain).", "由 SDK 决定；未见相应的请求字段（不确定）。"),
			Off:       vendors.Both("All wait, for the message's lifetime; no collapsing in the cloud is documented.", "在消息有效期内全部保留；没有云端折叠的文档。"),
		},
		Calls: []vendors.Bilingual{vendors.Both(
			"An invitation is a notification like any other and lives 60 seconds. The system's call screen (MagicOS 10) is not used.", "来电邀请与普通通知相同，有效 60 秒。不使用系统来电界面（MagicOS 10）。")},
		Tap: []vendors.Bilingual{
			vendors.ExtInExtras("data"),
			vendors.Both("`click` takes `action`, `intent` or an https `url`; none opens the app.", "`click` 可用 `action`、`intent` 或 https 的 `url`，不设则打开应用。"),
		},
		Receipts: []vendors.Bilingual{vendors.Both(
			"Register the address once, under Management centre, Push, App receipt, and write `receipts: {}`: every push then carries the message's key as `biTag`, which comes back. "+
				"Of the reports only one status is known, 40000002 for delivered (uncertain).",
			"在“管理中心 > 推送服务 > 应用回执”登记一次地址，并写 `receipts: {}`：每条推送以消息的键作为 `biTag`，并在回执中返回。回执状态只知道 40000002 表示送达（不确定）。")},
		Traps: []vendors.Bilingual{
			vendors.Both(
				"Honor's table of codes could not be read: only 200 and the two lists of tokens have more than one source. An unknown code is tried a few times, keeps the token, and stands in the outcome.",
				"未能取得荣耀的返回码表：只有 200 和两个 token 列表有多个来源。未知返回码会少量重试、保留 token，并记录在结局中。"),
			vendors.Both("App ID, Client ID and App Secret are easily mistaken for each other: `worker check` finds the first two being equal.", "App ID、Client ID、App Secret 容易混淆：前两者相同会被 `worker check` 发现。"),
			vendors.Both("Huawei's body on Honor's host, or the other way round, is refused: the interfaces only look alike.", "华为的请求体不能发往荣耀地址，反之亦然：两者只是相似。"),
			vendors.Both("A success code may come with dead tokens in `expireTokens`; Hongyan reads them always.", "成功码也可能带有 `expireTokens` 中的失效 token，鸿雁始终会读取。"),
			vendors.Both("The old hosts ended in hihonor.com; set `endpoint` and `token_endpoint` if you need them.", "旧地址以 hihonor.com 结尾；如有需要请设置 `endpoint` 与 `token_endpoint`。"),
		},
		Codes: codes(),
		Levels: map[string]vendors.Bilingual{
			levelCode: vendors.Both("answer to the push", "推送应答"), levelHTTP: vendors.Both("HTTP status", "HTTP 状态码"), levelDevice: vendors.Both("list that names a token", "列出 token 的字段"),
		},
		Sources: []vendors.Source{
			{What: vendors.Both("sendMessage, as open projects quote it", "sendMessage 接口（据开源项目引用）"), URL: "https://developer.honor.com/cn/docs/11002/reference/downlink-message"},
			{What: vendors.Both("Notification classes", "通知分类"), URL: "https://developer.honor.com/cn/docs/11002/guides/notification-class"},
			{What: vendors.Both("The change of 2024-12-31, from a reseller", "2024-12-31 的变更（转售商说明）"), URL: "https://cloud.tencent.com/document/product/1047/66807"},
		},
	}
}
