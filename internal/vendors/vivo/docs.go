package vivo

import "github.com/hongyan-im/hongyan/internal/vendors"

// Doc is the page docs/vendors/vivo.md.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "vivo", Name: vendors.Both("vivo push", "vivo 推送"), Dated: "2026-11",
		Phones: vendors.Both(
			"Phones of vivo and iQOO in mainland China. No host for phones abroad is published (uncertain): those need FCM.", "中国大陆的 vivo 与 iQOO 手机。未见海外地址（不确定），海外手机请用 FCM。"),
		PerCall: vendors.Bothf("%d, with one notification", "%d 台，内容相同", maxList),
		Setup: []vendors.Bilingual{
			vendors.Both(
				"Sign in to dev.vivo.com.cn with an account of a company, open Push (vpush.vivo.com.cn), apply for the app's push, and take AppID (`app_id`), AppKey (`app_key`) and AppSecret (`app_secret`).",
				"用企业账号登录 dev.vivo.com.cn，进入“消息推送”（vpush.vivo.com.cn），为应用申请推送，获取 AppID（`app_id`）、AppKey（`app_key`）、AppSecret（`app_secret`）。"),
			vendors.Bothf(
				"Enter up to %d test devices there. Until the app is in vivo's store only `test_mode: true` reaches them; a formal push is answered 10045.",
				"在其中登记测试设备，最多 %d 台。应用上架前只能用 `test_mode: true` 推送到它们；正式推送返回 10045。", testDevices),
			vendors.Both(
				"Ask for system messages to be switched on, else 10082 (uncertain), and for an unlimited number of them, by mail.", "申请开通系统消息，否则返回 10082（不确定），并通过邮件申请不限量。"),
			vendors.Both("Export the activity that `click.intent` opens.", "`click.intent` 打开的 Activity 必须 exported。"),
			vendors.Both("For reports register their address under the app's information, App receipt address; it gets an id and works after an hour.", "如需回执，在“应用信息 > APP 回执地址”登记地址，得到回执 ID，一小时后生效。"),
			vendors.Both("Turn `test_mode` off once the app is published.", "上架后关闭 `test_mode`。"),
		},
		Example: `- id: "35003"
  vendor: vivo
  app_id: "100001"
  app_key: ${VIVO_APP_KEY}
  app_secret: ${VIVO_APP_SECRET}
  category: IM
  click: {intent: "intent:#Intent;component=com.example.im/.ChatActivity;S.ext={ext};end"}
`,
		Classes: []vendors.ClassRow{
			{
				Name: "system",
				Means: vendors.Both("classification 1: `IM`, `ACCOUNT`, `TODO`, `DEVICE_REMINDER`, `ORDER`, `SUBSCRIPTION`",
					"系统消息，classification 为 1：`IM`、`ACCOUNT`、`TODO`、`DEVICE_REMINDER`、`ORDER`、`SUBSCRIPTION`"),
				Cap: vendors.Both(
					"the app's users times 3 a day, 20 in a source of 2026-05-14 (uncertain), unlimited on application; none for a device. Counted by arrival (uncertain)",
					"每日总量为有效用户数的 3 倍，2026-05-14 的资料为 20 倍（不确定），可申请不限；单设备不限。按到达计（不确定）"),
			},
			{
				Name: "operational",
				Means: vendors.Both("classification 0: `NEWS`, `CONTENT`, `MARKETING`, `SOCIAL` (likes, follows, comments); from 07:00 to 23:00 only",
					"运营消息，classification 为 0：`NEWS`、`CONTENT`、`MARKETING`、`SOCIAL`（点赞、关注、评论）；仅 7:00 至 23:00"),
				Cap: vendors.Bothf(
					"%d a device and day, 5 for licensed news apps; the app's users times 2 a day, 3 for those. Fewer than 10,000 users count as 10,000",
					"每设备每天 %d 条，持牌新闻类 5 条；每日总量为有效用户数的 2 倍，新闻类 3 倍。不足 1 万用户按 1 万计", operationalCap),
			},
		},
		Kinds: []vendors.Bilingual{
			vendors.Both(
				"`category` and `classification` are always sent and must agree; `android.vivo_category` and `vivo_classification` of a message win. A category that vivo publishes later is added under `categories`.",
				"`category` 与 `classification` 始终发送且必须一致；消息中的 `android.vivo_category` 与 `vivo_classification` 优先。vivo 以后新增的类别写入 `categories`。"),
			vendors.Both("There are neither channels nor templates.", "没有渠道和模板。"),
			vendors.Both(
				"vivo looks at system messages and re-labels what it takes for operational: keep IM for chat alone.", "vivo 会检查系统消息，并把它认为的运营内容改类：IM 类别仅用于聊天。"),
		},
		Limits: []vendors.Row{
			{What: vendors.Both("Title and content", "标题与内容"), Value: vendors.Bothf(
				"%d and %d, Chinese counted as two, as older servers do; newer documents count every character as one",
				"%d 与 %d，汉字按 2 计（旧服务器如此）；新文档每个字符按 1 计", maxTitle, maxContent)},
			{What: vendors.Both("`ext`", "`ext`"), Value: vendors.Bothf(
				"%d characters with its key; a longer one gives way to `{\"conversation\", \"message\"}`", "连同键名 %d 个字符；更长时换成 `{\"conversation\", \"message\"}`", maxCustom)},
			vendors.TextRow("Lifetime", "保留时间", "1 minute to 1 day; a list push at least 15 minutes (uncertain)", "1 分钟至 1 天；群推至少 15 分钟（不确定）"),
			vendors.TextRow("Text check", "文案检查",
				"a formal push must not be only digits, Latin letters or symbols, nor hold brackets or the word for test (10104). Texts are dressed for it, unless `keep_text`; "+
					"what vivo still refuses is sent once more as `generic_title` and `generic_body`",
				"正式消息不得为纯数字、纯字母、纯符号，不得含括号或“测试”（10104）。系统会先行修饰（除非设置 `keep_text`），仍被拒时以 `generic_title` 与 `generic_body` 重发一次"),
			vendors.TextRow("Token", "设备 token", "dead after 3 months without a network; a phone that was not seen for 14 days gets nothing", "三个月未联网即失效；14 天未出现的手机收不到推送"),
		},
		Rates: []vendors.Row{
			vendors.TextRow("Messages a second", "每秒消息数", "by users: 3,000 up to 5 M, 4,000 up to 8 M, 5,000 above; cannot be raised; beyond it 10072",
				"按有效用户：500 万以内 3000，800 万以内 4000，以上 5000；不能提高；超出返回 10072"),
			{What: vendors.Both("List pushes a day", "每日群推消息体数"), Value: vendors.Bothf(
				"%d, more with more subscribers; beyond it (10252) single pushes take over until midnight", "%d，随订阅数增加；超出（10252）后自动改用单推直到零点", listBodies)},
			vendors.TextRow("One phone or many", "单推与群推", "one: `/message/send`; 2 to 1,000: `/message/saveListPayload`, then `/message/pushToList`",
				"单台用 `/message/send`；2 至 1000 台先 `/message/saveListPayload` 再 `/message/pushToList`"),
			vendors.TextRow("After a quota's code", "额度用尽之后", "nothing is sent until midnight: vivo lowers the quota of an app that goes on", "零点前不再发送：继续调用的应用会被 vivo 调低额度"),
			vendors.TextRow("Access token", "鉴权令牌", "24 hours; used for one, shared by all workers; 10 logins a second; the clock must be right to ten minutes",
				"有效 24 小时，本系统使用 1 小时，所有 worker 共用；每秒最多 10 次鉴权；时钟误差不得超过十分钟"),
			vendors.TextRow("Address", "地址", "`"+pushHost+"`", "`"+pushHost+"`"),
			vendors.TextRow("Test pushes", "测试推送", "free of quotas and caps, to test devices alone", "不计额度和上限，仅发往测试设备"),
		},
		Screen: vendors.Screen{
			Recall: vendors.Both(
				"Overwritten, under the same `notifyId`, with `notifyType` 1. vivo's own recall is not used: its address is not documented.",
				"覆盖：`notifyId` 相同，`notifyType` 为 1。vivo 自身的撤回接口没有公开地址，不使用。"),
			Read: vendors.ReadStays(),
			Repeat: vendors.Both(
				"One notification: vivo drops a repeat by its `requestId`, and what comes twice nevertheless has the same `notifyId` and replaces the first.", "只显示一条：vivo 按 `requestId` 去重；即使重复到达，`notifyId` 相同也会替换前一条。"),
			CallEnded: vendors.CallEnded("notifyId"),
			Collapse:  vendors.Collapsed("notifyId"),
			Group:     vendors.Both("No such field.", "没有该字段。"),
			Badge:     vendors.Both("None: vivo can only add one (`addBadge`), with a permission of its own, and Hongyan does not ask for it.", "不支持：vivo 只能加一（`addBadge`），且需单独申请权限，鸿雁不使用。"),
			Sound:     vendors.Both("`notify_type`, or `android.vivo_notify_type`: 1 none, 2 ring, 3 vibrate, 4 both. The sound is the phone's.", "`notify_type`，或 `android.vivo_notify_type`：1 无、2 响铃、3 振动、4 两者。铃声由手机决定。"),
			Image:     vendors.Both("None.", "不支持。"),
			Front:     vendors.Both("Not shown (`foregroundShow` is false).", "不展示（`foregroundShow` 为 false）。"),
			Off:       vendors.Both("All wait, for a day at most; operational ones of the same text are merged.", "全部保留，最长一天；文案相同的运营消息会合并。"),
		},
		Calls: []vendors.Bilingual{
			vendors.Both(
				"An invitation is a notification of category `IM`. vivo keeps nothing for less than a minute (15 in a list), so one that ends sooner goes to phones that are online alone (`sendOnline`).",
				"来电邀请是一条 `IM` 类别的通知。vivo 最短保留一分钟（群推 15 分钟），更早结束的邀请只发往在线手机（`sendOnline`）。"),
			vendors.Both("The system's call screen (OriginOS 6) is not used.", "不使用系统来电界面（OriginOS 6）。"),
		},
		Tap: []vendors.Bilingual{
			vendors.ExtInExtras("clientCustomMap").And("It takes SDK 3.0 or later.", "需要 SDK 3.0 及以上。"),
			vendors.Both("`click` takes an intent URI or an http or https `url`; none opens the app.", "`click` 可用 intent URI 或 http(s) 的 `url`，不设则打开应用。"),
		},
		Receipts: []vendors.Bilingual{
			vendors.Both(
				"Register the address in the console and write the id that it gets: `receipts: {id: …}`. Each push then carries it, with the message's key as `callback.param`.",
				"在平台登记地址，把得到的 ID 写入 `receipts: {id: …}`。之后每条推送都会携带它，并以消息的键作为 `callback.param`。").Unsigned(),
			vendors.Both(
				"Known reports are 0 arrived, 104 and 1040 not shown, 1017 operational at night, 2183, 20001 and 20002 dead tokens, 12000 the device's limit (uncertain).",
				"已知的回执：0 到达，104 与 1040 未展示，1017 夜间运营消息，2183、20001、20002 token 失效，12000 设备超限（不确定）。"),
		},
		Traps: []vendors.Bilingual{
			vendors.Both("HTTP 200 means nothing: `result` decides, and an old token is `result` 10000.", "HTTP 200 没有意义：以 `result` 为准，令牌过期是 `result` 10000。"),
			vendors.Both(
				"10302 with status 4 is no dead token but a test push to a phone that is no test device; the registration stays.", "10302 且 status 为 4 不是 token 失效，而是测试消息发给了非测试设备；登记会保留。"),
			vendors.Both("`test_mode` left on reaches no user at all.", "忘记关闭 `test_mode` 时，任何用户都收不到推送。"),
			vendors.Both("A list push answers 0 even where some of its tokens are dead; Hongyan reads `invalidUsers`.", "群推中部分 token 失效时仍返回 0，鸿雁会读取 `invalidUsers`。"),
			vendors.Both("A chat of \"ok\", \"123\" or a placeholder in brackets looks like a test to vivo: hence the dressing of texts.", "“ok”“123”或带方括号的占位文字在 vivo 看来像测试，因此需要修饰。"),
			vendors.Both("Chat must never go as operational when the system quota is spent: two a day, and nothing at night.", "系统消息额度用尽时不能把聊天当运营消息发送：每天两条，夜间不发。"),
			vendors.Both("Codes of the phone's SDK (10003, 10004, 10005) are other numbers than the server's.", "客户端 SDK 的返回码（10003、10004、10005）与服务端不是同一套。"),
		},
		Codes: codes(),
		Levels: map[string]vendors.Bilingual{
			"": vendors.Both("`result`", "`result`"), levelDevice: vendors.Both("status of a token", "单个 token 的 status"),
		},
		Sources: []vendors.Source{
			{What: vendors.Both("Server API, document 362", "服务端 API，文档 362"), URL: "https://dev.vivo.com.cn/documentCenter/doc/362"},
			{What: vendors.Both("Document 359", "文档 359"), URL: "https://dev.vivo.com.cn/documentCenter/doc/359"},
			{What: vendors.Both("Receipts, document 681", "回执，文档 681"), URL: "https://dev.vivo.com.cn/documentCenter/doc/681"},
			{What: vendors.Both("Quotas, from a reseller", "配额（转售商说明）"), URL: "https://cloud.tencent.com/document/product/269/130977", Dated: "2026-05-14"},
			{What: vendors.Both("Receipt ids, from a reseller", "回执 ID（转售商说明）"), URL: "https://cloud.tencent.com/document/product/269/132305", Dated: "2026-05-29"},
		},
	}
}
