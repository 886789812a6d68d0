package hongyan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrInvalid is what every complaint about a value of the caller's wraps: publishing it again would
// fail again.
var ErrInvalid = errors.New("invalid")

// Bounds of a message event. One that exceeds them becomes a dead letter with reason malformed.
const (
	MaxMessage        = 4 << 20 // of the whole event, in bytes
	MaxMessageID      = 128
	MaxRecipients     = 10_000
	MaxRecipientBytes = 1 << 20 // of all recipients together
	MaxUserID         = 256     // of a user or device
	MaxName           = 1 << 10 // of other ids and of names
	MaxExt            = 8 << 10 // of ext, and of the address of an image
	MaxTemplateParams = 32
)

// Bounds of directory records. A record that exceeds them counts as absent.
const (
	MaxRecord   = 8 << 10   // of a registration or presence, in bytes
	MaxSettings = 256 << 10 // of settings, in bytes
	MaxToken    = 4 << 10
	MaxLocale   = 35
)

// judgement gathers what is wrong with a value. The sentences name fields and rules and hold
// nothing of the value, so that they can stand in logs and dead letters.
type judgement struct {
	problems []string
	// repairs is where fields that were dropped are noted. Where it is nil, a bad optional field is
	// a problem; else it counts as absent.
	repairs *Repairs
}

func (j *judgement) add(format string, args ...any) {
	j.problems = append(j.problems, fmt.Sprintf(format, args...))
}

// optional judges a field that a directory record can do without; drop makes it absent.
func (j *judgement) optional(field string, ok bool, drop func(), rule string, args ...any) {
	switch {
	case ok:
	case j.repairs == nil:
		j.add("%s %s", field, fmt.Sprintf(rule, args...))
	default:
		drop()
		j.repairs.add(RepairField, field)
	}
}

func (j *judgement) err(what string) error {
	if len(j.problems) == 0 {
		return nil
	}
	return fmt.Errorf("%w %s: %s", ErrInvalid, what, strings.Join(j.problems, "; "))
}

// word judges the name of an app or certificate.
func (j *judgement) word(field, s string) {
	switch {
	case s == "":
		j.add("%s is missing", field)
	case !isWord(s):
		j.add("%s is not 1 to %d of A-Z a-z 0-9 _ -", field, MaxWord)
	}
}

// required judges an id that must be there.
func (j *judgement) required(field, s string, limit int) {
	if s == "" {
		j.add("%s is missing", field)
	}
	j.length(field, s, limit)
}

func (j *judgement) length(field, s string, limit int) {
	if len(s) > limit {
		j.add("%s is %d bytes long, the most is %d", field, len(s), limit)
	}
}

// owner judges the names in a directory subject.
func (j *judgement) owner(field, s string) {
	j.required(field, s, MaxUserID)
	if !utf8.ValidString(s) {
		j.add("%s is not valid UTF-8", field)
	}
}

// oneOf judges a word of a closed list that must be there.
func oneOf[T ~string](j *judgement, field string, v T, list []T) {
	switch {
	case v == "":
		j.add("%s is missing", field)
	case !slices.Contains(list, v):
		j.add("%s is none of %s", field, words(list))
	}
}

func words[T ~string](list []T) string {
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = string(v)
	}
	return strings.Join(all, ", ")
}

// Validate says everything for which a worker would end the message as malformed, at once; nil when
// it would take it. The error is [ErrInvalid].
func (m *Message) Validate() error {
	var j judgement
	j.required("id", m.ID, MaxMessageID)
	oneOf(&j, "conversation.type", m.Conversation.Type, ConversationTypes[:])
	j.required("sender.id", m.Sender.ID, MaxUserID)
	if m.TTLSeconds < 0 {
		j.add("ttl_seconds is negative")
	}
	j.recipients(m.Recipients)
	j.content(&m.Content)
	j.bounds(m)
	return j.err("message")
}

func usableRecipient(user string) bool { return user != "" && len(user) <= MaxUserID }

func (j *judgement) recipients(recipients []string) {
	if n := len(recipients); n > MaxRecipients {
		j.add("recipients has %d users, the most is %d: split the message", n, MaxRecipients)
	}
	total, usable := 0, false
	for _, r := range recipients {
		if usableRecipient(r) {
			total, usable = total+len(r), true
		}
	}
	switch {
	case len(recipients) == 0:
		j.add("recipients is missing or empty")
	case !usable:
		j.add("recipients has no user of 1 to %d bytes", MaxUserID)
	}
	if total > MaxRecipientBytes {
		j.add("recipients are %d bytes in all, the most is %d", total, MaxRecipientBytes)
	}
}

