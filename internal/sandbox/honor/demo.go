package honor

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// The demo's account.
const (
	demoApp    = "104000003"
	demoClient = "220000003"
	demoSecret = "demo-honor-client-secret"
)

//go:embed look.css
var look string

// Fake is the vendor as a sandbox plays it, with the accounts that its API knows.
func Fake(accounts ...Account) sandbox.Fake {
	return sandbox.Fake{
		Vendor: "honor", Name: "Honor", NameZH: "荣耀", System: "Magic UI",
		Look:    look,
		Heading: sandbox.HeadingCard,
		Batch:   true,
		Calls:   sandbox.CallsPills,
		New:     func(core *sandbox.Core) sandbox.API { return newFake(core, accounts) },
		Token:   demoToken,
		User:    sandbox.User{ID: "frank", Name: "方可", Device: "magic6", Platform: "android", Locale: "zh-CN"},
		Account: openAccount,
	}
}

// demoToken makes up a device token.
func demoToken(name string) string {
	sum := sha256.Sum256([]byte("honor\x00" + name))
	return "BAEAAAAAB." + base64.RawURLEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:])))
}

// openAccount opens the demo's account.
func openAccount(_ sandbox.ReadFile) (sandbox.DemoAccount, error) {
	account := Account{AppID: demoApp, ClientID: demoClient, ClientSecret: demoSecret}
	return sandbox.SecretAccount("honor", demoSecret, demoCertificates, func(core *sandbox.Core) sandbox.API { return newFake(core, []Account{account}) }), nil
}

const demoCertificates = `- id: demo-honor
  vendor: honor
  endpoint: {{q .URL}}
  token_endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  app_id: "` + demoApp + `"
  client_id: "` + demoClient + `"
  client_secret_file: {{file "honor.secret"}}
  importance: NORMAL
  badge_class: {{.Package}}.MainActivity
`
