package reference

import (
	"fmt"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// configSections has a part for each key at the top of the file, in the page's language.
func configSections(l language, keys *keys, words dictionary) (string, error) {
	p := speaker{l: l, words: words}
	var b strings.Builder
	for _, k := range keys.config {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", k.name, cell(p.say(k.text)))
		if len(k.below) > 0 {
			b.WriteString("\n" + table(keyHead(l, text("meaning", "含义")), keyRows(l, k.below, k.name+k.list, p.say)))
		}
	}
	return strings.TrimLeft(b.String(), "\n"), p.lacks()
}

func certificateSections(l language, docs []vendors.Doc, keys *keys) string {
	var b strings.Builder
	for _, s := range docs {
		var names []string
		for _, c := range s.Classes {
			if n := code(c.Name); len(names) == 0 || names[len(names)-1] != n {
				names = append(names, n)
			}
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", s.Vendor, l.pick(text(
			l.pick(s.Name)+"; see [vendors.md](vendors.md#"+s.Vendor+"). Classes for `daily_quota` and `device_cap`: "+strings.Join(names, ", ")+".",
			l.pick(s.Name)+"，详见 [vendors.zh-CN.md](vendors.zh-CN.md#"+s.Vendor+")。`daily_quota` 与 `device_cap` 的类别："+strings.Join(names, "、")+"。")))
		b.WriteString(keyTable(l, keys.vendors[s.Vendor], ""))
	}
	return strings.TrimLeft(b.String(), "\n")
}

// keyTable is a row for each key and each key below it; what they mean is told in English.
func keyTable(l language, list []key, above string) string {
	return table(keyHead(l, text("meaning", "含义（英文）")), keyRows(l, list, above, func(english string) string { return english }))
}

func keyHead(l language, meaning vendors.Bilingual) []string {
	return []string{l.pick(text("key", "键")), l.pick(text("kind", "类型")), l.pick(meaning)}
}

func keyRows(l language, list []key, above string, say func(english string) string) (rows [][]string) {
	var add func(k key, above string)
	add = func(k key, above string) {
		if above != "" {
			above += "."
		}
		name := code(above + k.name)
		if k.secret {
			name += ", " + code(above+k.name+"_file")
		}
		rows = append(rows, []string{name, cell(l.pick(k.kind)), cell(say(k.text))})
		for _, below := range k.below {
			add(below, above+k.name+k.list)
		}
	}
	for _, k := range list {
		add(k, above)
	}
	return rows
}
