// Package secretfile reads a secret of one line from a file, such as a password that Docker or
// Kubernetes mounts. It does not repeat what it read in an error.
package secretfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"
)

// Read returns the secret in a file without a byte-order mark before it and a line break after it.
// A file with more than one line, or that is not UTF-8, is refused: a secret cut or joined in
// silence is hard to find. The errors read on after the name of the key that named the file.
func Read(path string) (string, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("names a file that does not exist: %s", path)
	case err != nil:
		return "", fmt.Errorf("names a file that cannot be read: %w", err)
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) || bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data) {
		return "", fmt.Errorf("names a file that is not UTF-8 text: %s", path)
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	switch {
	case strings.TrimSpace(text) == "":
		return "", fmt.Errorf("names an empty file: %s", path)
	case strings.ContainsAny(text, "\r\n"):
		return "", fmt.Errorf("names a file with more than one line: %s", path)
	}
	return text, nil
}
