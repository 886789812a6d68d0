package huawei

import (
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// Doc is what docs/vendors.md says about Huawei.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "huawei", Name: vendors.Both("Huawei Push Kit (HMS)", "华为推送（HMS）"), Dated: "2026-11",
		Links: []string{
			"https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-api-0000001050986197",
			"https://developer.huawei.com/consumer/cn/doc/HMSCore-Guides/open-platform-oauth-0000001053629189",
			"https://developer.huawei.com/consumer/cn/doc/HMSCore-Guides/message-classification-0000001149358835",
		},
		Rows: []vendors.Row{
			vendors.TextRow("Phones", "机型", "EMUI and HarmonyOS up to 4; HarmonyOS 5 and later is vendor harmony", "EMUI 与 HarmonyOS 4 及以下；HarmonyOS 5 及以上请用 harmony"),
			vendors.NumberRow("Devices per call", "单次最多设备数", pushkit.MaxTokens),
			vendors.NumberRow("Bytes per request, without the tokens", "请求体字节数（不含 token）", pushkit.MaxBytes),
			vendors.TextRow("Longest lifetime", "最长缓存时间", "15 days", "15 天"),
			vendors.TextRow("Rate", "速率", "devices a second, shown in AppGallery Connect, at least 6,000; beyond it HTTP 503",
				"按每秒设备数计，见 AppGallery Connect，至少 6000；超出返回 HTTP 503"),
			vendors.TextRow("Access token", "访问令牌", "1 hour; 1,000 fetches for an app in five minutes", "有效 1 小时；每应用 5 分钟最多申请 1000 次"),
			vendors.TextRow("All classes", "所有类别", "formerly 3,000 a device and day, now controlled by the system; no error at send time",
				"原为每设备每天 3000 条，现由系统控制；发送时不报错"),
			vendors.NumberRow("Test pushes a day for an app", "每应用每天测试消息数", testPushesDay),
			vendors.TextRow("Title and body", "标题与正文", "no published limit; shortened to max_title 40 and max_body 256 code points",
				"官方未公布；按 max_title 40、max_body 256 个码点截短"),
			vendors.TextRow("Badge", "角标", "set to the number; devices with different numbers go in calls of their own; needs badge_class",
				"设置为该数字；数字不同的设备分开调用；需要 badge_class"),
			vendors.TextRow("Sound", "铃声", "android.sound is a file in res/raw; Android 8+ takes the sound of the channel as it was first created",
				"android.sound 为 res/raw 中的文件；Android 8 及以上以渠道首次创建时的铃声为准"),
		},
		Classes: []vendors.ClassRow{
			{Name: "communication", Means: vendors.Both("service and communication: every category but MARKETING, with the self-classification right",
				"服务与通讯：除 MARKETING 外的类别，需开通自分类权益"), Cap: vendors.Both("none published", "未公布上限")},
			{Name: "marketing", Means: vendors.Both("information and marketing: MARKETING, and silently every category without the right",
				"资讯营销：MARKETING，以及未开通权益的所有类别（不报错）"), Cap: vendors.Both("2 a device and day, 5 for licensed news apps", "每设备每天 2 条，持牌新闻类应用 5 条")},
		},
		Codes: codes(),
		Setup: []vendors.Bilingual{
			vendors.Both("Enable Push Kit for the app in AppGallery Connect; for users abroad choose a data storage site.",
				"在 AppGallery Connect 中为应用开通推送服务；有海外用户时选择数据处理位置。"),
			vendors.Both("Take the App ID and the OAuth 2.0 client secret from Project settings.", "在项目设置中获取 App ID 与 OAuth 2.0 客户端密钥。"),
			vendors.Both("Apply for the self-classification right for IM and VOIP (Grow > Push Kit > Settings): without it the third chat message of a day is dropped without an error.",
				"申请自分类权益 IM 与 VOIP（增长 > 推送服务 > 配置）：未开通时每天第三条聊天消息会被静默丢弃。"),
			vendors.Both("Without the right for VOIP set call_category: IM.", "未获 VOIP 权益时设置 call_category: IM。"),
			vendors.Both("Set badge_class to the full name of the launcher activity.", "将 badge_class 设为启动 Activity 的完整类名。"),
		},
		Tap: vendors.Both(`data is {"ext": "<ext>"}; the app reads getIntent().getStringExtra("ext"). {ext} in the click target carries it as well. An ext that does not fit into 4096 bytes is left out.`,
			`data 为 {"ext": "<ext>"}，应用用 getIntent().getStringExtra("ext") 读取；也可在 click 中用 {ext} 携带。超出 4096 字节的 ext 不发送。`),
		Repeat: vendors.Both("A repeat has the same notify_id and tag, so it replaces the first on the screen; so do the events of a call, and with policy.collapse the messages of a conversation. group is the conversation.", "重复推送的 notify_id 与 tag 相同，会覆盖屏幕上的前一条；同一通话的各事件，以及设置 policy.collapse 后同一会话的消息也是如此。group 为会话。"),
		Recall: vendors.Both("Overwritten, under the same notify_id and tag, with importance LOW and no sound; the category stays.",
			"覆盖：notify_id 与 tag 相同，importance 为 LOW，不带铃声；category 不变。"),
		Example: `- id: "35002"
  vendor: huawei
  app_id: "100000001"
  app_secret: ${HUAWEI_APP_SECRET}
  category: IM
  badge_class: com.example.im.MainActivity
`,
	}
}
