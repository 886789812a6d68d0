package xiaomi

import (
	"strings"
	"unicode"

	"github.com/rivo/uniseg"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// start bounds how much of a text is looked at: more than any limit leaves of it.
var start = vendors.TextLimit{Max: 8 << 10, Measure: vendors.Bytes}

// line is a title or a description: nothing but what a screen shows, not blank, at most max
// characters.
func (p *protocol) line(s string, max int) string {
	s = strings.TrimSpace(vendors.Printable(start.Fit(s)))
	return vendors.TextLimit{Max: max, Measure: vendors.UTF16}.Fit(p.unlessBlank(s))
}

// param is a template's value: in one line, without emoji and code points that Unicode has not
// assigned, not blank, at most 128 characters. A grapheme that holds a forbidden code point goes
// whole, so that nothing is left of a family but its joiners.
func (p *protocol) param(s string) string {
	return vendors.TextLimit{Max: maxParam, Measure: vendors.UTF16}.Fit(p.unlessBlank(strings.TrimSpace(plain(start.Fit(s)))))
}

func (p *protocol) unlessBlank(s string) string {
	if visible(s) {
		return s
	}
	if stand := plain(p.c.BlankText); visible(stand) {
		return stand
	}
	return "[表情]"
}

// visible reports whether a text contains a visible character.
func visible(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.Is(unicode.M, r) }) >= 0
}

// plain drops what Xiaomi refuses in a template's value (\p{So} and unassigned code points, by its
// documentation of private messages) and what makes up emoji besides: skin tones, variation
// selectors, key caps.
func plain(s string) string {
	var b strings.Builder
	state := -1
	for s = strings.ToValidUTF8(s, ""); s != ""; {
		var cluster string
		cluster, s, _, state = uniseg.FirstGraphemeClusterInString(s, state)
		switch {
		case strings.IndexFunc(cluster, unicode.IsSpace) >= 0:
			b.WriteByte(' ')
		case strings.IndexFunc(cluster, forbidden) < 0:
			b.WriteString(cluster)
		}
	}
	return b.String()
}

// emojiParts are of no forbidden category, yet only emoji hold them: variation selector 16, the key
// cap, skin tones.
var emojiParts = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x20E3, Hi: 0x20E3, Stride: 1}, {Lo: 0xFE0F, Hi: 0xFE0F, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x1F3FB, Hi: 0x1F3FF, Stride: 1}},
}

func forbidden(r rune) bool {
	// A joiner stays in the scripts that need it; alone it is not visible, and in an emoji it goes
	// with its cluster.
	format := unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d'
	return format || unicode.In(r, unicode.So, unicode.Cn, unicode.Cc, unicode.Co, unicode.Cs, emojiParts)
}
