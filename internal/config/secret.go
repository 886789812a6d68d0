package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// secretFile reads a secret from the file that a value names: one line, or a whole document such as
// a key in PEM.
func (b *binder) secretFile(node ast.Node, v reflect.Value, key string, document bool) {
	name, ok := b.text(node, key)
	if !ok {
		return
	}
	if name == "" {
		b.problem(node, key, "is empty", "name the file that holds the secret")
		return
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(b.dir, name)
	}
	data, err := os.ReadFile(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		b.problem(node, key, "names a file that does not exist: "+name, "create it, or correct the path")
		return
	case err != nil:
		b.problem(node, key, "names a file that cannot be read: "+err.Error(), "give the worker's user the right to read it")
		return
	}
	read := secretLine
	if document {
		read = secretDocument
	}
	secret, wrong, remedy := read(data)
	if wrong != "" {
		b.problem(node, key, "names a file that "+wrong+": "+name, remedy)
		return
	}
	v.SetString(secret)
	if readableByAll(name) {
		b.warn(node, key, "names a file that everybody on this machine can read: "+name, "chmod 640 it (defaultMode: 0440 in Kubernetes)")
	}
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// secretLine is the secret of a file that holds nothing else. What editors, shells and web pages
// put around a secret is dropped: a byte-order mark, line breaks, spaces and invisible characters.
// wrong says why a file is none, with its remedy.
func secretLine(data []byte) (secret, wrong, remedy string) {
	if isUTF16(data) || bytes.IndexByte(data, 0) >= 0 {
		return "", "is not in UTF-8 but looks like UTF-16", "save it as UTF-8"
	}
	around := func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
	secret = strings.TrimFunc(string(bytes.TrimPrefix(data, byteOrderMark)), around)
	switch {
	case secret == "":
		return "", "is empty", "put the secret into it"
	case strings.ContainsAny(secret, "\n\r\v\f\u0085\u2028\u2029"):
		return "", "has more than one line", "leave nothing in it but the secret"
	case !utf8.ValidString(secret), strings.ContainsFunc(secret, unicode.IsControl):
		return "", "holds control characters or bytes that are not UTF-8", "leave nothing in it but the secret, as text in UTF-8"
	}
	return secret, "", ""
}

// secretDocument is the content of a file that has a form of its own: PEM, PKCS#12 or JSON. It is
// kept as it is, but for a byte-order mark, which none of the three begins with.
func secretDocument(data []byte) (secret, wrong, remedy string) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	switch {
	case isUTF16(data):
		return "", "is not in UTF-8 but in UTF-16", "save it as UTF-8, or download it again"
	case len(bytes.TrimSpace(data)) == 0:
		return "", "is empty", "put the secret into it"
	}
	return string(data), "", ""
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

// readableByAll says whether every user of the machine may read a file. A group may: containers run
// that way.
func readableByAll(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o004 != 0 && runtime.GOOS != "windows"
}
