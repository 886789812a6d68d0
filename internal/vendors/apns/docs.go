package apns

import "github.com/hongyan-im/hongyan/internal/vendors"

// Doc is the page docs/vendors/apns.md.
func Doc() vendors.Doc {
	return vendors.Doc{
		Vendor: "apns", Name: vendors.Both("Apple Push Notification service (APNs)", "苹果推送通知服务（APNs）"), Dated: "2026-11",
		Phones: vendors.Both(
			"iPhones and iPads. A certificate serves one bundle id in one environment: builds from the App Store and TestFlight have tokens of production, "+
				"builds that Xcode installs those of development.",
			"iPhone 与 iPad。一个证书对应一个 Bundle ID 和一个环境：App Store 与 TestFlight 版本的 token 属于生产环境，由 Xcode 安装的版本属于开发环境。"),
		PerCall: vendors.Both("1", "1"),
		Setup: []vendors.Bilingual{
			vendors.Both(
				"Sign in to developer.apple.com with an account of the team that may manage keys. Open Certificates, IDs & Profiles, then Identifiers, "+
					"choose the app's bundle id and tick Push Notifications. The bundle id is `topic`.",
				"用有密钥管理权限的团队账号登录 developer.apple.com，打开“证书、标识符和描述文件”中的 Identifiers，选中应用的 Bundle ID，勾选 `Push Notifications`。Bundle ID 即 `topic`。"),
			vendors.Both(
				"Open Keys, press +, give the key a name and tick Apple Push Notifications service (APNs). Newer keys ask for an environment and a scope: choose production "+
					"(and another key for development, if you push to it), and the whole team unless you want a key for some topics alone.",
				"打开 Keys，点击 +，为密钥命名并勾选 `Apple Push Notifications service (APNs)`。新建的密钥需要选择环境和范围：选择生产环境（如需推送开发版，再为开发环境单独建一个），范围一般选整个团队。"),
			vendors.Both(
				"Download the .p8 file, which is possible once only, and put it where the worker alone can read it: `key_file`.",
				"下载 .p8 文件（只能下载一次），放在只有 worker 能读取的位置，即 `key_file`。"),
			vendors.Both(
				"Note the key's id, beside the key (`key_id`), and the team's id under Membership (`team_id`), ten characters each.",
				"记下密钥旁的密钥 ID（`key_id`）和会员资格（Membership）中的团队 ID（`team_id`），各十个字符。"),
			vendors.Both(
				"In Xcode add the capability Push Notifications to the app. The app registers at every start and reports the token that it gets: "+
					"it changes with a restored backup, a new phone or a reinstalled system.",
				"在 Xcode 中为应用添加 `Push Notifications` 能力。应用每次启动都要注册并上报得到的 token：恢复备份、更换手机、重装系统后 token 会变。"),
			vendors.Both(
				"For calls add the background mode Voice over IP, register with PushKit, and report that token as `voip` of the device, with a certificate entry of its own. "+
					"The same key and the same `topic` serve it.",
				"来电：添加后台模式 `Voice over IP`，用 PushKit 注册，把得到的 token 作为设备的 `voip` 上报，并为其单独配置一个证书条目；密钥和 `topic` 可以相同。"),
			vendors.Both(
				"For pictures and avatars add a notification service extension to the app and set `mutable_content: true`; avatars also need the capability "+
					"Communication Notifications.",
				"图片与头像：在应用中加入通知服务扩展，并设置 `mutable_content: true`；头像还需要 `Communication Notifications` 能力。"),
		},
		Example: `id: "35005"
vendor: apns
topic: com.example.im
key_file: /run/secrets/AuthKey_ABC123DEFG.p8
key_id: ${APNS_KEY_ID}
team_id: ${APNS_TEAM_ID}
`,
		Classes: []vendors.ClassRow{{
			Name:  "all",
			Means: vendors.Both("every push", "全部推送"),
			Cap: vendors.Both("none published; too many pushes in a row to one phone get `TooManyRequests`",
				"未公布；短时间内向同一手机连续推送会得到 `TooManyRequests`"),
		}},
		Limits: []vendors.Row{
			{What: vendors.Both("Payload", "负载"), Value: vendors.Bothf(
				"%d bytes, VoIP %d; what is too long loses the end of the body, then subtitle, title and image; `ext` goes only where no text would be left",
				"%d 字节，VoIP 为 %d 字节；超长时依次缩短正文、副标题、标题并去掉图片，仅当连文字都放不下时才去掉 `ext`", maxPayload, maxVoIPPayload)},
			vendors.TextRow("Longest lifetime", "最长保留时间",
				"30 days (`apns-expiration`); VoIP 5 seconds, unless `ttl` says otherwise", "30 天（`apns-expiration`）；VoIP 为 5 秒，可用 `ttl` 调整"),
			vendors.TextRow("Token", "设备 token", "hexadecimal, of any length; Apple asks not to rely on one", "十六进制，长度不定；苹果要求不要假定长度"),
			vendors.TextRow("Topics of a key", "密钥覆盖范围", "all apps of the team, or chosen ones; a certificate serves one app, for a year",
				"团队全部应用或指定的应用；证书则只对应一个应用，有效期一年"),
		},
		Rates: []vendors.Row{
			vendors.TextRow("Address", "地址",
				"`https://api.push.apple.com`; with `test_mode` `https://api.sandbox.push.apple.com`; port 2197 works too, by `endpoint`",
				"`https://api.push.apple.com`；`test_mode` 时为 `https://api.sandbox.push.apple.com`；也可通过 `endpoint` 使用 2197 端口"),
			vendors.TextRow("Provider token", "鉴权令牌",
				"ES256, signed here, renewed after 50 minutes; Apple wants it not more often than every 20 minutes and at least every hour. "+
					"Whether the 20 minutes count for a connection or for a key is not clear (uncertain)",
				"ES256，本地签发，50 分钟后更新；苹果要求更新间隔不短于 20 分钟、不长于 1 小时。20 分钟按连接还是按密钥计算并不清楚（不确定）"),
			{What: vendors.Both("Connections", "连接"), Value: vendors.Bothf(
				"up to %d for each worker (`connections`), opened as they are needed; the first push on a new one is sent alone, because APNs allows one stream until it was answered",
				"每个 worker 最多 %d 条（`connections`），按需建立；新连接的第一条推送单独发送，因为得到应答前 APNs 只允许一个流", defaultConnections)},
			vendors.TextRow("Rate and quota", "速率与配额", "none published", "未公布"),
			vendors.TextRow("After a 5xx", "5xx 之后",
				"Apple writes \"after 15 minutes, you can retry\", which can be read in two ways (uncertain); Hongyan tries again with backoff, over another connection",
				"苹果文档写 15 分钟后可以重试，含义有两种理解（不确定）；鸿雁退避后经另一条连接重试"),
		},
		Screen: vendors.Screen{
			Recall: vendors.Both(
				"Overwritten, by a passive alert without sound under the same `apns-collapse-id`. It is not kept for a phone that is off (`apns-expiration` 0), because APNs keeps one push of an app, which may be another message: such a phone shows the original when it comes on. What rang through VoIP is not overwritten.",
				"覆盖：以相同的 `apns-collapse-id` 发送一条 `interruption-level` 为 passive、无声的通知。设备离线时不保存（`apns-expiration` 为 0），因为 APNs 为每个应用只保存一条推送，那可能是另一条消息；这样的设备上线后仍会显示原消息。经 VoIP 响铃的来电不覆盖。"),
			Read: vendors.ReadRefreshes().And(
				"When that is 0, iOS takes all notifications of the app off the screen (uncertain); Apple does not document it.",
				"变为 0 时，iOS 会清除该应用的全部通知（不确定），Apple 文档未说明。"),
			Repeat: vendors.Both(
				"One notification: `apns-collapse-id` is made of the message's key, so a repeat replaces the first. `apns-id` is stable too, but APNs is not known to deduplicate by it.",
				"只显示一条：`apns-collapse-id` 由消息的键得出，重复推送替换前一条。`apns-id` 也保持不变，但没有资料表明 APNs 以它去重。"),
			CallEnded: vendors.CallEnded("apns-collapse-id").And(
				"What rang through VoIP is followed by an alert to the alert token, where one is registered, never by a second VoIP push.",
				"通过 VoIP 响铃的，若登记了普通 token，之后发一条普通通知；绝不发第二条 VoIP 推送。"),
			Collapse: vendors.Collapsed("apns-collapse-id"),
			Group:    vendors.Both("By conversation: `thread-id`.", "按会话分组：`thread-id`。"),
			Badge: vendors.Both(
				"The exact number is set, 0 removes it. `ios.ignore_badge` leaves it as it is. A refresh is an alert with the badge alone, with priority 5 and expiration 0.",
				"精确设置数字，0 为清除。`ios.ignore_badge` 不改动角标。刷新是只含 badge 的 alert 推送，优先级 5，expiration 为 0。"),
			Refreshes: true,
			Sound: vendors.Both(
				"`ios.sound`, else `sound`: a file in the app's bundle or in Library/Sounds with its suffix, `default`, or `none`. A critical push plays it at full volume.",
				"`ios.sound`，否则 `sound`：应用包或 Library/Sounds 中带后缀的文件、`default` 或 `none`。critical 级别以最大音量播放。"),
			Image: vendors.Both(
				"`ios.image` is the key `image` of the payload; the app's notification service extension fetches and attaches it, and has about 30 seconds. `mutable-content` is set with it.",
				"`ios.image` 放在负载的 `image` 中，由应用的通知服务扩展下载并附上，时限约 30 秒；同时设置 `mutable-content`。"),
			Front: vendors.Both("iOS hands the push to the app, which decides.", "iOS 把推送交给应用，由应用决定是否展示。"),
			Off: vendors.Both(
				"APNs keeps one push for each app and phone, mostly the newest. The app must read the rest from its own server.",
				"APNs 对每个应用、每台手机只保留一条，通常是最新的一条；其余由应用向自己的服务器拉取。"),
		},
		Calls: []vendors.Bilingual{
			vendors.Both(
				"Without a PushKit token an invitation is an alert; the payload has the key `call` with `call_id`, `media` and `action`.",
				"没有 PushKit token 时，来电邀请是一条普通通知；负载的 `call` 中有 `call_id`、`media`、`action`。"),
			vendors.Both(
				"With one it goes to the topic with `.voip` added, with an empty `aps`; `call` has `title`, `body`, `conversation` and `message_id` as well. "+
					"The app must report every such push to CallKit, or iOS ends the app and in time delivers no more VoIP pushes; iOS 26.4 tells by `PKVoIPPushMetadata.mustReport`.",
				"有 PushKit token 时发往加 `.voip` 的 topic，`aps` 为空，`call` 中另有 `title`、`body`、`conversation`、`message_id`。应用必须把每条此类推送报告给 CallKit，否则会被系统终止，"+
					"多次后不再收到 VoIP 推送；iOS 26.4 起可用 `PKVoIPPushMetadata.mustReport` 判断。"),
			vendors.Both(
				"Ending the call screen is the app's work, over its own connection. Where the PushKit token is dead or its topic refused, the invitation goes to the phone's alert token "+
					"instead, and the outcome's note is `voip_fallback`.",
				"结束通话界面由应用通过自己的连接完成。PushKit token 失效或其 topic 被拒时，邀请改发到该手机的普通 token，结局的 note 为 `voip_fallback`。"),
			vendors.Both(
				"Apps in the store of mainland China may not use CallKit; LiveCommunicationKit (iOS 17.4) stands in for it (uncertain).",
				"中国大陆商店中的应用不能使用 CallKit，可用 LiveCommunicationKit（iOS 17.4）代替（不确定）。"),
		},
		Tap: []vendors.Bilingual{
			vendors.Both(
				"The app finds `ext`, as the string it was, in `userInfo[\"ext\"]` of the notification that was tapped. `click` has no meaning here.",
				"用户点击通知后，应用从通知的 `userInfo[\"ext\"]` 中取得原样的 `ext` 字符串。`click` 在此无意义。"),
			vendors.Both(
				"Where the extension runs, `conversation`, `message_id` and `sender` stand beside `aps` too, as a notification with its sender's picture needs them.",
				"通知服务扩展运行时，`aps` 旁还有 `conversation`、`message_id`、`sender`，供显示发送者头像使用。"),
		},
		Receipts: []vendors.Bilingual{vendors.Both(
			"None: a 200 says that APNs took the push, and no report of its delivery follows. `receipts` is an error here.",
			"没有：200 只表示 APNs 已受理，之后不再报告是否送达。在此配置 `receipts` 会报错。")},
		Traps: []vendors.Bilingual{
			vendors.Both(
				"Many `BadDeviceToken` at once mean the wrong environment, not dead tokens: check `test_mode` and `endpoint`. APNs closes connections sooner for this answer.",
				"同时出现大量 `BadDeviceToken` 说明环境不符，而不是 token 失效：检查 `test_mode` 和 `endpoint`。APNs 会因此更快断开连接。"),
			vendors.Both(
				"The PushKit token and the alert token of one app differ. One in the place of the other gets `DeviceTokenNotForTopic`.",
				"同一应用的 PushKit token 与普通 token 不同，混用会得到 `DeviceTokenNotForTopic`。"),
			vendors.Both(
				"`topic` is the bundle id alone; `.voip` is added where it belongs.", "`topic` 只填 Bundle ID，需要时自动加上 `.voip`。"),
			vendors.Both(
				"A connection belongs to the team and the bundle ids that existed at its first push: a certificate that is added or changed while workers run gets new ones.",
				"连接在第一条推送时绑定团队及当时已有的 Bundle ID：运行中新增或改动的证书会使用新的连接。"),
			vendors.Both(
				"Since early 2025 the servers' certificate chain ends in USERTrust RSA Certification Authority: a minimal container needs up-to-date root certificates.",
				"2025 年初起，服务器证书链的根为 `USERTrust RSA Certification Authority`：精简容器需要更新根证书。"),
			vendors.Both(
				"A wrong clock gives `ExpiredProviderToken` for every push.", "本机时钟不准会使每条推送都得到 `ExpiredProviderToken`。"),
		},
		Codes: codes(),
		Sources: []vendors.Source{
			{What: vendors.Both("Sending notification requests", "发送推送请求"), URL: "https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns"},
			{What: vendors.Both("Responses and reasons", "应答与原因"), URL: "https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns"},
			{What: vendors.Both("Keys and provider tokens", "密钥与鉴权令牌"), URL: "https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns"},
			{What: vendors.Both("The payload", "负载"), URL: "https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification"},
			{What: vendors.Both("A badge of 0 clears the notifications", "角标为 0 时清除通知"), URL: "https://support.airship.com/hc/en-us/articles/213492563-Clearing-the-badge-icon-on-iOS"},
			{What: vendors.Both("The same, in a report to Apple", "同上，提交给 Apple 的报告"), URL: "https://github.com/lionheart/openradar-mirror/issues/17743", Dated: "2017-06-25"},
			{What: vendors.Both("VoIP pushes", "VoIP 推送"), URL: "https://developer.apple.com/documentation/pushkit/responding-to-voip-notifications-from-pushkit"},
		},
	}
}
