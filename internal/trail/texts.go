package trail

import "github.com/hongyan-im/hongyan/internal/explain"

// What notes say.
var (
	textNoDevice = explain.Say("%s has no registered device now, so nothing can be pushed. %s",
		"%s 现在没有登记的设备，因此什么也推送不了。%s")
	textNothingDecided = explain.Say("Nothing was decided for %s since %s: no message named the user as a recipient, or no worker has read it. Is a worker running? "+textKept,
		"%[2]s 以来没有为 %[1]s 作过任何决定：没有消息以该用户为接收者，或没有 worker 读过它。是否有 worker 在运行？"+textKeptZH)
	textOlder = explain.Say("%d older decision(s) are not shown; --limit 0 shows all.",
		"另有 %d 条更早的决定没有显示；limit 为 0 时显示全部。")
	textUnreadable   = explain.Say("a %s record cannot be read, so it counts as absent: %v", "有一条 %s 记录无法读取，视为不存在：%v")
	textUnclear      = explain.Say("a record holds a %s that cannot be understood, so that part counts as absent", "有一条记录的 %s 无法理解，该部分视为不存在")
	textWithoutToken = explain.Say("Device %s is registered without a token, so it cannot be pushed to. %s", "设备 %s 登记时没有 token，因此无法推送。%s")
	textNoToken      = explain.Say("The app must register it again when the vendor's SDK gave it a token.", "应用从厂商 SDK 得到 token 之后必须重新登记。")
	textSDKError     = explain.Say("The vendor's SDK gave the app the error %s; look it up in the SDK's documentation.", "厂商 SDK 给应用的错误是 %s；请在 SDK 文档中查找。")
	textJobWaits     = explain.Say("The push to device %s waits for %s certificate %s, after %d attempt(s); %s. It is worthless %s.",
		"发往设备 %s 的推送在等 %s 证书 %s，已尝试 %d 次；%s。%s失去意义。")
	textIsNext    = explain.Say("it is next, or under way", "下一个就是它，或正在途中")
	textNextTry   = explain.Say("next try %s", "%s再试")
	textStored    = explain.Say("It was stored %s, as %s.", "它是%s存下的，原因 %s。")
	textJobIsGone = explain.Say("The push to device %s was stored to be sent later, and its job is not found any more, nor what became of it: a worker is at it this moment, "+
		"or somebody removed the job from its stream. Look again in a minute.",
		"发往设备 %s 的推送曾存下稍后再发，现在找不到它的任务，也找不到结果：此刻有 worker 正在处理，或有人从流里删除了任务。请一分钟后再看。")
	textUnrouted = explain.Say("The message is stored, but no worker has read it yet, or one is at it this moment. Is a worker running, and with this app in its configuration?",
		"消息已存下，但还没有 worker 读过它，或此刻正在处理。是否有 worker 在运行，且其配置里有这个应用？")
	textUndecided = explain.Say("A worker is at the message this moment: nothing is known yet of %s. Look again in a few seconds; a vendor that does not answer is known after the certificate's timeout.",
		"此刻有 worker 正在处理该消息：%s 还没有结果。请几秒后再看；不应答的厂商要过了证书的 timeout 才知道。")
	textMany = explain.Say("More than %d jobs wait for %s certificate %s; the message may be among those that were not looked at.",
		"等待 %[2]s 证书 %[3]s 的任务超过 %[1]d 个；该消息可能在没有查看的任务之中。")
	textMalformed      = explain.Say("The message could not be read: %s (dead letter %d). %s", "消息无法读取：%s（死信 %d）。%s")
	textNothingOfUser  = explain.Say("Nothing is known of message %s for %s since %s: it was never published in %s, it does not name the user as a recipient, or it is older. "+textKept, "%[3]s 以来没有消息 %[1]s 发给 %[2]s 的任何记录：它从未在 %[4]s 中发布，没有以该用户为接收者，或时间更早。"+textKeptZH)
	textNothingOf      = explain.Say("Nothing is known of message %s since %s: it was never published in %s, no worker has read it, or it is older. "+textKept, "%[2]s 以来没有消息 %[1]s 的任何记录：它从未在 %[3]s 中发布，没有 worker 读过它，或时间更早。"+textKeptZH)
	textMoreRecipients = explain.Say("%d more device(s) are counted but not listed; ask for one user.", "另有 %d 台设备只计数、未列出；请按用户查询。")
	textTooMany        = explain.Say("Only the first %d devices are counted.", "只统计了前 %d 台设备。")
	textNoWorker       = explain.Say("No worker runs: none has said a word within the last minute. Nothing is pushed until one does; start one (worker run).",
		"没有 worker 在运行：最近一分钟没有任何消息。在有 worker 之前什么也不会推送；请启动一个（worker run）。")
	textNoApp = explain.Say("No live worker has app %[1]s in its configuration, so its messages are not pushed: add it to the configuration of the workers, or correct the name that the IM backend publishes under.",
		"没有在运行的 worker 的配置里有应用 %[1]s，因此它的消息不会推送：把它加进 worker 的配置，或改正 IM 后端发布时用的名称。")
	textOthersApp = explain.Say("Certificate %[1]s, which %[2]s names, belongs to app %[3]s and not to %[4]s. Correct what the app registers; for %[4]s workers serve %[5]s.",
		"%[2]s用的证书 %[1]s 属于应用 %[3]s 而不是 %[4]s。请改正应用登记的内容；worker 为 %[4]s 服务的证书是 %[5]s。")
	textUnserved = explain.Say("No live worker serves certificate %[1]s, which %[2]s names; for %[3]s they serve %[4]s. %[5]s",
		"没有在运行的 worker 服务%[2]s用的证书 %[1]s；它们为 %[3]s 服务的是 %[4]s。%[5]s")
	textNamesDevice = explain.Say("device %s", "设备 %s ")
	textNamesCalls  = explain.Say("device %s for calls", "设备 %s 的通话")
	textNamesWaits  = explain.Say("what waits for device %s", "等待发往设备 %s 的推送")
)

const (
	textKept   = "What was decided is kept for three days; --since 3d reads all of it."
	textKeptZH = "决定保留三天；since 为 3d 时读取全部。"
)
