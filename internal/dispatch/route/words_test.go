package route

import (
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/texts"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

func inGroup(name string) func(*hongyan.Message) {
	return func(m *hongyan.Message) {
		m.Conversation = hongyan.Conversation{Type: hongyan.ConversationGroup, ID: "g", Name: name}
	}
}

func content(kind hongyan.ContentType) func(*hongyan.Message) {
	return func(m *hongyan.Message) { m.Content = hongyan.Content{Type: kind} }
}

func call(media hongyan.CallMedia, action hongyan.CallAction) func(*hongyan.Message) {
	return func(m *hongyan.Message) {
		m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: media, Action: action, ID: "x"}}
	}
}

func TestWordsFollowTheContentRules(t *testing.T) {
	t.Parallel()
	all := func(changes ...func(*hongyan.Message)) func(*hongyan.Message) {
		return func(m *hongyan.Message) {
			for _, change := range changes {
				change(m)
			}
		}
	}
	titled := func(m *hongyan.Message) { m.OfflinePush.Title = "T" }
	described := func(m *hongyan.Message) { m.OfflinePush.Desc = "D" }
	everybody := func(m *hongyan.Message) { m.MentionAll = true }
	two := func(m *hongyan.Message) { m.Recipients = []string{"bob", "carol"} }
	const sender = hongyan.PreviewSender
	for name, c := range map[string]struct {
		change      func(*hongyan.Message)
		locale      string
		preview     hongyan.Preview
		kind        vendors.Kind
		title, body string
		text        string // the body without what leads it; the body where empty
	}{
		"nickname":              {nil, "", "", "", "Alice", "hi", ""},
		"sender_without_name":   {func(m *hongyan.Message) { m.Sender.Nickname = "" }, "", "", "", "alice", "hi", ""},
		"title_of_the_message":  {titled, "", "", "", "T", "hi", ""},
		"desc":                  {described, "", "", "", "Alice", "D", ""},
		"group":                 {inGroup("Hiking"), "", "", "", "Hiking", "Alice: hi", "hi"},
		"group_in_french":       {inGroup("Hiking"), "fr", "", "", "Hiking", "Alice\u00a0: hi", "hi"},
		"group_without_name":    {inGroup(""), "", "", "", "Alice", "hi", ""},
		"group_with_title":      {all(inGroup("Hiking"), titled), "", "", "", "T", "hi", ""},
		"group_with_desc":       {all(inGroup("Hiking"), described), "", "", "", "Hiking", "D", ""},
		"photo_in_chinese":      {content(hongyan.ContentImage), "zh-CN", "", "", "Alice", "[图片]", ""},
		"photo_in_hong_kong":    {content(hongyan.ContentImage), "zh-HK", "", "", "Alice", "[圖片]", ""},
		"photo_without_locale":  {content(hongyan.ContentImage), "", "", "", "Alice", "[图片]", ""},
		"photo_in_english":      {content(hongyan.ContentImage), "en-GB", "", "", "Alice", "[Photo]", ""},
		"video_for_a_frenchman": {content(hongyan.ContentVideo), "fr-FR", "", "", "Alice", "[Vidéo]", ""},
		"photo_for_a_dutchman":  {content(hongyan.ContentImage), "nl", "", "", "Alice", "[Photo]", ""},
		"photo_in_a_group":      {all(inGroup("Hiking"), content(hongyan.ContentImage)), "en", "", "", "Hiking", "Alice: [Photo]", "[Photo]"},
		"text_of_a_photo":       {all(content(hongyan.ContentImage), func(m *hongyan.Message) { m.Content.Text = "caption" }), "en", "", "", "Alice", "[Photo]", ""},
		"empty_text":            {func(m *hongyan.Message) { m.Content.Text = " " }, "en", "", "", "Alice", "[Message]", ""},
		"mention":               {inGroup("Hiking"), "zh-CN", "", vendors.KindMention, "Hiking", "[有人@我] Alice: hi", "hi"},
		"mention_of_everybody":  {all(inGroup("Hiking"), everybody), "en", "", vendors.KindMention, "Hiking", "[@All] Alice: hi", "hi"},
		"mention_without_name":  {inGroup(""), "en", "", vendors.KindMention, "Alice", "[You were mentioned] hi", "hi"},
		"mention_with_desc":     {all(inGroup("Hiking"), described), "en", "", vendors.KindMention, "Hiking", "D", ""},

		"voice":          {call("audio", "invite"), "en", "", vendors.KindCall, "Alice", "Incoming voice call", ""},
		"video":          {call("video", "invite"), "ja", "", vendors.KindCall, "Alice", "ビデオ通話の着信", ""},
		"group_call":     {all(inGroup("Hiking"), call("audio", "invite")), "en", "", vendors.KindCall, "Hiking", "Alice: Incoming group voice call", "Incoming group voice call"},
		"call_to_two":    {all(call("video", "invite"), two), "en", "", vendors.KindCall, "Alice", "Incoming group video call", ""},
		"cancelled":      {call("audio", "cancel"), "en", "", vendors.KindCall, "Alice", "Missed voice call", ""},
		"hung_up":        {call("video", "hangup"), "en", "", vendors.KindCall, "Alice", "Missed video call", ""},
		"answered":       {call("video", "answer"), "en", "", vendors.KindCall, "Alice", "Answered on another device", ""},
		"declined":       {call("video", "reject"), "en", "", vendors.KindCall, "Alice", "Declined on another device", ""},
		"cancelled_desc": {all(call("audio", "cancel"), described), "en", "", vendors.KindCall, "Alice", "D", ""},

		"sender_text":       {nil, "en", sender, "", "Alice", "New message", ""},
		"sender_photo":      {content(hongyan.ContentImage), "zh-CN", sender, "", "Alice", "新消息", ""},
		"sender_title_desc": {all(titled, described), "en", sender, "", "Alice", "New message", ""},
		"sender_group":      {all(inGroup("Hiking"), titled), "en", sender, vendors.KindMention, "Hiking", "[You were mentioned] Alice: New message", "New message"},
		"sender_call":       {all(call("audio", "invite"), described), "en", sender, vendors.KindCall, "Alice", "Incoming voice call", ""},

		"none_text":  {all(titled, described), "en", hongyan.PreviewNone, "", "New message", "New message", ""},
		"none_group": {inGroup("Hiking"), "de", hongyan.PreviewNone, vendors.KindMention, "Neue Nachricht", "Neue Nachricht", ""},
		"none_call":  {call("audio", "invite"), "en", hongyan.PreviewNone, vendors.KindCall, "New message", "New message", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			title, body, lead := words(message(c.change), texts.BuiltIn().For(c.locale), c.preview, c.kind)
			if title != c.title || body != c.body {
				t.Errorf("got %q, %q; want %q, %q", title, body, c.title, c.body)
			}
			if c.text == "" {
				c.text = c.body
			}
			if got := body[lead:]; got != c.text {
				t.Errorf("the text is %q, want %q", got, c.text)
			}
		})
	}
}

