package harmony

import (
	"slices"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// Doc is the page docs/vendors/harmony.md.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "harmony", Name: vendors.Both("HarmonyOS Push Kit", "鸿蒙推送（HarmonyOS 5 及以上）"), Dated: "2026-11",
		Phones: vendors.Both(
			"HarmonyOS 5 and later: phones, tablets and PCs in mainland China, not in Hong Kong, Macao and Taiwan; watches in more countries. Earlier systems are vendor `huawei`, and a token of the one is nothing to the other.",
			"HarmonyOS 5 及以上：中国大陆（不含港澳台）的手机、平板和电脑；手表支持更多国家。更早的系统请用 `huawei`，两者的 token 不能互换。"),
		PerCall: vendors.Bothf("%d, with one notification; %d with test pushes", "%d 台，内容相同；测试推送 %d 台", pushkit.MaxTokens, maxTestTokens),
		Setup: []vendors.Bilingual{
			vendors.Both(
				"Sign in to AppGallery Connect (developer.huawei.com), open the project, create the HarmonyOS app in it, and enable Push Kit for it.",
				"登录 AppGallery Connect（developer.huawei.com），打开项目，在其中创建 HarmonyOS 应用，并为其开通推送服务。"),
			vendors.Both(
				"Huawei API Console, Credentials, Service account key: create one for the same project and download its JSON file, `service_account_file`. It may push for every app of the project: keep it where the worker alone can read it.",
				"在 Huawei API Console 的凭据页为同一项目创建服务账号密钥并下载 JSON 文件，即 `service_account_file`。它可向项目内所有应用推送，请放在只有 worker 能读取的位置。"),
			pushkit.Right(vendors.Both("`IM`, `VOIP` and `MISS_CALL`", "`IM`、`VOIP` 与 `MISS_CALL`")),
			vendors.Both(
				"Where `VOIP` is not granted set `call_category: IM`; with `MISS_CALL` set `missed_call_category: MISS_CALL`.",
				"未获 `VOIP` 权益时设置 `call_category: IM`；已获 `MISS_CALL` 权益时设置 `missed_call_category: MISS_CALL`。"),
			vendors.Both(
				"For calls that wake the app (push-type 10) apply for in-app calls under Project settings, Open capabilities, with a telecom licence or a letter of the company; about eight working days. Then set `call_push: voip`.",
				"如需唤醒应用的应用内通话（push-type 10），在“项目设置 > 开放能力”中申请，需电信业务许可或企业公函，约八个工作日；获批后设置 `call_push: voip`。"),
			vendors.Both("Let the worker's clock be right: the signed token holds the time.", "保证 worker 的时钟准确：签名令牌含有时间。"),
		},
		Example: `- id: "35003"
  vendor: harmony
  service_account_file: /run/secrets/harmony.json
  category: IM
  click: {action: com.example.im.chat}
`,
		Classes: pushkit.Classes(),
		Kinds: []vendors.Bilingual{
			vendors.Both(
				"`category` is for messages, `call_category` for invitations, `missed_call_category` for calls that were given up; `harmony.category` of a message wins, also one that is newer than this page. There are neither channels nor templates.",
				"`category` 用于消息，`call_category` 用于来电邀请，`missed_call_category` 用于未接来电；消息中的 `harmony.category` 优先，包括本页未列出的新类别。没有渠道和模板。"),
		},
		Limits: slices.Concat(pushkit.Limits(), []vendors.Row{
			vendors.TextRow("Longest lifetime", "最长保留时间", "15 days; of an invitation what is left of it, at most 60 seconds", "15 天；来电邀请为其剩余时间，最长 60 秒"),
			vendors.TextRow("Image", "图片", "https, PNG, JPG or BMP, at most 49,152 pixels; checked by `images:verify`, 60 times a minute", "https 地址，PNG、JPG 或 BMP，不超过 49152 像素；经 `images:verify` 审核，每分钟 60 次"),
			{What: vendors.Both("Test pushes", "测试推送"), Value: vendors.Bothf("%d calls a day for a project (`test_mode`)", "每项目每天 %d 次请求（`test_mode`）", testCallsDay)},
		}),
		Rates: []vendors.Row{
			vendors.TextRow("Rate", "速率", "devices a second, shown in AppGallery Connect; beyond it HTTP 503", "按每秒设备数计，见 AppGallery Connect；超出返回 HTTP 503"),
			vendors.TextRow("Login", "鉴权", "a JWT (PS256) that the service account's key signs here, for an hour; no call", "用服务账号密钥本地签发 JWT（PS256），有效 1 小时，无需请求"),
			vendors.TextRow("Address", "地址", "`"+pushHost+"`, API v3", "`"+pushHost+"`，v3 接口"),
		},
		Screen: vendors.Screen{
			Recall: vendors.Both(
				"With `client_id` the push is taken back by `messages:revoke` where no phone shows it yet, and overwritten where one does, within the next minute; without `client_id` it is overwritten. The overwrite has the same `notifyId` and an `appMessageId` of its own. Push Kit has no field for silence, so the phone sounds as for a message.",
				"配置了 `client_id` 时，设备尚未展示的推送由 `messages:revoke` 撤回，已展示的在一分钟内覆盖；未配置时只覆盖。覆盖的 `notifyId` 相同，`appMessageId` 不同。Push Kit 没有静音字段，因此提示方式与普通消息相同。"),
			Read: vendors.ReadRefreshes(),
			Repeat: vendors.Both(
				"One notification: a repeat has the same `appMessageId` and `notifyId`, and within 24 hours the phone keeps the first.", "只显示一条：重复推送的 `appMessageId` 与 `notifyId` 相同，24 小时内手机保留前一条。"),
			CallEnded: vendors.CallEnded("notifyId").And(
				"They differ in `appMessageId`. After an in-app call the app has to do it.", "各事件的 `appMessageId` 不同。应用内通话则由应用处理。"),
			Collapse: vendors.Collapsed("notifyId").And(
				"`collapseKey` is not used: it would drop other messages that wait.", "不使用 `collapseKey`：它会丢弃等待中的其他消息。"),
			Group:     vendors.Both("No such field. A text of several lines is shown as a list of up to three.", "没有该字段。多行文字以最多三行的列表展示。"),
			Badge:     vendors.BadgeOfCall().And("`harmony.ignore_badge` leaves it. A refresh needs the right for `IM`.", "`harmony.ignore_badge` 不改动角标。刷新需要 `IM` 的自分类权益。"),
			Refreshes: true,
			Sound: vendors.Both(
				"`harmony.sound` is a file in resources/rawfile, `harmony.sound_seconds` 1 to 60.", "`harmony.sound` 为 resources/rawfile 中的文件，`harmony.sound_seconds` 为 1 至 60 秒。"),
			Image: vendors.Both(
				"`harmony.image`, checked before the first push with it; one that is refused is left out, with the note `image_dropped`.", "`harmony.image` 在首次使用前送审；未通过则不带图片，note 为 `image_dropped`。"),
			Front: vendors.Both("Not shown, unless `foreground_show`; the app gets it in `receiveMessage`.", "不展示，除非设置 `foreground_show`；应用在 `receiveMessage` 中收到。"),
			Off:   vendors.Both("All that fit wait, for the message's lifetime; up to 120 for a phone.", "在消息有效期内全部保留，每台手机最多 120 条。"),
		},
		Calls: []vendors.Bilingual{
			vendors.Both(
				"By default an invitation is a notification of category `VOIP` (`call_push: alert`), with `harmony.sound` as its ring.", "默认情况下，来电邀请是一条 `VOIP` 类别的通知（`call_push: alert`），以 `harmony.sound` 为铃声。"),
			vendors.Both(
				"With `call_push: voip` it wakes the app, which must report the call within 10 seconds. `extraData` is `{\"title\", \"body\", \"ext\", \"key\", \"call\": {\"media\", \"action\", \"call_id\"}}`; `key` tells a repeat.",
				"`call_push: voip` 时唤醒应用，应用须在 10 秒内上报来电。`extraData` 为 `{\"title\", \"body\", \"ext\", \"key\", \"call\": {\"media\", \"action\", \"call_id\"}}`，`key` 用于识别重复。"),
			vendors.Both("Without the right every invitation then ends as `noPushTypeRight`, refused.", "没有权益时，每次邀请都得到 `noPushTypeRight` 并被拒绝。"),
		},
		Tap: []vendors.Bilingual{
			vendors.Both(
				"`clickAction.data` is `{\"ext\": \"<ext>\"}`; the ability reads `want.parameters.ext`. `{ext}` in the click target carries it as well.",
				"`clickAction.data` 为 `{\"ext\": \"<ext>\"}`，Ability 从 `want.parameters.ext` 读取；也可在 `click` 中用 `{ext}` 携带。"),
			vendors.Both(
				"`click` takes `action`, as in the ability's skills, or `url` for a uri; none opens the app. An `ext` that does not fit is left out, with the note `ext_dropped`.",
				"`click` 可用 `action`（与 Ability 的 skills 一致）或 `url`（作为 uri），不设则打开应用。放不下的 `ext` 不发送，note 为 `ext_dropped`。"),
		},
		Receipts: pushkit.Receipts(", in the format V2"),
		Traps: []vendors.Bilingual{
			vendors.Both(
				"80000000 means accepted, never delivered. Caps and switched-off notifications show up in receipts only.", "80000000 只表示已受理，不等于送达。频控和通知关闭只体现在回执中。"),
			vendors.Both(
				"`noRight` means a token of another project, or of a phone that was upgraded and whose app has not registered anew. A whole large call of them means the wrong service account.",
				"`noRight` 表示 token 属于另一项目，或手机升级后应用尚未重新登记；若整个大批次都是如此，说明服务账号配错。"),
			vendors.Both("The key file belongs to the whole project: whoever has it can push to all its apps.", "密钥文件属于整个项目：持有者可以向其中所有应用推送。"),
			vendors.Both("A wrong clock makes every token invalid (80200001, 80200005).", "时钟不准会使所有令牌无效（80200001、80200005）。"),
			vendors.Both("`test_mode` left on allows ten phones a call.", "忘记关闭 `test_mode` 时每次调用只能有十台手机。"),
			vendors.Both("The class IM is for chat between users; Huawei punishes misuse (80300037).", "IM 类别仅用于用户之间的聊天；滥用会受处罚（80300037）。"),
		},
		Codes: codes(),
		Levels: map[string]vendors.Bilingual{
			"": vendors.Both("answer to the push", "推送应答"), levelDevice: vendors.Both("reason of a token", "单个 token 的原因"), levelHTTP: vendors.Both("HTTP status", "HTTP 状态码"),
			levelRevoke: vendors.Both("answer to a recall", "撤回应答"),
		},
		Sources: []vendors.Source{
			{What: vendors.Both("Sending notifications, API v3", "发送通知，v3 接口"), URL: "https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-param"},
			{What: vendors.Both("Service account login", "服务账号鉴权"), URL: "https://developer.huawei.com/consumer/cn/doc/harmonyos-guides/push-jwt-token"},
			{What: vendors.Both("Rights and classification", "权益与分类"), URL: "https://developer.huawei.com/consumer/cn/doc/harmonyos-guides/push-apply-right"},
			{What: vendors.Both("Badges", "角标"), URL: "https://developer.huawei.com/consumer/cn/doc/HarmonyOS-Guides/push-send-badge"},
		},
	}
}
