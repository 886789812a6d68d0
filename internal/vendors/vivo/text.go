package vivo

import (
	"cmp"
	"strings"
	"unicode"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// words are the title and the content, fitted to vivo's limits and, for a formal push, to its
// content check. In the generic form nothing of what was said is left; the title stays where it is
// plain Chinese, since it says from whom.
func (p *protocol) words(n *vendors.Notification, generic bool) (title, content string) {
	titleLimit := vendors.TextLimit{Max: maxTitle, Measure: vendors.Wide}
	contentLimit := vendors.TextLimit{Max: maxContent, Measure: vendors.Wide}
	genericTitle := cmp.Or(p.c.GenericTitle, "新消息")
	genericContent := cmp.Or(p.c.GenericBody, "您有一条新消息，点击查看")

	title, content = vendors.Printable(n.Title), vendors.Printable(n.Body)
	if blank(title) || generic && !plainChinese(title) {
		title = genericTitle
	}
	if blank(content) || generic {
		content = genericContent
	}
	if p.c.TestMode || p.c.KeepText || generic { // test pushes are not checked
		return titleLimit.Fit(title), contentLimit.Fit(content)
	}
	return dress(title, "来自 ", titleLimit), dress(content, "新消息：", contentLimit)
}

// dress makes a text formal by vivo's rule: braces and brackets become parentheses, and a text that
// would still look like a test is led by Chinese words. A text with the word for "test" in it is
// left alone: only another text would help, and vivo may let it pass.
func dress(s, lead string, limit vendors.TextLimit) string {
	s = limit.Fit(strings.NewReplacer("[", "（", "]", "）", "{", "（", "}", "）").Replace(s))
	if looksLikeTest(s) {
		s = limit.Fit(lead + s)
	}
	return s
}

// looksLikeTest is vivo's published rule for formal pushes: nothing but digits, Latin letters or
// symbols, or digits and symbols.
func looksLikeTest(s string) bool {
	letters, others := false, false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
		case unicode.IsLetter(r) && !unicode.Is(unicode.Latin, r):
			return false
		case unicode.IsLetter(r):
			letters = true
		default:
			others = true
		}
	}
	return !(letters && others)
}

// plainChinese reports whether a text is nothing but Chinese characters and cannot be taken for a
// test.
func plainChinese(s string) bool {
	for _, r := range s {
		if !unicode.Is(unicode.Han, r) {
			return false
		}
	}
	return s != "" && !strings.Contains(s, "测试")
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
