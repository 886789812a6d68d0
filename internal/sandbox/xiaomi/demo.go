package xiaomi

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// The demo's account.
const (
	demoSecret   = "demo-xiaomi-app-secret"
	demoTemplate = "M12762" // one-to-one chat
	demoGroup    = "M12763" // group chat
)

//go:embed look.css
var look string

// Fake is the vendor as a sandbox plays it, with the accounts that its API knows.
func Fake(accounts ...Account) sandbox.Fake {
	return sandbox.Fake{
		Vendor: "xiaomi", Name: "Xiaomi", NameZH: "小米", System: "HyperOS",
		Look:  look,
		Batch: true, Mixed: true,
		Calls:   sandbox.CallsKeys,
		New:     func(core *sandbox.Core) sandbox.API { return newFake(core, accounts) },
		Token:   demoToken,
		User:    sandbox.User{ID: "grace", Name: "葛蕾", Device: "xiaomi15", Platform: "android", Locale: "zh-CN"},
		Account: openAccount,
	}
}

// demoToken makes up a device token.
func demoToken(name string) string {
	sum := sha256.Sum256([]byte("xiaomi\x00" + name))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// openAccount opens the demo's account.
func openAccount(_ sandbox.ReadFile) (sandbox.DemoAccount, error) {
	account := Account{
		Package: sandbox.DemoPackage, AppSecret: demoSecret,
		Channels:  map[string]string{sandbox.DemoChannel: "private", "demo_news": "public"},
		Templates: map[string][]string{demoTemplate: {"keywords1", "keywords2"}, demoGroup: {"keywords1", "keywords2", "keywords3"}},
	}
	return sandbox.SecretAccount("xiaomi", demoSecret, demoCertificates, func(core *sandbox.Core) sandbox.API { return newFake(core, []Account{account}) }), nil
}

const demoCertificates = `- id: demo-xiaomi
  vendor: xiaomi
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  package: {{.Package}}
  app_secret_file: {{file "xiaomi.secret"}}
  channel_id: {{.Channel}}
  template_id: ` + demoTemplate + `
  template_params: {keywords1: "{title}", keywords2: "{body}"}
  templates:
    group: {id: ` + demoGroup + `, params: {keywords1: "{title}", keywords2: "{sender}", keywords3: "{text}"}}
`
