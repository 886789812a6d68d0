package harmony

import (
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// Doc is what docs/vendors.md says about HarmonyOS.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "harmony", Name: vendors.Both("HarmonyOS Push Kit", "鸿蒙推送（HarmonyOS 5 及以上）"), Dated: "2026-11",
		Links: []string{
			"https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-param",
			"https://developer.huawei.com/consumer/cn/doc/harmonyos-guides/push-jwt-token",
			"https://developer.huawei.com/consumer/cn/doc/harmonyos-guides/push-apply-right",
		},
		Rows: []vendors.Row{
			vendors.TextRow("Phones", "机型", "HarmonyOS 5 and later, in mainland China; earlier ones are vendor huawei", "中国大陆的 HarmonyOS 5 及以上；更早的版本请用 huawei"),
			vendors.NumberRow("Devices per call", "单次最多设备数", pushkit.MaxTokens),
			vendors.NumberRow("Devices per call of test pushes", "测试消息单次最多设备数", maxTestTokens),
			vendors.NumberRow("Bytes per request, without the tokens", "请求体字节数（不含 token）", pushkit.MaxBytes),
			vendors.TextRow("Longest lifetime", "最长缓存时间", "15 days; of a call invite what is left of it, at most 60 seconds", "15 天；通话邀请为其剩余时间，最长 60 秒"),
			vendors.TextRow("Rate", "速率", "devices a second, shown in AppGallery Connect; beyond it HTTP 503", "按每秒设备数计，见 AppGallery Connect；超出返回 HTTP 503"),
			vendors.TextRow("Authorization", "鉴权", "a JWT (PS256) signed by the service account's key, 1 hour, no call; needs a right clock", "用服务账号密钥本地签发 JWT（PS256），有效 1 小时，无需请求；要求时钟准确"),
			vendors.TextRow("All classes", "所有类别", "formerly 3,000 a device and day, now controlled by the system; no error at send time",
				"原为每设备每天 3000 条，现由系统控制；发送时不报错"),
			vendors.NumberRow("Calls with test pushes a day for a project", "每项目每天测试消息请求数", testCallsDay),
			vendors.TextRow("Title and body", "标题与正文", "no published limit; shortened to max_title 40 and max_body 256 code points",
				"官方未公布；按 max_title 40、max_body 256 个码点截短"),
			vendors.TextRow("Image", "图片", "checked by images:verify before the first push with it; one that is refused is left out, and the outcome's note says image_dropped",
				"首次推送前经 images:verify 审核；未通过则不带图片，结局的 note 为 image_dropped"),
			vendors.TextRow("Sound", "铃声", "harmony.sound is a file in resources/rawfile, harmony.sound_seconds 1 to 60", "harmony.sound 为 resources/rawfile 中的文件，harmony.sound_seconds 为 1 至 60 秒"),
			vendors.TextRow("Badge", "角标", "set to the number, at most 99; devices with different numbers go in calls of their own; a refresh takes the right for IM", "设置为该数字，最大 99；数字不同的设备分开调用；刷新需要 IM 自分类权益"),
		},
		Classes: []vendors.ClassRow{
			{Name: "communication", Means: vendors.Both("service and communication: every category but MARKETING, with the self-classification right",
				"服务与通讯：除 MARKETING 外的类别，需开通自分类权益"), Cap: vendors.Both("none published", "未公布上限")},
			{Name: "marketing", Means: vendors.Both("information and marketing: MARKETING, and silently every category without the right",
				"资讯营销：MARKETING，以及未开通权益的所有类别（不报错）"), Cap: vendors.Both("2 a device and day, 5 for licensed news apps", "每设备每天 2 条，持牌新闻类应用 5 条")},
		},
		Refreshes: true,
		Codes:     codes(),
		Setup: []vendors.Bilingual{
			vendors.Both("Enable Push Kit for the app in AppGallery Connect.", "在 AppGallery Connect 中为应用开通推送服务。"),
			vendors.Both("Create a service account key in the Huawei API Console for the same project and download its JSON file; it may push for every app of the project.",
				"在 Huawei API Console 为同一项目创建服务账号密钥并下载 JSON 文件；该密钥可向项目内所有应用推送，请妥善保管。"),
			vendors.Both("Apply for the self-classification right for IM and VOIP (and MISS_CALL): without it the third chat message of a day is dropped without an error.",
				"申请自分类权益 IM 与 VOIP（以及 MISS_CALL）：未开通时每天第三条聊天消息会被静默丢弃。"),
			vendors.Both("Without the right for VOIP set call_category: IM. With the right for in-app calls (push-type 10) set call_push: voip.",
				"未获 VOIP 权益时设置 call_category: IM；已获应用内通话权益（push-type 10）时设置 call_push: voip。"),
		},
		Tap: vendors.Both(`clickAction.data is {"ext": "<ext>"}; the ability reads want.parameters.ext. {ext} in the click target carries it as well. An ext that does not fit into 4096 bytes is left out.`,
			`clickAction.data 为 {"ext": "<ext>"}，Ability 从 want.parameters.ext 读取；也可在 click 中用 {ext} 携带。超出 4096 字节的 ext 不发送。`),
		Repeat: vendors.Both("A repeat has the same appMessageId and notifyId: within 24 hours the phone shows it once. The events of a call, and with policy.collapse the messages of a conversation, share the notifyId alone and replace each other.", "重复推送的 appMessageId 与 notifyId 相同，24 小时内只展示一次。同一通话的各事件，以及设置 policy.collapse 后同一会话的消息只共用 notifyId，互相覆盖。"),
		Example: `- id: "35003"
  vendor: harmony
  service_account_file: /run/secrets/harmony.json
  category: IM
  click: {action: com.example.im.chat}
`,
	}
}
