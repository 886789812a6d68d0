package apns

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// The demo's account.
const (
	demoTeam = "DEMOTEAM01"
	demoKey  = "DEMOKEY001"
	demoFile = "apns.p8"
)

//go:embed look.css
var look string

// Fake is the vendor as a sandbox plays it, with the accounts that its API knows.
func Fake(accounts ...Account) sandbox.Fake {
	return sandbox.Fake{
		Vendor: "apns", Name: "Apple APNs", NameZH: "苹果 APNs", System: "iOS",
		Look:    look,
		TLSOnly: true,
		Calls:   sandbox.CallsKeys,
		New:     func(core *sandbox.Core) sandbox.API { return newFake(core, accounts) },
		Token:   demoToken,
		User:    sandbox.User{ID: "bob", Name: "Bob", Device: "iphone", Platform: "ios", Locale: "en-US", VoIP: "demo-apns-voip"},
		Account: openAccount,
		Bare:    bare,
	}
}

// demoToken makes up a device token.
func demoToken(name string) string {
	sum := sha256.Sum256([]byte("apns\x00" + name))
	return hex.EncodeToString(sum[:])
}

// openAccount opens the demo's account.
func openAccount(read sandbox.ReadFile) (sandbox.DemoAccount, error) {
	key, err := sandbox.DemoKey(read, demoFile, func() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	if err != nil {
		return sandbox.DemoAccount{}, err
	}
	account := Account{TeamID: demoTeam, KeyID: demoKey, Key: &key.PublicKey, Topics: []string{sandbox.DemoPackage}}
	return sandbox.DemoAccount{
		New:          func(core *sandbox.Core) sandbox.API { return newFake(core, []Account{account}) },
		Files:        func(string) []sandbox.File { return []sandbox.File{{Name: demoFile, Data: sandbox.KeyPEM(key)}} },
		Certificates: demoCertificates,
	}, nil
}

const demoCertificates = `- id: demo-apns
  vendor: apns
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  topic: {{.Package}}
  key_file: {{file "apns.p8"}}
  key_id: ` + demoKey + `
  team_id: ` + demoTeam + `
- id: demo-apns-voip
  vendor: apns
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  topic: {{.Package}}
  key_file: {{file "apns.p8"}}
  key_id: ` + demoKey + `
  team_id: ` + demoTeam + `
`