// What an operator's texts may do: name the sender themselves, so that nothing else does, or leave
// prefixes out.
func TestWordsOfAnOperator(t *testing.T) {
	t.Parallel()
	changed := texts.BuiltIn().With(texts.Changes{"en": {texts.Image: "{sender} sent a photo", texts.CallAudio: "{sender} is calling"}})
	bare := texts.BuiltIn().With(texts.Changes{"en": {texts.GroupPrefix: "", texts.MentionPrefix: ""}})
	for name, c := range map[string]struct {
		catalogue  *texts.Catalogue
		change     func(*hongyan.Message)
		kind       vendors.Kind
		body, text string
	}{
		"photo":             {changed, content(hongyan.ContentImage), "", "Alice sent a photo", "Alice sent a photo"},
		"mention":           {changed, content(hongyan.ContentImage), vendors.KindMention, "[You were mentioned] Alice sent a photo", "Alice sent a photo"},
		"video":             {changed, content(hongyan.ContentVideo), "", "Alice: [Video]", "[Video]"},
		"call":              {changed, call("audio", "invite"), vendors.KindCall, "Alice: Incoming group voice call", "Incoming group voice call"},
		"no_prefix":         {bare, nil, "", "hi", "hi"},
		"no_mention_prefix": {bare, nil, vendors.KindMention, "hi", "hi"},
	} {
		m := message(c.change)
		inGroup("Hiking")(m)
		title, body, lead := words(m, c.catalogue.For("en"), "", c.kind)
		if title != "Hiking" || body != c.body || body[lead:] != c.text {
			t.Errorf("%s: got %q, %q, text %q", name, title, body, body[lead:])
		}
	}
}

// Every content type has words, in every language.
func TestEveryContentHasWords(t *testing.T) {
	t.Parallel()
	for _, l := range texts.BuiltIn().Languages() {
		for _, kind := range hongyan.ContentTypes {
			change := content(kind)
			if kind == hongyan.ContentCall {
				change = call("audio", "invite")
			}
			if _, body, _ := words(message(change), l, "", ""); body == "" || kind != hongyan.ContentText && kind != hongyan.ContentCustom && body == l.Text(texts.Message) {
				t.Errorf("%s in %s is %q", kind, l.Tag(), body)
			}
		}
	}
}

func TestTheStricterPreviewWins(t *testing.T) {
	t.Parallel()
	order := []hongyan.Preview{hongyan.PreviewFull, hongyan.PreviewSender, hongyan.PreviewNone}
	for i, a := range order {
		for j, b := range order {
			want := order[max(i, j)]
			if want == hongyan.PreviewFull {
				want = ""
			}
			if got := (Policy{Preview: a}).PreviewOf(&directory.User{Settings: hongyan.Settings{Preview: b}}); got != want {
				t.Errorf("of %s and %s %q is stricter, want %q", a, b, got, want)
			}
		}
	}
	if got := (Policy{}).PreviewOf(&directory.User{}); got != "" {
		t.Errorf("nobody said anything: %q", got)
	}
	if got := (Policy{Preview: hongyan.PreviewNone}).PreviewOf(nil); got != hongyan.PreviewNone {
		t.Errorf("nothing is known of the user: %q", got)
	}
}

