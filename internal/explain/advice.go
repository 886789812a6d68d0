// Package explain says in words what a status, a reason and a vendor's code mean, and what to do.
// It reads nothing and knows no vendor by itself: what a code means is in codes.tsv, which is
// written from the vendors' own tables, so that a tool that links no driver tells the same as one.
//
//	status + reason         ──▶ Advice: what it means, and what to do
//	vendor + code + reason  ──▶ Meaning: what the vendor means by it
package explain

import "github.com/hongyan-im/hongyan"

// Rule is the place of a suppression in the order in which the rules apply, from 1, and how many
// there are; 0 where it is none.
func Rule(r hongyan.Reason) (n, of int) {
	for i, s := range hongyan.Suppressions {
		if s == r {
			return i + 1, len(hongyan.Suppressions)
		}
	}
	return 0, len(hongyan.Suppressions)
}

// Advice says what a status and reason mean and what to do.
func Advice(status hongyan.Status, r hongyan.Reason) Text {
	switch status {
	case hongyan.StatusSuppressed:
		return Suppression(r)
	case hongyan.StatusWaiting:
		return Waiting(r)
	case hongyan.StatusWithdrawn:
		return Withdrawal(r)
	}
	return Result(r)
}

// Waiting says, for each reason to send a push later, what it waits for and what to do if
// that takes too long.
func Waiting(r hongyan.Reason) Text {
	switch r {
	case hongyan.Busy:
		return Text{"There was no free place for it: every call that the worker may make at once for the certificate was under way, or the worker was stopping. It goes by itself, in its turn. If that is often so, the vendor is slow (hongyan_stage_duration_seconds of the stage \"called\"), or there are too few calls at once: raise the certificate's concurrency, or add workers.",
			"当时没有空位：该证书允许 worker 同时发出的请求都已在途，或 worker 正在停止。轮到时会自动发送。若经常如此，说明厂商慢，或同时的请求太少：调大该证书的 concurrency，或增加 worker。"}
	case hongyan.Parked:
		return Text{"The certificate is parked: the vendor was unavailable, or refuses the credentials, or the channel or template that the certificate has for this kind of pushes. One push after another tries whether it is well again, and then all go by themselves. \"publisher limits\" shows what the vendor said. Or an operator holds the certificate or its app by hand, which \"publisher limits\" shows as well, with the command that releases it.",
			"证书已停用：厂商不可用，或拒绝了凭据，或拒绝了该证书为这类推送配置的渠道或模板。系统会逐条试探是否恢复，恢复后全部自动发出。「publisher limits」显示厂商的原话。或者有人手动扣住了该证书或其应用，「publisher limits」也会显示，并给出放行的命令。"}
	case hongyan.RateLimited:
		return Text{"The certificate's rate lets no more through at the moment, or the vendor called it too fast. It goes by itself, in its turn; set the rate to what the vendor grants, or ask it for more.",
			"证书的速率此刻不再放行，或厂商认为发得太快。轮到时会自动发送；把 rate 设为厂商给的值，或向厂商申请更高的速率。"}
	case hongyan.QuotaSpent:
		return Text{"The day's quota is used up. It goes by itself after the vendor's midnight. If that is too late, ask the vendor for more; \"publisher limits\" shows what is left, and changes our own limit.",
			"当天配额已用完。厂商的零点过后自动发送。若太晚，向厂商申请更多配额；「publisher limits」显示剩余量，也可修改我们自己的上限。"}
	case hongyan.BadCredentials:
		return Text{"Key, secret, certificate or permission is wrong, or the certificate names a channel, template or class that the vendor does not grant; its code says which. It goes by itself after that was put right, in the configuration or in the vendor's console; do so before it is worthless.",
			"密钥、secret、证书或权限不对，或证书配置的渠道、模板或类别厂商没有授予；厂商的码说明是哪一种。在配置或厂商控制台改正之后会自动发送；请在消息失去意义之前改正。"}
	case hongyan.AuthExpired:
		return Text{"The access token or JWT was too old and is refreshed by itself; it goes again in a second or two. If it comes again and again, compare the worker's clock with the vendor's.",
			"访问令牌或 JWT 已过期，会自动刷新，一两秒后再发。若反复出现，对比 worker 与厂商的时钟。"}
	case hongyan.Unavailable:
		return Text{"The vendor answered with a server error or not at all. It is tried again by itself, after longer and longer waits; look at the vendor's status page and at the way there (proxy, DNS, firewall) if it stays so.",
			"厂商返回服务端错误，或没有响应。会自动重试，间隔越来越长；若一直如此，查看厂商的状态页和通往厂商的网络（代理、DNS、防火墙）。"}
	case hongyan.Timeout:
		return Text{"No answer came in time. It is tried again by itself under the same key, so that it replaces the first where both arrive; if it stays so, look at the way to the vendor, or raise the certificate's timeout.",
			"没有及时得到应答。会用同一个键自动重试，两条都到达时后者覆盖前者；若一直如此，检查通往厂商的网络，或调大证书的 timeout。"}
	case hongyan.Interrupted:
		return Text{"A worker stopped before it was sent, or in the middle of the call. Another one sends it at once; if none does, is a worker running?",
			"发送之前或请求途中 worker 停止了。另一个 worker 会立即发送；若没有，是否有 worker 在运行？"}
	case hongyan.Unknown:
		return Text{"The vendor answered with a code that nobody here knows. It is tried three times in all; look the code up in the vendor's documentation, and please report it.",
			"厂商返回了这里无人认识的码。一共试三次；请在厂商文档中查这个码，并告诉我们。"}
	}
	return Text{"This version does not know what it waits for; a newer one may.",
		"这个版本不知道它在等什么，更新的版本也许知道。"}
}

