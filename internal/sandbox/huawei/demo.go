package huawei

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// The demo's account.
const (
	demoApp    = "100000001"
	demoSecret = "demo-huawei-app-secret"
)

//go:embed look.css
var look string

// Fake is the vendor as a sandbox plays it, with the accounts that its API knows.
func Fake(accounts ...Account) sandbox.Fake {
	return sandbox.Fake{
		Vendor: "huawei", Name: "Huawei", NameZH: "华为", System: "EMUI",
		Look:    look,
		Heading: sandbox.HeadingCard,
		Batch:   true,
		Calls:   sandbox.CallsPills,
		New:     func(core *sandbox.Core) sandbox.API { return newFake(core, accounts) },
		Token:   demoToken,
		User:    sandbox.User{ID: "dan", Name: "丹丹", Device: "mate60", Platform: "android", Locale: "zh-CN"},
		Account: openAccount,
	}
}

// demoToken makes up a device token.
func demoToken(name string) string {
	sum := sha256.Sum256([]byte("huawei\x00" + name))
	text := hex.EncodeToString(sum[:])
	return base64.RawURLEncoding.EncodeToString([]byte(text + text))
}

// openAccount opens the demo's account.
func openAccount(_ sandbox.ReadFile) (sandbox.DemoAccount, error) {
	account := Account{AppID: demoApp, AppSecret: demoSecret, Categories: []string{"IM", "VOIP"}}
	return sandbox.SecretAccount("huawei", demoSecret, demoCertificates, func(core *sandbox.Core) sandbox.API { return newFake(core, []Account{account}) }), nil
}

const demoCertificates = `- id: demo-huawei
  vendor: huawei
  endpoint: {{q .URL}}
  token_endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  app_id: "` + demoApp + `"
  app_secret_file: {{file "huawei.secret"}}
  category: IM
  badge_class: {{.Package}}.MainActivity
`
