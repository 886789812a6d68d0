package vendors_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

func TestFill(t *testing.T) {
	t.Parallel()
	chat := &vendors.Notification{Title: "Alice", Body: "hi {title}"}
	group := &vendors.Notification{Title: "Team", Sender: "Alice", Body: "[@me] Alice: hi", Lead: len("[@me] Alice: ")}
	hidden := &vendors.Notification{Title: "New message", Body: "New message", Preview: hongyan.PreviewNone}
	for _, c := range []struct {
		name, value string
		note        *vendors.Notification
		want        string
	}{
		{"plain", "新消息", chat, "新消息"},
		// A place inside a text is text: nothing is filled in twice.
		{"title_and_body", "{title}:{body}", chat, "Alice:hi {title}"},
		{"sender_of_a_chat_is_its_title", "{sender}", chat, "Alice"},
		{"text_of_a_chat_is_its_body", "{text}", chat, "hi {title}"},
		{"sender_of_a_group", "{title}/{sender}", group, "Team/Alice"},
		{"text_of_a_group_has_no_name_in_front", "{text}", group, "hi"},
		{"body_of_a_mention", "{body}", group, "[@me] Alice: hi"},
		{"hidden", "{sender}: {text}", hidden, "New message"},
		{"hidden_without_a_place", "新消息 {other}", hidden, "新消息 {other}"},
		{"unknown_place_stays", "{other}", chat, "{other}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := vendors.Fill(c.value, c.note); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTemplateParams(t *testing.T) {
	t.Parallel()
	full := &vendors.Notification{Title: "Alice", Body: "hi"}
	sender := &vendors.Notification{Title: "Alice", Body: "New message", Preview: hongyan.PreviewSender}
	for _, c := range []struct {
		name                 string
		message, certificate map[string]string
		note                 *vendors.Notification
		want                 map[string]string
	}{
		{"none", nil, nil, full, nil},
		{"message_alone", map[string]string{"a": "{title}"}, nil, full, map[string]string{"a": "{title}"}},
		{"certificate_alone", nil, map[string]string{"a": "{title}"}, full, map[string]string{"a": "Alice"}},
		{"message_wins_and_gaps_are_filled", map[string]string{"a": "x", "other": "y"}, map[string]string{"a": "{title}", "b": "{body}"}, full,
			map[string]string{"a": "x", "b": "hi"}},
		{"certificate_wins_where_the_text_is_hidden", map[string]string{"a": "x"}, map[string]string{"a": "{title}", "b": "{body}"}, sender,
			map[string]string{"a": "Alice", "b": "New message"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, vendors.TemplateParams(c.message, c.certificate, c.note)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
