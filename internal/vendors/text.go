package vendors

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Measure is a vendor's way of counting a text.
type Measure func(string) int

// Runes counts Unicode code points.
func Runes(s string) int { return utf8.RuneCountInString(s) }

// Bytes counts UTF-8 bytes.
func Bytes(s string) int { return len(s) }

// Graphemes counts what a reader takes for one character (UAX #29).
func Graphemes(s string) int { return uniseg.GraphemeClusterCount(s) }

// Wide counts a code point up to U+00FF as one and every other as two, as vendors do that allow "20
// Chinese or 40 Latin characters".
func Wide(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFF {
			n++
		}
	}
	return n
}

// UTF16 counts UTF-16 code units, as Java's String.length does.
func UTF16(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// TextLimit is the longest text a vendor takes, by its own measure.
type TextLimit struct {
	Max     int
	Measure Measure
}

const ellipsis = "…"

// Fit shortens s to the limit without ever cutting a grapheme; a shortened text ends in an ellipsis
// where there is room for one. A zero limit takes everything.
func (l TextLimit) Fit(s string) string {
	if l.Max <= 0 || l.Measure(s) <= l.Max {
		return s
	}
	tail := ellipsis
	if l.Measure(ellipsis) >= l.Max {
		tail = ""
	}
	room := l.Max - l.Measure(tail)
	used, end, state, rest := 0, 0, -1, s
	for rest != "" {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		used += l.Measure(cluster)
		if used > room {
			break
		}
		end += len(cluster)
	}
	return strings.TrimRightFunc(s[:end], unicode.IsSpace) + tail
}

// FitTo shortens s, grapheme by grapheme, until fits says that the whole request is small enough.
// It returns "" when even that is too large. fits must be monotonic: what fits for a text fits for
// a shorter one.
func FitTo(s string, fits func(string) bool) string {
	if fits(s) {
		return s
	}
	lo, hi := 0, len(s) // the answer has at least lo and fewer than hi bytes
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		if fits(TextLimit{Max: mid, Measure: Bytes}.Fit(s)) {
			lo = mid
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return ""
	}
	return TextLimit{Max: lo, Measure: Bytes}.Fit(s)
}

// Printable drops what no screen shows and some vendors choke on: control characters other than a
// line break, and bytes that are no UTF-8. A tab becomes a space. An ordinary text is returned as
// it is.
func Printable(s string) string {
	unfit := func(r rune) bool { return r != '\n' && unicode.IsControl(r) }
	if utf8.ValidString(s) && strings.IndexFunc(s, unfit) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unfit(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// Hash31 derives a positive 31-bit number from a key, for vendors whose notification ids are such.
func Hash31(key string) int {
	h := uint32(2166136261) // FNV-1a, 32 bits
	for i := 0; i < len(key); i++ {
		h = (h ^ uint32(key[i])) * 16777619
	}
	if n := int(h & 0x7fffffff); n != 0 {
		return n
	}
	return 1
}

// First returns the first string that is not empty: the message's value, the certificate's, the
// default.
func First(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
