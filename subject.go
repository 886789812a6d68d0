package hongyan

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// Subjects is the grammar of one installation's subjects: it builds them, and [Subjects.Parse]
// reads them back. The zero value uses the prefix "push". It may be copied and used by many
// goroutines.
type Subjects struct {
	// Prefix replaces "push" where several installations share a NATS account. It may be several
	// tokens long.
	Prefix string
}

// Kind is what a subject is for.
type Kind string

// The kinds of subjects. The comments show the subject below the prefix.
const (
	KindMessage  Kind = "message"  // message.<app>
	KindUrgent   Kind = "urgent"   // urgent.<app>
	KindSignal   Kind = "signal"   // signal.<app>
	KindDevice   Kind = "device"   // user.<app>.<user>.device.<device>
	KindPresence Kind = "presence" // user.<app>.<user>.presence.<device>
	KindSettings Kind = "settings" // user.<app>.<user>.settings
	KindGateway  Kind = "gateway"  // gateway.<app>.<gateway>
	KindJob      Kind = "job"      // job.<vendor>.<certificate>.<lane>
	KindDead     Kind = "dead"     // dead.<vendor>.<certificate>.<reason>
	KindOutcome  Kind = "outcome"  // outcome.<app>.<status>.<partition>
	KindPiece    Kind = "piece"    // piece.<app>.<partition>; the workers' own
	KindMark     Kind = "mark"     // mark.<app>.<what>.<hash>[.<hash>]; the workers' own
)

// Kinds lists every kind of subject.
var Kinds = [...]Kind{
	KindMessage, KindUrgent, KindSignal, KindDevice, KindPresence, KindSettings, KindGateway, KindJob, KindDead, KindOutcome, KindPiece,
	KindMark,
}

// Lanes of jobs. Calls have a lane of their own, so that chat never holds them up.
const (
	LaneUrgent = "urgent"
	LaneNormal = "normal"
)

// Subject is a subject taken apart. Only the fields of its kind are set; names are decoded.
type Subject struct {
	Kind Kind
	App  string
	// User of a directory record, and Device of a registration or presence.
	User, Device string
	Gateway      string
	// Vendor and Certificate of a job or dead letter; empty in a dead letter that has none.
	Vendor, Certificate string
	Lane                string // LaneUrgent or LaneNormal
	Reason              Reason
	Status              Status
	Partition           int // of an outcome or piece; see [Partition]
	// Mark is what stands behind the app in the subject of a mark.
	Mark string
}

// Root is the prefix: everything of the installation lies below it.
func (s Subjects) Root() string {
	if s.Prefix == "" {
		return "push"
	}
	return s.Prefix
}

// Own is a subject of the workers' own below the prefix; rest may be several tokens.
func (s Subjects) Own(rest string) string { return s.Root() + "." + rest }

// CutOwn is the inverse of [Subjects.Own].
func (s Subjects) CutOwn(subject string) (rest string, ok bool) {
	return strings.CutPrefix(subject, s.Root()+".")
}

// Message is the subject of an app's message events.
func (s Subjects) Message(app string) string { return s.Root() + ".message." + app }

// Urgent is the subject of an app's message events that must not queue behind chat: calls.
func (s Subjects) Urgent(app string) string { return s.Root() + ".urgent." + app }

// Signal is the subject of an app's recalls and read marks.
func (s Subjects) Signal(app string) string { return s.Root() + ".signal." + app }

// Device is the subject that holds a device's registration.
func (s Subjects) Device(app, user, device string) string {
	return s.user(app, user) + ".device." + EncodeToken(device)
}

// Presence is the subject that holds a device's presence.
func (s Subjects) Presence(app, user, device string) string {
	return s.user(app, user) + ".presence." + EncodeToken(device)
}

// Settings is the subject that holds a user's settings.
func (s Subjects) Settings(app, user string) string { return s.user(app, user) + ".settings" }

// User is the filter that covers all that is known of a user.
func (s Subjects) User(app, user string) string { return s.user(app, user) + ".>" }

func (s Subjects) user(app, user string) string {
	return s.Root() + ".user." + app + "." + EncodeToken(user)
}

