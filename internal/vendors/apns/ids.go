package apns

import (
	"crypto/sha256"
	"encoding/hex"
)

// isHex reports whether a device token is hexadecimal, so that it can be part of the URL. Apple
// says "Don't make assumptions about device token size", so the limit is only there to keep the URL
// short.
func isHex(token string) bool {
	if token == "" || len(token) > 512 {
		return false
	}
	for i := 0; i < len(token); i++ {
		c := token[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return false
		}
	}
	return true
}

// digest returns the key if it is 32 lower-case hex digits, else 32 such digits derived from it.
func digest(key string) string {
	lower := len(key) == 32
	for i := 0; i < len(key) && lower; i++ {
		c := key[i]
		lower = c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
	}
	if lower {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// uuid writes a key as a canonical UUID, the form of apns-id.
func uuid(key string) string {
	k := digest(key)
	return k[:8] + "-" + k[8:12] + "-" + k[12:16] + "-" + k[16:20] + "-" + k[20:]
}
