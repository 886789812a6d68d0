package texts

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/text/language"
)

// Catalogue has every text in a number of languages. A nil Catalogue is the built-in one.
type Catalogue struct {
	languages []*Language
	matcher   language.Matcher
	// Those of a device without a locale, and of a reader whose language is not here.
	silent, foreign *Language

	// found remembers the languages of locales. The map is replaced, never changed, so that finding
	// one takes no lock.
	found atomic.Pointer[map[string]*Language]
	mu    sync.Mutex
}

// Language is the texts of one language.
type Language struct {
	tag   language.Tag
	name  string
	texts [count]string
}

// mostFound bounds how many locales a catalogue remembers. When there are more, it begins anew.
const mostFound = 512

// Changes are texts by language and name: a language as [Catalogue.Canonical] writes it, a text
// that [Name.Check] took.
type Changes map[string]map[Name]string

var builtIn = sync.OnceValue(func() *Catalogue { return compile(words) })

// BuiltIn is the catalogue without anybody's changes.
func BuiltIn() *Catalogue { return builtIn() }

// compile makes a catalogue whose first language is that of a device without a locale.
func compile(table []Language) *Catalogue {
	c := &Catalogue{}
	var tags []language.Tag
	for i := range table {
		l := &table[i]
		c.languages, tags = append(c.languages, l), append(tags, l.tag)
		if l.name = l.tag.String(); l.name == "en" {
			c.foreign = l
		}
	}
	c.silent, c.matcher = c.languages[0], language.NewMatcher(tags)
	c.found.Store(&map[string]*Language{})
	return c
}

// With is the catalogue with texts changed, and languages added. What a new language lacks it has
// from the language that its readers read without it: "pt-PT" from "pt", "it" from English.
func (c *Catalogue) With(changes Changes) *Catalogue {
	c = c.orBuiltIn()
	table := make([]Language, 0, len(c.languages)+len(changes))
	for _, l := range c.languages {
		table = append(table, *l)
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		tag := language.Make(name)
		if c.own(tag) != nil {
			continue
		}
		near := c.match(tag)
		l := Language{tag: tag, name: name, texts: near.texts}
		l.change(changes[near.name])
		table = append(table, l)
	}
	for i := range table {
		table[i].change(changes[table[i].name])
	}
	return compile(table)
}

func (l *Language) change(texts map[Name]string) {
	for n, text := range texts {
		l.texts[n] = text
	}
}

// Canonical is the name of a language for [Changes]: that of the catalogue's own where the tag
// means the same, as "zh" and "zh-Hans" do "zh-CN". The error begins with a verb.
func (c *Catalogue) Canonical(tag string) (string, error) {
	t, err := language.Parse(tag)
	if b, _, _ := t.Raw(); err != nil || b.String() == "und" {
		return "", errors.New("is no language tag as BCP 47 has them")
	}
	if l := c.orBuiltIn().own(t); l != nil {
		return l.name, nil
	}
	return t.String(), nil
}

// own is the catalogue's language of a tag, nil where there is none.
func (c *Catalogue) own(tag language.Tag) *Language {
	i := slices.IndexFunc(c.languages, func(l *Language) bool { return same(l.tag, tag) })
	if i < 0 {
		return nil
	}
	return c.languages[i]
}

func (c *Catalogue) orBuiltIn() *Catalogue {
	if c == nil {
		return BuiltIn()
	}
	return c
}

// Languages are those of the catalogue; the first one is read by devices without a locale.
func (c *Catalogue) Languages() []*Language { return c.orBuiltIn().languages }

// For finds the language that the reader of a device of a locale understands best: "zh-HK" reads
// "zh-TW". Locales may be written as BCP 47, Java or POSIX do. A device without a locale, or with
// one that nobody can read, gets the catalogue's first language, one whose language is not here
// English. It allocates nothing for a locale that was asked for lately.
func (c *Catalogue) For(locale string) *Language {
	c = c.orBuiltIn()
	if locale == "" {
		return c.silent
	}
	if l := (*c.found.Load())[locale]; l != nil {
		return l
	}
	l := c.find(locale)
	c.mu.Lock()
	defer c.mu.Unlock()
	known := *c.found.Load()
	next := make(map[string]*Language, len(known)+1)
	if len(known) < mostFound {
		maps.Copy(next, known)
	}
	next[strings.Clone(locale)] = l
	c.found.Store(&next)
	return l
}

// Text is the text of a name in the language of a locale.
func (c *Catalogue) Text(locale string, n Name) string { return c.For(locale).Text(n) }

// Tag is the language's, such as "zh-CN". Jobs are named by it.
func (l *Language) Tag() string { return l.name }

// Text is the text of a name, with its placeholder as it is.
func (l *Language) Text(n Name) string { return l.texts[n] }

// Fill is the text of a name with the name of the person who wrote or calls in it, where it has a
// place for one; named says whether it has.
func (l *Language) Fill(n Name, sender string) (text string, named bool) {
	text = l.texts[n]
	before, after, named := strings.Cut(text, Sender)
	if !named {
		return text, false
	}
	return before + sender + after, true
}
