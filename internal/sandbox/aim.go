package sandbox

import (
	"bytes"
	"net/url"
	"slices"
)

// aimed finds the token of an armed general fault in a call, so that a fault can be aimed at one
// device whatever the vendor's format: in the path, in JSON, in a form, in JSON inside a form. It
// returns the empty token when no aimed fault is meant.
func (c *Core) aimed(vendor, path string, body []byte) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var decoded []byte // of a form; made once, and only when a fault is aimed
	for _, f := range c.faults {
		if f.Vendor != vendor || f.Token == "" || !slices.Contains(generalKinds, f.Kind) {
			continue
		}
		if decoded == nil {
			decoded = unescape(body)
		}
		token := []byte(f.Token)
		if mentions([]byte(path), token) || mentions(body, token) || mentions(decoded, token) {
			return f.Token
		}
	}
	return ""
}

// unescape undoes a form's percent-encoding, and JSON's optional escape of the slash. Bytes that
// are no form stay as they are, and so does a plus: it is a blank in a form, which no token has,
// and itself elsewhere.
func unescape(body []byte) []byte {
	if form, err := url.PathUnescape(string(body)); err == nil {
		body = []byte(form)
	}
	return bytes.ReplaceAll(body, []byte(`\/`), []byte("/"))
}

// mentions says whether text holds the token as a whole: "demo-1" is not mentioned by "demo-10".
func mentions(text, token []byte) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], token)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(token)
		if (start == 0 || !partOfToken(text[start-1])) && (end == len(text) || !partOfToken(text[end])) {
			return true
		}
		from = start + 1
	}
}

func partOfToken(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || b == '-'
}
