package natsd

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// keyFile says with which cipher the streams of a folder are encrypted, and knows their key again:
// "<cipher> <salt> <hash>". A server that is given another key takes the streams for broken and
// goes on without them.
const keyFile = "hongyan.cipher"

// keyRounds makes guessing a key slow.
const keyRounds = 100_000

// checkKey refuses a key or cipher that is not the folder's, and notes the first one.
func checkKey(o *server.Options) error {
	path := filepath.Join(o.StoreDir, keyFile)
	text, err := os.ReadFile(path)
	first := errors.Is(err, fs.ErrNotExist)
	switch {
	case first && o.JetStreamKey == "":
		return nil
	case err != nil && !first:
		return fmt.Errorf("embedded NATS: %w", err)
	}
	cipher := strings.ToLower(o.JetStreamCipher.String())
	if first {
		salt := make([]byte, 16)
		_, _ = rand.Read(salt) // it never fails
		hash, err := hashKey(o.JetStreamKey, salt)
		if err != nil {
			return fmt.Errorf("embedded NATS: %w", err)
		}
		if err := os.WriteFile(path, fmt.Appendf(nil, "%s %x %x\n", cipher, salt, hash), 0o600); err != nil {
			return fmt.Errorf("embedded NATS: %w", err)
		}
		return nil
	}
	fields := strings.Fields(string(text))
	if len(fields) != 3 {
		return fmt.Errorf("embedded NATS: %s cannot be read: put it back from where the folder was copied, or set nats.embedded.dir to another folder", path)
	}
	if o.JetStreamKey == "" {
		return fmt.Errorf("embedded NATS: the streams in %s are encrypted: set nats.embedded.cipher to %s, and key_file", o.StoreDir, fields[0])
	}
	if fields[0] != cipher {
		return fmt.Errorf("embedded NATS: the streams in %s are encrypted with %s: set nats.embedded.cipher to that", o.StoreDir, fields[0])
	}
	salt, err1 := hex.DecodeString(fields[1])
	want, err2 := hex.DecodeString(fields[2])
	hash, err3 := hashKey(o.JetStreamKey, salt)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("embedded NATS: %s cannot be read: %w", path, err)
	}
	if subtle.ConstantTimeCompare(hash, want) == 0 {
		return fmt.Errorf("embedded NATS: the streams in %s are encrypted with another key than nats.embedded.key", o.StoreDir)
	}
	return nil
}

func hashKey(key string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, key, salt, keyRounds, sha256.Size)
}
