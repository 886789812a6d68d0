package fcm

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// The demo's account.
const (
	demoProject = "demo-fcm-project"
	demoEmail   = "push@demo-fcm-project.iam.gserviceaccount.com"
	demoFile    = "fcm.json"
)

//go:embed look.css
var look string

// Fake is the vendor as a sandbox plays it, with the accounts that its API knows.
func Fake(accounts ...Account) sandbox.Fake {
	return sandbox.Fake{
		Vendor: "fcm", Name: "Google FCM", NameZH: "谷歌 FCM", System: "Android",
		Look:    look,
		Heading: sandbox.HeadingLine,
		Calls:   sandbox.CallsPills,
		New:     func(core *sandbox.Core) sandbox.API { return newFake(core, accounts) },
		Token:   demoToken,
		User:    sandbox.User{ID: "carol", Name: "Carol", Device: "pixel", Platform: "android", Locale: "en-GB"},
		Account: openAccount,
	}
}

// demoToken makes up a device token.
func demoToken(name string) string {
	sum := sha256.Sum256([]byte("fcm\x00" + name))
	text := hex.EncodeToString(sum[:])
	return text[:22] + ":APA91b" + base64.RawURLEncoding.EncodeToString([]byte(text + text))[:134]
}

// openAccount opens the demo's account.
func openAccount(read sandbox.ReadFile) (sandbox.DemoAccount, error) {
	key, err := sandbox.DemoServiceKey(read, demoFile)
	if err != nil {
		return sandbox.DemoAccount{}, err
	}
	account := Account{ProjectID: demoProject, ClientEmail: demoEmail, Key: &key.PublicKey}
	return sandbox.DemoAccount{
		New: func(core *sandbox.Core) sandbox.API { return newFake(core, []Account{account}) },
		Files: func(url string) []sandbox.File {
			return []sandbox.File{{Name: demoFile, Data: sandbox.DemoJSON(serviceAccount{
				Type: "service_account", ProjectID: demoProject, PrivateID: "demo-fcm-key", PrivateKey: string(sandbox.KeyPEM(key)),
				ClientEmail: demoEmail, ClientID: "100000000000000000001", TokenURI: url + "/token",
			})}}
		},
		Certificates: demoCertificates,
	}, nil
}

// serviceAccount is the file of a Google service account.
type serviceAccount struct {
	Type        string `json:"type"`
	ProjectID   string `json:"project_id"`
	PrivateID   string `json:"private_key_id"`
	PrivateKey  string `json:"private_key"`
	ClientEmail string `json:"client_email"`
	ClientID    string `json:"client_id"`
	TokenURI    string `json:"token_uri"`
}

const demoCertificates = `- id: demo-fcm
  vendor: fcm
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  project_id: ` + demoProject + `
  service_account_file: {{file "fcm.json"}}
  channel_id: {{.Channel}}
`
