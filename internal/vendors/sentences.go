package vendors

import "strings"

// The sentences here are those that several vendors' pages share; see [Doc]. Fields are those of
// the vendor's request.

// And is a text with another sentence behind it.
func (b Bilingual) And(en, zh string) Bilingual { return Both(b.EN+" "+en, b.ZH+zh) }

// CallEnded is [Screen.CallEnded] of a vendor that replaces by the fields, which the events of a
// call share.
func CallEnded(fields ...string) Bilingual {
	f := spans(fields)
	return Both("The notification of its end takes the place of the one that rang: the events of a call share "+f.EN+".",
		"结束通话的通知替换响铃的通知：同一通话的各事件共用 "+f.ZH+"。")
}

// Collapsed is [Screen.Collapse] of a vendor that replaces by the fields.
func Collapsed(fields ...string) Bilingual {
	f := spans(fields)
	return Both("A newer message replaces the older one of its conversation, by "+f.EN+".", "同一会话的新消息按 "+f.ZH+" 替换旧消息。")
}

// RepeatReplaced is [Screen.Repeat] of a vendor that replaces by the fields and deduplicates
// nothing.
func RepeatReplaced(fields ...string) Bilingual {
	f := spans(fields)
	return Both("One notification: a repeat has the same "+f.EN+" and replaces the first.", "只显示一条：重复推送的 "+f.ZH+" 相同，替换前一条。")
}

// BadgeOfCall is [Screen.Badge] of a vendor whose calls carry one number for all phones; see
// [SharedBadge].
func BadgeOfCall() Bilingual {
	return Bothf("Set to the number, at most %d; phones with different numbers go in calls of their own.", "设置为该数字，最大 %d；数字不同的手机分开调用。", MaxBadge)
}

// ReadStays is [Screen.Read] of every vendor, or how it begins: none takes back what was read.
func ReadStays() Bilingual {
	return Both("Its notifications stay until the app clears them.", "其通知保留，直到应用自行清除。")
}

// ReadRefreshes is [Screen.Read] of a vendor whose driver is a [Refresher].
func ReadRefreshes() Bilingual {
	return ReadStays().And("With `badge: counted` the number is refreshed.", "`badge: counted` 时刷新角标。")
}

// ReadSetLater is [Screen.Read] of a vendor that sets a number with notifications only.
func ReadSetLater() Bilingual {
	return ReadStays().And("The number is right again with the next push.", "角标在下一条推送时更正。")
}

// ExtInExtras tells of an ext that becomes an extra of the opened intent: field holds {"ext": …}.
func ExtInExtras(field string) Bilingual {
	return Both(
		"`"+field+"` is `{\"ext\": \"<ext>\"}`; the app reads `getIntent().getStringExtra(\"ext\")`. `{ext}` in the click target carries it as well.",
		"`"+field+"` 为 `{\"ext\": \"<ext>\"}`，应用用 `getIntent().getStringExtra(\"ext\")` 读取；也可在 `click` 中用 `{ext}` 携带。")
}

// ByKind tells how channels and templates are chosen by [Kind]; see [OfKind].
func ByKind() Bilingual {
	return Both(
		"Kinds are `c2c`, `group`, `call` and `mention` (a group message that names the user). `channels.<kind>` and `templates.<kind>` win over "+
			"`channel_id` and `template_id`; a mention without its own takes those of `group`.",
		"消息分为 `c2c`、`group`、`call`、`mention`（群内提及该用户）。`channels.<kind>` 与 `templates.<kind>` 优先于 `channel_id` 与 `template_id`；`mention` 未设时用 `group` 的。")
}

// TemplateValues tells what [Fill] fills in.
func TemplateValues() Bilingual {
	return Both("Values are filled in from `{title}`, `{body}`, `{sender}` and `{text}` (the body without the sender's name).",
		"参数可用 `{title}`、`{body}`、`{sender}`、`{text}`（不含发送者名的正文）填充。")
}

// Unsigned is a text about receipts with a warning behind it.
func (b Bilingual) Unsigned() Bilingual {
	return b.And("The reports carry no signature: put a secret into the path.", "回执没有签名，请在路径中加入难以猜测的随机串。")
}

// spans lists code.
func spans(code []string) Bilingual {
	quoted := make([]string, len(code))
	for i, c := range code {
		quoted[i] = "`" + c + "`"
	}
	return Both(list(quoted), strings.Join(quoted, " 与 "))
}
