package fcm

import (
	"slices"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Doc is the page docs/vendors/fcm.md.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "fcm", Name: vendors.Both("Firebase Cloud Messaging (Google, FCM)", "Firebase 云消息传递（Google FCM）"), Dated: "2026-11",
		Phones: vendors.Both(
			"Android with Google Play services, which is most phones outside mainland China, Xiaomi's among them; and iPhones whose app uses Firebase.",
			"带有 Google Play 服务的 Android 手机，即中国大陆以外的大多数手机（包括海外小米）；以及应用使用 Firebase 的 iPhone。"),
		PerCall: vendors.Both("1", "1"),
		Setup: []vendors.Bilingual{
			vendors.Both(
				"Open console.firebase.google.com, create a project (or open the app's), and add the Android app by its package name; put the google-services.json that you get into the app.",
				"打开 console.firebase.google.com，创建项目（或打开应用所在项目），按包名添加 Android 应用，并把得到的 google-services.json 放入应用。"),
			vendors.Both(
				"Project settings, Cloud Messaging: see that Firebase Cloud Messaging API (V1) is enabled. The legacy API ended in 2024.",
				"项目设置的 `Cloud Messaging` 页：确认 `Firebase Cloud Messaging API (V1)` 已启用。旧版接口已于 2024 年停用。"),
			vendors.Both(
				"Project settings, Service accounts: generate a new private key, and give the worker the JSON file as `service_account_file`. The account needs the permission `cloudmessaging.messages.create`.",
				"项目设置的“服务账号”页：生成新的私钥，把 JSON 文件作为 `service_account_file` 交给 worker。该账号需要 `cloudmessaging.messages.create` 权限。"),
			vendors.Both(
				"In the app create the notification channel for chat, with high importance, and name it in `channel_id`. A channel keeps the sound and importance that it was created with.",
				"在应用中创建高重要级别的聊天通知渠道，并填入 `channel_id`。渠道的铃声和重要级别以首次创建时为准。"),
			vendors.Both(
				"For iPhones upload the APNs key under Project settings, Cloud Messaging, Apple app configuration; without it every iPhone's push ends as `THIRD_PARTY_AUTH_ERROR`.",
				"iPhone：在项目设置 `Cloud Messaging` 的 Apple 应用配置中上传 APNs 密钥；否则发往 iPhone 的推送都会得到 `THIRD_PARTY_AUTH_ERROR`。"),
			vendors.Both(
				"Let the worker reach fcm.googleapis.com and oauth2.googleapis.com: from mainland China by `proxy`, or `HTTPS_PROXY`, which every certificate without `proxy` follows.",
				"让 worker 能访问 fcm.googleapis.com 与 oauth2.googleapis.com：在中国大陆用 `proxy`，或 `HTTPS_PROXY`（对所有未设 `proxy` 的证书生效）。"),
		},
		Example: `- id: "35003"
  vendor: fcm
  service_account_file: /run/secrets/fcm.json
  channel_id: im_messages
  click: {action: OPEN_CHAT}
`,
		Classes: []vendors.ClassRow{{Name: "all", Means: vendors.Both("every message", "所有消息"), Cap: vendors.Both("none a day", "无每日上限")}},
		Limits: []vendors.Row{
			{What: vendors.Both("Message", "消息"), Value: vendors.Bothf(
				"%d bytes, keys and values; how Google counts is not published (uncertain). Texts are shortened first, then the image goes; an `ext` that does not fit beside short texts is left out",
				"%d 字节，含键与值；具体算法未公布（不确定）。优先缩短文字，其次去掉图片；与短文本一起仍放不下的 `ext` 不发送", maxBytes)},
			vendors.TextRow("Longest lifetime", "最长保留时间", "28 days; 0 means now or never", "28 天；0 表示立即送达否则丢弃"),
			vendors.TextRow("Token", "设备 token", "dead after 270 days without a connection; one of a month without a connection is called stale",
				"270 天未连接即失效；一个月未连接被视为陈旧"),
		},
		Rates: []vendors.Row{
			{What: vendors.Both("Project", "Firebase 项目"), Value: vendors.Bothf(
				"%d messages a minute; refused ones count too, save for a 429", "每分钟 %d 条；除 429 外，被拒绝的也计入", perMinute)},
			{What: vendors.Both("Phone", "手机"), Value: vendors.Bothf(
				"%d messages a minute and %d an hour; a phone beyond it waits alone", "每分钟 %d 条、每小时 %d 条；超出时只有该手机等待", devicePerMinute, devicePerHour)},
			vendors.TextRow("Bursts", "突发", "after 20 notification messages to one phone in a row Google lets one through every 3 minutes; the others are delayed, not refused",
				"向同一手机连续 20 条通知消息后，每 3 分钟放行一条；其余延后，不会拒绝"),
			{What: vendors.Both("Requests at once on a connection", "单连接并发请求"), Value: vendors.Bothf("%d (`streams`)", "%d（`streams`）", streams)},
			vendors.TextRow("Wait before a repeat", "重试前等待", "Retry-After; else 60 s after a 429 and at least 10 s after a 5xx", "按 Retry-After；否则 429 后等 60 秒，5xx 后至少 10 秒"),
			vendors.TextRow("Access token", "访问令牌", "about an hour, for an assertion that the service account's key signs", "约 1 小时，用服务账号密钥签名换取"),
			vendors.TextRow("Test pushes", "测试推送", "with `test_mode` FCM checks every push and delivers none", "`test_mode` 时 FCM 只校验，不送达"),
			vendors.TextRow("Build", "构建", "`go build -tags disable_grpc_modules` leaves out about 13 MB of the Firebase SDK that pushes do not use",
				"`go build -tags disable_grpc_modules` 可去掉 Firebase SDK 中推送用不到的约 13 MB 代码"),
		},
		Screen: vendors.Screen{
			Recall: vendors.Both(
				"Overwritten, under the same `tag`, without sound and with `PRIORITY_LOW`; since Android 8 the app's channel has the last word on sound. On iPhones as with APNs. With `data_only` the app gets the overwrite as data, with the `tag`, and replaces by itself.",
				"覆盖：`tag` 相同，不带铃声，优先级为 `PRIORITY_LOW`；Android 8 起是否响铃由应用的通知渠道决定。iPhone 上与 APNs 相同。启用 `data_only` 时应用以数据形式收到带 `tag` 的覆盖，由应用自行替换。"),
			Read: vendors.ReadSetLater(),
			Repeat: vendors.Both(
				"One notification: a repeat has the same `tag`, on iPhones the same `apns-collapse-id`, and replaces the first. FCM deduplicates nothing.",
				"只显示一条：重复推送的 `tag`（iPhone 上为 `apns-collapse-id`）相同，替换前一条。FCM 不去重。"),
			CallEnded: vendors.CallEnded("tag").And(
				"With `data_only` the app gets the tag as data and does it itself.", "`data_only` 时 tag 在 data 中，由应用自行替换。"),
			Collapse: vendors.Collapsed("tag"),
			Group:    vendors.Both("Android: no such field. iPhones: `thread-id` of the conversation.", "Android 没有该字段；iPhone 按会话分组（`thread-id`）。"),
			Badge: vendors.Both(
				"Android: `notification_count`, which most launchers show as a number; 0 would mean one more and is left out. iPhones: the number is set.",
				"Android：`notification_count`，多数桌面显示为数字；0 表示加一，因此不发送。iPhone：设置为该数字。"),
			Sound: vendors.Both(
				"`android.sound`, else `sound`: a file in res/raw without its suffix; from Android 8 on the channel decides. iPhones: `ios.sound`.",
				"`android.sound`，否则 `sound`：res/raw 中不带后缀的文件名；Android 8 及以上以渠道为准。iPhone：`ios.sound`。"),
			Image: vendors.Both("`android.image`, an address of at most 1 MB of JPEG, PNG or BMP.", "`android.image`，不超过 1 MB 的 JPEG、PNG 或 BMP 地址。"),
			Front: vendors.Both("The SDK hands the message to the app and shows nothing.", "SDK 把消息交给应用，不展示通知。"),
			Off: vendors.Both(
				"Google keeps only the newest notification message; with `data_only` up to 100, and the app shows them. A push with `priority: normal` waits while the phone dozes.",
				"Google 只保留最新一条通知消息；`data_only` 时最多保留 100 条，由应用展示。`priority: normal` 的推送在手机休眠时等待。"),
		},
		Calls: []vendors.Bilingual{
			vendors.Both(
				"`data_only: calls` sends calls as data, which wake the app to ring by itself, and the rest as notifications. The data then has `title`, `body`, `tag`, `channel`, `sound`, `image` and `badge`.",
				"`data_only: calls` 使通话以数据消息发送，唤醒应用自行响铃，其余仍为通知。此时 data 中有 `title`、`body`、`tag`、`channel`、`sound`、`image`、`badge`。"),
			vendors.Both(
				"Each event of a call has `call_id`, `call_action` and `call_media` in its data. An invitation lives 60 seconds, then Google drops it.",
				"通话的每个事件都在 data 中带有 `call_id`、`call_action`、`call_media`。邀请有效 60 秒，之后由 Google 丢弃。"),
		},
		Tap: []vendors.Bilingual{
			vendors.Both(
				"`ext`, `conversation` and `message` are data of the push: extras of the intent that a tap starts, `getIntent().getStringExtra(\"ext\")`. `click.action` names an intent filter of the app.",
				"`ext`、`conversation`、`message` 作为 data 发送，点击后在 Intent 的 extras 中：`getIntent().getStringExtra(\"ext\")`。`click.action` 为应用的 intent filter。"),
		},
		Receipts: []vendors.Bilingual{vendors.Both(
			"None: FCM reports no deliveries to a server, and `receipts` is an error here.", "没有：FCM 不向服务器报告送达情况，在此配置 `receipts` 会报错。")},
		Traps: []vendors.Bilingual{
			vendors.Both(
				"A service account of another project makes every token `SENDER_ID_MISMATCH`. Registrations are removed for it only while other devices are accepted.",
				"服务账号属于其他项目时，所有 token 都得到 `SENDER_ID_MISMATCH`。只有其他设备正被受理时才会据此删除登记。"),
			vendors.Both(
				"Dead tokens use up the project's rate: refused messages count.", "失效 token 也消耗项目速率：被拒绝的消息同样计入。"),
			vendors.Both(
				"A high-priority push that shows nothing lowers the app's priority: Google looks at seven days.", "高优先级推送若不展示任何内容，会被降级：Google 观察七天的行为。"),
			vendors.Both(
				"A `channel_id` that the app has not created falls back to the app's default channel, without an error.", "应用未创建的 `channel_id` 会落到应用的默认渠道，且不报错。"),
			vendors.Both(
				"Data keys `from`, `message_type` and all that begin with `google` or `gcm` are Google's own.", "data 的键 `from`、`message_type` 及以 `google`、`gcm` 开头的键为 Google 保留。"),
			vendors.Both(
				"2026 brought installation ids in the place of tokens; both are taken for now, and Hongyan sends either as the token.", "2026 年起 token 逐步由安装 ID 取代，目前两者都可用，鸿雁都按 token 发送。"),
		},
		Codes: slices.Clone(codes),
		Levels: map[string]vendors.Bilingual{
			levelError: vendors.Both("`errorCode`", "`errorCode`"), levelProject: vendors.Both("`errorCode`, with the project's quota", "`errorCode`，且指明项目配额"),
			levelToken: vendors.Both("`errorCode`, with the token blamed", "`errorCode`，且指明 token"), levelHTTP: vendors.Both("HTTP status", "HTTP 状态码"),
			levelLogin: vendors.Both("login", "登录"),
		},
		Sources: []vendors.Source{
			{What: vendors.Both("Messages, HTTP v1", "消息，HTTP v1"), URL: "https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages"},
			{What: vendors.Both("Error codes", "错误码"), URL: "https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode"},
			{What: vendors.Both("Sending at scale", "大规模发送"), URL: "https://firebase.google.com/docs/cloud-messaging/scale-fcm"},
			{What: vendors.Both("Throttling and quotas", "限流与配额"), URL: "https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas"},
			{What: vendors.Both("Collapsible messages", "可折叠消息"), URL: "https://firebase.google.com/docs/cloud-messaging/customize-messages/collapsible-message-types"},
			{What: vendors.Both("Tokens and installation ids", "token 与安装 ID"), URL: "https://firebase.google.com/docs/cloud-messaging/manage-tokens"},
			{What: vendors.Both("A real answer about the project's rate", "一份真实的项目限流应答"), URL: "https://github.com/firebase/firebase-admin-go/issues/719", Dated: "2025-09-22"},
		},
	}
}
