package hongyan

import (
	"fmt"
	"strings"
	"time"
)

// futureTolerance is how far a sent_at may be ahead of the arrival: clocks differ.
const futureTolerance = 5 * time.Minute

// maxTTL is the longest life of a message after its arrival: no vendor keeps a push for longer.
const maxTTL = 28 * 24 * time.Hour

// ParseMessage reads a message event as it really comes, makes it what workers act on, and judges
// it. arrived is when it was stored. Repeated and unusable recipients are gone from the result,
// names are one line, and SentAt is set.
//
// The error is [ErrInvalid] or says what cannot be read; it holds nothing of the message's text.
// The message comes with it as far as it was read, for its ID, or is nil.
func ParseMessage(data []byte, arrived time.Time) (m *Message, repairs Repairs, err error) {
	if len(data) > MaxMessage {
		return nil, nil, fmt.Errorf("%w message: it is %d bytes long, the most is %d", ErrInvalid, len(data), MaxMessage)
	}
	m = new(Message)
	if err := decode(data, m, "the message", false, &repairs); err != nil {
		return m, repairs, fmt.Errorf("%w message: %w", ErrInvalid, err)
	}
	if err := m.Validate(); err != nil {
		return m, repairs, err
	}
	m.normalize(arrived, &repairs)
	return m, repairs, nil
}

func (m *Message) normalize(arrived time.Time, repairs *Repairs) {
	m.Recipients = usableNames("recipients", m.Recipients, repairs)
	m.Mentions = usableNames("mentions", m.Mentions, repairs)
	for _, f := range [...]struct {
		field string
		name  *string
	}{
		{"sender.nickname", &m.Sender.Nickname}, {"conversation.name", &m.Conversation.Name},
		{"offline_push.title", &m.OfflinePush.Title}, {"offline_push.ios.title", &m.OfflinePush.IOS.Title},
	} {
		if clean := cleanName(*f.name); clean != *f.name {
			*f.name = clean
			repairs.add(RepairName, f.field)
		}
	}
	if isBlank(m.OfflinePush.Desc) {
		m.OfflinePush.Desc = ""
	}
	for user, n := range m.Unread {
		if n < 0 {
			delete(m.Unread, user)
			repairs.add(RepairField, "unread")
		}
	}
	switch {
	case m.SentAt.IsZero():
		m.SentAt = arrived
	case m.SentAt.After(arrived.Add(futureTolerance)), m.Rings() && m.SentAt.After(arrived):
		m.SentAt = arrived
		repairs.add(RepairFuture, "sent_at")
	}
	m.TTLSeconds = min(m.TTLSeconds, int64(arrived.Add(maxTTL).Sub(m.SentAt)/time.Second))
}

// usableNames drops what is no user and what is repeated, keeping the order.
func usableNames(field string, names []string, repairs *Repairs) []string {
	if len(names) == 1 && usableRecipient(names[0]) {
		return names
	}
	seen := make(map[string]struct{}, len(names))
	kept := names[:0]
	for _, n := range names {
		if !usableRecipient(n) {
			repairs.add(RepairRecipient, field)
			continue
		}
		if _, twice := seen[n]; !twice {
			seen[n] = struct{}{}
			kept = append(kept, n)
		}
	}
	return kept
}

// Rings says whether the message is an invitation to a call.
func (m *Message) Rings() bool {
	return m.Content.Type == ContentCall && m.Content.Call != nil && m.Content.Call.Action == CallInvite
}

// EndsRinging says whether the message is an event of a call after its invitation.
func (m *Message) EndsRinging() bool {
	return m.Content.Type == ContentCall && m.Content.Call != nil && m.Content.Call.Action != CallInvite
}

// ByCallee says whether the message is a callee's answer to a call, or refusal of it: it concerns
// the devices of the callee, who is the sender.
func (m *Message) ByCallee() bool {
	return m.EndsRinging() && (m.Content.Call.Action == CallAnswer || m.Content.Call.Action == CallReject)
}

// Default lifetimes of messages that name none.
const (
	DefaultTTL       = 24 * time.Hour
	DefaultInviteTTL = time.Minute
)

// Deadline is when the message is worthless. SentAt must be set, as [ParseMessage] does.
func (m *Message) Deadline() time.Time {
	ttl := DefaultTTL
	switch {
	case m.TTLSeconds > int64(maxTTL/time.Second):
		ttl = maxTTL
	case m.TTLSeconds > 0:
		ttl = time.Duration(m.TTLSeconds) * time.Second
	case m.Rings():
		ttl = DefaultInviteTTL
	}
	return m.SentAt.Add(ttl)
}

