package explain

import "github.com/hongyan-im/hongyan"

// Symptom is what somebody complains of, with where to look and what it may come from. Together the
// symptoms are the way from "I get no push" to a cause: docs/explain.md is written from them.
type Symptom struct {
	Sees Text
	// Look says where to look first, and what is told apart there.
	Look []Text
	// Causes are what explain then names, the likeliest first.
	Causes []Cause
}

// Cause is a status and reason; [Advice] says what it means and what to do.
type Cause struct {
	Status hongyan.Status
	Reason hongyan.Reason
}

func suppressed(reasons ...hongyan.Reason) []Cause { return causes(hongyan.StatusSuppressed, reasons) }

func waiting(reasons ...hongyan.Reason) []Cause { return causes(hongyan.StatusWaiting, reasons) }

func dead(reasons ...hongyan.Reason) []Cause { return causes(hongyan.StatusDead, reasons) }

func causes(status hongyan.Status, reasons []hongyan.Reason) (list []Cause) {
	for _, r := range reasons {
		list = append(list, Cause{status, r})
	}
	return list
}

func join(lists ...[]Cause) (all []Cause) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// Symptoms are those that people come with, the most alarming first.
func Symptoms() []Symptom {
	return []Symptom{
		{Say("Nobody gets any push", "所有人都收不到推送"), []Text{
			Say("`publisher limits` lists the live workers. None: start one (`worker run`), and look at its `/readyz`.",
				"`publisher limits` 列出在运行的 worker。一个也没有：启动一个（`worker run`），并查看它的 `/readyz`。"),
			Say("`publisher explain` of any message says when no worker has read it yet, and when no live worker has the app in its configuration.",
				"对任意一条消息执行 `publisher explain`：若还没有 worker 读过它，或没有在运行的 worker 的配置里有这个应用，它会说明。"),
			Say("`publisher dead list --summary --since 8h` shows at a glance what dies, of what.", "`publisher dead list --summary --since 8h` 让人一眼看出什么死了、为什么。"),
		}, join(dead(hongyan.Malformed), suppressed(hongyan.Disabled, hongyan.Expired), waiting(hongyan.Interrupted))},
		{Say("Nobody with phones of one vendor gets any", "某一厂商的手机都收不到"), []Text{
			Say("`publisher limits --certificate ID` says whether the certificate is parked, and in the vendor's words why; slowed; or its quota spent.",
				"`publisher limits --certificate ID` 说明该证书是否停用、厂商的原话是什么，是否减速，或配额是否用完。"),
			Say("`worker check --config FILE` says all that can be seen in the configuration.", "`worker check --config FILE` 说出配置里能看出的一切问题。"),
		}, join(waiting(hongyan.Parked, hongyan.BadCredentials, hongyan.AuthExpired, hongyan.QuotaSpent, hongyan.RateLimited, hongyan.Unavailable, hongyan.Timeout, hongyan.Unknown),
			dead(hongyan.BadPayload, hongyan.Refused, hongyan.QuotaSpent, hongyan.Expired, hongyan.AttemptsExhausted, hongyan.Unknown, hongyan.UnknownCertificate,
				hongyan.BadCredentials, hongyan.AuthExpired, hongyan.RateLimited, hongyan.Unavailable, hongyan.Timeout, hongyan.Interrupted))},
		{Say("One user gets none at all", "某个用户什么也收不到"), []Text{
			Say("`publisher explain --app APP --user USER` shows the registered devices, their presence, and what was decided last.",
				"`publisher explain --app APP --user USER` 显示登记的设备、在线状态和最近的决定。"),
			Say("No device: the app has not registered, or a vendor called its token dead. A device without a token: the vendor's SDK gave none.",
				"没有设备：应用没有登记，或厂商称其 token 失效。有设备而没有 token：厂商 SDK 没有给出 token。"),
			Say("`publisher explain --app APP --user USER --send-test` tries it now.", "`publisher explain --app APP --user USER --send-test` 立即试一条。"),
		}, join(suppressed(hongyan.NoDevice, hongyan.LoggedOut, hongyan.Kicked, hongyan.Stale, hongyan.NotificationsOff, hongyan.UnknownCertificate, hongyan.TooManyDevices),
			dead(hongyan.BadToken, hongyan.NotDisplayed))},
		{Say("One user misses some messages", "某个用户漏收一部分消息"), []Text{
			Say("`publisher explain --app APP --user USER --message ID` names the rule that applied to that message.",
				"`publisher explain --app APP --user USER --message ID` 说明该消息适用了哪条规则。"),
		}, join(suppressed(hongyan.Foreground, hongyan.Muted, hongyan.QuietHours, hongyan.Read, hongyan.Recalled, hongyan.OwnMessage, hongyan.ActiveElsewhere, hongyan.NoContent),
			dead(hongyan.DeviceCapped))},
		{Say("A call does not ring", "来电不响铃"), []Text{
			Say("`publisher explain` of the message with the invitation; the steps of a call are messages of their own.", "对邀请那条消息执行 `publisher explain`；通话的每一步都是单独的消息。"),
		}, suppressed(hongyan.CallOver, hongyan.NoContent, hongyan.Expired)},
		{Say("Pushes come late", "推送来得晚"), []Text{
			Say("Status `waited` in `publisher explain` says for what a push waited, and how long; `publisher limits` says how its certificate stands.",
				"`publisher explain` 中的状态 `waited` 说明推送等过什么、等了多久；`publisher limits` 说明证书的状况。"),
		}, waiting(hongyan.Busy, hongyan.RateLimited, hongyan.QuotaSpent, hongyan.Unavailable, hongyan.Timeout)},
		{Say("The vendor took it, and the phone shows nothing", "厂商已接受，手机却不显示"), []Text{
			Say("`publisher explain` shows `accepted` and the vendor's id of the push, by which its console says what became of it.",
				"`publisher explain` 显示 `accepted` 和厂商的推送 id，可在厂商控制台据此查询下落。"),
			Say("The vendor's page in [docs/vendors](vendors/README.md) lists what its phones need: channels, categories, battery settings.",
				"[docs/vendors](vendors/README.zh-CN.md) 中该厂商的页面列出其手机需要什么：渠道、分类、省电设置。"),
		}, []Cause{{hongyan.StatusAccepted, hongyan.Accepted}, {hongyan.StatusDead, hongyan.NotDisplayed}}},
		{Say("A recalled message still stands on the phone", "已撤回的消息还在手机上"), []Text{
			Say("`publisher explain` of the message shows what was done about each push that was accepted.", "对该消息执行 `publisher explain`，可看到对每条已接受的推送做了什么。"),
		}, causes(hongyan.StatusWithdrawn, []hongyan.Reason{hongyan.NotPossible, hongyan.Overwritten, hongyan.Withdrawn})},
	}
}
