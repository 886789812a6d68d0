package texts

import (
	"errors"
	"strings"

	"golang.org/x/text/language"
)

// find is For without a memory.
func (c *Catalogue) find(locale string) *Language {
	tag, err := language.Parse(bcp47(locale))
	var unknown language.ValueError
	if err != nil && tag == language.Und && !errors.As(err, &unknown) {
		return c.silent // no locale at all; what is well-formed names a language, if one that nobody knows
	}
	return c.match(tag)
}

// match finds the language that the reader of another one understands best. Chinese languages that
// are written as Chinese is, such as Cantonese, count as that.
func (c *Catalogue) match(tag language.Tag) *Language {
	_, i, confidence := c.matcher.Match(tag)
	if confidence != language.No {
		return c.languages[i]
	}
	script, _ := tag.Script()
	if written := script.String(); written == "Hans" || written == "Hant" {
		_, i, confidence = c.matcher.Match(language.Make("zh-" + written))
	}
	if confidence == language.No {
		return c.foreign
	}
	return c.languages[i]
}

// bcp47 writes a locale of another spelling as BCP 47 does: "zh_TW.UTF-8" of POSIX, "zh_TW_#Hant"
// of Java.
func bcp47(locale string) string {
	if i := strings.IndexAny(locale, ".@"); i > 0 {
		locale = locale[:i]
	}
	if front, script, ok := strings.Cut(locale, "_#"); ok {
		lang, region, _ := strings.Cut(front, "_")
		script, _, _ = strings.Cut(script, "_")
		locale = lang + "-" + script
		if region != "" {
			locale += "-" + region
		}
	}
	return locale
}

// same says whether two tags mean one language, in the writing and the place where most of its
// readers are if a tag does not say: "zh", "zh-Hans" and "zh-CN" do.
func same(a, b language.Tag) bool { return a == b || plain(a) && plain(b) && place(a) == place(b) }

func plain(tag language.Tag) bool { return len(tag.Variants()) == 0 && len(tag.Extensions()) == 0 }

func place(tag language.Tag) (place [3]string) {
	b, _ := tag.Base()
	s, _ := tag.Script()
	r, _ := tag.Region()
	return [3]string{b.String(), s.String(), r.String()}
}