// ParseDevice reads a registration as it really comes. stored is when it was stored: RegisteredAt
// is set and never later. A field that cannot be understood counts as absent. The error is
// [ErrInvalid].
func ParseDevice(data []byte, stored time.Time) (d Device, repairs Repairs, err error) {
	if err := decodeRecord(data, &d, MaxRecord, "registration", &repairs); err != nil {
		return d, repairs, err
	}
	trimToken(&d.Token, &repairs)
	if v := d.VoIP; v != nil {
		if trimToken(&v.Token, &repairs); *v == (VoIP{}) {
			d.VoIP = nil
			repairs.add(RepairEmpty, "voip")
		}
	}
	j := judgement{repairs: &repairs}
	j.device(&d)
	d.RegisteredAt = notAfter("registered_at", d.RegisteredAt, stored, &repairs)
	return d, repairs, j.err("registration")
}

func trimToken(token *string, repairs *Repairs) {
	if t := strings.TrimSpace(*token); t != *token {
		*token = t
		repairs.add(RepairToken, "token")
	}
}

// notAfter is t, or stored where t is absent or later.
func notAfter(field string, t, stored time.Time, repairs *Repairs) time.Time {
	switch {
	case t.IsZero():
		return stored
	case t.After(stored):
		repairs.add(RepairFuture, field)
		return stored
	}
	return t
}

// ParsePresence reads a presence as it really comes. stored is when it was stored: At is set and
// never later. A field that cannot be understood counts as absent. The error is [ErrInvalid].
func ParsePresence(data []byte, stored time.Time) (p Presence, repairs Repairs, err error) {
	if err := decodeRecord(data, &p, MaxRecord, "presence", &repairs); err != nil {
		return p, repairs, err
	}
	j := judgement{repairs: &repairs}
	j.presence(&p)
	p.At = notAfter("at", p.At, stored, &repairs)
	return p, repairs, j.err("presence")
}

// ParseSettings reads settings as they really come; zone finds a time zone by its IANA name, where
// the empty name means [DefaultTimezone]; nil looks it up on the machine. Quiet hours or mutes that
// cannot be understood count as absent, the rest holds. The error is [ErrInvalid].
func ParseSettings(data []byte, zone func(string) (*time.Location, error)) (s Settings, repairs Repairs, err error) {
	if err := decodeRecord(data, &s, MaxSettings, "settings", &repairs); err != nil {
		return s, repairs, err
	}
	if q := s.QuietHours; q != nil && *q == (QuietWindow{}) || q != nil && q.From == "" && q.To == "" {
		s.QuietHours = nil
		repairs.add(RepairEmpty, "quiet_hours")
	}
	if zone == nil {
		zone = loadLocation
	}
	j := judgement{repairs: &repairs}
	j.settings(&s, zone)
	return s, repairs, j.err("settings")
}

// ParseLease reads a gateway's lease as it really comes. The error is [ErrInvalid].
func ParseLease(data []byte) (l Lease, repairs Repairs, err error) {
	err = decodeRecord(data, &l, MaxRecord, "lease", &repairs)
	return l, repairs, err
}

// ParseSignal reads a signal as it really comes, and judges it. arrived is when it was stored:
// times are never later. The error is [ErrInvalid].
func ParseSignal(data []byte, arrived time.Time) (s Signal, repairs Repairs, err error) {
	if len(data) > MaxRecord {
		return s, nil, fmt.Errorf("%w signal: it is %d bytes long, the most is %d", ErrInvalid, len(data), MaxRecord)
	}
	if err := decode(data, &s, "the signal", false, &repairs); err != nil {
		return s, repairs, fmt.Errorf("%w signal: %w", ErrInvalid, err)
	}
	if s.Type == SignalRead {
		s.At = notAfter("at", s.At, arrived, &repairs)
	}
	if s.SentAt.After(arrived) {
		s.SentAt = arrived
		repairs.add(RepairFuture, "sent_at")
	}
	return s, repairs, s.Validate()
}

func decodeRecord(data []byte, into any, limit int, what string, repairs *Repairs) error {
	if len(data) > limit {
		return fmt.Errorf("%w %s: it is %d bytes long, the most is %d", ErrInvalid, what, len(data), limit)
	}
	if err := decode(data, into, "the "+what, true, repairs); err != nil {
		return fmt.Errorf("%w %s: %w", ErrInvalid, what, err)
	}
	return nil
}
