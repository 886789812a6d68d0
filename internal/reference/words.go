package reference

import (
	"fmt"
	"slices"
	"strings"

	bcp47 "golang.org/x/text/language"
	"golang.org/x/text/language/display"

	catalogue "github.com/hongyan-im/hongyan/internal/texts"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// shown says where each text of the catalogue is shown.
var shown = map[catalogue.Name]vendors.Bilingual{
	catalogue.Message:           text("a `text` of nothing but blanks", "只有空白的 `text`"),
	catalogue.Image:             text("an `image`", "`image`"),
	catalogue.Audio:             text("an `audio`", "`audio`"),
	catalogue.Video:             text("a `video`", "`video`"),
	catalogue.File:              text("a `file`", "`file`"),
	catalogue.Location:          text("a `location`", "`location`"),
	catalogue.Face:              text("a `face`", "`face`"),
	catalogue.Merged:            text("a `merged`", "`merged`"),
	catalogue.MentionPrefix:     text("in front of the body, where a group's message mentions the user", "群消息提到该用户时，放在正文最前面"),
	catalogue.MentionAllPrefix:  text("in its place, where the message mentions everyone", "群消息提到所有人时，代替上一条"),
	catalogue.GroupPrefix:       text("in front of the text, where the title is the group's name", "标题是群名称时，放在文字前面"),
	catalogue.CallAudio:         text("the `invite` of a voice call", "语音通话的 `invite`"),
	catalogue.CallVideo:         text("the `invite` of a video call", "视频通话的 `invite`"),
	catalogue.GroupCallAudio:    text("the same in a group, or with several recipients", "同上，在群里，或者接收者不止一个"),
	catalogue.GroupCallVideo:    text("the same in a group, or with several recipients", "同上，在群里，或者接收者不止一个"),
	catalogue.MissedAudio:       text("the end of a voice call that nobody took: `cancel`, `hangup`", "没有接听的语音通话结束：`cancel`、`hangup`"),
	catalogue.MissedVideo:       text("the end of a video call that nobody took: `cancel`, `hangup`", "没有接听的视频通话结束：`cancel`、`hangup`"),
	catalogue.AnsweredElsewhere: text("on the user's other devices, after an `answer`", "`answer` 之后，用户的其他设备上"),
	catalogue.DeclinedElsewhere: text("on the user's other devices, after a `reject`", "`reject` 之后，用户的其他设备上"),
	catalogue.Recalled:          text("in the place of a message that was recalled", "代替被撤回的消息"),
	catalogue.NewMessage:        text("in the place of what the preview hides", "代替 `preview` 隐藏的内容"),
}

// textGaps fills the page of the catalogue's texts.
func textGaps(l language) (map[string]string, error) {
	var names [][]string
	for n := range catalogue.Name(catalogue.Names) {
		where, ok := shown[n]
		if !ok {
			return nil, fmt.Errorf("words.go does not say where the text %s is shown", n)
		}
		rules := []string{}
		if places := n.Placeholders(); len(places) > 0 && n.MayBeEmpty() {
			rules = append(rules, l.pick(text("must hold "+code(places[0])+", or be `''`", "必须含 "+code(places[0])+"，或写 `''`")))
		} else if len(places) > 0 {
			rules = append(rules, l.pick(text("may hold "+code(places[0]), "可以含 "+code(places[0]))))
		} else if n.MayBeEmpty() {
			rules = append(rules, l.pick(text("may be `''`", "可以是 `''`")))
		}
		names = append(names, []string{code(n.String()), l.pick(where), strings.Join(rules, "")})
	}
	var words strings.Builder
	for _, lang := range catalogue.BuiltIn().Languages() {
		var rows [][]string
		for n := range catalogue.Name(catalogue.Names) {
			rows = append(rows, []string{code(n.String()), cell(lang.Text(n))})
		}
		fmt.Fprintf(&words, "\n### %s: %s\n\n%s", lang.Tag(), nameOf(l, lang.Tag()), table([]string{l.pick(text("name", "名称")), l.pick(text("text", "文字"))}, rows))
	}
	return map[string]string{
		"Names":     table([]string{l.pick(text("name", "名称")), l.pick(text("shown for", "用在哪里")), l.pick(text("rule", "规则"))}, names),
		"Languages": strings.TrimLeft(words.String(), "\n"),
	}, nil
}

// nameOf is a language's own name, and that in the page's language.
func nameOf(l language, tag string) string {
	t := bcp47.MustParse(tag)
	own := display.Self.Name(t)
	here := l.pick(text(display.English.Tags().Name(t), display.Chinese.Tags().Name(t)))
	return strings.Join(slices.Compact([]string{own, here}), ", ")
}
