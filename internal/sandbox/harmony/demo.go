package harmony

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// The demo's account.
const (
	demoProject    = "388421841222000001"
	demoClient     = "6917530001"
	demoKey        = "demoharmonykey000000000000000001"
	demoSubAccount = "100000002"
	demoFile       = "harmony.json"
)

//go:embed look.css
var look string

// Fake is the vendor as a sandbox plays it, with the accounts that its API knows.
func Fake(accounts ...Account) sandbox.Fake {
	return sandbox.Fake{
		Vendor: "harmony", Name: "HarmonyOS", NameZH: "鸿蒙", System: "HarmonyOS",
		Look:    look,
		Batch:   true,
		Calls:   sandbox.CallsKeys,
		New:     func(core *sandbox.Core) sandbox.API { return newFake(core, accounts) },
		Token:   demoToken,
		User:    sandbox.User{ID: "erin", Name: "小艾", Device: "matepad", Platform: "harmony", Locale: "zh-CN"},
		Account: openAccount,
	}
}

// demoToken makes up a device token.
func demoToken(name string) string {
	sum := sha256.Sum256([]byte("harmony\x00" + name))
	text := hex.EncodeToString(sum[:])
	return base64.RawURLEncoding.EncodeToString([]byte(text + text))
}

// openAccount opens the demo's account.
func openAccount(read sandbox.ReadFile) (sandbox.DemoAccount, error) {
	key, err := sandbox.DemoServiceKey(read, demoFile)
	if err != nil {
		return sandbox.DemoAccount{}, err
	}
	// A worker never calls these: they are the fixed audience of what it signs.
	const oauth = "https://oauth-login.cloud.huawei.com/oauth2/v3/"
	account := Account{ProjectID: demoProject, ClientID: demoClient, KeyID: demoKey, SubAccount: demoSubAccount, Key: &key.PublicKey, Categories: []string{"IM", "VOIP"}}
	return sandbox.DemoAccount{
		New: func(core *sandbox.Core) sandbox.API { return newFake(core, []Account{account}) },
		Files: func(string) []sandbox.File {
			return []sandbox.File{{Name: demoFile, Data: sandbox.DemoJSON(serviceAccount{
				ProjectID: demoProject, KeyID: demoKey, PrivateKey: string(sandbox.KeyPEM(key)), SubAccount: demoSubAccount,
				AuthURI: oauth + "authorize", TokenURI: oauth + "token",
			})}}
		},
		Certificates: demoCertificates,
	}, nil
}

// serviceAccount is the file of a Huawei service account.
type serviceAccount struct {
	ProjectID  string `json:"project_id"`
	KeyID      string `json:"key_id"`
	PrivateKey string `json:"private_key"`
	SubAccount string `json:"sub_account"`
	AuthURI    string `json:"auth_uri"`
	TokenURI   string `json:"token_uri"`
}

const demoCertificates = `- id: demo-harmony
  vendor: harmony
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  project_id: "` + demoProject + `"
  client_id: "` + demoClient + `"
  service_account_file: {{file "harmony.json"}}
  category: IM
`
