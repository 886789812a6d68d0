package vendors

import (
	"hash/fnv"
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Measure returns the length of a text as a vendor counts it.
type Measure func(string) int

// Runes counts Unicode code points.
func Runes(s string) int { return utf8.RuneCountInString(s) }

// Bytes counts UTF-8 bytes.
func Bytes(s string) int { return len(s) }

// Wide counts a code point up to U+00FF as one and every other as two. Vendors that allow "20
// Chinese or 40 Latin characters" count like this.
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

// TextLimit is the length of the longest text that a vendor takes, and how it is measured.
type TextLimit struct {
	Max     int
	Measure Measure
}

const ellipsis = "…"

// Fit shortens s to the limit without cutting through a character that a reader sees as one (a
// grapheme). A shortened text ends with an ellipsis if there is room for one. The zero TextLimit
// shortens nothing.
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

// FitTo returns the longest beginning of s, in whole graphemes, for which fits says that the whole
// request is small enough. It returns "" when even that is too large. fits must be monotonic: if it
// is true for a text it must be true for every shorter one.
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

// Shrink makes a request fit. write puts a body into it, and fits says whether it fits now. The
// body is shortened; where even a body of one character is too much, the steps take away what else
// there is, in order, each once; the first step may take nothing. Where nothing helps, which only a
// configuration of absurdly long names can bring about, the body is "…": a push without one would
// be refused for certain.
func Shrink(body string, steps []func(), write func(body string), fits func() bool) {
	for _, step := range steps {
		step()
		if write(""); !fits() {
			continue
		}
		if text := FitTo(body, func(text string) bool { write(text); return fits() }); text != "" {
			write(text)
			return
		}
	}
	write(ellipsis)
}

// ShortTitle is what a title keeps where room must be made for an ext.
var ShortTitle = TextLimit{Max: 12, Measure: Runes}

// Initial is what a title keeps in the end, for an ext that fits beside next to nothing: its first
// character, or an ellipsis where that is a long one.
func Initial(title string) string {
	first, _, _, _ := uniseg.FirstGraphemeClusterInString(title, -1)
	if first == "" || len(first) > len(ellipsis) {
		return ellipsis
	}
	return first
}

// LongClick is how long what a tap opens must be, in bytes, to be given up for an ext: it grew by
// placeholders.
const LongClick = 256

// longExtra is how long an ext and what else travels beside the text must be, as JSON, before any
// of it can be left out of a push.
const longExtra = 1024

// LongExtra says whether what travels beside the texts is so long that some of it may have been
// left out. It counts the worst that JSON within JSON makes of each byte.
func LongExtra(parts ...string) bool {
	n := 0
	for _, part := range parts {
		for i := range len(part) {
			switch c := part[i]; {
			case c < ' ', c == '<', c == '>', c == '&':
				n += 7
			case c == '"', c == '\\':
				n += 4
			default:
				n++
			}
		}
	}
	return n >= longExtra
}

// Printable removes what no screen shows and some vendors refuse: control characters other than a
// line break, and bytes that are not UTF-8. A tab becomes a space. A text that contains none of
// these is returned unchanged.
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

// NotifyID derives a positive 31-bit number from a key, for vendors whose notification ids are such
// numbers. The same key always gives the same number.
func NotifyID(key string) int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, key) // a hash never fails
	return max(1, int(h.Sum32()&math.MaxInt32))
}

// MaxForm is how long a call may get whose vendor publishes no limit, in bytes: what usual servers
// and proxies take.
const MaxForm = 1 << 20

// FormBytes is how long a text gets as JSON in a form (application/x-www-form-urlencoded).
func FormBytes(s string) int {
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == ' ':
			n++
		case c == '"', c == '\\', c < ' ':
			n += 6
		default:
			n += 3
		}
	}
	return n
}
