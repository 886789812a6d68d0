package reference

import (
	"fmt"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// configSections has a part for each key at the top of the file.
func configSections(l language, keys *keys) string {
	var b strings.Builder
	for _, k := range keys.config {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", k.name, cell(k.text))
		if len(k.below) > 0 {
			b.WriteString("\n" + keyTable(l, k.below, k.name+k.list))
		}
	}
	return strings.TrimLeft(b.String(), "\n")
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

// keyTable is a row for each key and each key below it.
func keyTable(l language, list []key, above string) string {
	var rows [][]string
	var add func(k key, above string)
	add = func(k key, above string) {
		if above != "" {
			above += "."
		}
		name := code(above + k.name)
		if k.secret {
			name += ", " + code(above+k.name+"_file")
		}
		rows = append(rows, []string{name, cell(l.pick(k.kind)), cell(k.text)})
		for _, below := range k.below {
			add(below, above+k.name+k.list)
		}
	}
	for _, k := range list {
		add(k, above)
	}
	return table([]string{l.pick(text("key", "键")), l.pick(text("kind", "类型")), l.pick(text("meaning", "含义（英文）"))}, rows)
}
