package apns

import "github.com/hongyan-im/hongyan/internal/vendors"

// Doc is what docs/vendors.md says about APNs.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "apns",
		Name:   vendors.Bilingual{EN: "Apple Push Notification service", ZH: "苹果推送通知服务（APNs）"},
		Dated:  "2026-11",
		Links: []string{
			"https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns",
			"https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns",
			"https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns",
			"https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification",
			"https://developer.apple.com/documentation/pushkit/responding-to-voip-notifications-from-pushkit",
		},
		Rows: []vendors.Row{
			fact("Devices per call", "每次调用的设备数", "1", "1"),
			fact("Address", "地址", "https://api.push.apple.com; test_mode: https://api.sandbox.push.apple.com; port 2197 works too, by endpoint",
				"https://api.push.apple.com；test_mode 时为 https://api.sandbox.push.apple.com；也可通过 endpoint 使用 2197 端口"),
			fact("Payload", "负载大小", "4,096 bytes, VoIP 5,120; the body is shortened first, then subtitle and title, never ext",
				"4096 字节，VoIP 为 5120 字节；依次缩短正文、副标题、标题，绝不截断 ext"),
			fact("Lifetime", "有效期", "up to 30 days; for a phone that is off APNs keeps one push per app, mostly the newest. VoIP: 5 s unless ttl says otherwise",
				"最长 30 天；手机离线时 APNs 对每个应用只保留一条，通常是最新的一条。VoIP 默认 5 秒，可用 ttl 调整"),
			fact("Provider token", "鉴权令牌", "ES256, renewed after 50 minutes; never more often than every 20",
				"ES256 签名，50 分钟后更新，更新间隔不少于 20 分钟"),
			fact("Connections", "连接数", "up to 4 for each worker (connections), opened as they are needed; each is warmed by one push before it takes more",
				"每个 worker 最多 4 条（connections），按需建立；每条连接先单独发送一条推送预热"),
			fact("Quota", "配额", "none published", "未公布"),
			fact("Image", "图片", "the key image of the payload, for the app's notification service extension; sets mutable-content",
				"负载中的 image 字段，由应用的通知服务扩展下载；同时设置 mutable-content"),
			fact("Calls", "通话", "the key call: call_id, media, action. A VoIP push adds title, body, conversation and message_id, and has an empty aps",
				"负载中的 call 字段：call_id、media、action。VoIP 推送另有 title、body、conversation、message_id，aps 为空"),
			fact("Badge", "角标", "set to the number; 0 removes it; a refresh is an alert with the badge alone, priority 5, expiration 0",
				"设置为该数字，0 表示清除；刷新是只含 badge 的 alert 推送，优先级 5，expiration 为 0"),
			fact("Sound", "提示音", "a file of the app, default or none; a critical push plays it at full volume",
				"应用内的声音文件、default 或 none；critical 级别以最大音量播放"),
			fact("Many bad tokens at once", "大量无效 token", "mostly the wrong host: tokens of development builds are bad tokens in production, and the reverse",
				"通常是环境不符：开发版的 token 在生产环境无效，反之亦然"),
		},
		Classes: []vendors.ClassRow{{
			Name:  "all",
			Means: vendors.Bilingual{EN: "every push", ZH: "全部推送"},
			Cap:   vendors.Bilingual{EN: "none published; too many pushes in a row to one device get TooManyRequests", ZH: "未公布；短时间内向同一设备连续推送会得到 TooManyRequests"},
		}},
		Refreshes: true,
		Codes:     codes(),
		Setup: []vendors.Bilingual{
			{EN: "In the developer account, Identifiers, switch on Push Notifications for the bundle id.", ZH: "在开发者账号的 Identifiers 中，为 Bundle ID 启用 Push Notifications。"},
			{EN: "In Keys, create a key with Apple Push Notifications service, for the environment you push to, and download the .p8 file: it can be downloaded once.",
				ZH: "在 Keys 中创建启用 APNs 的密钥，环境与推送环境一致，并下载 .p8 文件（只能下载一次）。"},
			{EN: "Note the key's id (key_id) and the team's id under Membership (team_id).", ZH: "记下密钥 ID（key_id）和 Membership 中的团队 ID（team_id）。"},
			{EN: "For calls, register the device's PushKit token as voip, with a certificate entry of its own; the same key and topic serve it.",
				ZH: "来电推送：把设备的 PushKit token 注册为 voip，并为其单独配置一个证书条目，可使用同一密钥和 topic。"},
			{EN: "For avatars or images, add a notification service extension to the app and set mutable_content.", ZH: "显示头像或图片：在应用中加入通知服务扩展，并设置 mutable_content。"},
		},
		Tap: vendors.Bilingual{
			EN: "The app finds ext, as the string it was, in userInfo[\"ext\"] of the notification that was tapped.",
			ZH: "用户点击通知后，应用从通知的 userInfo[\"ext\"] 中取得原样的 ext 字符串。",
		},
		Repeat: vendors.Bilingual{
			EN: "One notification: apns-collapse-id is the message's key, so a repeat replaces the first; the events of a call share theirs, and with policy.collapse the messages of a conversation. apns-id is stable too, but APNs does not deduplicate by it.",
			ZH: "只显示一条：apns-collapse-id 为消息的键，重复推送会替换前一条；同一通话的各事件共用一个键，设置 policy.collapse 后同一会话的消息也是如此。apns-id 也保持不变，但 APNs 不以它去重。",
		},
		Example: `id: "35005"
vendor: apns
topic: com.example.im
key_file: /run/secrets/AuthKey_ABC123DEFG.p8
key_id: ${APNS_KEY_ID}
team_id: ${APNS_TEAM_ID}
`,
	}
}

func fact(en, zh, valueEN, valueZH string) vendors.Row {
	return vendors.Row{What: vendors.Bilingual{EN: en, ZH: zh}, Value: vendors.Bilingual{EN: valueEN, ZH: valueZH}}
}
