package reference

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	// asIs is what stands in a page as it is in every language: code, links, addresses, comments
	// that are not shown, and figures with their unit.
	asIs = regexp.MustCompile("(?s)```.*?```|<!--.*?-->|\\d ms\\b|\\d s\\b|`[^`\n]*`|\\]\\([^)\n]*\\)|<https?://[^>\n]*>|https?://[^\\s，。；）]*|\\{\"[^\n。；]*\\}|\\{\\w+:[^\n。；]*\\}")
	// names are what vendors, their consoles and systems are called, also in Chinese.
	names = regexp.MustCompile(`Firebase Cloud Messaging|HMS Push Kit|\bvivo\b|Huawei API Console|Apple Push Notifications? service|MIT License`)
	// run is three or more English words one after the other.
	run = regexp.MustCompile(`[A-Za-z][A-Za-z'’-]*(?:,? [A-Za-z][A-Za-z'’-]*){2,}`)
	// narrow is half-width punctuation beside a Chinese character.
	narrow = regexp.MustCompile(`\p{Han}[,;:?!()][^\n]{0,8}|[^\n]{0,8}[,;:?!()]\p{Han}`)
	small  = regexp.MustCompile(`(?:^|[^\w./_-])([a-z]{2,})(?:$|[^\w./_-])`)
	bar    = regexp.MustCompile(`(?:^|[^\\])\|`)
)

// english finds what a Chinese page says in English: a run of words, or a cell or line that has
// words and no Chinese. It returns each find once.
func english(page string) (found []string) {
	page = names.ReplaceAllString(asIs.ReplaceAllString(page, " · "), " · ")
	for line := range strings.Lines(page) {
		for _, part := range bar.Split(strings.TrimSpace(line), -1) {
			hasHan := strings.ContainsFunc(part, func(r rune) bool { return unicode.Is(unicode.Han, r) })
			switch words := run.FindString(part); {
			case words != "":
				found = append(found, words)
			case !hasHan && !strings.HasPrefix(part, "#") && small.MatchString(part):
				found = append(found, strings.TrimSpace(part))
			}
		}
	}
	return found
}

// otherWords are words for what is called something else on the Chinese pages: a thing has one
// name.
var otherWords = []struct{ not, but string }{
	{"重放", "补发"}, {"凭证", "凭据"}, {"账户", "账号"}, {"安静时段", "免打扰时段"}, {"静默时段", "免打扰时段"}, {"「", "“"},
}

// catalogueOf begins the part of a page that shows texts of notifications in every language.
const catalogueOf = "\n### zh-CN: "

// TestChineseIsChinese: what people read in a Chinese page is Chinese.
func TestChineseIsChinese(t *testing.T) {
	t.Parallel()
	pages := readPages(t, "*.zh-CN.md")
	for name, page := range pages {
		prose, _, _ := strings.Cut(page, catalogueOf)
		for _, words := range english(prose) {
			t.Errorf("%s says in English: %s", name, words)
		}
		for _, words := range narrow.FindAllString(asIs.ReplaceAllString(prose, "`"), -1) {
			t.Errorf("%s has punctuation of English in Chinese: %s", name, words)
		}
		for _, w := range otherWords {
			if strings.Contains(prose, w.not) {
				t.Errorf("%s says %s, which is called %s on the other pages", name, w.not, w.but)
			}
		}
	}
	if read := len(pages); read < 27 {
		t.Errorf("%d Chinese pages found, so they are looked for in the wrong place", read)
	}
}

func TestEnglish(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page string
		want int
	}{
		"sentence":        {"厂商：the token is dead。", 1},
		"cell":            {"| 返回码 | wrong parameters | `bad_payload` |", 1},
		"one_word":        {"| none | 无 |", 1},
		"heading_of_keys": {"## nats", 0},
		"code":            {"设置 `the name of the channel` 后重启。", 0},
		"fence":           {"```yaml\n# all of this is English\n```\n", 0},
		"link":            {"见 [页面](the-page-of-a-vendor.md)。", 0},
		"comment":         {"<!-- figures: begin -->", 0},
		"figure":          {"| 5 ms | 7 ms → 36 s |", 0},
		"words_by_figure": {"| 5 ms at most |", 1},
		"title_of_link":   {"见 [Connections made for pushes](performance.md)。", 1},
		"address":         {"- 文档：<https://example.com/a/b-c-d>", 0},
		"names":           {"在 Huawei API Console 中创建；使用 App ID 与 App Secret。", 0},
		"chinese":         {"| 100 | 每秒 3000 条，可用 ttl 调整 |", 0},
	} {
		if got := english(c.page); len(got) != c.want {
			t.Errorf("%s: found %q, want %d", name, got, c.want)
		}
	}
}
