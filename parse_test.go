package hongyan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// event is a message event with one part of it replaced.
func event(parts ...string) string {
	const whole = `{"id":"m-1","conversation":{"type":"c2c","id":"c"},"sender":{"id":"alice"},"recipients":["bob"],"content":{"type":"text","text":"hi"}}`
	return strings.NewReplacer(parts...).Replace(whole)
}

// with is a message event with more fields.
func with(fields string) string { return event(`{"id":"m-1"`, `{`+fields+`,"id":"m-1"`) }

func invite(fields string) string {
	return event(`"type":"text","text":"hi"`, `"type":"call","call":{"media":"audio","action":"invite","call_id":"x"}`, `{"id":"m-1"`, `{`+fields+`"id":"m-1"`)
}

// What is malformed is said with its field, and with nothing of its text.
func TestParseMessageRefuses(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("n", n) }
	params := "{"
	for i := range 33 {
		params += fmt.Sprintf(`"p%d":"v",`, i)
	}
	params = strings.TrimSuffix(params, ",") + "}"
	for name, c := range map[string]struct{ data, says string }{
		"empty":                 {``, "not valid JSON"},
		"array":                 {`[]`, "not an object"},
		"text":                  {`"x"`, "not an object"},
		"cut_off":               {event()[:50], "not valid JSON, at byte"},
		"trailing_text":         {event() + "x", "not valid JSON"},
		"trailing_nul":          {event() + "\x00", "not valid JSON"},
		"two_objects":           {event() + event(), "something follows"},
		"utf16":                 {"\xff\xfe{\x00}\x00", "not valid JSON"},
		"duplicate_field":       {event(`"id":"m-1"`, `"id":"m-1","id":"m-2"`), "a field stands twice"},
		"no_id":                 {event(`"id":"m-1",`, ``), "id is missing"},
		"null_id":               {event(`"m-1"`, `null`), "id is missing"},
		"empty_id":              {event(`"m-1"`, `""`), "id is missing"},
		"long_id":               {event("m-1", long(129)), "id is 129 bytes long"},
		"number_for_id":         {event(`"m-1"`, `7`), "id has the wrong type"},
		"no_conversation":       {event(`"conversation":{"type":"c2c","id":"c"},`, ``), "conversation.type is missing"},
		"other_conversation":    {event("c2c", "room"), "conversation.type is none of c2c, group"},
		"long_conversation":     {event(`"id":"c"`, `"id":"`+long(1025)+`"`), "conversation.id is 1025 bytes long"},
		"no_sender":             {event(`"sender":{"id":"alice"},`, ``), "sender.id is missing"},
		"long_sender":           {event(`alice`, long(257)), "sender.id is 257 bytes long"},
		"long_nickname":         {event(`"id":"alice"`, `"id":"alice","nickname":"`+long(1025)+`"`), "sender.nickname is 1025 bytes long"},
		"no_recipients":         {event(`"recipients":["bob"],`, ``), "recipients is missing"},
		"no_recipient":          {event(`["bob"]`, `[]`), "recipients is missing"},
		"recipients_a_string":   {event(`["bob"]`, `"bob"`), "recipients has the wrong type"},
		"no_usable_recipient":   {event(`["bob"]`, `[7,null,"","`+long(257)+`"]`), "recipients has no user"},
		"too_many_recipients":   {event(`["bob"]`, `["`+strings.Repeat(`x","`, 10_000)+`y"]`), "recipients has 10001 users"},
		"too_large_recipients":  {event(`["bob"]`, `["`+strings.Repeat(long(255)+`","`, 4200)+`y"]`), "recipients are 1071001 bytes in all"},
		"no_type":               {event(`"type":"text",`, ``), "content.type is missing"},
		"other_type":            {event(`"type":"text"`, `"type":"hologram"`), "content.type is none"},
		"call_without_call":     {event(`"type":"text"`, `"type":"call"`), "content.call is missing"},
		"call_without_action":   {event(`"type":"text"`, `"type":"call","call":{"media":"audio","call_id":"x"}`), "content.call.action is missing"},
		"call_of_no_media":      {event(`"type":"text"`, `"type":"call","call":{"action":"invite","call_id":"x"}`), "content.call.media is missing"},
		"call_without_id":       {event(`"type":"text"`, `"type":"call","call":{"action":"invite","media":"video"}`), "content.call.call_id is missing"},
		"negative_ttl":          {with(`"ttl_seconds":-1`), "ttl_seconds is negative"},
		"half_a_second":         {with(`"ttl_seconds":0.5`), "ttl_seconds has the wrong type or value"},
		"word_for_ttl":          {with(`"ttl_seconds":"long"`), "ttl_seconds has the wrong type or value"},
		"endless_ttl":           {with(`"ttl_seconds":1e300`), "ttl_seconds has the wrong type or value"},
		"bad_time":              {with(`"sent_at":"yesterday"`), "sent_at has the wrong type or value"},
		"time_out_of_this_age":  {with(`"sent_at":1e300`), "sent_at has the wrong type or value"},
		"bad_unread":            {with(`"unread":{"secret-user":"x"}`), "unread has the wrong type"},
		"bad_flag":              {with(`"mention_all":"maybe"`), "mention_all has the wrong type"},
		"bad_sound":             {with(`"offline_push":{"ios":{"sound":7}}`), "offline_push.ios.sound has the wrong type"},
		"long_ext":              {with(`"offline_push":{"ext":"` + long(8193) + `"}`), "offline_push.ext is 8193 bytes long"},
		"long_channel":          {with(`"offline_push":{"android":{"oppo_channel_id":"` + long(1025) + `"}}`), "oppo_channel_id is 1025 bytes long"},
		"long_image":            {with(`"offline_push":{"harmony":{"image":"` + long(8193) + `"}}`), "harmony.image is 8193 bytes long"},
		"many_parameters":       {with(`"offline_push":{"android":{"oppo_title_params":` + params + `}}`), "oppo_title_params has 33 parameters"},
		"parameter_of_no_text":  {with(`"offline_push":{"android":{"oppo_title_params":{"secret-user":["x"]}}}`), "oppo_title_params has the wrong type"},
		"deep_nesting":          {with(`"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)), "not valid JSON"},
		"huge":                  {event("hi", long(5<<20)), "the most is 4194304"},
		"several_at_once":       {`{"recipients":["bob"]}`, "id is missing; conversation.type is missing; sender.id is missing; content.type is missing"},
		"seconds_of_the_future": {with(`"sent_at":"9999-12-31T23:00:00-05:00","ttl_seconds":-5`), "ttl_seconds is negative"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := hongyan.ParseMessage([]byte(c.data), noon)
			if !errors.Is(err, hongyan.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want ErrInvalid with %q", err, c.says)
			}
			if strings.Contains(err.Error(), "secret-user") || len(err.Error()) > 500 {
				t.Errorf("the error quotes the message: %v", err)
			}
		})
	}
}

// What has one meaning is taken, and counted by kind.
func TestParseMessageTakesInputsAsTheyCome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data string
		kind hongyan.RepairKind
		// got is what it was read as.
		got  func(*hongyan.Message) any
		want any
	}{
		// A text that was cut inside an emoji, and bytes that are no UTF-8.
		"lone_surrogate":         {event("hi", `生日快乐\ud83d`), hongyan.RepairText, body, "生日快乐\ufffd"},
		"lone_surrogate_in_name": {event(`"id":"alice"`, `"id":"alice","nickname":"\udd1eA"`), hongyan.RepairText, nickname, "\ufffdA"},
		"invalid_byte":           {event("hi", "a\xffb"), hongyan.RepairText, body, "a\ufffdb"},
		"cesu8":                  {event("hi", "\xed\xa0\xbd\xed\xb8\x80"), hongyan.RepairText, body, strings.Repeat("\ufffd", 6)},
		"invalid_byte_in_ext":    {with("\"offline_push\":{\"ext\":\"\xfe\"}"), hongyan.RepairText, ext, "\ufffd"},
		"byte_order_mark":        {"\ufeff" + event(), hongyan.RepairByteOrderMark, body, "hi"},
		"unknown_field":          {with(`"later":{"x":1}`), hongyan.RepairUnknownField, body, "hi"},
		"unknown_below":          {with(`"offline_push":{"ios":{"x":1}},"unread":[]`), hongyan.RepairUnknownField, body, "hi"},
		// Clocks that are ahead.
		"year_9999":          {with(`"sent_at":"9999-12-31T23:00:00Z"`), hongyan.RepairFuture, sentAt, noon},
		"year_10000":         {with(`"sent_at":"9999-12-31T23:00:00-05:00"`), hongyan.RepairFuture, sentAt, noon},
		"eight_hours":        {with(`"sent_at":"2026-11-26T20:00:00Z"`), hongyan.RepairFuture, deadline, noon.Add(24 * time.Hour)},
		"invite_eight_hours": {invite(`"sent_at":"2026-11-26T20:00:00Z",`), hongyan.RepairFuture, deadline, noon.Add(time.Minute)},
		"invite_two_minutes": {invite(`"sent_at":"2026-11-26T12:02:00Z",`), hongyan.RepairFuture, deadline, noon.Add(time.Minute)},
		"two_minutes":        {with(`"sent_at":"2026-11-26T12:02:00Z"`), "", sentAt, noon.Add(2 * time.Minute)},
		"months_of_life":     {with(`"ttl_seconds":99999999`), "", deadline, noon.Add(28 * 24 * time.Hour)},
		"months_from_ahead":  {with(`"ttl_seconds":99999999,"sent_at":"2026-11-26T12:04:00Z"`), "", deadline, noon.Add(28 * 24 * time.Hour)},
		// Names that cannot be seen, and names of several lines.
		"hangul_filler":     {event(`"id":"alice"`, `"id":"alice","nickname":"\u3164"`), hongyan.RepairName, nickname, ""},
		"zero_width_spaces": {event(`"id":"alice"`, `"id":"alice","nickname":"\u200b\u200b"`), hongyan.RepairName, nickname, ""},
		"wide_spaces":       {event(`"id":"alice"`, `"id":"alice","nickname":"\u3000\u00a0"`), hongyan.RepairName, nickname, ""},
		"soft_hyphen":       {event(`"id":"alice"`, `"id":"alice","nickname":"\u00ad\ufe0f\u2800"`), hongyan.RepairName, nickname, ""},
		"line_break":        {event(`"id":"alice"`, `"id":"alice","nickname":"Alice\r\nBank: your code"`), hongyan.RepairName, nickname, "Alice Bank: your code"},
		"line_separator":    {event(`"id":"alice"`, `"id":"alice","nickname":"Alice\u2028Bank\u0085"`), hongyan.RepairName, nickname, "Alice Bank"},
		"bidi_override":     {event(`"id":"alice"`, `"id":"alice","nickname":"\u202eecilA"`), hongyan.RepairName, nickname, "\u202eecilA\u202c"},
		"bidi_isolates":     {event(`"id":"alice"`, `"id":"alice","nickname":"\u2067a\u202bb"`), hongyan.RepairName, nickname, "\u2067a\u202bb\u202c\u2069"},
		"bidi_end_alone":    {event(`"id":"alice"`, `"id":"alice","nickname":"a\u2069b"`), hongyan.RepairName, nickname, "ab"},
		"closed_bidi":       {event(`"id":"alice"`, `"id":"alice","nickname":"\u2067a\u2069b"`), "", nickname, "\u2067a\u2069b"},
		"family_emoji":      {event(`"id":"alice"`, `"id":"alice","nickname":"👨‍👩‍👧"`), "", nickname, "👨‍👩‍👧"},
		"title_of_lines":    {with(`"offline_push":{"title":"a\nb","desc":" \u200b"}`), hongyan.RepairName, func(m *hongyan.Message) any { return m.OfflinePush.Title + m.OfflinePush.Desc }, "a b"},
		// Neighbouring types.
		"unread_list":         {with(`"unread":[]`), hongyan.RepairEmpty, unread, 0},
		"unread_text":         {with(`"unread":{"bob":"5"}`), hongyan.RepairNumber, unread, 5},
		"unread_decimal":      {with(`"unread":{"bob":5.0}`), hongyan.RepairNumber, unread, 5},
		"unread_negative":     {with(`"unread":{"bob":-5}`), hongyan.RepairField, unread, 0},
		"unread_null":         {with(`"unread":{"bob":null}`), "", unread, 0},
		"ttl_decimal":         {with(`"ttl_seconds":3600.0`), hongyan.RepairNumber, deadline, noon.Add(time.Hour)},
		"ttl_exponent":        {with(`"ttl_seconds":8.64e+4`), hongyan.RepairNumber, deadline, noon.Add(24 * time.Hour)},
		"ttl_text":            {with(`"ttl_seconds":"60"`), hongyan.RepairNumber, deadline, noon.Add(time.Minute)},
		"ttl_empty":           {with(`"ttl_seconds":""`), hongyan.RepairEmpty, deadline, noon.Add(24 * time.Hour)},
		"ext_object":          {with(`"offline_push":{"ext":{"a": [1, "\u4e2d"]}}`), hongyan.RepairExt, ext, `{"a":[1,"\u4e2d"]}`},
		"ext_empty_object":    {with(`"offline_push":{"ext":{}}`), hongyan.RepairEmpty, ext, ""},
		"ext_null":            {with(`"offline_push":{"ext":null}`), "", ext, ""},
		"params_list":         {with(`"offline_push":{"android":{"xiaomi_template_params":[]}}`), hongyan.RepairEmpty, xiaomi, ""},
		"params_numbers":      {with(`"offline_push":{"android":{"xiaomi_template_params":{"n":5}}}`), hongyan.RepairParameter, xiaomi, "5"},
		"flag_text":           {with(`"mention_all":"true"`), hongyan.RepairBoolean, func(m *hongyan.Message) any { return m.MentionAll }, true},
		"push_list":           {with(`"offline_push":[]`), hongyan.RepairEmpty, ext, ""},
		"push_text":           {with(`"offline_push":""`), hongyan.RepairEmpty, ext, ""},
		"mentions_null":       {with(`"mentions":null`), "", body, "hi"},
		"mentions_text":       {with(`"mentions":""`), hongyan.RepairEmpty, body, "hi"},
		"classification_text": {with(`"offline_push":{"android":{"vivo_classification":"1"}}`), hongyan.RepairNumber, func(m *hongyan.Message) any { return *m.OfflinePush.Android.VivoClassification }, 1},
		// Times.
		"no_zone":       {with(`"sent_at":"2026-11-26T10:00:00.000"`), hongyan.RepairTime, sentAt, noon.Add(-2 * time.Hour)},
		"plus_0000":     {with(`"sent_at":"2026-11-26T10:00:00+0000"`), hongyan.RepairTime, sentAt, noon.Add(-2 * time.Hour)},
		"plus_0800":     {with(`"sent_at":"2026-11-26T18:00:00+0800"`), hongyan.RepairTime, sentAt, noon.Add(-2 * time.Hour)},
		"lower_case":    {with(`"sent_at":"2026-11-26t10:00:00z"`), hongyan.RepairTime, sentAt, noon.Add(-2 * time.Hour)},
		"blank":         {with(`"sent_at":"2026-11-26 10:00:00"`), hongyan.RepairTime, sentAt, noon.Add(-2 * time.Hour)},
		"empty_time":    {with(`"sent_at":""`), hongyan.RepairEmpty, sentAt, noon},
		"unix":          {with(fmt.Sprintf(`"sent_at":%d`, noon.Add(-time.Hour).Unix())), hongyan.RepairTime, sentAt, noon.Add(-time.Hour)},
		"unix_text":     {with(fmt.Sprintf(`"sent_at":"%d"`, noon.Add(-time.Hour).Unix())), hongyan.RepairTime, sentAt, noon.Add(-time.Hour)},
		"unix_ms":       {with(fmt.Sprintf(`"sent_at":%d`, noon.Add(-time.Hour).UnixMilli())), hongyan.RepairTime, sentAt, noon.Add(-time.Hour)},
		"unix_fraction": {with(fmt.Sprintf(`"sent_at":%d.5`, noon.Add(-time.Hour).Unix())), hongyan.RepairTime, sentAt, noon.Add(-time.Hour + 500*time.Millisecond)},
		// Recipients.
		"null_recipient":   {event(`["bob"]`, `["bob",null]`), hongyan.RepairRecipient, recipients, "bob"},
		"empty_recipient":  {event(`["bob"]`, `["","bob"]`), hongyan.RepairRecipient, recipients, "bob"},
		"long_recipient":   {event(`["bob"]`, `["`+strings.Repeat("x", 257)+`","bob"]`), hongyan.RepairRecipient, recipients, "bob"},
		"number_recipient": {event(`["bob"]`, `["bob",7,{"a":1}]`), hongyan.RepairRecipient, recipients, "bob"},
		"repeated":         {event(`["bob"]`, `["bob","eve","bob"]`), "", recipients, "bob eve"},
		"bad_mention":      {with(`"mentions":["eve",null]`), hongyan.RepairRecipient, func(m *hongyan.Message) any { return strings.Join(m.Mentions, " ") }, "eve"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, repairs, err := hongyan.ParseMessage([]byte(c.data), noon)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.got(m); got != c.want {
				t.Errorf("read as %q, want %q", got, c.want)
			}
			if !has(repairs, c.kind) {
				t.Errorf("repairs %v, want %q", repairs, c.kind)
			}
			if _, err := json.Marshal(m); err != nil {
				t.Errorf("it cannot be written again: %v", err)
			}
			if err := m.Validate(); err != nil {
				t.Errorf("what was read is not valid: %v", err)
			}
		})
	}
}

// has says whether a kind is among the repairs; the empty kind asks for no repairs.
func has(repairs hongyan.Repairs, kind hongyan.RepairKind) bool {
	for _, r := range repairs {
		if r.Kind == kind {
			return true
		}
	}
	return kind == "" && len(repairs) == 0
}

func body(m *hongyan.Message) any       { return m.Content.Text }
func nickname(m *hongyan.Message) any   { return m.Sender.Nickname }
func ext(m *hongyan.Message) any        { return m.OfflinePush.Ext }
func sentAt(m *hongyan.Message) any     { return m.SentAt.UTC() }
func deadline(m *hongyan.Message) any   { return m.Deadline().UTC() }
func unread(m *hongyan.Message) any     { return m.Unread["bob"] }
func xiaomi(m *hongyan.Message) any     { return m.OfflinePush.Android.XiaomiTemplateParams["n"] }
func recipients(m *hongyan.Message) any { return strings.Join(m.Recipients, " ") }

// The client refuses what a worker would end as malformed, with the same sentence.
func TestClientAndWorkerJudgeAlike(t *testing.T) {
	t.Parallel()
	for _, m := range []hongyan.Message{
		{}, {ID: strings.Repeat("m", 200), Recipients: []string{""}, TTLSeconds: -1},
		{ID: "m", Content: hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Action: "dance"}}},
		{ID: "m", OfflinePush: hongyan.OfflinePush{Ext: strings.Repeat("x", hongyan.MaxExt+1)}},
	} {
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		_, _, worker := hongyan.ParseMessage(data, noon)
		client := m.Validate()
		if worker == nil || client == nil || worker.Error() != client.Error() {
			t.Errorf("the client says %v, the worker %v", client, worker)
		}
	}
}

// A field of a registration that cannot be understood counts as absent, and the rest holds.
func TestParseDevice(t *testing.T) {
	t.Parallel()
	device := hongyan.Device{Certificate: "c", Token: "t", RegisteredAt: noon}
	for name, c := range map[string]struct {
		data string
		want hongyan.Device
		kind hongyan.RepairKind
	}{
		"plain":             {`{"certificate":"c","token":"t"}`, device, ""},
		"voip_empty":        {`{"certificate":"c","token":"t","voip":{}}`, device, hongyan.RepairEmpty},
		"voip_placeholders": {`{"certificate":"c","token":"t","voip":{"certificate":"","token":""}}`, device, hongyan.RepairEmpty},
		"voip_half":         {`{"certificate":"c","token":"t","voip":{"certificate":"v"}}`, device, hongyan.RepairField},
		"voip_text":         {`{"certificate":"c","token":"t","voip":"x"}`, device, hongyan.RepairField},
		"voip_list":         {`{"certificate":"c","token":"t","voip":[]}`, device, hongyan.RepairEmpty},
		"time_empty":        {`{"certificate":"c","token":"t","registered_at":""}`, device, hongyan.RepairEmpty},
		"time_nonsense":     {`{"certificate":"c","token":"t","registered_at":"soon"}`, device, hongyan.RepairField},
		"time_unix_ms":      {`{"certificate":"c","token":"t","registered_at":1795715719000}`, device, hongyan.RepairFuture},
		"time_ahead":        {`{"certificate":"c","token":"t","registered_at":"2026-12-26T12:00:00Z"}`, device, hongyan.RepairFuture},
		"time_year_9999":    {`{"certificate":"c","token":"t","registered_at":"9999-12-31T23:00:00-05:00"}`, device, hongyan.RepairFuture},
		"region_number":     {`{"certificate":"c","token":"t","region":1}`, device, hongyan.RepairField},
		"locale_long":       {`{"certificate":"c","token":"t","locale":"` + strings.Repeat("x", 36) + `"}`, device, hongyan.RepairField},
		"switch_unknown":    {`{"certificate":"c","token":"t","notifications":"perhaps"}`, device, hongyan.RepairField},
		"token_spaces":      {`{"certificate":"c","token":" t\n"}`, device, hongyan.RepairToken},
		"byte_order_mark":   {"\ufeff" + `{"certificate":"c","token":"t"}`, device, hongyan.RepairByteOrderMark},
		"nulls":             {`{"certificate":"c","token":"t","voip":null,"registered_at":null,"locale":null}`, device, ""},
		"invalid_bytes":     {"{\"certificate\":\"c\",\"token\":\"t\",\"model\":\"\xff\"}", hongyan.Device{Certificate: "c", Token: "t", RegisteredAt: noon, Model: "\ufffd"}, hongyan.RepairText},
		"no_token":          {`{"certificate":"c","registration_error":"907135000"}`, hongyan.Device{Certificate: "c", RegistrationError: "907135000", RegisteredAt: noon}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, repairs, err := hongyan.ParseDevice([]byte(c.data), noon)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if !has(repairs, c.kind) {
				t.Errorf("repairs %v, want %q", repairs, c.kind)
			}
		})
	}
	for _, bad := range []string{
		``, `[]`, `{`, `{"token":"t"}`, `{"certificate":"a b","token":"t"}`, `{"certificate":"c"}`, `{"certificate":7,"token":"t"}`,
		`{"certificate":"c","token":"` + strings.Repeat("t", 4097) + `"}`, `{"certificate":"c","token":"t"}` + strings.Repeat(" ", 8<<10), `{"certificate":"c","token":"t"}` + "\x00",
	} {
		if d, _, err := hongyan.ParseDevice([]byte(bad), noon); !errors.Is(err, hongyan.ErrInvalid) {
			t.Errorf("%.60s is taken as %+v, %v", bad, d, err)
		}
	}
}

func TestParsePresence(t *testing.T) {
	t.Parallel()
	three := 3
	out := hongyan.Presence{State: hongyan.StateLoggedOut, At: noon}
	for data, want := range map[string]hongyan.Presence{
		`{"state":"logged_out"}`:                             out,
		`{"state":"logged_out","at":"never"}`:                out,
		`{"state":"logged_out","at":{"x":1}}`:                out,
		`{"state":"logged_out","at":"2027-01-01T00:00:00Z"}`: out,
		`{"state":"logged_out","unread":-1}`:                 out,
		`{"state":"logged_out","unread":"many","gateway":7}`: out,
		`{"state":"logged_out","unread":"3"}`:                {State: hongyan.StateLoggedOut, At: noon, Unread: &three},
		`{"state":"logged_out","at":1795600000}`:             {State: hongyan.StateLoggedOut, At: time.Unix(1795600000, 0).UTC()},
		`{"state":"foreground","at":"","gateway":""}`:        {State: hongyan.StateForeground, At: noon},
	} {
		got, _, err := hongyan.ParsePresence([]byte(data), noon)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", data, err, diff)
		}
	}
	for _, bad := range []string{``, `{}`, `{"state":"asleep"}`, `{"state":7}`, `{"state":null}`, `[]`} {
		if _, _, err := hongyan.ParsePresence([]byte(bad), noon); !errors.Is(err, hongyan.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", bad, err)
		}
	}
}

// One wrong part of the settings does not lose the others.
func TestParseSettings(t *testing.T) {
	t.Parallel()
	muted := map[string]hongyan.Mute{"c2c_alice": hongyan.MuteAll}
	night := &hongyan.QuietWindow{From: "22:00", To: "08:00"}
	for data, want := range map[string]hongyan.Settings{
		`{}`: {},
		`{"conversations":{"c2c_alice":"muted"},"quiet_hours":{"from":"22:00","to":"08:00","timezone":"GMT+8"}}`:      {Conversations: muted},
		`{"conversations":{"c2c_alice":"muted"},"quiet_hours":{"from":"22","to":"08:00"}}`:                            {Conversations: muted},
		`{"conversations":{"c2c_alice":"muted"},"quiet_hours":{"from":"","to":""}}`:                                   {Conversations: muted},
		`{"conversations":{"c2c_alice":"muted"},"quiet_hours":[]}`:                                                    {Conversations: muted},
		`{"conversations":{"c2c_alice":"muted"},"quiet_hours":"night"}`:                                               {Conversations: muted},
		`{"conversations":{"c2c_alice":"muted","g":"loud","h":7,"i":null}}`:                                           {Conversations: muted},
		`{"conversations":{"c2c_alice":"muted"},"preview":"half"}`:                                                    {Conversations: muted},
		`{"conversations":[],"quiet_hours":{"from":"22:00","to":"08:00"}}`:                                            {QuietHours: night},
		`{"conversations":["g"],"quiet_hours":{"from":"22:00","to":"08:00"},"preview":"none"}`:                        {QuietHours: night, Preview: hongyan.PreviewNone},
		`{"conversations":{"c2c_alice":"muted"},"quiet_hours":{"from":"22:00:00","to":"24:00","timezone":"Etc/UTC"}}`: {Conversations: muted, QuietHours: &hongyan.QuietWindow{From: "22:00:00", To: "24:00", Timezone: "Etc/UTC"}},
	} {
		got, repairs, err := hongyan.ParseSettings([]byte(data), nil)
		if got.Conversations != nil && len(got.Conversations) == 0 {
			got.Conversations = nil
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", data, err, diff)
		}
		if dropped := strings.Contains(data, "GMT+8") || strings.Contains(data, "loud") || strings.Contains(data, "night"); dropped && !has(repairs, hongyan.RepairField) {
			t.Errorf("%s: repairs %v do not say that something was dropped", data, repairs)
		}
	}
	for _, bad := range []string{``, `[]`, `{"conversations":`, `{"preview":"none"}` + strings.Repeat(" ", 256<<10)} {
		if _, _, err := hongyan.ParseSettings([]byte(bad), nil); !errors.Is(err, hongyan.ErrInvalid) {
			t.Errorf("%.40s: %v, want ErrInvalid", bad, err)
		}
	}
}

func TestParseSignal(t *testing.T) {
	t.Parallel()
	three := 3
	for data, want := range map[string]hongyan.Signal{
		`{"type":"recall","message_id":"m-1"}`:                                                         {Type: hongyan.SignalRecall, MessageID: "m-1"},
		`{"type":"recall","message_id":"m-1","conversation":"c","sent_at":"2027-01-01T00:00:00Z"}`:     {Type: hongyan.SignalRecall, MessageID: "m-1", Conversation: "c", SentAt: noon},
		`{"type":"read","user":"bob","conversation":"c","unread":"3"}`:                                 {Type: hongyan.SignalRead, User: "bob", Conversation: "c", At: noon, Unread: &three},
		`{"type":"read","user":"bob","conversation":"c","at":"2026-11-26T11:00:00+0000","unread":3.0}`: {Type: hongyan.SignalRead, User: "bob", Conversation: "c", At: noon.Add(-time.Hour), Unread: &three},
	} {
		got, _, err := hongyan.ParseSignal([]byte(data), noon)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", data, err, diff)
		}
	}
	for data, says := range map[string]string{
		``: "not valid JSON", `{}`: "type is missing", `{"type":"typing"}`: "type is none of recall, read", `{"type":"recall"}`: "message_id is missing",
		`{"type":"read","conversation":"c"}`: "user is missing", `{"type":"read","user":"bob"}`: "conversation is missing",
		`{"type":"read","user":"bob","conversation":"c","unread":-1}`: "unread is negative", `{"type":"read","user":"bob","conversation":"c","at":"x"}`: "at has the wrong type",
	} {
		if _, _, err := hongyan.ParseSignal([]byte(data), noon); !errors.Is(err, hongyan.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want ErrInvalid with %q", data, err, says)
		}
	}
}

func TestParseLease(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]time.Time{
		`{"since":"2026-11-26T12:00:00Z"}`: noon, `{}`: {}, `{"since":""}`: {}, `{"since":"long ago"}`: {}, `{"at":"2026-11-26T12:00:00Z"}`: {},
		fmt.Sprintf(`{"since":%d}`, noon.UnixMilli()): noon,
	} {
		if l, _, err := hongyan.ParseLease([]byte(data)); !l.Since.Equal(want) || err != nil {
			t.Errorf("%s: %v, %v; want %v", data, l.Since, err, want)
		}
	}
	if _, _, err := hongyan.ParseLease([]byte("alive")); !errors.Is(err, hongyan.ErrInvalid) {
		t.Errorf("a lease that is no JSON: %v", err)
	}
}

func TestParseOutcomes(t *testing.T) {
	t.Parallel()
	const line = `{"message_id":"m","app":"demo","vendor":"","certificate":"","status":"suppressed","at":"2026-11-26T12:00:00Z","devices":[{"user":"bob","device":"","reason":"no_device","vendor_code":"","vendor_id":"","attempt":0,"latency_ms":0}]}`
	got, err := hongyan.ParseOutcomes([]byte(line + "\n" + line + "\n"))
	if err != nil || len(got) != 2 || got[1].Status != hongyan.StatusSuppressed || got[1].Devices[0].Reason != hongyan.NoDevice {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := hongyan.ParseOutcomes([]byte(line + "\n{")); err == nil || len(got) != 1 {
		t.Errorf("a line that is cut off: %+v, %v", got, err)
	}
}

// Whatever comes, nothing panics; what is read can be written and reads the same again.
func FuzzParseMessage(f *testing.F) {
	for _, seed := range []string{
		event(), "\ufeff" + event(), event("hi", `\ud83d`), event("hi", "\xff"), with(`"unread":[]`), with(`"unread":{"u":"5"}`), with(`"sent_at":1.7e9`),
		with(`"sent_at":"2026-11-26T10:00:00+0000"`), with(`"ttl_seconds":8.64e4`), with(`"offline_push":{"ext":{"a":[]}}`), event(`["bob"]`, `["bob",null,7]`),
		event(`"id":"alice"`, `"id":"alice","nickname":"\u3164\r\n\u202e"`), with(`"offline_push":{"android":{"xiaomi_template_params":[],"vivo_classification":""}}`),
		invite(`"sent_at":"9999-12-31T23:59:59Z",`), event() + "\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, _, err := hongyan.ParseMessage(data, noon)
		if err != nil {
			if !errors.Is(err, hongyan.ErrInvalid) {
				t.Fatalf("not ErrInvalid: %v", err)
			}
			return
		}
		if m.Deadline().After(noon.Add(28 * 24 * time.Hour)) {
			t.Fatalf("it lives until %v", m.Deadline())
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		n, repairs, err := hongyan.ParseMessage(again, noon)
		if err != nil || len(repairs) > 0 {
			t.Fatalf("what was read is read again with %v, %v", repairs, err)
		}
		if diff := cmp.Diff(m, n); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Whatever stands in a record, nothing panics, and what is read is good.
func FuzzParseRecords(f *testing.F) {
	for _, seed := range []string{
		`{"certificate":"c","token":" t ","voip":{},"registered_at":"","region":1}`, `{"state":"logged_out","at":"x","unread":"5"}`,
		`{"quiet_hours":{"from":"22:00","to":"24:00","timezone":"GMT+8"},"conversations":{"c":"muted"}}`, `{"quiet_hours":[],"conversations":[]}`,
		`{"since":1795715719000}`, `{"type":"read","user":"u","conversation":"c","unread":"3"}`, "\ufeff{}", "{}\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, _, err := hongyan.ParseDevice(data, noon); err == nil && (d.Validate() != nil || d.RegisteredAt.After(noon)) {
			t.Fatalf("registration %+v: %v", d, d.Validate())
		}
		if p, _, err := hongyan.ParsePresence(data, noon); err == nil && (p.Validate() != nil || p.At.After(noon)) {
			t.Fatalf("presence %+v: %v", p, p.Validate())
		}
		if s, _, err := hongyan.ParseSettings(data, nil); err == nil && s.Validate() != nil {
			t.Fatalf("settings %+v: %v", s, s.Validate())
		}
		if s, _, err := hongyan.ParseSignal(data, noon); err == nil && (s.Validate() != nil || s.At.After(noon)) {
			t.Fatalf("signal %+v: %v", s, s.Validate())
		}
		_, _, _ = hongyan.ParseLease(data)
		_, _ = hongyan.ParseOutcomes(data)
	})
}
