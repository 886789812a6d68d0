package oppo

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// The demo's account.
const (
	demoKey      = "demo-oppo-app-key"
	demoSecret   = "demo-oppo-master-secret"
	demoTemplate = "demo_template"
)

//go:embed look.css
var look string

// Fake is the vendor as a sandbox plays it, with the accounts that its API knows.
func Fake(accounts ...Account) sandbox.Fake {
	return sandbox.Fake{
		Vendor: "oppo", Name: "OPPO", NameZH: "OPPO", System: "ColorOS",
		Look:    look,
		Heading: sandbox.HeadingCard,
		Batch:   true, Mixed: true,
		Calls:   sandbox.CallsPills,
		New:     func(core *sandbox.Core) sandbox.API { return newFake(core, accounts) },
		Token:   demoToken,
		User:    sandbox.User{ID: "heidi", Name: "海迪", Device: "findx7", Platform: "android", Locale: "zh-CN"},
		Refused: `{"android":{"oppo_channel_id":"not-of-this-app"}}`,
		Account: openAccount,
	}
}

// demoToken makes up a device token.
func demoToken(name string) string {
	sum := sha256.Sum256([]byte("oppo\x00" + name))
	return "OPPO_CN_" + hex.EncodeToString(sum[:16])
}

// openAccount opens the demo's account.
func openAccount(_ sandbox.ReadFile) (sandbox.DemoAccount, error) {
	account := Account{
		AppKey: demoKey, MasterSecret: demoSecret, Channels: []string{sandbox.DemoChannel},
		Templates: map[string]Template{demoTemplate: {Title: []string{"sender"}, Content: []string{"text"}}},
	}
	return sandbox.SecretAccount("oppo", demoSecret, demoCertificates, func(core *sandbox.Core) sandbox.API { return newFake(core, []Account{account}) }), nil
}

const demoCertificates = `- id: demo-oppo
  vendor: oppo
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  app_key: "` + demoKey + `"
  master_secret_file: {{file "oppo.secret"}}
  channel_id: {{.Channel}}
  category: IM
  template_id: ` + demoTemplate + `
  title_params: {sender: "{title}"}
  content_params: {text: "{body}"}
`