// Gateway is the subject that holds a gateway's lease.
func (s Subjects) Gateway(app, gateway string) string {
	return s.Root() + ".gateway." + app + "." + EncodeToken(gateway)
}

// Job is the subject of the jobs of one certificate and lane. Each may be "*" to make a filter.
func (s Subjects) Job(vendor, certificate, lane string) string {
	return s.Root() + ".job." + vendor + "." + certificate + "." + lane
}

// Dead is the subject of a dead letter; an empty vendor or certificate is written "none". Each may
// be "*" to make a filter.
func (s Subjects) Dead(vendor, certificate string, reason Reason) string {
	return s.Root() + ".dead." + orNone(vendor) + "." + orNone(certificate) + "." + string(reason)
}

// Outcome is the subject of the outcomes of one app, status and partition.
func (s Subjects) Outcome(app string, status Status, partition int) string {
	return s.Root() + ".outcome." + app + "." + string(status) + "." + strconv.Itoa(partition)
}

// OutcomesOf is the filter that covers a user's outcomes, beside those of others in the same
// partition. An empty user means all of the app.
func (s Subjects) OutcomesOf(app, user string) string {
	partition := "*"
	if user != "" {
		partition = strconv.Itoa(Partition(user))
	}
	return s.Root() + ".outcome." + app + ".*." + partition
}

// OutcomesWith is the filter that covers an app's outcomes of one status.
func (s Subjects) OutcomesWith(app string, status Status) string {
	return s.Root() + ".outcome." + app + "." + string(status) + ".*"
}

// OutcomesIn is the filter that covers the outcomes of an app's users in a partition.
func (s Subjects) OutcomesIn(app string, partition int) string {
	return s.Root() + ".outcome." + app + ".*." + strconv.Itoa(partition)
}

// OutcomesOfStatus is the filter that covers the outcomes of an app with one status. The app may be
// "*" for all.
func (s Subjects) OutcomesOfStatus(app string, status Status) string {
	return s.Root() + ".outcome." + app + "." + string(status) + ".*"
}

// Piece is the subject of the pieces of an app's large message events: each holds the recipients of
// one partition. Only workers publish there.
func (s Subjects) Piece(app string, partition int) string {
	return s.Root() + ".piece." + app + "." + strconv.Itoa(partition)
}

// PiecesOf is the filter that covers the pieces of an app's large message events.
func (s Subjects) PiecesOf(app string) string { return s.Root() + ".piece." + app + ".*" }

// Badge is the subject that holds what workers count for the number on a user's icons. Only workers
// publish there.
func (s Subjects) Badge(app, user string) string {
	return s.Root() + ".badge." + app + "." + EncodeToken(user)
}

// The kinds of marks: what is remembered of a recall, of a read mark, and of an event of a call.
const (
	markRecall = "recall"
	markRead   = "read"
	markCall   = "call"
)

// RecallMark is the subject under which workers remember that a message was recalled.
func (s Subjects) RecallMark(app, message string) string {
	return s.mark(app, markRecall+"."+nameHash(message))
}

// ReadMark is the subject under which workers remember up to when a user has read a conversation.
func (s Subjects) ReadMark(app, user, conversation string) string {
	return s.mark(app, markRead+"."+nameHash(user)+"."+nameHash(conversation))
}

// ReadMarksOf is the filter that covers the read marks of a user.
func (s Subjects) ReadMarksOf(app, user string) string {
	return s.mark(app, markRead+"."+nameHash(user)+".*")
}

// CallMark is the subject under which workers remember an event of a call; event is any name that
// tells the events of a call apart.
func (s Subjects) CallMark(app, call, event string) string {
	return s.mark(app, markCall+"."+nameHash(call)+"."+nameHash(event))
}

// CallMarksOf is the filter that covers what is remembered of a call.
func (s Subjects) CallMarksOf(app, call string) string {
	return s.mark(app, markCall+"."+nameHash(call)+".*")
}

// MarksOf is the filter that covers all marks of an app.
func (s Subjects) MarksOf(app string) string { return s.mark(app, ">") }

func (s Subjects) mark(app, mark string) string { return s.Root() + ".mark." + app + "." + mark }

