package config

import (
	"crypto/sha256"
	"maps"
	"os"
)

// Files are the files that a configuration was read from, and what each held: the configuration
// itself and those that it names, but for those of NATS' credentials, which are read at each
// connection. A file that could not be read has a zero sum.
type Files map[string][sha256.Size]byte

// read reads a file and notes it.
func (f Files) read(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	f[path] = [sha256.Size]byte{}
	if err == nil {
		f[path] = sha256.Sum256(data)
	}
	return data, err
}

// Now is what the same files hold at this moment. Their contents are compared, not their times, and
// each is found by its name anew, so that a folder whose link is moved to other files, as
// Kubernetes does, counts as changed.
func (f Files) Now() Files {
	now := make(Files, len(f))
	for path := range f {
		_, _ = now.read(path) // one that cannot be read is noted as such
	}
	return now
}

// Equal says whether the same files hold the same.
func (f Files) Equal(o Files) bool { return maps.Equal(f, o) }

// Files are those that the configuration was read from.
func (c *Config) Files() Files { return c.files }