// Withdrawal says what was done about a push that was accepted and then taken back.
func Withdrawal(r hongyan.Reason) Text {
	switch r {
	case hongyan.Withdrawn:
		return Text{"The message was recalled, and the vendor took the notification back. Nothing to do.",
			"消息已撤回，厂商收回了通知。无须处理。"}
	case hongyan.Overwritten:
		return Text{"The message was recalled, and another notification replaced it, quietly. Nothing to do.",
			"消息已撤回，另一条通知静默地覆盖了它。无须处理。"}
	case hongyan.NotPossible:
		return Text{"The message was recalled after the vendor took it, and the notification could neither be taken back nor replaced: the device is registered no more or with another certificate, was logged out, rang through VoIP, or the vendor refused (see its code). Nothing to do.",
			"厂商接受之后消息被撤回，而通知既不能收回也不能覆盖：设备已不再登记或换了证书、已退出登录、通过 VoIP 响铃，或厂商拒绝（见其码）。无须处理。"}
	}
	return Text{"This version does not know what was done about it; a newer one may.",
		"这个版本不知道对它做了什么，更新的版本也许知道。"}
}

// Suppression says, for each suppression, why it happened and what to do if it should not
// have.
func Suppression(r hongyan.Reason) Text {
	switch r {
	case hongyan.Disabled:
		return Text{"The message asked for no push (offline_push.disable), or its group is larger than the app's max_push_group. Change the message, or the policy.",
			"消息要求不推送（offline_push.disable），或群的人数超过应用的 max_push_group。修改消息，或修改策略。"}
	case hongyan.Expired:
		return Text{"The message was older than its ttl_seconds when a worker read it. Were the workers down or behind, or is sent_at wrong? Compare the clocks, or give a longer ttl_seconds.",
			"worker 读到消息时，它已超过 ttl_seconds。worker 是否停过或积压，或 sent_at 不对？对比时钟，或给更长的 ttl_seconds。"}
	case hongyan.Recalled:
		return Text{"The message was recalled before it was pushed, by a recall of the last 48 hours. Nothing to do.",
			"消息在推送之前被撤回（最近 48 小时内的撤回）。无须处理。"}
	case hongyan.Read:
		return Text{"The user had read the conversation up to the message's sent_at or later, by a read mark of the last 24 hours. If that is wrong, compare the clocks of at and sent_at.",
			"用户已把会话读到该消息的 sent_at 或更晚（最近 24 小时内的已读）。若不对，对比 at 与 sent_at 的时钟。"}
	case hongyan.OwnMessage:
		return Text{"The user wrote the message. Nothing to do.",
			"消息是该用户自己发的。无须处理。"}
	case hongyan.NoContent:
		return Text{"A custom message without offline_push.desc: give a desc if it shall be pushed. Or a step of a call for a device that the call had not rung in the last hour, on which it was answered or declined, or whose ringing another step ended before: then nothing to do.",
			"自定义消息没有 offline_push.desc：若要推送，请给出 desc。或者是通话的一个步骤，而该设备最近一小时没有为这次通话响铃、已在其上接听或拒绝、或响铃已被另一步骤结束：此时无须处理。"}
	case hongyan.CallOver:
		return Text{"The call had ended for the user before the invitation was sent: it was answered, rejected, cancelled or hung up. Nothing to do; a call that shall ring anew needs a call_id of its own.",
			"邀请发出之前，该用户的这次通话已经结束：已接听、拒绝、取消或挂断。无须处理；要重新响铃的通话需要自己的 call_id。"}
	case hongyan.NotificationsOff:
		return Text{"The app registered with notifications off: the user switched them off in the system's settings. Only the user can change that; the app then registers again.",
			"应用登记时称通知已关闭：用户在系统设置里关掉了。只有用户能打开；之后应用会重新登记。"}
	case hongyan.TooManyDevices:
		return Text{"The user has more than 32 devices, and others were heard of later. Remove registrations of devices that are gone: \"publisher device remove --help\".",
			"用户的设备超过 32 台，其他设备更晚有消息。删除已不用的登记：「publisher device remove --help」。"}
	case hongyan.NoDevice:
		return Text{"The user had no registered device with a token. The app must register after it got its token from the vendor's SDK: see \"publisher device set --help\". A registration also goes when a vendor calls its token dead; and a push that waited has no device any more when the app registered under another certificate since.",
			"用户没有带 token 的登记设备。应用从厂商 SDK 得到 token 之后必须登记：见「publisher device set --help」。厂商称 token 失效时登记也会删除；推送等待期间应用换了证书登记的，也不再有设备。"}
	case hongyan.LoggedOut:
		return Text{"The device's last presence is logged_out. When the user logs in again, publish another presence (background, foreground).",
			"设备最后的在线状态是 logged_out。用户再次登录时，发布另一个状态（background、foreground）。"}
	case hongyan.Kicked:
		return Text{"The device's last presence is kicked: another login pushed it out. When the user logs in on it again, publish another presence.",
			"设备最后的在线状态是 kicked：被另一处登录挤下线。用户在它上面再次登录时，发布另一个状态。"}
	case hongyan.Stale:
		return Text{"Nothing was heard of the device for longer than the app's stale_after (7 days unless set). Publish its presence or register it again when the app starts, or raise stale_after.",
			"超过应用的 stale_after（默认 7 天）没有设备的任何消息。应用启动时发布在线状态或重新登记，或调大 stale_after。"}
	case hongyan.Foreground:
		return Text{"The device was in the foreground, so the app itself shows the message. If the app was closed by then, its presence is wrong: publish background or disconnected when the connection goes, or let a gateway lease vouch for the foreground.",
			"设备在前台，消息由应用自己显示。若当时应用已关闭，则它的在线状态不对：连接断开时发布 background 或 disconnected，或由网关租约为前台作保。"}
	case hongyan.ActiveElsewhere:
		return Text{"Another device of the user was in the foreground, and the app's policy is quiet_when_active_elsewhere.",
			"用户的另一台设备在前台，而应用的策略是 quiet_when_active_elsewhere。"}
	case hongyan.Muted:
		return Text{"The user muted the conversation and was not mentioned. offline_push.ignore_mute passes it; \"publisher settings\" shows and changes it.",
			"用户对该会话设了免打扰，且没有被提及。offline_push.ignore_mute 可以越过；「publisher settings」显示并修改它。"}
	case hongyan.QuietHours:
		return Text{"It was inside the user's quiet hours; only calls pass. \"publisher settings\" shows and changes them; mind their time zone.",
			"处于用户的免打扰时段，只有通话可以越过。「publisher settings」显示并修改它；注意其时区。"}
	case hongyan.UnknownCertificate:
		return Text{"The registration names a certificate that the workers' configuration does not have for this app. Add it there, and the workers load it within seconds; or correct what the app registers.",
			"登记中的证书不在 worker 为该应用的配置里。把它加进去，worker 几秒内自行载入；或改正应用登记的内容。"}
	}
	return Text{"This version does not know why; a newer one may.",
		"这个版本不知道原因，更新的版本也许知道。"}
}

