package meizu

import "github.com/hongyan-im/hongyan/internal/vendors"

// Doc is the page docs/vendors/meizu.md.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "meizu", Name: vendors.Both("Meizu (Flyme) push", "魅族（Flyme）推送"), Dated: "2026-11",
		Phones: vendors.Both(
			"Flyme. Abroad set `endpoint: https://server-api-push.in.meizu.com` (uncertain).", "Flyme 系统的手机。海外请设置 `endpoint: https://server-api-push.in.meizu.com`（不确定）。"),
		PerCall: vendors.Bothf("%d, with one notification", "%d 台，内容相同", maxTokens),
		Setup: []vendors.Bilingual{
			vendors.Both(
				"Sign in to open.flyme.cn, create the app with its package name on the Flyme push platform (push.meizu.com), and take App ID (`app_id`) and App Secret (`app_secret`). The App Key belongs to the phone.",
				"登录 open.flyme.cn，在 Flyme 推送平台（push.meizu.com）按包名创建应用，获取 App ID（`app_id`）和 App Secret（`app_secret`）。App Key 供客户端使用。"),
			vendors.Both("Leave `notice_type` at 1 for chat: Meizu's own default is public, of which a phone shows three a day.", "聊天消息保持 `notice_type` 为 1：魅族的默认值是公信，每台手机每天只展示三条。"),
			vendors.Both(
				"Let the app report its pushId again at every start and whenever it changes: pushIds expire after about a week (uncertain).", "应用每次启动以及 pushId 变更时都要重新上报：pushId 约一周失效（不确定）。"),
			vendors.Both(
				"For reports register their address under Configuration, Receipts, before you set `receipts`: with an address that is not registered every push is refused (uncertain).",
				"如需回执，先在“配置管理 > 回执管理”登记地址，再设置 `receipts`：地址未登记时推送会全部被拒（不确定）。"),
		},
		Example: `- id: "35004"
  vendor: meizu
  app_id: "100001"
  app_secret: ${MEIZU_APP_SECRET}
  notice_type: 1
  click: {activity: com.example.im.ChatActivity}
`,
		Classes: []vendors.ClassRow{
			{
				Name:  "private",
				Means: vendors.Both("`notice_type` 1: what concerns the one user, such as chat; whether it needs approval is not published (uncertain)", "私信，`notice_type` 为 1：与单个用户相关，如聊天；是否需要申请未公布（不确定）"),
				Cap:   vendors.Both("none", "不限"),
			},
			{
				Name:  "public",
				Means: vendors.Both("`notice_type` 0, Meizu's own default", "公信，`notice_type` 为 0，魅族的默认值"),
				Cap: vendors.Bothf("%d a device and day since 2025-05-07, 5 for news and reading apps (110011)",
					"自 2025-05-07 起每设备每天 %d 条，资讯阅读类 5 条（110011）", publicCap),
			},
		},
		Kinds: []vendors.Bilingual{vendors.Both(
			"`notice_type`, or `android.meizu_notice_type` of a message, is all that chooses the class. There are neither channels nor templates.",
			"类别只由 `notice_type`（或消息中的 `android.meizu_notice_type`）决定。没有渠道和模板。")},
		Limits: []vendors.Row{
			{What: vendors.Both("Title and content", "标题与内容"), Value: vendors.Bothf("%d and %d characters", "%d 与 %d 个字符", maxTitle, maxContent)},
			{What: vendors.Both("`ext`", "`ext`"), Value: vendors.Bothf(
				"no size is published; one of more than %d bytes gives way to `{\"conversation\", \"message\"}`", "大小未公布；超过 %d 字节时换成 `{\"conversation\", \"message\"}`", maxExt)},
			{What: vendors.Both("Lifetime", "保留时间"), Value: vendors.Bothf("whole hours, 1 to %d, rounded up; incoming calls are not kept at all", "整小时，1 至 %d，向上取整；来电不保留", maxHours)},
			{What: vendors.Both("Folding", "折叠"), Value: vendors.Bothf(
				"%d pushes to a phone within a minute, of any class; the rest are dropped (520)", "任何类别每台手机每分钟 %d 条，其余被丢弃（520）", foldedOver)},
		},
		Rates: []vendors.Row{
			vendors.TextRow("Rate", "速率", "200 a second in one source, 500 in another, and whether of phones or calls is not published (uncertain); beyond it 110010",
				"一说每秒 200，一说 500，按手机还是按调用计未公布（不确定）；超出返回 110010"),
			vendors.TextRow("Daily total of an app", "应用每日总量", "there are codes for it (110019, 110051), and no published numbers (uncertain)", "有相应返回码（110019、110051），但未公布数值（不确定）"),
			vendors.TextRow("Login", "鉴权", "each call is signed with the App Secret; nothing to renew", "每次调用用 App Secret 签名，无需续期"),
			vendors.TextRow("Address", "地址", "`"+pushHost+"`", "`"+pushHost+"`"),
			vendors.TextRow("Test pushes", "测试推送", "none; `test_mode` changes nothing", "没有；`test_mode` 不起作用"),
		},
		Screen: vendors.Screen{
			Recall: vendors.Both(
				"Overwritten, under the same `notifyKey`, without vibration, light, sound and floating notice.",
				"覆盖：`notifyKey` 相同，不振动、不亮灯、不响铃，也不悬浮显示。"),
			Read:      vendors.ReadStays(),
			Repeat:    vendors.RepeatReplaced("notifyKey").And("Meizu deduplicates nothing.", "魅族不去重。"),
			CallEnded: vendors.CallEnded("notifyKey"),
			Collapse:  vendors.Collapsed("notifyKey").And("It counts for the folding all the same.", "仍计入折叠条数。"),
			Group:     vendors.Both("No such field for ordinary apps.", "普通应用没有该字段。"),
			Badge:     vendors.Both("None.", "不支持。"),
			Sound:     vendors.Both("The phone's own; sound, vibration and light are always asked for.", "由手机决定；始终请求声音、振动和呼吸灯。"),
			Image:     vendors.Both("None: pictures are for apps with a contract.", "不支持：图片仅限签约应用。"),
			Front:     vendors.Both("Shown; Meizu has no field against it. Hongyan does not push to an app whose presence says foreground.", "会展示，魅族没有相应字段。在线状态为前台的应用，鸿雁不推送。"),
			Off:       vendors.Both("All wait, for whole hours.", "全部保留，以整小时计。"),
		},
		Calls: []vendors.Bilingual{vendors.Both(
			"An invitation is a notification for phones that are online alone (`offLine` 0): an hour is the shortest time for which Meizu keeps a push.",
			"来电邀请只发往在线手机（`offLine` 为 0）：魅族最短保留一小时。")},
		Tap: []vendors.Bilingual{
			vendors.Both(
				"`clickTypeInfo.parameters` is the `ext` where it is a JSON object, else `{\"ext\": \"<ext>\"}`; its keys are extras of the intent. `{ext}` in `click.url` carries it as well.",
				"`clickTypeInfo.parameters` 为 `ext` 本身（当其为 JSON 对象）或 `{\"ext\": \"<ext>\"}`，各键出现在 Intent 的 extras 中；也可在 `click.url` 中用 `{ext}` 携带。"),
			vendors.Both("`click` takes `activity` or a `url`; none opens the app.", "`click` 可用 `activity` 或 `url`，不设则打开应用。"),
		},
		Receipts: []vendors.Bilingual{
			vendors.Bothf(
				"Register the address in the console, where a secret for it can be set, and write the same as `receipts: {url: …}`, at most %d bytes; it goes with each push, with the message's key as `callback.param`.",
				"在平台登记地址（可设置 `access_token`），并把同一地址写入 `receipts: {url: …}`，最多 %d 字节；它随每条推送发送，并以消息的键作为 `callback.param`。", maxCallback),
			vendors.Both("Reported are arrivals (1) and taps (2), once; there is no report of a failure.", "回执包括到达（1）和点击（2），只发一次；没有失败的回执。"),
		},
		Traps: []vendors.Bilingual{
			vendors.Both("Code 200 is not success for every phone: `value` names those that failed; Hongyan reads it.", "返回 200 不代表每台手机都成功：`value` 列出失败者，鸿雁会读取。"),
			vendors.Both("110010 means \"too fast\" for the call, and \"notifications off\" for one phone.", "110010 在整个调用上表示过快，在单台手机上表示通知已关闭。"),
			vendors.Both("More than five messages a minute to one phone are lost: a lively group needs `policy.collapse`, and even that counts.", "每分钟发给一台手机超过五条会丢失：活跃的群建议使用 `policy.collapse`，但仍计入条数。"),
			vendors.Both("A pushId can be illegal until the phone's registration is finished; it goes, and the app's next report brings it back.", "手机注册完成前 pushId 可能不合法；登记会被删除，应用下次上报即恢复。"),
			vendors.Both("Advice that Meizu has no limits is older than 2025-05.", "“魅族没有限制”的说法早于 2025 年 5 月。"),
		},
		Codes: codes(),
		Levels: map[string]vendors.Bilingual{
			levelTop: vendors.Both("the call", "整个调用"), levelDevice: vendors.Both("one token", "单个 token"),
		},
		Sources: []vendors.Source{
			{What: vendors.Both("HTTP interface", "HTTP 接口文档"), URL: "https://github.com/MEIZUPUSH/PushAPI", Dated: "2025-03-30"},
			{What: vendors.Both("Java SDK 1.2.11", "Java SDK 1.2.11"), URL: "https://github.com/MEIZUPUSH/JavaSdk", Dated: "2025-04-01"},
		},
	}
}
