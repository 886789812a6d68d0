package vivo

import (
	"crypto/sha256"
	_ "embed"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// The demo's account.
const (
	demoApp    = "105000004"
	demoKey    = "demo-vivo-app-key"
	demoSecret = "demo-vivo-app-secret"
	// demoTestDevice is the token that the vendor's test mode reaches.
	demoTestDevice = "demo-vivo-test-device"
)

//go:embed look.css
var look string

// Fake is the vendor as a sandbox plays it, with the accounts that its API knows.
func Fake(accounts ...Account) sandbox.Fake {
	return sandbox.Fake{
		Vendor: "vivo", Name: "vivo", NameZH: "vivo", System: "OriginOS",
		Look:    look,
		Heading: sandbox.HeadingLine,
		Batch:   true,
		Calls:   sandbox.CallsKeys,
		New:     func(core *sandbox.Core) sandbox.API { return newFake(core, accounts) },
		Token:   demoToken,
		User:    sandbox.User{ID: "ivan", Name: "伊万", Device: "x100", Platform: "android", Locale: "zh-CN"},
		Account: openAccount,
	}
}

// demoToken makes up a device token.
func demoToken(name string) string {
	sum := sha256.Sum256([]byte("vivo\x00" + name))
	digits := make([]byte, 23)
	for i, b := range sum[:23] {
		digits[i] = '0' + b%10
	}
	digits[0] = '1' + sum[0]%9
	return string(digits)
}

// openAccount opens the demo's account.
func openAccount(_ sandbox.ReadFile) (sandbox.DemoAccount, error) {
	account := Account{AppID: demoApp, AppKey: demoKey, AppSecret: demoSecret, TestDevices: []string{demoTestDevice}}
	return sandbox.SecretAccount("vivo", demoSecret, demoCertificates, func(core *sandbox.Core) sandbox.API { return newFake(core, []Account{account}) }), nil
}

const demoCertificates = `- id: demo-vivo
  vendor: vivo
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  app_id: "` + demoApp + `"
  app_key: "` + demoKey + `"
  app_secret_file: {{file "vivo.secret"}}
  category: IM
`