func (j *judgement) content(c *Content) {
	oneOf(j, "content.type", c.Type, ContentTypes[:])
	if c.Type != ContentCall {
		return
	}
	if c.Call == nil {
		j.add("content.call is missing")
		return
	}
	oneOf(j, "content.call.action", c.Call.Action, CallActions[:])
	oneOf(j, "content.call.media", c.Call.Media, []CallMedia{CallAudio, CallVideo})
	j.required("content.call.call_id", c.Call.ID, MaxName)
}

// bounds judges the sizes of what else a message holds. Texts may be longer and are shortened.
func (j *judgement) bounds(m *Message) {
	push := &m.OfflinePush
	ios, android, harmony := &push.IOS, &push.Android, &push.Harmony
	for _, f := range [...]struct{ field, value string }{
		{"conversation.id", m.Conversation.ID}, {"conversation.name", m.Conversation.Name}, {"sender.nickname", m.Sender.Nickname},
		{"offline_push.ios.push_type", ios.PushType}, {"offline_push.ios.sound", ios.Sound},
		{"offline_push.ios.interruption_level", ios.InterruptionLevel}, {"offline_push.ios.category", ios.Category},
		{"offline_push.android.sound", android.Sound}, {"offline_push.android.style", android.Style},
		{"offline_push.android.fcm_channel_id", android.FCMChannelID}, {"offline_push.android.fcm_priority", android.FCMPriority},
		{"offline_push.android.huawei_channel_id", android.HuaweiChannelID}, {"offline_push.android.huawei_category", android.HuaweiCategory},
		{"offline_push.android.huawei_importance", android.HuaweiImportance}, {"offline_push.android.honor_importance", android.HonorImportance},
		{"offline_push.android.xiaomi_channel_id", android.XiaomiChannelID}, {"offline_push.android.xiaomi_template_id", android.XiaomiTemplateID},
		{"offline_push.android.oppo_channel_id", android.OPPOChannelID}, {"offline_push.android.oppo_category", android.OPPOCategory},
		{"offline_push.android.oppo_template_id", android.OPPOTemplateID}, {"offline_push.android.vivo_category", android.VivoCategory},
		{"offline_push.harmony.category", harmony.Category}, {"offline_push.harmony.sound", harmony.Sound},
	} {
		j.length(f.field, f.value, MaxName)
	}
	j.length("sender.device", m.Sender.Device, MaxUserID)
	j.length("offline_push.ext", push.Ext, MaxExt)
	j.length("offline_push.ios.image", ios.Image, MaxExt)
	j.length("offline_push.android.image", android.Image, MaxExt)
	j.length("offline_push.harmony.image", harmony.Image, MaxExt)
	j.params("offline_push.android.xiaomi_template_params", android.XiaomiTemplateParams)
	j.params("offline_push.android.oppo_title_params", android.OPPOTitleParams)
	j.params("offline_push.android.oppo_content_params", android.OPPOContentParams)
}

func (j *judgement) params(field string, params map[string]string) {
	if len(params) > MaxTemplateParams {
		j.add("%s has %d parameters, the most is %d", field, len(params), MaxTemplateParams)
	}
	for name := range params {
		if len(name) > MaxName {
			j.add("%s has a parameter whose name is longer than %d bytes", field, MaxName)
			return
		}
	}
}

// Validate says everything that makes the registration useless, and what workers would ignore in
// it; nil when it is good. The error is [ErrInvalid].
func (d *Device) Validate() error {
	var j judgement
	j.device(d)
	return j.err("registration")
}

