package explain

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Language is one that explanations are given in.
type Language string

// The languages.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// LanguageOf is Chinese for a tag such as zh, zh-CN or ZH-Hant, and English for any other.
func LanguageOf(tag string) Language {
	if tag = strings.ToLower(tag); tag == "zh" || strings.HasPrefix(tag, "zh-") {
		return Chinese
	}
	return English
}

// Text is a text in every language.
type Text struct {
	// EN and ZH are the text in English and in Chinese.
	EN, ZH string
}

// Say is a text in every language.
func Say(en, zh string) Text { return Text{en, zh} }

// In is the text in a language.
func (t Text) In(l Language) string {
	if l == Chinese {
		return t.ZH
	}
	return t.EN
}

// Format is the text in a language as a format of package fmt, with its values. The formats of both
// languages take the same values; where their order differs, they name them by index.
func (t Text) Format(l Language, values ...any) string { return fmt.Sprintf(t.In(l), values...) }

// When shows a time in the reader's zone.
func When(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04:05")
}

var (
	textNow   = Text{"now", "刚才"}
	textAgo   = Text{"%s ago", "%s前"}
	textAhead = Text{"in %s", "%s后"}
)

// units are what spans are counted in, each up to a bound, the largest last.
var units = []struct {
	below, unit time.Duration
	text        Text
}{
	{2 * time.Minute, time.Second, Text{"%ds", "%d 秒"}},
	{2 * time.Hour, time.Minute, Text{"%dm", "%d 分钟"}},
	{48 * time.Hour, time.Hour, Text{"%dh", "%d 小时"}},
	{1<<63 - 1, 24 * time.Hour, Text{"%dd", "%d 天"}},
}

// Ago says how long a time is past or ahead, roughly.
func Ago(now, at time.Time, l Language) string {
	if at.IsZero() {
		return "-"
	}
	switch d := now.Sub(at); {
	case d < 0:
		return textAhead.Format(l, Span(-d, l))
	case d < time.Second:
		return textNow.In(l)
	default:
		return textAgo.Format(l, Span(d, l))
	}
}

// Span says how long something takes, roughly; "" for less than nothing.
func Span(d time.Duration, l Language) string {
	for _, u := range units {
		if d < u.below {
			return u.text.Format(l, d/u.unit)
		}
	}
	return ""
}

// Moment reads a time: in RFC 3339, or how long ago, such as 90m, 8h or 3d. Of nothing it is zero.
func Moment(s string, now time.Time) (at time.Time, ok bool) {
	if s == "" {
		return time.Time{}, true
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, true
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 100_000 {
			return now.Add(-time.Duration(n * 24 * float64(time.Hour))), true
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), true
	}
	return time.Time{}, false
}
