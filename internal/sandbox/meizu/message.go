package meizu

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"
)

// message is what the fake keeps of a messageJson.
type message struct {
	title, content, ext, key string
	public, quiet            bool
}

// flag is 0 or 1, which the SDK writes as false or true, or a number where the field has
// more values. Some fields may also be strings.
type flag struct {
	n     int
	given bool
	bad   bool
}

func (s *flag) UnmarshalJSON(data []byte) error {
	s.given = true
	var on bool
	var text string
	switch {
	case json.Unmarshal(data, &s.n) == nil:
	case json.Unmarshal(data, &on) == nil:
		if on {
			s.n = 1
		}
	case json.Unmarshal(data, &text) == nil:
		n, err := strconv.Atoi(text)
		s.n, s.bad = n, err != nil
	default:
		s.bad = true
	}
	return nil
}

// or is the value, or what an absent one means.
func (s flag) or(otherwise int) int {
	if !s.given {
		return otherwise
	}
	return s.n
}

func (s flag) onOff() bool { return !s.bad && (!s.given || s.n == 0 || s.n == 1) }

var keyForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,8}$`)

// read checks a messageJson, and returns the rule that it breaks.
func read(text string, account *Account) (m message, rule string) {
	var in struct {
		NoticeBarInfo struct {
			Title, Content string
			NoticeMsgType  flag
			NoticeBarType  flag
		}
		NoticeExpandInfo struct {
			NoticeExpandType    flag
			NoticeExpandContent string
			NoticeExpandImgURL  string `json:"noticeExpandImgUrl"`
		}
		ClickTypeInfo struct {
			ClickType     flag
			URL, Activity string
			Parameters    json.RawMessage
		}
		PushTimeInfo struct{ OffLine, ValidTime flag }
		AdvanceInfo  struct {
			Suspend, ClearNoticeBar, FixDisplay flag
			NotificationType                    struct{ Vibrate, Lights, Sound flag }
			NotifyKey                           string
		}
		VIPInfo map[string]json.RawMessage `json:"vipInfo"`
		Extra   map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return m, "messageJson must be a JSON object of Meizu's fields"
	}
	bar, expand, click, when, advance := in.NoticeBarInfo, in.NoticeExpandInfo, in.ClickTypeInfo, in.PushTimeInfo, in.AdvanceInfo
	title, content := utf8.RuneCountInString(bar.Title), utf8.RuneCountInString(bar.Content)
	hours := when.ValidTime.or(24)
	for _, c := range []struct {
		broken bool
		rule   string
	}{
		{title < 1 || title > 32, "title must be 1 to 32 characters"},
		{content < 1 || content > 100, "content must be 1 to 100 characters"},
		{!bar.NoticeMsgType.onOff(), "noticeMsgType must be 0 or 1"},
		{bar.NoticeBarType.bad || bar.NoticeBarType.n != 0 && bar.NoticeBarType.n != 2, "noticeBarType must be 0 or 2"},
		{expand.NoticeExpandType.bad || expand.NoticeExpandType.n < 0 || expand.NoticeExpandType.n > 2, "noticeExpandType must be 0 to 2"},
		{expand.NoticeExpandType.n == 1 && expand.NoticeExpandContent == "", "noticeExpandType 1 needs noticeExpandContent"},
		{expand.NoticeExpandType.n == 2 && (!account.VIP || expand.NoticeExpandImgURL == ""), "noticeExpandType 2 is for VIP apps, with noticeExpandImgUrl"},
		{click.ClickType.bad || click.ClickType.n < 0 || click.ClickType.n > 2, "clickType must be 0 to 2"},
		{click.ClickType.n == 1 && (click.Activity == "" || len(click.Activity) > 1000), "clickType 1 needs an activity of at most 1000 bytes"},
		{click.ClickType.n == 2 && (click.URL == "" || len(click.URL) > 1000), "clickType 2 needs a url of at most 1000 bytes"},
		{!object(click.Parameters), "parameters must be a JSON object"},
		{!when.OffLine.onOff(), "offLine must be 0 or 1"},
		{when.OffLine.or(1) == 1 && (when.ValidTime.bad || hours < 1 || hours > 72), "validTime must be 1 to 72 hours"},
		{advance.NotifyKey != "" && !keyForm.MatchString(advance.NotifyKey), "notifyKey must be at most 8 of 0-9 a-z A-Z _ -"},
		{len(in.VIPInfo) > 0 && !account.VIP, "vipInfo is for VIP apps"},
	} {
		if c.broken {
			return m, c.rule
		}
	}
	n := advance.NotificationType
	for _, s := range []flag{advance.Suspend, advance.ClearNoticeBar, advance.FixDisplay, n.Vibrate, n.Lights, n.Sound} {
		if !s.onOff() {
			return m, "a switch must be 0, 1, false or true"
		}
	}
	if rule := extra(in.Extra, account); rule != "" {
		return m, rule
	}
	return message{
		title: bar.Title, content: bar.Content, ext: string(click.Parameters), key: advance.NotifyKey, public: bar.NoticeMsgType.n == 0,
		quiet: n.Vibrate.or(1) == 0 && n.Lights.or(1) == 0 && n.Sound.or(1) == 0 && advance.Suspend.or(1) == 0,
	}, ""
}

func object(raw json.RawMessage) bool {
	var object map[string]json.RawMessage
	return len(raw) == 0 || json.Unmarshal(raw, &object) == nil && object != nil
}

func extra(extra map[string]json.RawMessage, account *Account) (rule string) {
	if extra == nil {
		return ""
	}
	var callback, param string
	_ = json.Unmarshal(extra["callback"], &callback) // what is no string is empty
	_ = json.Unmarshal(extra["callback.param"], &param)
	var kind flag
	if raw, ok := extra["callback.type"]; ok {
		_ = kind.UnmarshalJSON(raw) // never fails
	}
	switch {
	case callback == "" || len(callback) > 128:
		return "extra needs a callback of at most 128 bytes"
	case !slices.Contains(account.Callbacks, callback):
		return fmt.Sprintf("callback must be registered in the console; %d are", len(account.Callbacks))
	case len(param) > 64:
		return "callback.param must be at most 64 bytes"
	case kind.bad || kind.or(3) < 1 || kind.or(3) > 3:
		return "callback.type must be 1 to 3"
	}
	return ""
}