func (j *judgement) device(d *Device) {
	j.word("certificate", d.Certificate)
	j.length("token", d.Token, MaxToken)
	if v := d.VoIP; v != nil {
		good := isWord(v.Certificate) && v.Token != "" && len(v.Token) <= MaxToken
		j.optional("voip", good, func() { d.VoIP = nil }, "needs a certificate and a token of at most %d bytes", MaxToken)
	}
	if d.Token == "" && d.VoIP == nil && d.RegistrationError == "" {
		j.add("token is missing")
	}
	j.optional("locale", len(d.Locale) <= MaxLocale, func() { d.Locale = "" }, "is longer than %d bytes", MaxLocale)
	switches := d.Notifications == "" || d.Notifications == SwitchOn || d.Notifications == SwitchOff
	j.optional("notifications", switches, func() { d.Notifications = "" }, "is neither on nor off")
	for _, f := range [...]struct {
		field string
		value *string
	}{
		{"platform", &d.Platform}, {"region", &d.Region}, {"model", &d.Model}, {"os_version", &d.OSVersion},
		{"app_version", &d.AppVersion}, {"registration_error", &d.RegistrationError},
	} {
		j.optional(f.field, len(*f.value) <= MaxName, func() { *f.value = "" }, "is longer than %d bytes", MaxName)
	}
}

// Validate says everything that makes the presence useless, and what workers would ignore in it;
// nil when it is good. The error is [ErrInvalid].
func (p *Presence) Validate() error {
	var j judgement
	j.presence(p)
	return j.err("presence")
}

func (j *judgement) presence(p *Presence) {
	oneOf(j, "state", p.State, PresenceStates[:])
	j.optional("unread", p.Unread == nil || *p.Unread >= 0, func() { p.Unread = nil }, "is negative")
	j.optional("gateway", len(p.Gateway) <= MaxUserID, func() { p.Gateway = "" }, "is longer than %d bytes", MaxUserID)
}

// Validate says everything in the settings that workers would ignore; nil when they are good. The
// error is [ErrInvalid].
func (s *Settings) Validate() error {
	var j judgement
	j.settings(s, loadLocation)
	return j.err("settings")
}

func (j *judgement) settings(s *Settings, zone func(string) (*time.Location, error)) {
	if q := s.QuietHours; q != nil {
		drop := func() { s.QuietHours = nil }
		_, fromOK := ClockTime(q.From)
		_, toOK := ClockTime(q.To)
		j.optional("quiet_hours.from", fromOK, drop, "is not HH:MM")
		j.optional("quiet_hours.to", toOK, drop, "is not HH:MM")
		_, err := zone(q.Timezone)
		j.optional("quiet_hours.timezone", err == nil, drop, "is no IANA time zone")
	}
	bad := false
	for id, mute := range s.Conversations {
		if good := len(id) <= MaxName && (mute == MuteAll || mute == MuteButMentions); !good {
			bad = true
			if j.repairs != nil {
				delete(s.Conversations, id)
			}
		}
	}
	j.optional("conversations", !bad, func() {}, "has a value that is neither muted nor mentions_only, or an id longer than %d bytes", MaxName)
	previews := s.Preview == "" || s.Preview == PreviewFull || s.Preview == PreviewSender || s.Preview == PreviewNone
	j.optional("preview", previews, func() { s.Preview = "" }, "is none of full, sender, none")
}

// ClockTime reads the time of day of quiet hours as minutes after midnight. "24:00" is midnight,
// and seconds are left out.
func ClockTime(s string) (minutes int, ok bool) {
	for _, layout := range [...]string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Hour()*60 + t.Minute(), true
		}
	}
	return 0, s == "24:00" || s == "24:00:00"
}

// loadLocation takes every name where the machine has no time zones to check against.
func loadLocation(name string) (*time.Location, error) {
	if name == "" {
		name = DefaultTimezone
	}
	zone, err := time.LoadLocation(name)
	if err == nil {
		return zone, nil
	}
	if _, none := time.LoadLocation(DefaultTimezone); none != nil {
		return time.UTC, nil
	}
	return nil, err
}

// Validate says everything for which a worker would end the signal as malformed; nil when it would
// take it. The error is [ErrInvalid].
func (s *Signal) Validate() error {
	var j judgement
	oneOf(&j, "type", s.Type, []SignalType{SignalRecall, SignalRead})
	switch s.Type {
	case SignalRecall:
		j.required("message_id", s.MessageID, MaxMessageID)
		j.length("conversation", s.Conversation, MaxName)
	case SignalRead:
		j.required("user", s.User, MaxUserID)
		j.required("conversation", s.Conversation, MaxName)
		if s.Unread != nil && *s.Unread < 0 {
			j.add("unread is negative")
		}
	}
	return j.err("signal")
}
