package reference

import (
	"fmt"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

func text(en, zh string) vendors.Bilingual { return vendors.Bilingual{EN: en, ZH: zh} }

// overview is a row for each vendor, with its first fact about batches and the class that chat
// belongs in.
func overview(l language, docs []vendors.Doc) string {
	var rows [][]string
	for _, s := range docs {
		per, class := "", ""
		for _, f := range s.Rows {
			if strings.HasPrefix(f.What.EN, "Devices per call") {
				per = cell(l.pick(f.Value))
				break
			}
		}
		if len(s.Classes) > 0 {
			class = code(s.Classes[0].Name) + ": " + cell(l.pick(s.Classes[0].Cap))
		}
		rows = append(rows, []string{"[" + code(s.Vendor) + "](#" + s.Vendor + ")", cell(l.pick(s.Name)), per, class})
	}
	return table([]string{"vendor", l.pick(text("name", "名称")), l.pick(text("devices per call", "单次最多设备数")), l.pick(text("class of chat, and its cap", "聊天所属类别及上限"))}, rows)
}

// badges says what each vendor does with the number on the icon.
func badges(l language, docs []vendors.Doc) string {
	var rows [][]string
	for _, s := range docs {
		what := text("nothing: its API sets no number", "无：接口不能设置数字")
		for _, f := range s.Rows {
			if f.What.EN == "Badge" {
				what = f.Value
			}
		}
		refresh := text("no", "否")
		if s.Refreshes {
			refresh = text("yes", "是")
		}
		rows = append(rows, []string{"[" + code(s.Vendor) + "](#" + s.Vendor + ")", cell(l.pick(what)), l.pick(refresh)})
	}
	return table([]string{"vendor", l.pick(text("the number", "数字")), l.pick(text("refresh", "刷新"))}, rows)
}

func repeats(l language, docs []vendors.Doc) string {
	var rows [][]string
	for _, s := range docs {
		rows = append(rows, []string{"[" + code(s.Vendor) + "](#" + s.Vendor + ")", cell(l.pick(s.Repeat))})
	}
	return table([]string{"vendor", l.pick(text("what the screen shows when a push comes twice", "同一条推送重复时屏幕上的表现"))}, rows)
}

func vendorSections(l language, docs []vendors.Doc, keys *keys) string {
	var b strings.Builder
	for _, s := range docs {
		section(&b, l, s, keys.vendors[s.Vendor])
	}
	return b.String()
}

func section(b *strings.Builder, l language, s vendors.Doc, keys []key) {
	head := func(en, zh string) { fmt.Fprintf(b, "\n### %s\n\n", s.Vendor+": "+l.pick(text(en, zh))) }
	fmt.Fprintf(b, "\n## %s\n\n%s\n", s.Vendor, l.pick(text("**"+s.Name.EN+"**. Facts as of "+s.Dated+".", "**"+s.Name.ZH+"**，资料截至 "+s.Dated+"。")))

	head("limits and abilities", "限制与能力")
	var rows [][]string
	for _, f := range s.Rows {
		rows = append(rows, []string{cell(l.pick(f.What)), cell(l.pick(f.Value))})
	}
	b.WriteString(table([]string{l.pick(text("what", "项目")), l.pick(text("value", "值"))}, rows))

	head("message classes", "消息类别")
	rows = nil
	for _, c := range s.Classes {
		rows = append(rows, []string{code(c.Name), cell(l.pick(c.Means)), cell(l.pick(c.Cap))})
	}
	b.WriteString(table([]string{l.pick(text("class", "类别")), l.pick(text("what belongs to it", "适用范围")), l.pick(text("cap", "上限"))}, rows))

	head("steps in the console", "平台配置步骤")
	for i, step := range s.Setup {
		fmt.Fprintf(b, "%d. %s\n", i+1, l.pick(step))
	}

	head("what a certificate needs", "证书配置")
	rows = nil
	for _, k := range keys {
		if k.required() {
			rows = append(rows, []string{k.names(), cell(k.text)})
		}
	}
	b.WriteString(table([]string{l.pick(text("key", "键")), l.pick(text("meaning", "含义"))}, rows))
	fmt.Fprintf(b, "\n%s\n\n```yaml\n%s```\n", l.pick(text(
		"All keys: [config.md](config.md#"+s.Vendor+"). An example:", "全部键见 [config.zh-CN.md](config.zh-CN.md#"+s.Vendor+")。示例：")), example(s.Example))

	head("what a tap hands to the app", "点击后应用得到什么")
	b.WriteString(l.pick(s.Tap) + "\n")
	head("when a push comes twice", "重复推送")
	b.WriteString(l.pick(s.Repeat) + "\n")

	head("codes", "返回码")
	codes(b, l, s)

	head("sources", "资料来源")
	for _, link := range s.Links {
		fmt.Fprintf(b, "- <%s>\n", link)
	}
}

// codes is the table of codes; the level has a column of its own where the vendor has levels.
func codes(b *strings.Builder, l language, s vendors.Doc) {
	levels := false
	for _, c := range s.Codes {
		levels = levels || c.Level != ""
	}
	head := []string{l.pick(text("code", "返回码")), l.pick(text("reason", "原因")), l.pick(text("meaning", "含义（英文）"))}
	if levels {
		head = append([]string{head[0], l.pick(text("where", "位置"))}, head[1:]...)
	}
	var rows [][]string
	for _, c := range s.Codes {
		meaning := cell(c.Meaning)
		if c.Uncertain {
			meaning += l.pick(text(" *(uncertain)*", " *（不确定）*"))
		}
		if c.Doubtful {
			meaning += l.pick(text(" *(believed only while other devices are accepted)*", " *（仅当其他设备被接受时才采信）*"))
		}
		row := []string{code(c.Code), code(c.Reason.String()), meaning}
		if levels {
			row = append([]string{row[0], cell(c.Level)}, row[1:]...)
		}
		rows = append(rows, row)
	}
	b.WriteString(table(head, rows))
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
