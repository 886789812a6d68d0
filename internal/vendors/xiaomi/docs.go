package xiaomi

import (
	"fmt"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Doc is what docs/vendors.md says about Xiaomi.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "xiaomi",
		Name:   vendors.Bilingual{EN: "Xiaomi MiPush", ZH: "小米推送"},
		Dated:  "2026-11",
		Links: []string{
			"https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1560",
			"https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1656",
			"https://dev.mi.com/xiaomihyperos/documentation/detail?pId=2314",
			"https://dev.mi.com/xiaomihyperos/documentation/detail?pId=2321",
		},
		Rows: []vendors.Row{
			vendors.TextRow("Badge", "角标", "no number is sent: the phone counts its notifications itself, and the API has no field", "不下发数字：手机自行统计通知数，接口没有此字段"),
			{What: vendors.Bilingual{EN: "Devices per call", ZH: "每次调用的设备数"}, Value: vendors.Bilingual{
				EN: fmt.Sprintf("%d, with one notification or with different ones", maxTargets),
				ZH: fmt.Sprintf("%d 台，内容相同或各不相同均可", maxTargets)}},
			{What: vendors.Bilingual{EN: "Title, body", ZH: "标题、正文"}, Value: vendors.Bilingual{
				EN: fmt.Sprintf("at most %d and %d characters", maxTitle, maxText), ZH: fmt.Sprintf("最多 %d 和 %d 个字符", maxTitle, maxText)}},
			{What: vendors.Bilingual{EN: "Title, body and ext together", ZH: "标题、正文与 ext 合计"}, Value: vendors.Bilingual{
				EN: fmt.Sprintf("%d bytes; the texts are shortened for the ext, and one above %d bytes is left out whole", maxMessage, maxMessage-leastTexts),
				ZH: fmt.Sprintf("%d 字节；优先缩短文字以保留 ext，ext 超过 %d 字节时整个不下发", maxMessage, maxMessage-leastTexts)}},
			{What: vendors.Bilingual{EN: "Template values", ZH: "模板参数"}, Value: vendors.Bilingual{
				EN: fmt.Sprintf("at most %d, 1 to %d characters each, no emoji; cleaned and cut", maxParams, maxParam),
				ZH: fmt.Sprintf("最多 %d 个，每个 1–%d 个字符，不得含表情符号；自动清理和截断", maxParams, maxParam)}},
			{What: vendors.Bilingual{EN: "Kept for a phone that is off", ZH: "离线保留时间"}, Value: vendors.Bilingual{
				EN: "10 days (private), 1 day (public)", ZH: "私信 10 天，公信 1 天"}},
			{What: vendors.Bilingual{EN: "Requests per second", ZH: "每秒请求数"}, Value: vendors.Bilingual{
				EN: "500 below 100,000 devices with notifications on, 1,000 to 1 M, 2,000 to 5 M, 2,500 to 10 M, 3,000 above",
				ZH: "通知开启设备 10 万以下 500，100 万以下 1000，500 万以下 2000，1000 万以下 2500，以上 3000"}},
			{What: vendors.Bilingual{EN: "Login", ZH: "鉴权"}, Value: vendors.Bilingual{EN: "static AppSecret, no token", ZH: "固定的 AppSecret，无令牌"}},
			{What: vendors.Bilingual{EN: "Abroad", ZH: "海外"}, Value: vendors.Bilingual{
				EN: "Mi Push ended outside mainland China on 2024-04-02: phones abroad need FCM", ZH: "小米推送已于 2024-04-02 停止中国大陆以外的服务，海外设备请用 FCM"}},
			{What: vendors.Bilingual{EN: "In the foreground", ZH: "应用在前台时"}, Value: vendors.Bilingual{
				EN: "not shown (extra.notify_foreground 0)", ZH: "不展示（extra.notify_foreground 0）"}},
			{What: vendors.Bilingual{EN: "Texts that look like a test", ZH: "像测试的文案"}, Value: vendors.Bilingual{
				EN: "may be blocked (\"test\", \"测试\"): try with a real sentence", ZH: "可能被拦截（“test”“测试”），请用真实语句调试"}},
		},
		Classes: []vendors.ClassRow{
			{Name: private, Means: vendors.Bilingual{EN: "important: eight kinds, among them instant messages; an approved channel, and a template",
				ZH: "私信（重要）：即时消息等八类，需审核通过的渠道和模板"}, Cap: vendors.Bilingual{EN: "none", ZH: "不限"}},
			{Name: public, Means: vendors.Bilingual{EN: "ordinary: everything else", ZH: "公信（普通）：其余消息"}, Cap: vendors.Bilingual{
				EN: fmt.Sprintf("%d a device and day (8 with a news licence); the app twice its installs with notifications on, at least %d", publicDeviceCap, leastPublicQuota),
				ZH: fmt.Sprintf("每台设备每天 %d 条（新闻资质 8 条）；应用为通知开启设备数的 2 倍，至少 %d", publicDeviceCap, leastPublicQuota)}},
			{Name: public, Means: vendors.Bilingual{EN: "without a channel", ZH: "未带渠道"}, Cap: vendors.Bilingual{
				EN: fmt.Sprintf("%d a device and day; may be refused", defaultDeviceCap), ZH: fmt.Sprintf("每台设备每天 %d 条，可能被拒绝", defaultDeviceCap)}},
		},
		Codes: codes(),
		Setup: []vendors.Bilingual{
			{EN: "Create the app in Xiaomi's push console and take its AppSecret and package name.", ZH: "在小米推送运营平台创建应用，取得 AppSecret 和包名。"},
			{EN: "Apply for a channel of the important class for instant messages and set channel_id. Without it a phone shows one message a day.",
				ZH: "申请即时消息的重要级别渠道（私信），填入 channel_id；没有渠道时每台设备每天只显示一条。"},
			{EN: "Choose a template for each kind of message (official: M12762 one-to-one, M12763 group, M12764 call, M12771 mention) and set templates, or one for all with template_id and template_params; a channel of its own for a kind goes under channels.",
				ZH: "为每种消息选用模板（官方：M12762 单聊、M12763 群聊、M12764 通话、M12771 @提及），填入 templates；也可用 template_id 和 template_params 为全部消息指定一个。某种消息有单独渠道时填入 channels。"},
			{EN: "Send the devices of phones abroad to an FCM certificate.", ZH: "海外设备请登记到 FCM 证书。"},
		},
		Tap: vendors.Bilingual{
			EN: "The ext is the content of the MiPushMessage in the opened intent: getSerializableExtra(PushMessageHelper.KEY_MESSAGE).getContent(); up to 1,024 characters it is also getExtra().get(\"ext\"). onNotificationMessageClicked is not called.",
			ZH: "ext 为所打开 Intent 中 MiPushMessage 的内容：getSerializableExtra(PushMessageHelper.KEY_MESSAGE).getContent()；不超过 1024 个字符时也可用 getExtra().get(\"ext\") 读取。不会回调 onNotificationMessageClicked。",
		},
		Repeat: vendors.Bilingual{
			EN: "The phone drops a second push with the same extra.jobkey, which is the message's; the same notify_id, which the events of a call share, replaces what is shown.",
			ZH: "设备丢弃 extra.jobkey（每条消息唯一）相同的第二条推送；notify_id 相同时覆盖已展示的通知，同一通话的各事件共用 notify_id。",
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
	}
}
