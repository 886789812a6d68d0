package reference

import (
	"fmt"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// configGaps are the parts of the page about the configuration: the keys at the top of the file,
// those that every certificate has, and each vendor's own.
func configGaps(l language, docs []vendors.Doc, keys *keys, words dictionary) (map[string]string, error) {
	p := speaker{l: l, words: words}
	gaps := map[string]string{"Sections": p.sections(keys.config), "Common": p.keyTable(keys.common, ""), "Certificates": p.certificates(docs, keys)}
	return gaps, p.lacks()
}

// sections has a part for each key at the top of the file.
func (p *speaker) sections(list []key) string {
	var b strings.Builder
	for _, k := range list {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", k.name, cell(p.say(k.text)))
		if len(k.below) > 0 {
			b.WriteString("\n" + p.keyTable(k.below, k.name+k.list))
		}
	}
	return strings.TrimLeft(b.String(), "\n")
}

// certificates has a part for each vendor.
func (p *speaker) certificates(docs []vendors.Doc, keys *keys) string {
	var b strings.Builder
	for _, d := range docs {
		var names []string
		for _, c := range d.Classes {
			if n := code(c.Name); len(names) == 0 || names[len(names)-1] != n {
				names = append(names, n)
			}
		}
		page := "vendors/" + d.Vendor + p.l.suffix + ".md"
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", d.Vendor, p.l.pick(text(
			d.Name.EN+"; see [its page]("+page+"). Classes for `daily_quota` and `device_cap`: "+strings.Join(names, ", ")+".",
			d.Name.ZH+"，详见[其页面]("+page+")。`daily_quota` 与 `device_cap` 的类别："+strings.Join(names, "、")+"。")))
		b.WriteString(p.keyTable(keys.vendors[d.Vendor], ""))
	}
	return strings.TrimLeft(b.String(), "\n")
}

// keyTable is a row for each key and each key below it.
func (p *speaker) keyTable(list []key, above string) string {
	head := []string{p.l.pick(text("key", "键")), p.l.pick(text("kind", "类型")), p.l.pick(text("meaning", "含义"))}
	return table(head, keyRows(p.l, list, above, p.say))
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
