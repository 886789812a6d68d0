package fcm

import (
	"slices"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Doc is what docs/vendors.md says about FCM.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "fcm", Name: vendors.Both("Firebase Cloud Messaging (Google)", "Firebase 云消息传递（Google FCM）"), Dated: "2026-11",
		Links: []string{
			"https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages",
			"https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode",
			"https://firebase.google.com/docs/cloud-messaging/scale-fcm",
			"https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas",
			"https://firebase.google.com/docs/cloud-messaging/customize-messages/collapsible-message-types",
		},
		Rows: []vendors.Row{
			vendors.TextRow("Phones", "机型", "Android with Google Play services, and iPhones whose app uses Firebase: they get an apns block of their own, without data_only", "带有 Google Play 服务的 Android 手机，以及使用 Firebase 的 iPhone（未设 data_only 时另带 apns 部分）"),
			vendors.NumberRow("Devices per call", "单次最多设备数", 1),
			vendors.NumberRow("Messages a minute for a project; refused ones count too, save for a 429", "每项目每分钟消息数（除 429 外，被拒绝的也计入）", perMinute),
			vendors.NumberRow("Messages a minute for a device", "每设备每分钟消息数", devicePerMinute),
			vendors.NumberRow("Messages an hour for a device", "每设备每小时消息数", devicePerHour),
			vendors.NumberRow("Bytes of a message", "消息字节数", maxBytes),
			vendors.NumberRow("Requests at once on one connection", "单连接并发请求数", streams),
			vendors.TextRow("Longest lifetime", "最长缓存时间", "28 days; 0 means now or never", "28 天；0 表示立即送达否则丢弃"),
			vendors.TextRow("Wait before a repeat", "重试前等待", "Retry-After; else 60 s after a 429 and at least 10 s after a 5xx",
				"按 Retry-After；否则 429 后等 60 秒，5xx 后至少 10 秒"),
			vendors.TextRow("Phone that is off", "手机离线时", "Google keeps only the newest notification message and delays them after a burst of 20 per device (then one per 3 minutes); with data_only it keeps up to 100, and the app shows them",
				"通知消息只保留最新一条，且每设备连续 20 条后每 3 分钟放行一条；data_only 时最多保留 100 条，由应用自行展示"),
			vendors.TextRow("Badge", "角标", "notification_count; 0 means \"one more\" and is left out", "notification_count；0 表示加一，因此不发送"),
			vendors.TextRow("Sound", "铃声", "a file in res/raw without suffix; from Android 8 on the channel decides", "res/raw 中的文件名（不带后缀）；Android 8 及以上以渠道为准"),
			vendors.TextRow("Access token", "访问令牌", "about 1 hour, for a service account's signed assertion", "约 1 小时，用服务账号签名换取"),
			vendors.TextRow("Build", "构建", "go build -tags disable_grpc_modules leaves out about 13 MB of gRPC transport for Cloud Storage that the Firebase SDK brings and pushes do not use",
				"使用 go build -tags disable_grpc_modules 可去掉 Firebase SDK 附带而推送用不到的约 13 MB 云存储 gRPC 代码"),
		},
		Classes: []vendors.ClassRow{{Name: "all", Means: vendors.Both("every message", "所有消息"), Cap: vendors.Both("none a day", "无每日上限")}},
		Codes:   slices.Clone(codes),
		Setup: []vendors.Bilingual{
			vendors.Both("Create a Firebase project, add the Android app, and enable the Firebase Cloud Messaging API (V1).", "创建 Firebase 项目，添加 Android 应用，并启用 Firebase Cloud Messaging API (V1)。"),
			vendors.Both("Project settings, Service accounts: generate a new private key. The account needs the permission cloudmessaging.messages.create.",
				"在项目设置的服务账号页生成新的私钥；该账号需要 cloudmessaging.messages.create 权限。"),
			vendors.Both("Create the notification channel in the app, with high importance for chat, and name it in channel_id.", "在应用中创建高重要级别的聊天通知渠道，并填入 channel_id。"),
			vendors.Both("The worker must reach fcm.googleapis.com and oauth2.googleapis.com; proxy, or HTTPS_PROXY, leads through an HTTP proxy.", "worker 需要能访问 fcm.googleapis.com 与 oauth2.googleapis.com；可通过 proxy 或 HTTPS_PROXY 指定 HTTP 代理。"),
		},
		Tap: vendors.Both("ext, conversation and message are data of the push: extras of the intent that a tap starts (getIntent().getStringExtra(\"ext\")). A call adds call_id, call_action and call_media. An ext that does not fit into 4096 bytes beside short texts is left out.",
			"ext、conversation、message 作为 data 发送，点击后在 Intent 的 extras 中（getIntent().getStringExtra(\"ext\")）；通话另有 call_id、call_action、call_media。与短文本一起仍超出 4096 字节的 ext 不发送。"),
		Repeat: vendors.Both("A repeat has the same tag (on iPhones apns-collapse-id), so it replaces the first on the screen; so do the events of a call, and with policy.collapse the messages of a conversation. With data_only the app gets the tag as data.",
			"重复推送的 tag（iPhone 上为 apns-collapse-id）相同，会覆盖屏幕上的前一条；同一通话的各事件，以及设置 policy.collapse 后同一会话的消息也是如此。data_only 时 tag 在 data 中，由应用处理。"),
		Recall: vendors.Both("Overwritten, under the same tag, without sound and with PRIORITY_LOW; since Android 8 the app's channel has the last word on sound. On iPhones as with APNs. With data_only the app gets the overwrite as data, with the tag, and replaces by itself.",
			"覆盖：tag 相同，不带铃声，优先级为 PRIORITY_LOW；Android 8 起是否响铃由应用的通知渠道决定。iPhone 上与 APNs 相同。启用 data_only 时应用以数据形式收到带 tag 的覆盖，由应用自行替换。"),
		Example: `- id: "35003"
  vendor: fcm
  service_account_file: /run/secrets/fcm.json
  channel_id: im_messages
  click: {action: OPEN_CHAT}
`,
	}
}
