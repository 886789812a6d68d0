package pushkit

import "github.com/hongyan-im/hongyan/internal/vendors"

// Classes are the message classes of both, the right of the console that each needs included.
func Classes() []vendors.ClassRow {
	return []vendors.ClassRow{
		{
			Name: "communication",
			Means: vendors.Both("service and communication: every category but `MARKETING`, with the self-classification right for it; lock screen, sound and vibration",
				"服务与通讯：除 `MARKETING` 外的类别，需开通相应的自分类权益；有锁屏、铃声和振动"),
			Cap: vendors.Both("none published", "未公布上限"),
		},
		{
			Name: "marketing",
			Means: vendors.Both("information and marketing: `MARKETING`, and silently every category without the right; a silent entry in the notification centre",
				"资讯营销：`MARKETING`，以及未开通权益的所有类别（不报错）；仅在通知中心静默展示"),
			Cap: vendors.Bothf("%d a device and day, 5 for licensed news apps; beyond it accepted and dropped, told in receipts only",
				"每设备每天 %d 条，持牌新闻类应用 5 条；超出的照常受理但不展示，只体现在回执中", MarketingCap),
		},
	}
}

// Limits are the sizes and lifetimes that both share.
func Limits() []vendors.Row {
	return []vendors.Row{
		{What: vendors.Both("Request, without the tokens", "请求体（不含 token）"), Value: vendors.Bothf(
			"%d bytes; how they are counted is not published (uncertain), so `max_bytes` is %d. The body is shortened first, then image, long text and title; an `ext` that fits by itself stays",
			"%d 字节；具体算法未公布（不确定），因此 `max_bytes` 默认 %d。依次缩短正文，再去掉图片、长文本和标题的一部分；单独放得下的 `ext` 会保留", MaxBytes, DefaultBytes)},
		{What: vendors.Both("Title and body", "标题与正文"), Value: vendors.Bothf(
			"no published limit, and resellers disagree (uncertain); `max_title` %d and `max_body` %d code points",
			"官方未公布，各转售商说法不一（不确定）；`max_title` 为 %d、`max_body` 为 %d 个码点", DefaultTitle, DefaultBody)},
		vendors.TextRow("All classes together", "所有类别合计", "formerly 3,000 a device and day, now controlled by the system; no error at send time",
			"原为每设备每天 3000 条，现由系统控制；发送时不报错"),
	}
}

// Right is the step that applies for the right to a class of its own.
func Right(categories vendors.Bilingual) vendors.Bilingual {
	return vendors.Both(
		"Grow, Push Kit, Settings: apply for the self-classification right for "+categories.EN+", with samples of your messages. The review takes about five working days, and the right "+
			"holds five minutes after it. Without it the third chat message of a day is dropped without an error.",
		"“增长 > 推送服务 > 配置”：申请自分类权益 "+categories.ZH+"，并附消息示例。审核约五个工作日，通过后约五分钟生效。未开通时，每天第三条聊天消息会被静默丢弃。")
}

// Receipts tells what must be registered for receipts.
func Receipts(form string) []vendors.Bilingual {
	return []vendors.Bilingual{
		vendors.Both(
			"In the console, Push Kit, Settings, Receipt, register an HTTPS address with a certificate of a commercial authority"+form+", and write the id of that configuration: `receipts: {id: …}`.",
			"在控制台“推送服务 > 配置 > 回执”中登记使用商业 CA 证书的 HTTPS 地址，并把该回执配置的 ID 写入 `receipts: {id: …}`。"),
		vendors.Both(
			"Every push then names it, with the message's key as the tag that comes back. Reports tell what an acceptance cannot: notifications off (6), uninstalled (2), a token that no longer fits (5), "+
				"inactive for 30 days (10), caps (102, 256).",
			"之后每条推送都会指明该配置，并以消息的键作为回传标识。回执能说明受理时看不到的情况：通知关闭（6）、已卸载（2）、token 不匹配（5）、30 天不活跃（10）、频控（102、256）。"),
	}
}
