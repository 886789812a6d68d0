package sandbox

import (
	"crypto/ecdsa"
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
}

// Files of a demo.
const (
	fileCA      = "ca.pem"
	fileCAKey   = "ca-key.pem"
	fileAPNs    = "apns.p8"
	fileFCM     = "fcm.json"
	fileHarmony = "harmony.json"
	fileConfig  = "demo.yaml"
)

// serviceAccount is the JSON file of a Google or a Huawei service account.
type serviceAccount struct {
	Type        string `json:"type,omitempty"`
	ProjectID   string `json:"project_id"`
	KeyID       string `json:"key_id,omitempty"`         // Huawei
	PrivateID   string `json:"private_key_id,omitempty"` // Google
	PrivateKey  string `json:"private_key"`
	ClientEmail string `json:"client_email,omitempty"`
	ClientID    string `json:"client_id,omitempty"`
	SubAccount  string `json:"sub_account,omitempty"`
	AuthURI     string `json:"auth_uri,omitempty"`
	TokenURI    string `json:"token_uri"`
}

// OpenDemo reads the keys of the demo that WriteFiles left in a folder, so that a sandbox that
// starts again takes what a running worker signs. A folder without them gives a new demo; nothing
// is written.
func OpenDemo(dir string, now time.Time) (*Demo, error) {
	if _, err := os.Stat(filepath.Join(dir, fileCAKey)); errors.Is(err, fs.ErrNotExist) {
		return NewDemo(now)
	}
	d, err := readDemo(dir)
	if err != nil {
		return nil, fmt.Errorf("the demo's files in %s are damaged; delete them to get new ones: %w", dir, err)
	}
	return d, nil
}

func readDemo(dir string) (*Demo, error) {
	var d Demo
	caKey, err := readKey[*ecdsa.PrivateKey](dir, fileCAKey)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(dir, fileCA))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(ca)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", fileCA)
	}
	if d.authority, err = parseAuthority(block.Bytes, caKey); err != nil {
		return nil, err
	}
	if d.apns, err = readKey[*ecdsa.PrivateKey](dir, fileAPNs); err != nil {
		return nil, err
	}
	if d.fcm, err = readAccount(dir, fileFCM); err != nil {
		return nil, err
	}
	if d.harmony, err = readAccount(dir, fileHarmony); err != nil {
		return nil, err
	}
	return &d, nil
}

func readAccount(dir, name string) (*rsa.PrivateKey, error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	var account serviceAccount
	if err := json.Unmarshal(data, &account); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parseKey[*rsa.PrivateKey](name, []byte(account.PrivateKey))
}

func readKey[K any](dir, name string) (key K, err error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return key, err
	}
	return parseKey[K](name, data)
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

// WriteFiles writes what a worker needs to reach the sandbox into a folder, which it makes if need
// be: the authority's certificate, the APNs key, the service accounts of FCM and HarmonyOS, the
// secrets of the others, and demo.yaml with the certificates that refer to them. place is where the
// worker will see the sandbox and the folder.
func (d *Demo) WriteFiles(dir string, place Place) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	fcm, err := json.MarshalIndent(serviceAccount{
		Type: "service_account", ProjectID: demoFCMProject, PrivateID: "demo-fcm-key", PrivateKey: string(keyPEM(d.fcm)),
		ClientEmail: demoFCMEmail, ClientID: "100000000000000000001", TokenURI: place.URL + "/token",
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", fileFCM, err)
	}
	const huaweiOAuth = "https://oauth-login.cloud.huawei.com/oauth2/v3/"
	harmony, err := json.MarshalIndent(serviceAccount{
		ProjectID: demoHarmonyProject, KeyID: demoHarmonyKey, PrivateKey: string(keyPEM(d.harmony)), SubAccount: demoHarmonyAccount,
		// A HarmonyOS worker never calls these: they are the fixed audience of what it signs.
		AuthURI: huaweiOAuth + "authorize", TokenURI: huaweiOAuth + "token",
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", fileHarmony, err)
	}
	// A worker that runs as another user, in another container, must be able to read them; what
	// they open is only this sandbox. The authority's key is none of its business, and written
	// last: it says that the folder is complete.
	for _, f := range []struct {
		name string
		data []byte
		mode fs.FileMode
	}{
		{fileCA, d.authority.PEM(), 0o644},
		{fileAPNs, keyPEM(d.apns), 0o644},
		{fileFCM, fcm, 0o644},
		{fileHarmony, harmony, 0o644},
		{"huawei.secret", []byte(demoHuaweiSecret), 0o644},
		{"honor.secret", []byte(demoHonorSecret), 0o644},
		{"xiaomi.secret", []byte(demoXiaomiSecret), 0o644},
		{"oppo.secret", []byte(demoOPPOSecret), 0o644},
		{"vivo.secret", []byte(demoVivoSecret), 0o644},
		{"meizu.secret", []byte(demoMeizuSecret), 0o644},
		{fileConfig, d.Apps(place), 0o644},
		{fileCAKey, keyPEM(d.authority.key), 0o600},
	} {
		if err := replaceFile(filepath.Join(dir, f.name), f.data, f.mode); err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	return nil
}

// keyPEM is a private key as PKCS #8, the format of all files here.
func keyPEM(key any) []byte {
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
