package texts_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/hongyan-im/hongyan/internal/texts"
)

// every is what the contract wants at least.
var every = []string{"zh-CN", "zh-TW", "en", "ja", "ko", "th", "vi", "id", "ms", "es", "pt", "fr", "de", "ru", "ar", "tr", "hi"}

func TestEveryLanguageHasEveryText(t *testing.T) {
	t.Parallel()
	byTag := map[string]*texts.Language{}
	for _, l := range texts.BuiltIn().Languages() {
		byTag[l.Tag()] = l
	}
	for _, tag := range every {
		l := byTag[tag]
		if l == nil {
			t.Errorf("%s is missing", tag)
			continue
		}
		for n := range texts.Name(texts.Names) {
			if text := l.Text(n); text == "" || n.Check(text) != nil {
				t.Errorf("%s of %s: %q, %v", n, tag, text, n.Check(text))
			}
		}
	}
}

// A text that stands in two languages alike was most likely copied and not translated.
func TestNoTextIsLeftUntranslated(t *testing.T) {
	t.Parallel()
	for _, n := range []texts.Name{texts.CallAudio, texts.MissedVideo, texts.AnsweredElsewhere, texts.Recalled, texts.NewMessage} {
		seen := map[string]string{}
		for _, l := range texts.BuiltIn().Languages() {
			if other := seen[l.Text(n)]; other != "" && other+l.Tag() != "idms" { // which share words
				t.Errorf("%s is the same in %s and %s", n, other, l.Tag())
			}
			seen[l.Text(n)] = l.Tag()
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for n := range texts.Name(texts.Names) {
		back, ok := texts.ParseName(n.String())
		if !ok || back != n || seen[n.String()] || n.String() == "" {
			t.Errorf("%d is called %q", n, n)
		}
		seen[n.String()] = true
	}
	if _, ok := texts.ParseName(""); ok {
		t.Error("a text without a name is found")
	}
}

func TestForMatchesLocales(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]string{
		"": "zh-CN", "zh": "zh-CN", "zh-CN": "zh-CN", "zh-Hans-CN": "zh-CN", "zh-SG": "zh-CN", "zh-Hans-HK": "zh-CN", "cmn-Hans-CN": "zh-CN",
		"zh-TW": "zh-TW", "zh-HK": "zh-TW", "zh-MO": "zh-TW", "zh-Hant": "zh-TW", "yue-Hant-HK": "zh-TW", "yue": "zh-TW", "wuu": "zh-CN",
		"en": "en", "en-GB": "en", "en-IN": "en", "pt-BR": "pt", "pt-PT": "pt", "es-419": "es", "fr-CA": "fr", "ar-EG": "ar", "de-AT": "de",
		"in": "id", "zsm": "ms", "ja-JP-u-ca-japanese": "ja",
		// Written as Java and POSIX do.
		"zh_TW": "zh-TW", "zh_CN_#Hans": "zh-CN", "zh_HK_#Hans": "zh-CN", "zh__#Hant": "zh-TW", "zh_TW_#Hant-x-java": "zh-TW", "de_DE.UTF-8": "de", "fr_FR@euro": "fr",
		// Whose language is not here.
		"nl": "en", "uk": "en", "sw-KE": "en", "mul": "en", "und": "en", "xx": "en", "zh-Latn-CN": "en",
		// No locales.
		"??": "zh-CN", "-": "zh-CN", "\xff": "zh-CN", "a very long word in place of a locale": "zh-CN",
	} {
		if got := texts.BuiltIn().For(locale).Tag(); got != want {
			t.Errorf("%q reads %s, want %s", locale, got, want)
		}
	}
}

func TestForAllocatesNothingTwice(t *testing.T) {
	c := texts.BuiltIn().With(nil)
	locales := []string{"", "zh-HK", "en-GB", "??"}
	for _, l := range locales {
		c.For(l)
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, l := range locales {
			_ = c.For(l).Text(texts.Image)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Locales come from whoever registers devices.
func TestForIsBounded(t *testing.T) {
	t.Parallel()
	c := texts.BuiltIn().With(nil)
	var all sync.WaitGroup
	for k := range 4 {
		all.Go(func() {
			for i := range 1000 {
				if got := c.For(fmt.Sprintf("zh-TW-x-a%d", (i+k*100)%1200)).Tag(); got != "zh-TW" {
					t.Errorf("got %s", got)
					return
				}
			}
		})
	}
	all.Wait()
	if n := texts.Remembered(c); n > texts.MostFound {
		t.Errorf("%d locales are remembered", n)
	}
}

func TestNilIsBuiltIn(t *testing.T) {
	t.Parallel()
	var c *texts.Catalogue
	if got := c.Text("en", texts.Image); got != "[Photo]" {
		t.Errorf("got %q", got)
	}
	if got := c.With(texts.Changes{"en": {texts.Image: "[Picture]"}}).Text("en-US", texts.Image); got != "[Picture]" {
		t.Errorf("got %q", got)
	}
	if got := texts.BuiltIn().Text("en", texts.Image); got != "[Photo]" {
		t.Errorf("a change reached the built-in catalogue: %q", got)
	}
}

func TestWithAddsLanguages(t *testing.T) {
	t.Parallel()
	c := texts.BuiltIn().With(texts.Changes{
		"en":    {texts.Video: "[Clip]"},
		"pt-PT": {texts.Image: "[Fotografia]"},
		"it":    {texts.Image: "[Foto]", texts.NewMessage: "Nuovo messaggio"},
	})
	for _, want := range []struct {
		locale string
		name   texts.Name
		text   string
	}{
		{"it-CH", texts.Image, "[Foto]"},
		{"it", texts.Video, "[Clip]"}, // English as it was changed
		{"it", texts.Recalled, "This message was recalled"},
		{"pt-PT", texts.Image, "[Fotografia]"},
		{"pt-PT", texts.Video, "[Vídeo]"},
		{"pt-BR", texts.Image, "[Foto]"},
		{"nl", texts.Video, "[Clip]"},
		{"", texts.Image, "[图片]"},
	} {
		if got := c.Text(want.locale, want.name); got != want.text {
			t.Errorf("%s of %s: got %q, want %q", want.name, want.locale, got, want.text)
		}
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"zh": "zh-CN", "zh-Hans": "zh-CN", "zh-hans-cn": "zh-CN", "zh-Hant": "zh-TW", "zh-HK": "zh-HK", "en": "en", "EN-us": "en", "en-GB": "en-GB", "pt-BR": "pt",
		"it": "it", "in": "id", "es-ES": "es", "de-1996": "de-1996",
	} {
		if got, err := texts.BuiltIn().Canonical(tag); got != want || err != nil {
			t.Errorf("%s: got %q, %v; want %q", tag, got, err, want)
		}
	}
	for _, tag := range []string{"", "und", "xx", "english", "zh_", "?"} {
		if got, err := texts.BuiltIn().Canonical(tag); err == nil {
			t.Errorf("%q is %q", tag, got)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text texts.Name
		is   string
		want string // a part of the error; empty for none
	}{
		"plain":                   {texts.Image, "[Pic]", ""},
		"sender":                  {texts.Image, "{sender} sent a photo", ""},
		"sender_of_a_call":        {texts.CallVideo, "{sender} calls", ""},
		"sender_in_a_prefix":      {texts.GroupPrefix, "{sender} -", ""},
		"no_prefix":               {texts.GroupPrefix, "", ""},
		"no_mention":              {texts.MentionPrefix, "", ""},
		"prefix_without_sender":   {texts.GroupPrefix, "from", "lacks the placeholder {sender}"},
		"sender_in_a_mention":     {texts.MentionPrefix, "[{sender}]", "may not hold"},
		"sender_in_a_new_message": {texts.NewMessage, "New from {sender}", "may not hold"},
		"sender_in_a_recall":      {texts.Recalled, "{sender} recalled it", "may not hold"},
		"twice":                   {texts.Image, "{sender} {sender}", "twice"},
		"other_placeholder":       {texts.Image, "{text}", "that nobody knows"},
		"both":                    {texts.Image, "{sender} {Sender}", "that nobody knows"},
		"brace":                   {texts.NewMessage, "New {", "brace"},
		"empty":                   {texts.Image, "", "blank"},
		"blank":                   {texts.NewMessage, " \u3000", "blank"},
		"blank_prefix":            {texts.MentionPrefix, " ", "blank"},
		"long":                    {texts.Image, strings.Repeat("x", texts.MaxText+1), "longer than 512 bytes"},
		"two_lines":               {texts.Image, "a\nb", "line break"},
		"bytes":                   {texts.Image, "a\xff", "UTF-8"},
	} {
		err := c.text.Check(c.is)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	l := texts.BuiltIn().With(texts.Changes{"en": {texts.Image: "A photo of {sender}!"}}).For("en")
	if text, named := l.Fill(texts.Image, "Alice"); text != "A photo of Alice!" || !named {
		t.Errorf("got %q, %v", text, named)
	}
	if text, named := l.Fill(texts.Video, "Alice"); text != "[Video]" || named {
		t.Errorf("got %q, %v", text, named)
	}
}

func FuzzFor(f *testing.F) {
	for _, s := range []string{"zh_TW_#Hant", "en-GB", "_#", "#", "a.b@c", "i-klingon", "x-private"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, locale string) {
		l := texts.BuiltIn().For(locale)
		if l == nil || !utf8.ValidString(l.Tag()) || l.Text(texts.NewMessage) == "" {
			t.Errorf("%q reads %v", locale, l)
		}
		if again := texts.BuiltIn().For(locale); again != l {
			t.Errorf("%q reads %s and %s", locale, l.Tag(), again.Tag())
		}
	})
}
