// Package secretfile reads secrets from files: those of one line, such as a password that Docker or
// Kubernetes mounts, and documents such as a key in PEM. It does not repeat what it read in an
// error.
package secretfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Unusable says why what a file holds is no secret. The sentences read on after "a file that".
type Unusable struct{ Problem, Remedy string }

func (u *Unusable) Error() string { return u.Problem + ": " + u.Remedy }

// Read returns the secret in a file of one line; see [Line]. The errors read on after the name of
// the key that named the file.
func Read(path string) (string, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("names a file that does not exist: %s", path)
	case err != nil:
		return "", fmt.Errorf("names a file that cannot be read: %w", err)
	}
	secret, wrong := Line(data)
	if wrong != nil {
		return "", fmt.Errorf("names a file that %s: %s", wrong.Problem, path)
	}
	return secret, nil
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// Line is the secret of a file that holds nothing else. What editors, shells and web pages put
// around a secret is dropped: a byte-order mark, line breaks, spaces and invisible characters. A
// file with more than one line is refused: a secret that was cut or joined in silence is hard to
// find.
func Line(data []byte) (secret string, wrong *Unusable) {
	if isUTF16(data) || bytes.IndexByte(data, 0) >= 0 {
		return "", &Unusable{"is not in UTF-8 but looks like UTF-16", "save it as UTF-8"}
	}
	around := func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
	secret = strings.TrimFunc(string(bytes.TrimPrefix(data, byteOrderMark)), around)
	switch {
	case secret == "":
		return "", &Unusable{"is empty", "put the secret into it"}
	case strings.ContainsAny(secret, "\n\r\v\f\u0085\u2028\u2029"):
		return "", &Unusable{"has more than one line", "leave nothing in it but the secret"}
	case !utf8.ValidString(secret), strings.ContainsFunc(secret, unicode.IsControl):
		return "", &Unusable{"holds control characters or bytes that are not UTF-8", "leave nothing in it but the secret, as text in UTF-8"}
	}
	return secret, nil
}

// Document is the content of a file that has a form of its own: PEM, PKCS#12 or JSON. It is kept as
// it is, but for a byte-order mark, which none of the three begins with.
func Document(data []byte) (secret string, wrong *Unusable) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	switch {
	case isUTF16(data):
		return "", &Unusable{"is not in UTF-8 but in UTF-16", "save it as UTF-8, or download it again"}
	case len(bytes.TrimSpace(data)) == 0:
		return "", &Unusable{"is empty", "put the secret into it"}
	}
	return string(data), nil
}

// isUTF16 knows UTF-16 by its byte-order mark, or by the first character of PEM or JSON.
func isUTF16(data []byte) bool {
	for _, beginning := range []string{"\xff\xfe", "\xfe\xff", "-\x00", "\x00-", "{\x00", "\x00{"} {
		if bytes.HasPrefix(data, []byte(beginning)) {
			return true
		}
	}
	return false
}
