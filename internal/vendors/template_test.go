package vendors_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

func TestFill(t *testing.T) {
	t.Parallel()
	chat := &vendors.Notification{Title: "Alice", Body: "hi {title}"}
	group := &vendors.Notification{Title: "Team", Sender: "Alice", Body: "Alice: hi"}
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
	note := &vendors.Notification{Title: "Alice", Body: "hi"}
	for _, c := range []struct {
		name                 string
		message, certificate map[string]string
		want                 map[string]string
	}{
		{"none", nil, nil, nil},
		{"message_alone", map[string]string{"a": "{title}"}, nil, map[string]string{"a": "{title}"}},
		{"certificate_alone", nil, map[string]string{"a": "{title}"}, map[string]string{"a": "Alice"}},
		{"message_wins_and_gaps_are_filled", map[string]string{"a": "x", "other": "y"}, map[string]string{"a": "{title}", "b": "{body}"},
			map[string]string{"a": "x", "b": "hi"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, vendors.TemplateParams(c.message, c.certificate, note)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
