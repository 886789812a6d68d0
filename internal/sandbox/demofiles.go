package sandbox

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Place is where a worker finds a sandbox and its files.
type Place struct {
	// URL is the sandbox's TLS address, such as "https://sandbox:8241".
	URL string
	// Dir is the folder of the demo's files as the worker sees it; a path without a root is the
	// configuration loader's to resolve.
	Dir string
	// Private says that the worker runs as the user who writes the files, so that nobody else need
	// read them. In another container it may be another user; what they open is only this sandbox.
	Private bool
}

// Files of a demo beside those of its accounts.
const (
	fileCA     = "ca.pem"
	fileCAKey  = "ca-key.pem"
	fileConfig = "demo.yaml"
)

// OpenDemo reads the keys of the demo that WriteFiles left in a folder, so that a sandbox that
// starts again takes what a running worker signs. A folder without them gives a new demo; nothing
// is written.
func OpenDemo(dir string, now time.Time, fakes []Fake) (*Demo, error) {
	if _, err := os.Stat(filepath.Join(dir, fileCAKey)); errors.Is(err, fs.ErrNotExist) {
		return NewDemo(now, fakes)
	}
	d, err := readDemo(dir, fakes)
	if err != nil {
		return nil, fmt.Errorf("the demo's files in %s are damaged; delete them to get new ones: %w", dir, err)
	}
	return d, nil
}

func readDemo(dir string, fakes []Fake) (*Demo, error) {
	read := func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) }
	caKey, err := DemoKey[*ecdsa.PrivateKey](read, fileCAKey, nil)
	if err != nil {
		return nil, err
	}
	ca, err := read(fileCA)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(ca)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", fileCA)
	}
	authority, err := parseAuthority(block.Bytes, caKey)
	if err != nil {
		return nil, err
	}
	return newDemo(authority, fakes, read)
}

// DemoKey is the private key of a demo account: the one in the PEM file of this name, or, of a new
// demo, whose read is nil, what generate makes.
func DemoKey[K any](read ReadFile, name string, generate func() (K, error)) (key K, err error) {
	if read == nil {
		return generate()
	}
	data, err := read(name)
	if err != nil {
		return key, err
	}
	return parseKey[K](name, data)
}

// DemoServiceKey is [DemoKey] for a file that is a service account in JSON, with the key in PEM as
// its private_key. A new key is made for RSA.
func DemoServiceKey(read ReadFile, name string) (*rsa.PrivateKey, error) {
	if read == nil {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	data, err := read(name)
	if err != nil {
		return nil, err
	}
	var account struct {
		PrivateKey string `json:"private_key"`
	}
	if err := json.Unmarshal(data, &account); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parseKey[*rsa.PrivateKey](name, []byte(account.PrivateKey))
}

func parseKey[K any](name string, data []byte) (key K, err error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return key, fmt.Errorf("%s holds no PEM block", name)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return key, fmt.Errorf("%s: %w", name, err)
	}
	key, ok := parsed.(K)
	if !ok {
		return key, fmt.Errorf("%s holds a %T, not a %T", name, parsed, key)
	}
	return key, nil
}

// DemoJSON writes a service account as the file that its vendor hands out.
func DemoJSON(account any) []byte {
	data, err := json.MarshalIndent(account, "", "  ")
	if err != nil {
		panic(err) // a struct of strings always marshals
	}
	return data
}

// WriteFiles writes what a worker needs to reach the sandbox into a folder, which it makes if need
// be: the authority's certificate, the accounts' keys and secrets, and demo.yaml with the
// certificates that refer to them. place is where the worker will see the sandbox and the folder.
func (d *Demo) WriteFiles(dir string, place Place) error {
	folder, mode := fs.FileMode(0o755), fs.FileMode(0o644)
	if place.Private {
		folder, mode = 0o700, 0o600
	}
	if err := os.MkdirAll(dir, folder); err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	files := []File{{fileCA, d.authority.PEM()}}
	for _, a := range d.accounts {
		files = append(files, a.Files(place.URL)...)
	}
	for _, f := range append(files, File{fileConfig, d.Apps(place)}) {
		if err := replaceFile(filepath.Join(dir, f.Name), f.Data, mode); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
	}
	// The authority's key is none of the worker's business, and written last: it says that the
	// folder is complete.
	if err := replaceFile(filepath.Join(dir, fileCAKey), KeyPEM(d.authority.key), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", fileCAKey, err)
	}
	return nil
}

// KeyPEM is a private key as PKCS #8, the format of all files here.
func KeyPEM(key any) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err) // an RSA or ECDSA key always marshals
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// replaceFile writes a file whole or not at all: a worker may be reading the one before.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already when all went well
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
