package meizu

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// The demo's account.
const (
	demoApp    = "106005"
	demoSecret = "demo-meizu-app-secret"
)

//go:embed look.css
var look string

// Fake is the vendor as a sandbox plays it, with the accounts that its API knows.
func Fake(accounts ...Account) sandbox.Fake {
	return sandbox.Fake{
		Vendor: "meizu", Name: "Meizu", NameZH: "魅族", System: "Flyme",
		Look:    look,
		Batch:   true,
		Calls:   sandbox.CallsPills,
		New:     func(core *sandbox.Core) sandbox.API { return newFake(core, accounts) },
		Token:   demoToken,
		User:    sandbox.User{ID: "judy", Name: "朱迪", Device: "meizu21", Platform: "android", Locale: "zh-CN"},
		Account: openAccount,
	}
}

// demoToken makes up a device token.
func demoToken(name string) string {
	sum := sha256.Sum256([]byte("meizu\x00" + name))
	return hex.EncodeToString(sum[:16]) + "_meizu"
}

// openAccount opens the demo's account.
func openAccount(_ sandbox.ReadFile) (sandbox.DemoAccount, error) {
	account := Account{AppID: demoApp, AppSecret: demoSecret}
	return sandbox.SecretAccount("meizu", demoSecret, demoCertificates, func(core *sandbox.Core) sandbox.API { return newFake(core, []Account{account}) }), nil
}

const demoCertificates = `- id: demo-meizu
  vendor: meizu
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  app_id: "` + demoApp + `"
  app_secret_file: {{file "meizu.secret"}}
`
