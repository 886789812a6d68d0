package hongyan

import (
	"fmt"
	"hash/crc32"
	"strings"
)

// Subjects builds the subjects of one installation. The zero value uses the prefix "push". It may
// be copied and used by many goroutines.
type Subjects struct {
	// Prefix replaces "push" where several installations share a NATS account.
	Prefix string
}

func (s Subjects) prefix() string {
	if s.Prefix == "" {
		return "push"
	}
	return s.Prefix
}

// Message is the subject of an app's message events.
func (s Subjects) Message(app string) string { return s.prefix() + ".message." + app }

// Signal is the subject of an app's recalls and read marks.
func (s Subjects) Signal(app string) string { return s.prefix() + ".signal." + app }

// Device is the subject that holds a device's registration.
func (s Subjects) Device(app, user, device string) string {
	return s.prefix() + ".user." + app + "." + EncodeToken(user) + ".device." + EncodeToken(device)
}

// Presence is the subject that holds a device's presence.
func (s Subjects) Presence(app, user, device string) string {
	return s.prefix() + ".user." + app + "." + EncodeToken(user) + ".presence." + EncodeToken(device)
}

// Settings is the subject that holds a user's settings.
func (s Subjects) Settings(app, user string) string {
	return s.prefix() + ".user." + app + "." + EncodeToken(user) + ".settings"
}

// User is the wildcard over all that is known of a user.
func (s Subjects) User(app, user string) string {
	return s.prefix() + ".user." + app + "." + EncodeToken(user) + ".>"
}

// Gateway is the subject that holds a gateway's lease.
func (s Subjects) Gateway(app, gateway string) string {
	return s.prefix() + ".gateway." + app + "." + EncodeToken(gateway)
}

// Job is the subject of the jobs of one certificate and lane.
func (s Subjects) Job(vendor, certificate, lane string) string {
	return s.prefix() + ".job." + vendor + "." + certificate + "." + lane
}

// Dead is the subject of a dead letter; an empty vendor or certificate is written "none".
func (s Subjects) Dead(vendor, certificate, reason string) string {
	return s.prefix() + ".dead." + orNone(vendor) + "." + orNone(certificate) + "." + reason
}

// Outcome is the subject of an outcome.
func (s Subjects) Outcome(app, status, user string) string {
	return fmt.Sprintf("%s.outcome.%s.%s.%d", s.prefix(), app, status, Bucket(user))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// Buckets is the number of buckets that outcomes are spread over.
const Buckets = 256

// Bucket is the CRC-32 (IEEE) of the user, modulo [Buckets].
func Bucket(user string) int { return int(crc32.ChecksumIEEE([]byte(user)) % Buckets) }

const upperHex = "0123456789ABCDEF"

func plain(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// EncodeToken writes any string as one subject token: every byte outside A-Z a-z 0-9 _ - becomes
// %XX in upper-case hex.
func EncodeToken(s string) string {
	escapes := 0
	for i := 0; i < len(s); i++ {
		if !plain(s[i]) {
			escapes++
		}
	}
	if escapes == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*escapes)
	for i := 0; i < len(s); i++ {
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
	if !strings.Contains(token, "%") {
		if EncodeToken(token) != token {
			return "", fmt.Errorf("subject token %q has a byte that must be written %%XX", token)
		}
		return token, nil
	}
	out := make([]byte, 0, len(token))
	for i := 0; i < len(token); i++ {
		c := token[i]
		if c != '%' {
			out = append(out, c)
			continue
		}
		if i+2 >= len(token) {
			return "", fmt.Errorf("subject token %q ends inside an escape", token)
		}
		hi, lo := strings.IndexByte(upperHex, token[i+1]), strings.IndexByte(upperHex, token[i+2])
		if hi < 0 || lo < 0 {
			return "", fmt.Errorf("subject token %q has an escape that is not %%XX in upper-case hex", token)
		}
		out = append(out, byte(hi<<4|lo))
		i += 2
	}
	if s := string(out); EncodeToken(s) == token {
		return s, nil
	}
	return "", fmt.Errorf("subject token %q is not in its canonical form", token)
}
