package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
)

// NewAccess makes up an access token of a vendor. Like the secrets of the demo accounts, it is
// marked in the same way by every sandbox.
func NewAccess(vendor string) string {
	text := rand.Text()
	return text + accessMark(vendor, text)
}

// IssuedAccess reports whether an access token is one that a sandbox made up for this vendor. A
// fake that does not know such a token was started after it was issued: whoever shows it breaks no
// rule and must fetch another, as after its life.
func IssuedAccess(vendor, token string) bool {
	text := len(token) - accessMarkLength
	return text > 0 && token[text:] == accessMark(vendor, token[:text])
}

const accessMarkLength = 8

func accessMark(vendor, text string) string {
	sum := sha256.Sum256([]byte("hongyan sandbox\x00" + vendor + "\x00" + text))
	return base32.StdEncoding.EncodeToString(sum[:5])
}