// A user's and the app's preview make variants of their own, with names that say so.
func TestComposeSeparatesPreviews(t *testing.T) {
	t.Parallel()
	m := message(nil)
	list := decisions(6, func(i int, d *Decision) {
		d.User, d.Device.Registration.Locale = "bob", "en"
		d.Preview = []hongyan.Preview{"", hongyan.PreviewSender, hongyan.PreviewNone}[i%3]
	})
	got := map[string]*dispatch.Job{}
	for _, j := range Compose(m, "demo", demo, list, noon, nil) {
		got[j.Variant] = j
	}
	for variant, preview := range map[string]hongyan.Preview{"en": "", "en-sender": hongyan.PreviewSender, "en-none": hongyan.PreviewNone} {
		j := got[variant]
		if j == nil || len(j.Targets) != 2 || j.Notification.Preview != preview || !strings.HasSuffix(j.Name(), "/"+variant) {
			t.Errorf("%s: %+v", variant, j)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d variants", len(got))
	}
}

// Of a user who wants no preview a stored job has no text either, and the ext tells the ids alone.
func TestComposeHides(t *testing.T) {
	t.Parallel()
	m := message(func(m *hongyan.Message) {
		inGroup("CanaryGroup")(m)
		m.Sender = hongyan.Sender{ID: "canary-sender", Nickname: "CanaryNick"}
		m.Content.Text = "CanaryText"
		o := &m.OfflinePush
		o.Title, o.Desc, o.Ext = "CanaryTitle", "CanaryDesc", `{"x":"CanaryExt"}`
		o.IOS.Title, o.IOS.Subtitle, o.IOS.Image, o.Android.Image, o.Harmony.Image = "CanaryTitle", "CanarySub", "https://canary/1", "https://canary/2", "https://canary/3"
		o.Android.XiaomiTemplateParams = map[string]string{"a": "CanaryX"}
		o.Android.OPPOTitleParams, o.Android.OPPOContentParams = map[string]string{"b": "CanaryO"}, map[string]string{"c": "CanaryO"}
	})
	asking := App{Accounts: map[string]Account{"c1": {App: "demo", Vendor: "huawei", Certificate: "c1", Options: func(o *hongyan.OfflinePush) vendors.Options {
		return vendors.Options{IOS: o.IOS, Android: o.Android, Harmony: o.Harmony}
	}}}}
	compose := func(preview hongyan.Preview) (*vendors.Notification, string) {
		job := Compose(m, "demo", asking, decisions(1, func(_ int, d *Decision) { d.Preview, d.Device.Registration.Locale = preview, "en" }), noon, nil)[0]
		data, err := job.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return job.Notification, strings.ToLower(string(data))
	}
	n, data := compose(hongyan.PreviewNone)
	if strings.Contains(data, "canary") {
		t.Errorf("none tells %s", data)
	}
	if want := `{"conversationID":"g","messageID":"m-1"}`; n.Ext != want {
		t.Errorf("the ext is %s, want %s", n.Ext, want)
	}
	for _, params := range []map[string]string{n.Android.XiaomiTemplateParams, n.Android.OPPOTitleParams, n.Android.OPPOContentParams} {
		for name, value := range params {
			if value != "New message" {
				t.Errorf("variable %s is %q", name, value)
			}
		}
		if len(params) != 1 {
			t.Errorf("a variable is missing: %v", params)
		}
	}
	n, data = compose(hongyan.PreviewSender)
	for _, word := range []string{"canarytext", "canarytitle", "canarydesc", "canarysub", "https://canary", "canaryx", "canaryo"} {
		if strings.Contains(data, word) {
			t.Errorf("sender tells %s", word)
		}
	}
	if n.Title != "CanaryGroup" || n.Body != "CanaryNick: New message" || n.Ext != m.OfflinePush.Ext {
		t.Errorf("sender shows %q, %q, %q", n.Title, n.Body, n.Ext)
	}
}

// Words are found for every device.
func TestWordsAreCheap(t *testing.T) {
	group := message(inGroup("Hiking"))
	l := texts.BuiltIn().For("en")
	for name, c := range map[string]struct {
		message *hongyan.Message
		kind    vendors.Kind
		most    float64
	}{
		"text": {message(nil), vendors.KindC2C, 0}, "photo": {message(content(hongyan.ContentImage)), vendors.KindC2C, 0},
		"group": {group, vendors.KindGroup, 1}, "mention": {group, vendors.KindMention, 1},
	} {
		if n := testing.AllocsPerRun(100, func() { words(c.message, l, "", c.kind) }); n > c.most {
			t.Errorf("%s: %v allocations, want at most %v", name, n, c.most)
		}
	}
}
