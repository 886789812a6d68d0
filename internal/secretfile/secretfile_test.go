package secretfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/secretfile"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ content, want, err string }{
		"plain":             {"hunter2", "hunter2", ""},
		"line_break":        {"hunter2\n", "hunter2", ""},
		"windows":           {"hunter2\r\n", "hunter2", ""},
		"byte_order_mark":   {"\ufeffhunter2\n", "hunter2", ""},
		"spaces_around":     {" hunter 2 ", "hunter 2", ""},
		"empty":             {"\n", "", "is empty"},
		"only_a_mark":       {"\ufeff", "", "is empty"},
		"two_lines":         {"hunter2\nmore\n", "", "more than one line"},
		"two_line_breaks":   {"hunter2\n\n", "hunter2", ""},
		"utf_16":            {"\xff\xfeh\x00u\x00", "", "UTF-"},
		"utf_16_big_endian": {"\xfe\xff\x00h\x00u", "", "UTF-"},
		"utf_16_unmarked":   {"h\x00u\x00", "", "UTF-16"},
		"latin_1":           {"hunt\xe9r", "", "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := secretfile.Read(path)
			if got != c.want || (err == nil) != (c.err == "") {
				t.Fatalf("got %q, %v", got, err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "hunt")) {
				t.Errorf("it says %v", err)
			}
		})
	}
	if _, err := secretfile.Read(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a file that is missing: %v", err)
	}
}
