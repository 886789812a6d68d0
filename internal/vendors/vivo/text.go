package vivo

import (
	"cmp"
	"strings"
	"unicode"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// words returns the title and the content, fitted to vivo's limits and, for a formal push, to its
// content check. In the generic form nothing of the message's text is left; the title is kept if it
// is plain Chinese, because it names the sender.
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
	return makeFormal(title, "来自 ", titleLimit), makeFormal(content, "新消息：", contentLimit)
}

// makeFormal changes a text so that vivo takes it for a formal one: braces and brackets become
// parentheses, and a text that would still look like a test gets Chinese words in front of it. A
// text that contains the Chinese word for "test" is not changed further: only a different text
// would help, and vivo may accept it.
func makeFormal(s, lead string, limit vendors.TextLimit) string {
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
