package sandbox

import (
	"fmt"
	"time"
)

// Names that the demo's accounts share. They and the accounts' secrets are the same in every
// sandbox, so that a configuration can be written by hand; only key pairs are made anew.
const (
	// DemoApp is the app that the demo's certificates belong to.
	DemoApp = "demo"
	// DemoCollapse is an app with certificates of its own at the same accounts, in which a newer
	// message replaces the older one of its conversation.
	DemoCollapse = "demo-collapse"
	// DemoPackage is the app's bundle id and Android package name.
	DemoPackage = "com.example.im"
	// DemoChannel is the notification channel of chat messages.
	DemoChannel = "demo_im"
)

// Demo is a complete set of demo accounts, one for each vendor, with the keys that a worker needs
// to use them.
type Demo struct {
	authority *Authority
	fakes     []Fake // with an API that knows the account
	accounts  []DemoAccount
}

// NewDemo makes new accounts at the vendors. [OpenDemo] keeps them.
func NewDemo(now time.Time, fakes []Fake) (*Demo, error) {
	authority, err := NewAuthority(now)
	if err != nil {
		return nil, err
	}
	return newDemo(authority, fakes, nil)
}

func newDemo(authority *Authority, fakes []Fake, read ReadFile) (*Demo, error) {
	d := &Demo{authority: authority}
	for _, f := range fakes {
		account, err := f.Account(read)
		if err != nil {
			return nil, fmt.Errorf("open the demo's account at %s: %w", f.Vendor, err)
		}
		f.New = account.New
		d.fakes, d.accounts = append(d.fakes, f), append(d.accounts, account)
	}
	return d, nil
}

// Authority signs the certificate of a sandbox that the demo's files lead to: give it to
// [Server.Start].
func (d *Demo) Authority() *Authority { return d.authority }

// Fakes are the vendors, each with an API that knows the demo's account: give them to [New].
func (d *Demo) Fakes() []Fake { return d.fakes }
