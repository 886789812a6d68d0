package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// DemoToken makes up a device token in the shape of a vendor's, the same for the same name: demo
// devices need tokens that pass for real ones.
func DemoToken(vendor, name string) string {
	sum := sha256.Sum256([]byte(vendor + "\x00" + name))
	text := hex.EncodeToString(sum[:])
	switch vendor {
	case "fcm":
		return text[:22] + ":APA91b" + base64.RawURLEncoding.EncodeToString([]byte(text + text))[:134]
	case "huawei", "harmony":
		return base64.RawURLEncoding.EncodeToString([]byte(text + text))
	case "honor":
		return "BAEAAAAAB." + base64.RawURLEncoding.EncodeToString([]byte(text))
	case "xiaomi":
		return base64.StdEncoding.EncodeToString(sum[:])
	case "oppo":
		return "OPPO_CN_" + text[:32]
	case "vivo":
		return digits(sum[:23])
	case "meizu":
		return text[:32] + "_meizu"
	default:
		return text // APNs
	}
}

// digits writes a digit for each byte, the first not 0.
func digits(sum []byte) string {
	out := make([]byte, len(sum))
	for i, b := range sum {
		out[i] = '0' + b%10
	}
	out[0] = '1' + sum[0]%9
	return string(out)
}
