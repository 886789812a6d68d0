package reference

import (
	"fmt"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

func text(en, zh string) vendors.Bilingual { return vendors.Bilingual{EN: en, ZH: zh} }

// vendorPages are the pages about the vendors, by their paths: an overview, and one for each.
func vendorPages(l language, docs []vendors.Doc, keys *keys, words dictionary) (map[string][]byte, error) {
	pages := map[string][]byte{}
	write := func(to, form string, gaps map[string]string) error {
		page, err := fill("vendors/"+form+l.suffix+".md", gaps)
		pages["docs/vendors/"+to+l.suffix+".md"] = page
		return err
	}
	if err := write("README", "README", map[string]string{
		"Overview": overview(l, docs), "Repeats": repeats(l, docs), "Screens": screens(l, docs),
	}); err != nil {
		return nil, err
	}
	for _, d := range docs {
		p := speaker{l: l, words: words}
		gaps := vendorGaps(l, d)
		gaps["Keys"] = p.keyTable(keys.vendors[d.Vendor], "")
		if err := p.lacks(); err != nil {
			return nil, err
		}
		if err := write(d.Vendor, "vendor", gaps); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// page is the cell that leads to a vendor's page.
func (l language) page(d vendors.Doc) string {
	return "[" + code(d.Vendor) + "](" + d.Vendor + l.suffix + ".md)"
}

// overview is a row for each vendor; its class is the one that chat belongs in.
func overview(l language, docs []vendors.Doc) string {
	rows := [][]vendors.Bilingual{{
		text("vendor", "厂商"), text("name", "名称"), text("phones", "手机"), text("devices per call", "单次最多设备数"),
		text("class of chat, and its cap", "聊天所属类别及上限"),
	}}
	for _, d := range docs {
		chat := d.Classes[0]
		class := text(code(chat.Name)+": "+chat.Cap.EN, code(chat.Name)+"："+chat.Cap.ZH)
		rows = append(rows, []vendors.Bilingual{link(l, d), d.Name, d.Phones, d.PerCall, class})
	}
	return l.table(rows)
}

func link(l language, d vendors.Doc) vendors.Bilingual { return text(l.page(d), l.page(d)) }

func repeats(l language, docs []vendors.Doc) string {
	rows := [][]vendors.Bilingual{{text("vendor", "厂商"), text("what the screen shows when a push comes twice", "同一条推送重复时屏幕上的表现")}}
	for _, d := range docs {
		rows = append(rows, []vendors.Bilingual{link(l, d), d.Screen.Repeat})
	}
	return l.table(rows)
}

// recalls is a row for each vendor: what becomes of an accepted push whose message is recalled.
func recalls(l language, docs []vendors.Doc) string {
	rows := [][]vendors.Bilingual{{text("vendor", "厂商"), text("what a recall does to a push that was accepted", "撤回时已被接受的推送如何处理")}}
	for _, d := range docs {
		rows = append(rows, []vendors.Bilingual{text(code(d.Vendor), code(d.Vendor)), d.Screen.Recall})
	}
	return l.table(rows)
}

// reads is a row for each vendor: what a phone shows of a conversation that was read elsewhere.
func reads(l language, docs []vendors.Doc) string {
	rows := [][]vendors.Bilingual{{text("vendor", "厂商"), text("what the phone shows of a conversation that was read elsewhere", "会话在别处已读后手机上的表现")}}
	for _, d := range docs {
		rows = append(rows, []vendors.Bilingual{text(code(d.Vendor), code(d.Vendor)), d.Screen.Read})
	}
	return l.table(rows)
}

// screens compares what most people ask for first.
func screens(l language, docs []vendors.Doc) string {
	rows := [][]vendors.Bilingual{{text("vendor", "厂商"), text("badge", "角标"), text("refreshed", "刷新"), text("grouping", "分组"), text("image", "图片")}}
	for _, d := range docs {
		rows = append(rows, []vendors.Bilingual{link(l, d), d.Screen.Badge, refreshes(d), d.Screen.Group, d.Screen.Image})
	}
	return l.table(rows)
}

// refreshes says whether the number on the icon is changed without a notification.
func refreshes(d vendors.Doc) vendors.Bilingual {
	if d.Screen.Refreshes {
		return text("yes", "是")
	}
	return text("no", "否")
}

// vendorGaps are the parts of a vendor's page but its keys.
func vendorGaps(l language, d vendors.Doc) map[string]string {
	classes := [][]vendors.Bilingual{{text("class", "类别"), text("what belongs to it", "适用范围"), text("cap", "上限")}}
	for _, c := range d.Classes {
		classes = append(classes, []vendors.Bilingual{text(code(c.Name), code(c.Name)), c.Means, c.Cap})
	}
	s := d.Screen
	screen := []vendors.Row{
		{What: text("The same push twice", "同一条推送重复"), Value: s.Repeat},
		{What: text("A call that ended", "通话结束"), Value: s.CallEnded},
		{What: text("`policy.collapse: conversation`", "`policy.collapse: conversation`"), Value: s.Collapse},
		{What: text("A recall of what was accepted", "撤回已被接受的推送"), Value: s.Recall},
		{What: text("A conversation that was read elsewhere", "会话在别处已读"), Value: s.Read},
		{What: text("Grouping", "分组"), Value: s.Group},
		{What: text("Badge", "角标"), Value: s.Badge},
		{What: text("Badge changed without a notification", "不显示通知，只刷新角标"), Value: refreshes(d)},
		{What: text("Sound", "铃声"), Value: s.Sound},
		{What: text("Image", "图片"), Value: s.Image},
		{What: text("App in the foreground", "应用在前台"), Value: s.Front},
		{What: text("Phone that was off", "手机离线"), Value: s.Off},
	}
	sources := ""
	for _, source := range d.Sources {
		sources += "- " + l.pick(source.What) + l.pick(text(": ", "：")) + "<" + source.URL + ">"
		if source.Dated != "" {
			sources += l.pick(text(", ", "，")) + source.Dated
		}
		sources += "\n"
	}
	return map[string]string{
		"Vendor": d.Vendor, "Name": l.pick(d.Name), "Dated": d.Dated, "Phones": l.prose(d.Phones), "Setup": l.list(d.Setup, true), "Example": example(d.Example),
		"Classes": l.table(classes), "Kinds": l.list(d.Kinds, false), "Limits": l.rows(d.Limits), "Rates": l.rows(d.Rates), "Screen": l.rows(screen),
		"Calls": l.list(d.Calls, false), "Tap": l.list(d.Tap, false), "Receipts": l.list(d.Receipts, false), "Codes": codes(l, d), "Traps": l.list(d.Traps, false),
		"Sources": sources,
	}
}

// codes is the table of codes; where a code stands has a column of its own where there are several
// places.
func codes(l language, d vendors.Doc) string {
	head := []vendors.Bilingual{text("code", "返回码"), text("where", "位置"), text("reason", "原因"), text("concerns", "范围"), text("meaning", "含义")}
	rows := [][]vendors.Bilingual{head}
	for _, c := range d.Codes {
		meaning := c.Meaning
		if c.Uncertain {
			meaning.EN += " (uncertain)"
			meaning.ZH += "（不确定）"
		}
		if c.Doubtful {
			meaning.EN += "; believed only while other devices are accepted"
			meaning.ZH += "；仅当其他设备被受理时才采信"
		}
		rows = append(rows, []vendors.Bilingual{text(code(c.Code), code(c.Code)), d.Levels[c.Level], text(code(c.Reason.String()), code(c.Reason.String())), concerns(c), meaning})
	}
	if d.Levels == nil {
		for i, row := range rows {
			rows[i] = append(row[:1:1], row[2:]...)
		}
	}
	return l.table(rows)
}

// codeTable is a line for each code of each vendor, as package explain reads it.
func codeTable(docs []vendors.Doc) []byte {
	var b strings.Builder
	for _, d := range docs {
		for _, c := range d.Codes {
			fields := []string{d.Vendor, c.Code, c.Reason.String(), c.Meaning.EN, c.Meaning.ZH}
			for i, f := range fields {
				fields[i] = strings.Join(strings.Fields(f), " ")
			}
			b.WriteString(strings.Join(fields, "\t") + "\n")
		}
	}
	return []byte(b.String())
}

// concerns names what a code speaks of: its scope, or what its reason speaks of.
func concerns(c vendors.Code) vendors.Bilingual {
	device, message, certificate := text("the device", "该设备"), text("the message", "该消息"), text("the whole certificate", "整个证书")
	switch c.Scope {
	case vendors.ScopeDevice:
		return device
	case vendors.ScopeNotification:
		return message
	case vendors.ScopeCall:
		return text("the call", "该次调用")
	case vendors.ScopeKind:
		return text("this kind of message", "同类消息")
	case vendors.ScopeCertificate:
		return certificate
	}
	switch c.Reason {
	case vendors.Accepted:
		return text("–", "–")
	case vendors.BadToken, vendors.NotDisplayed, vendors.DeviceCapped:
		return device
	case vendors.BadPayload, vendors.Refused, vendors.Unknown:
		return message
	}
	return certificate
}

// example is a certificate as an item of the list of certificates.
func example(yaml string) string {
	lines := strings.Split(strings.TrimRight(yaml, "\n"), "\n")
	for i, line := range lines {
		switch {
		case strings.HasPrefix(lines[0], "- "):
		case i == 0:
			lines[0] = "-\x00" + line
		default:
			lines[i] = "  " + line
		}
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), "-\x00", "- ") + "\n"
}

// prose is a text with its marks of uncertainty set apart, safe outside of tables.
func (l language) prose(t vendors.Bilingual) string {
	return strings.NewReplacer("(uncertain)", "*(uncertain)*", "（不确定）", "*（不确定）*").Replace(escape(l.pick(t)))
}

// list is a list of texts, numbered or not.
func (l language) list(texts []vendors.Bilingual, numbered bool) string {
	var b strings.Builder
	for i, t := range texts {
		mark := "-"
		if numbered {
			mark = fmt.Sprintf("%d.", i+1)
		}
		b.WriteString(mark + " " + l.prose(t) + "\n")
	}
	return b.String()
}

// rows is a table of facts.
func (l language) rows(facts []vendors.Row) string {
	rows := [][]vendors.Bilingual{{text("what", "项目"), text("value", "值")}}
	for _, f := range facts {
		rows = append(rows, []vendors.Bilingual{f.What, f.Value})
	}
	return l.table(rows)
}

// table is a table of texts, the first row its head.
func (l language) table(rows [][]vendors.Bilingual) string {
	cells := make([][]string, len(rows))
	for i, row := range rows {
		for _, t := range row {
			cells[i] = append(cells[i], strings.ReplaceAll(l.prose(t), "|", `\|`))
		}
	}
	return table(cells[0], cells[1:])
}
