package hongyan

import (
	"strings"
	"unicode"
)

// cleanName makes a name fit to stand beside others in one line: line breaks and other controls
// become a space, what is invisible as a whole becomes empty, and a text direction that the name
// changes is changed back at its end.
func cleanName(s string) string {
	if isPlainName(s) {
		return s
	}
	if isBlank(s) {
		return ""
	}
	var b strings.Builder
	var open []rune // what ends the directions that are open
	space := false
	for _, r := range s {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			space = true
			continue
		case r >= '\u202a' && r <= '\u202e' && r != '\u202c':
			open = append(open, '\u202c')
		case r >= '\u2066' && r <= '\u2068':
			open = append(open, '\u2069')
		case len(open) > 0 && r == open[len(open)-1]:
			open = open[:len(open)-1]
		case r == '\u202c' || r == '\u2069':
			continue // it ends what the name did not begin
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
	}
	for i := len(open) - 1; i >= 0; i-- {
		b.WriteRune(open[i])
	}
	return strings.TrimSpace(b.String())
}

// isPlainName says, quickly, that there is nothing to clean in most names.
func isPlainName(s string) bool {
	visible := s == ""
	for _, r := range s {
		switch {
		case r > ' ' && r < 0x7f, unicode.Is(unicode.Han, r):
			visible = true
		case r == ' ':
		default:
			return false
		}
	}
	return visible && strings.TrimSpace(s) == s
}

// isBlank says whether nothing of s can be seen: white space, controls, format characters, fillers,
// and marks that have nothing to stand on.
func isBlank(s string) bool {
	for _, r := range s {
		if !isInvisible(r) {
			return false
		}
	}
	return true
}

func isInvisible(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u3164', '\uffa0': // Hangul fillers
		return true
	case '\u2800': // the Braille pattern without dots
		return true
	}
	return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zs, unicode.Zl, unicode.Zp, unicode.Mn, unicode.Other_Default_Ignorable_Code_Point)
}