// nameHash is a name of any length as a short token.
func nameHash(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// All is the filter that covers every subject of a kind.
func (s Subjects) All(k Kind) string {
	switch k {
	case KindMessage, KindUrgent, KindSignal:
		return s.Root() + "." + string(k) + ".*"
	case KindDevice, KindPresence:
		return s.Root() + ".user.*.*." + string(k) + ".*"
	case KindSettings:
		return s.Root() + ".user.*.*.settings"
	case KindGateway, KindPiece:
		return s.Root() + "." + string(k) + ".*.*"
	case KindJob, KindDead, KindOutcome:
		return s.Root() + "." + string(k) + ".*.*.*"
	case KindMark:
		return s.Root() + ".mark.>"
	}
	return ""
}

// Build writes a subject; it is the inverse of [Subjects.Parse].
func (s Subjects) Build(x Subject) string {
	switch x.Kind {
	case KindMessage:
		return s.Message(x.App)
	case KindUrgent:
		return s.Urgent(x.App)
	case KindSignal:
		return s.Signal(x.App)
	case KindDevice:
		return s.Device(x.App, x.User, x.Device)
	case KindPresence:
		return s.Presence(x.App, x.User, x.Device)
	case KindSettings:
		return s.Settings(x.App, x.User)
	case KindGateway:
		return s.Gateway(x.App, x.Gateway)
	case KindJob:
		return s.Job(x.Vendor, x.Certificate, x.Lane)
	case KindDead:
		return s.Dead(x.Vendor, x.Certificate, x.Reason)
	case KindOutcome:
		return s.Outcome(x.App, x.Status, x.Partition)
	case KindPiece:
		return s.Piece(x.App, x.Partition)
	case KindMark:
		return s.mark(x.App, x.Mark)
	}
	return ""
}

// ErrSubject is a subject that is none of the installation's.
var ErrSubject = errors.New("no subject of this installation")

// Parse takes a subject apart. It takes exactly what the builders write for valid names: one that
// is not in canonical form, such as an escape in lower-case hex, is refused, because whoever looks
// for the name would never find it. The error is [ErrSubject] and holds no name.
func (s Subjects) Parse(subject string) (Subject, error) {
	x, problem := s.parse(subject)
	if problem != "" {
		return Subject{}, fmt.Errorf("%w: %s", ErrSubject, problem)
	}
	return x, nil
}

func (s Subjects) parse(subject string) (x Subject, problem string) {
	rest, ok := s.CutOwn(subject)
	if !ok {
		return x, "it does not begin with the prefix"
	}
	var tokens [6]string
	n := 0
	for token := range strings.SplitSeq(rest, ".") {
		if n == len(tokens) {
			return x, "it has too many tokens"
		}
		tokens[n] = token
		n++
	}
	shape := func(want int) bool { return n == want }
	switch first := tokens[0]; first {
	case "message", "urgent", "signal":
		x.Kind, x.App = Kind(first), tokens[1]
		if !shape(2) {
			return x, "it needs the app and nothing more"
		}
	case "user":
		x.Kind, x.App = Kind(tokens[3]), tokens[1]
		var err error
		if x.User, err = DecodeToken(tokens[2]); err != nil {
			return x, "the user is not in canonical form"
		}
		switch x.Kind {
		case KindDevice, KindPresence:
			if !shape(5) {
				return x, "it needs app, user, kind and device"
			}
			if x.Device, err = DecodeToken(tokens[4]); err != nil {
				return x, "the device is not in canonical form"
			}
		case KindSettings:
			if !shape(4) {
				return x, "it needs app, user and kind"
			}
		default:
			return x, "no such kind of user record"
		}
	case "gateway":
		x.Kind, x.App = KindGateway, tokens[1]
		var err error
		if !shape(3) {
			return x, "it needs app and gateway"
		}
		if x.Gateway, err = DecodeToken(tokens[2]); err != nil {
			return x, "the gateway is not in canonical form"
		}
	case "job":
		x = Subject{Kind: KindJob, Vendor: tokens[1], Certificate: tokens[2], Lane: tokens[3]}
		switch {
		case !shape(4) || !isWord(x.Vendor) || !isWord(x.Certificate):
			return x, "it needs vendor, certificate and lane"
		case x.Lane != LaneUrgent && x.Lane != LaneNormal:
			return x, "the lane is neither urgent nor normal"
		}
		return x, ""
	case "dead":
		x = Subject{Kind: KindDead, Vendor: tokens[1], Certificate: tokens[2], Reason: Reason(tokens[3])}
		if !shape(4) || !isWord(x.Vendor) || !isWord(x.Certificate) || !isWord(tokens[3]) {
			return x, "it needs vendor, certificate and reason"
		}
		x.Vendor, x.Certificate = noneIsEmpty(x.Vendor), noneIsEmpty(x.Certificate)
		return x, ""
	case "outcome":
		x = Subject{Kind: KindOutcome, App: tokens[1], Status: Status(tokens[2])}
		if x.Partition, ok = partition(tokens[3]); !shape(4) || !x.Status.Known() || !ok {
			return x, "it needs app, status and partition"
		}
	case "piece":
		x = Subject{Kind: KindPiece, App: tokens[1]}
		if x.Partition, ok = partition(tokens[2]); !shape(3) || !ok {
			return x, "it needs app and partition"
		}
	case "mark":
		x = Subject{Kind: KindMark, App: tokens[1]}
		switch what := tokens[2]; {
		case what == markRecall && shape(4) && isWord(tokens[3]):
			x.Mark = what + "." + tokens[3]
		case (what == markRead || what == markCall) && shape(5) && isWord(tokens[3]) && isWord(tokens[4]):
			x.Mark = what + "." + tokens[3] + "." + tokens[4]
		default:
			return x, "it needs app, what it marks, and hashes"
		}
	default:
		return x, "no such kind of subject"
	}
	if !isWord(x.App) {
		return x, "the app's name is not 1 to 64 of A-Z a-z 0-9 _ -"
	}
	return x, ""
}

const none = "none"

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

func noneIsEmpty(s string) string {
	if s == none {
		return ""
	}
	return s
}

// Partitions is the number of parts into which users are divided.
const Partitions = 16

// Partition is the part that a user belongs to: the CRC-32 (IEEE) of the user, modulo [Partitions].
func Partition(user string) int {
	crc := ^uint32(0)
	for i := range len(user) { // crc32.ChecksumIEEE would need the user copied into bytes
		crc = crc32.IEEETable[byte(crc)^user[i]] ^ crc>>8
	}
	return int(^crc % Partitions)
}

// partition reads a partition as it is written in a subject.
func partition(token string) (int, bool) {
	n, err := strconv.Atoi(token)
	return n, err == nil && n >= 0 && n < Partitions && strconv.Itoa(n) == token
}

// MaxWord is the longest name of an app or certificate, in bytes.
const MaxWord = 64

// isWord says whether s can name an app or a certificate.
func isWord(s string) bool {
	if s == "" || len(s) > MaxWord {
		return false
	}
	for i := range len(s) {
		if !plain(s[i]) {
			return false
		}
	}
	return true
}

const upperHex = "0123456789ABCDEF"

func plain(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// EncodeToken writes any string as one subject token: every byte outside A-Z a-z 0-9 _ - becomes
// %XX in upper-case hex.
func EncodeToken(s string) string {
	escapes := 0
	for i := range len(s) {
		if !plain(s[i]) {
			escapes++
		}
	}
	if escapes == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*escapes)
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

// DecodeToken is the inverse of [EncodeToken]. It refuses a token that EncodeToken would not have
// written.
func DecodeToken(token string) (string, error) {
	out := make([]byte, 0, len(token))
	for i := 0; i < len(token); i++ {
		c := token[i]
		switch {
		case plain(c):
		case c != '%':
			return "", fmt.Errorf("subject token %q has a byte that must be written %%XX", token)
		case i+2 >= len(token):
			return "", fmt.Errorf("subject token %q ends inside an escape", token)
		default:
			hi, lo := strings.IndexByte(upperHex, token[i+1]), strings.IndexByte(upperHex, token[i+2])
			if hi < 0 || lo < 0 {
				return "", fmt.Errorf("subject token %q has an escape that is not %%XX in upper-case hex", token)
			}
			if c = byte(hi<<4 | lo); plain(c) {
				return "", fmt.Errorf("subject token %q escapes a byte that needs none", token)
			}
			i += 2
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return "", errors.New("subject token is empty")
	}
	return string(out), nil
}
