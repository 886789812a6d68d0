package hongyan

import (
	"crypto/sha256"
	"encoding/hex"
)

// TraceID is the id, 32 lower-case hex digits, of the trace that the workers make of a message
// which was published without a traceparent: the first 16 bytes of the SHA-256 of <app>/<message>.
// With one they join the publisher's trace.
func TraceID(app, message string) string {
	sum := sha256.Sum256([]byte(app + "/" + message))
	return hex.EncodeToString(sum[:16])
}