// Result says, for each reason of an accepted or dead push, what the vendor's word means and what
// to do.
func Result(r hongyan.Reason) Text {
	switch r {
	case hongyan.UnknownCertificate:
		return Text{"The push waited for a certificate that no worker serves any more. Put it back into the configuration and replay, or let the app register under one that is served.",
			"推送在等一个已没有 worker 服务的证书。把它放回配置再补发，或让应用用有服务的证书登记。"}
	case hongyan.Accepted:
		return Text{"The vendor took it. If the phone showed nothing: are notifications allowed for the app and its channel, is battery saving on, and is the vendor's channel or category set up? The vendor's console follows the push by its id.",
			"厂商已接受。若手机没有显示：应用及其渠道的通知是否打开，省电模式是否开启，厂商的渠道或分类是否配好？可用推送 id 在厂商控制台查询。"}
	case hongyan.BadToken:
		return Text{"The vendor calls the token dead: the app was removed, its data cleared, or the token belongs to another app or environment (a vendor's sandbox and production are two). The registration was removed; the app registers again when it starts.",
			"厂商称 token 已失效：应用已卸载、数据被清除，或 token 属于另一个应用或环境（厂商的沙箱与生产是两个环境）。登记已删除；应用启动时会重新登记。"}
	case hongyan.NotDisplayed:
		return Text{"The phone refuses: notifications are off, the device is no test device, or was inactive for long; only the user can change that. Or the vendor called the token dead while it accepted nothing else of the certificate: then check the certificate's environment, topic, project and app. The registration stays.",
			"手机拒绝：通知已关闭、不是测试设备，或长期不活跃；只有用户能改变。或者厂商称 token 失效，而该证书没有其他推送被接受：此时检查证书的环境、topic、项目和应用。登记保留。"}
	case hongyan.BadPayload:
		return Text{"The vendor calls the request wrong. The error says what; mostly a channel, category or template that the vendor's console does not have. Correct the message or the certificate's defaults, then replay.",
			"厂商称请求不对。错误里说明了原因；多半是厂商控制台里没有的渠道、分类或模板。改正消息或证书的默认值，然后补发。"}
	case hongyan.Refused:
		return Text{"The vendor's policy refused it: sensitive words, a message class that was not granted to the app, or the app is blocked. Look into the vendor's console, or apply for the class; then replay.",
			"被厂商的策略拒绝：敏感词、应用没有获得该消息类别，或应用被封禁。查看厂商控制台，或申请该类别；然后补发。"}
	case hongyan.BadCredentials:
		return Text{"Key, secret, certificate or permission is wrong, or the certificate names a channel, template or class that the vendor does not grant (its code says which): nothing of this certificate goes out until it is put right, in the configuration or in the vendor's console. The jobs wait, and go by themselves then.",
			"密钥、secret、证书或权限不对，或证书配置的渠道、模板或类别厂商没有授予（厂商的码说明是哪一种）：在配置或厂商控制台改正之前，该证书什么也发不出去。任务会等待，改正之后自动发出。"}
	case hongyan.AuthExpired:
		return Text{"The access token or JWT was too old. It is refreshed by itself; if it comes again and again, compare the worker's clock with the vendor's.",
			"访问令牌或 JWT 已过期，会自动刷新；若反复出现，对比 worker 与厂商的时钟。"}
	case hongyan.RateLimited:
		return Text{"The vendor calls it too fast. Jobs wait and go later by themselves; set the certificate's rate to what the vendor grants, or ask it for more.",
			"厂商认为发得太快。任务会等待并稍后自动发出；把证书的 rate 设为厂商给的值，或申请更高的速率。"}
	case hongyan.QuotaSpent:
		return Text{"The day's quota is used up, and the message would not have lived until the vendor's midnight. Ask the vendor for more, move chat into its private or system class, then replay with --include-expired if it still matters.",
			"当天配额已用完，而消息活不到厂商的零点。向厂商申请更多，把聊天移到其私信或系统类别；若仍有意义，用 --include-expired 补发。"}
	case hongyan.DeviceCapped:
		return Text{"The device had its share of the day in this message class. Chat belongs into the vendor's private or communication class, where the share is larger or none.",
			"该设备当天在这个消息类别的份额已用完。聊天应归入厂商的私信或通信类别，那里份额更大或不限。"}
	case hongyan.Unavailable:
		return Text{"The vendor answered with a server error or not at all. It is tried again by itself until the message is worthless; look at the vendor's status page and at the way there (proxy, DNS, firewall).",
			"厂商返回服务端错误，或没有响应。会自动重试，直到消息失去意义；查看厂商的状态页和通往厂商的网络（代理、DNS、防火墙）。"}
	case hongyan.Timeout:
		return Text{"No answer in time; the phone may have got it all the same. It is tried again under the same key. If it comes often, look at the way to the vendor, or raise the certificate's timeout.",
			"没有及时得到应答，手机也可能已经收到。会用同一个键重试。若经常出现，检查通往厂商的网络，或调大证书的 timeout。"}
	case hongyan.Interrupted:
		return Text{"A worker stopped in the middle of it. It goes again at once by itself.",
			"途中 worker 停止了。会立即自动再发。"}
	case hongyan.Unknown:
		return Text{"The vendor answered with a code that nobody here knows; the code and the error say more. Look it up in the vendor's documentation, and please report it.",
			"厂商返回了这里无人认识的码，码和错误里有更多信息。请在厂商文档中查找，并告诉我们。"}
	case hongyan.Expired:
		return Text{"It waited until it was worthless: the vendor, its limits or the workers were in the way for that long. See what the certificate suffers from; replay with --include-expired if it still matters.",
			"它一直等到失去意义：厂商、限额或 worker 挡了这么久。查看证书的状况；若仍有意义，用 --include-expired 补发。"}
	case hongyan.AttemptsExhausted:
		return Text{"It was tried as often as allowed, and the error begins with the last reason; when its cause is gone, replay. Or workers took the message a hundred times and none came to an end with it: then a replay publishes it once more.",
			"已试到允许的次数，错误以最后的原因开头；原因消除后补发。或者 worker 取了一百次都没有结果：补发会再发布一次。"}
	case hongyan.Malformed:
		return Text{"The message could not be read; the error says what is wrong. Correct the publisher. Replay helps only where the workers' configuration was at fault, such as an app that was missing.",
			"消息无法读取，错误里说明哪里不对。改正发布者。只有 worker 的配置有误时（例如缺了某个应用）补发才有用。"}
	}
	return Text{"This version does not know the reason; a newer one may.",
		"这个版本不知道这个原因，更新的版本也许知道。"}
}
