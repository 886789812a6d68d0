package reference

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// messageGaps are the tables of the page about messages.
func messageGaps(l language, w *wire, words dictionary) (map[string]string, error) {
	p := wirePage{speaker: speaker{l: l, words: words}, w: w}
	gaps := map[string]string{
		"Message":  p.fields(reflect.TypeFor[hongyan.Message]()),
		"Device":   p.fields(reflect.TypeFor[hongyan.Device]()),
		"Presence": p.fields(reflect.TypeFor[hongyan.Presence]()),
		"Lease":    p.fields(reflect.TypeFor[hongyan.Lease]()),
		"Settings": p.fields(reflect.TypeFor[hongyan.Settings]()),
		"Signal":   p.fields(reflect.TypeFor[hongyan.Signal]()),
		"Outcome":  p.fields(reflect.TypeFor[hongyan.Outcome]()),
		"Statuses": p.terms(text("status", "状态"), w.statuses, nil),
		"Suppressions": p.terms(text("reason", "原因"), w.reasons, func(t term) bool {
			return hongyan.Reason(t.word).Suppresses()
		}),
		"Results": p.terms(text("reason", "原因"), w.reasons, func(t term) bool {
			return slices.Contains(hongyan.Results[:], hongyan.Reason(t.word))
		}),
		"Others": p.terms(text("reason", "原因"), w.reasons, func(t term) bool {
			return !hongyan.Reason(t.word).Suppresses() && !slices.Contains(hongyan.Results[:], hongyan.Reason(t.word))
		}),
		"Repairs": p.terms(text("kind", "种类"), w.repairs, nil),
	}
	return gaps, errors.Join(p.lacks(), p.err)
}

// speaker says English texts in a page's language and gathers those that it could not.
type speaker struct {
	l       language
	words   dictionary
	missing []string
}

// say is an English text in the page's language.
func (p *speaker) say(english string) string {
	english = strings.Join(strings.Fields(english), " ")
	chinese, ok := p.words[english]
	if !ok && p.l.suffix != "" && !slices.Contains(p.missing, english) {
		p.missing = append(p.missing, english)
	}
	return p.l.pick(text(english, chinese))
}

// lacks names what could not be said.
func (p *speaker) lacks() error {
	if len(p.missing) == 0 {
		return nil
	}
	return fmt.Errorf("text/words.zh-CN.txt lacks:\n%s", strings.Join(p.missing, "\n"))
}

// wirePage writes the tables of a page and gathers what it could not.
type wirePage struct {
	speaker
	w   *wire
	err error
}

// fields is a row for each field of a wire type and each below it.
func (p *wirePage) fields(t reflect.Type) string {
	members, err := p.w.members(t, "")
	if err != nil && p.err == nil {
		p.err = err
	}
	var rows [][]string
	var add func(list []member)
	add = func(list []member) {
		for _, m := range list {
			rows = append(rows, []string{code(m.path), p.kind(m.typ), p.bound(m), cell(p.say(m.text))})
			add(m.below)
		}
	}
	add(members)
	return table([]string{p.l.pick(text("field", "字段")), p.l.pick(text("kind", "类型")), p.l.pick(text("bound", "限制")), p.l.pick(text("meaning", "含义"))}, rows)
}

// kind names a field's type: the words of a closed list, or what JSON has.
func (p *wirePage) kind(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if words := enums[t]; words != nil {
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = code(w)
		}
		return strings.Join(quoted, " ")
	}
	switch {
	case t == timeType:
		return p.l.pick(text("time", "时间"))
	case t == reflect.TypeFor[hongyan.Reason]():
		return p.l.pick(text("reason", "原因"))
	}
	switch t.Kind() {
	case reflect.String:
		return p.l.pick(text("text", "文本"))
	case reflect.Bool:
		return p.l.pick(text("true or false", "true 或 false"))
	case reflect.Struct:
		return p.l.pick(text("object", "对象"))
	case reflect.Slice:
		return p.l.pick(text("list of ", "列表：")) + p.kind(t.Elem())
	case reflect.Map:
		return p.l.pick(text("object, values ", "对象，值为 ")) + p.kind(t.Elem())
	}
	return p.l.pick(text("whole number", "整数"))
}

func (p *wirePage) bound(m member) string {
	var parts []string
	add := func(t vendors.Bilingual) { parts = append(parts, p.l.pick(t)) }
	if m.rule.required {
		add(text("required", "必填"))
	}
	if m.rule.bytes > 0 {
		add(text("at most "+count(m.rule.bytes)+" bytes", "最多 "+count(m.rule.bytes)+" 字节"))
	}
	if m.rule.items > 0 {
		add(text("at most "+count(m.rule.items), "最多 "+count(m.rule.items)+" 个"))
	}
	if m.rule.nonNegative {
		add(text("not negative", "不能为负"))
	}
	return strings.Join(parts, p.l.pick(text("; ", "；")))
}

// terms is a row for each word of a closed list that keep wants.
func (p *wirePage) terms(head vendors.Bilingual, list []term, keep func(term) bool) string {
	var rows [][]string
	for _, t := range list {
		if keep != nil && !keep(t) {
			continue
		}
		rows = append(rows, []string{code(t.word), cell(p.say(p.w.meaning(t)))})
	}
	return table([]string{p.l.pick(head), p.l.pick(text("meaning", "含义"))}, rows)
}

// meaning is a term's comment without its Go name.
func (w *wire) meaning(t term) string {
	s := strings.Join(strings.Fields(t.text), " ")
	for _, verb := range []string{": ", " means that ", " means ", " is "} {
		if rest, ok := strings.CutPrefix(s, t.name+verb); ok {
			s = rest
			break
		}
	}
	s = strings.TrimSuffix(s, ".")
	if s == "" { // the word says it
		return strings.ReplaceAll(t.word, "_", " ")
	}
	return s
}

// dictionary maps English texts to Chinese ones. It is keyed by the text itself: whoever changes a
// comment is told to translate it anew.
type dictionary map[string]string

// readDictionary reads text/words.zh-CN.txt: pairs of lines, English and Chinese, with an empty
// line between pairs.
func readDictionary() (dictionary, error) {
	data, err := texts.ReadFile("text/words.zh-CN.txt")
	if err != nil {
		return nil, fmt.Errorf("read the translations: %w", err)
	}
	d := dictionary{}
	for pair := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n\n") {
		english, chinese, ok := strings.Cut(pair, "\n")
		if !ok || d[english] != "" || strings.Contains(chinese, "\n") {
			return nil, fmt.Errorf("text/words.zh-CN.txt: the pair that begins with %q is no pair, or stands twice", english)
		}
		d[english] = chinese
	}
	return d, nil
}
