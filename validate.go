package hongyan

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrInvalid is what every complaint about a value of the caller's wraps: publishing it again would
// fail again.
var ErrInvalid = errors.New("invalid")

// Limits of directory records. A record that exceeds them counts as absent.
const (
	MaxToken  = 4096
	MaxRecord = 64 << 10
)

// problems gathers all that is wrong with a value.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

func (p problems) err(what string) error {
	if len(p) == 0 {
		return nil
	}
	return fmt.Errorf("%w %s: %s", ErrInvalid, what, strings.Join(p, "; "))
}

// Validate says everything that a worker would refuse the message for, at once; nil when it would
// take it. The error is [ErrInvalid].
func (m *Message) Validate() error {
	var p problems
	switch {
	case m.ID == "":
		p.add("id is missing")
	case len(m.ID) > MaxMessageID:
		p.add("id is %d bytes long, the most is %d", len(m.ID), MaxMessageID)
	}
	switch m.Conversation.Type {
	case C2C, Group:
	case "":
		p.add("conversation.type is missing (c2c or group)")
	default:
		p.add("conversation.type is %q, neither c2c nor group", m.Conversation.Type)
	}
	p.name("sender.id", m.Sender.ID)
	if m.TTLSeconds < 0 {
		p.add("ttl_seconds is negative")
	}
	p.recipients(m.Recipients)
	p.content(m.Content)
	return p.err("message")
}

func (p *problems) recipients(recipients []string) {
	switch n := len(recipients); {
	case n == 0:
		p.add("recipients is missing or empty")
	case n > MaxRecipients:
		p.add("recipients has %d users, the most is %d: split the message", n, MaxRecipients)
	}
	total := 0
	for i, r := range recipients {
		if total += len(r); r == "" || len(r) > MaxUserID {
			p.add("recipients[%d] is empty or longer than %d bytes", i, MaxUserID)
			break
		}
	}
	if total > MaxRecipientBytes {
		p.add("recipients are %d bytes in all, the most is %d", total, MaxRecipientBytes)
	}
}

func (p *problems) content(c Content) {
	switch c.Type {
	case Text, Image, Audio, Video, File, Location, Face, Merged, Custom:
		return
	case CallType:
	case "":
		p.add("content.type is missing")
		return
	default:
		p.add("content.type is %q, none of text image audio video file location face merged custom call", c.Type)
		return
	}
	if c.Call == nil {
		p.add("content.call is missing")
		return
	}
	switch c.Call.Action {
	case Invite, Cancel, Answer, Reject, Hangup:
	default:
		p.add("content.call.action is %q, none of invite cancel answer reject hangup", c.Call.Action)
	}
	if c.Call.Media != "audio" && c.Call.Media != "video" {
		p.add("content.call.media is %q, neither audio nor video", c.Call.Media)
	}
	if c.Call.ID == "" {
		p.add("content.call.call_id is missing")
	}
}

// name checks a user's or device's name.
func (p *problems) name(what, s string) {
	switch {
	case s == "":
		p.add("%s is missing", what)
	case len(s) > MaxUserID:
		p.add("%s is %d bytes long, the most is %d", what, len(s), MaxUserID)
	case !utf8.ValidString(s):
		p.add("%s is not valid UTF-8", what)
	}
}

// word checks an app's or certificate's name.
func (p *problems) word(what, s string) {
	if s == "" {
		p.add("%s is missing", what)
		return
	}
	for i := range len(s) {
		if !plain(s[i]) {
			p.add("%s is %q, only A-Z a-z 0-9 _ - are allowed", what, s)
			return
		}
	}
	if len(s) > 64 {
		p.add("%s is %d bytes long, the most is 64", what, len(s))
	}
}

// Validate says everything that makes the registration useless; nil when it is good. The error is
// [ErrInvalid].
func (d *Device) Validate() error {
	var p problems
	p.word("certificate", d.Certificate)
	if d.Token == "" && d.VoIP == nil {
		p.add("token is missing")
	}
	if len(d.Token) > MaxToken {
		p.add("token is %d bytes long, the most is %d", len(d.Token), MaxToken)
	}
	if v := d.VoIP; v != nil {
		p.word("voip.certificate", v.Certificate)
		if v.Token == "" {
			p.add("voip.token is missing")
		}
		if len(v.Token) > MaxToken {
			p.add("voip.token is %d bytes long, the most is %d", len(v.Token), MaxToken)
		}
	}
	return p.err("registration")
}

// Validate refuses a state that is none. The error is [ErrInvalid].
func (s *Presence) Validate() error {
	var p problems
	switch s.State {
	case Foreground, Background, Disconnected, LoggedOut, Kicked:
	case "":
		p.add("state is missing")
	default:
		p.add("state is %q, none of foreground background disconnected logged_out kicked", s.State)
	}
	if s.Unread < 0 {
		p.add("unread is negative")
	}
	return p.err("presence")
}

// Validate says everything that is wrong with the settings; nil when they are good. The error is
// [ErrInvalid].
func (s *Settings) Validate() error {
	var p problems
	if q := s.QuietHours; q != nil {
		for _, t := range []struct{ name, value string }{{"from", q.From}, {"to", q.To}} {
			if _, err := time.Parse("15:04", t.value); err != nil {
				p.add("quiet_hours.%s is %q, not HH:MM", t.name, t.value)
			}
		}
		if q.Timezone != "" && zonesKnown() {
			if _, err := time.LoadLocation(q.Timezone); err != nil {
				p.add("quiet_hours.timezone is %q, no IANA time zone", q.Timezone)
			}
		}
	}
	for id, v := range s.Conversations {
		if v != Muted && v != MentionsOnly {
			p.add("conversations[%q] is %q, neither muted nor mentions_only", id, v)
			break
		}
	}
	return p.err("settings")
}

// zonesKnown says whether this machine has a time zone database to check against.
func zonesKnown() bool {
	_, err := time.LoadLocation("Asia/Shanghai")
	return err == nil
}
