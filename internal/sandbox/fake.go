package sandbox

import "net/http"

// Fake is one vendor as a sandbox plays it. It is all that the sandbox, its page, its demo and the
// programs around them know of a vendor; the list of all fakes is package internal/sandbox/all.
type Fake struct {
	// Vendor is the vendor's name in configurations, subjects and faults.
	Vendor string
	// Name and NameZH are its names for people, in English and Chinese.
	Name, NameZH string
	// System is the name of the system of its phones.
	System string
	// Look is how the page draws its phones, as CSS: the colour --mark of the vendor and the rules
	// of the phone. Each selector begins with [data-vendor="<vendor>"].
	Look string
	// Heading says what stands above a notification's text, Calls where an incoming call is
	// answered.
	Heading Heading
	Calls   Calls
	// TLSOnly says that the vendor's API is not served over plain HTTP.
	TLSOnly bool
	// Batch says that one call of the API takes many devices with the same notification, Mixed that
	// it takes devices with different ones.
	Batch, Mixed bool

	// New makes the vendor's API for a sandbox. Nil plays a vendor that has no API.
	New func(*Core) API

	// Token makes up a device token in the shape of the vendor's, the same for the same name.
	Token func(name string) string
	// User owns a phone of the vendor in the demo.
	User User
	// Refused is the offline_push, as JSON, of a message that the demo's account refuses; empty for
	// a vendor that is not asked to.
	Refused string
	// Account opens the vendor's account in the demo. read returns the content of a file that
	// [DemoAccount.Files] left; it is nil for a new demo, whose keys must be new.
	Account func(read ReadFile) (DemoAccount, error)
	// Bare pushes n notifications to the demo's account at a sandbox with nothing but the library
	// that the vendor's driver is built on: the yardstick of the benchmark. url is the sandbox's
	// TLS address and dir the folder of the demo's files. Nil where there is no such library.
	Bare func(url, dir string, n int) error
}

// Heading is what a phone shows above a notification's text.
type Heading string

// The headings.
const (
	// HeadingBanner is the time beside the title; the app's icon stands at the side.
	HeadingBanner Heading = ""
	// HeadingCard is a line with a small icon, the app's name and the time.
	HeadingCard Heading = "card"
	// HeadingLine is a line with the app's name and the time; the icon stands at the side.
	HeadingLine Heading = "line"
)

// Calls is where a phone shows the buttons of an incoming call.
type Calls string

// The places of the buttons.
const (
	CallsKeys  Calls = "keys"  // round keys at the side
	CallsPills Calls = "pills" // pills below the text
)

// API is one vendor's API, by http.ServeMux patterns. A pattern names no method where the vendor
// itself answers a wrong one.
type API interface {
	// Pushes are the send calls; the general faults strike them.
	Pushes() map[string]http.HandlerFunc
	// Logins are the calls that fetch access tokens.
	Logins() map[string]http.HandlerFunc
}

// User is a person of the demo, with one phone.
type User struct {
	ID, Name string
	// Device, Platform and Locale are those of the phone's registration.
	Device, Platform, Locale string
	// VoIP is the certificate that calls to the phone go by, where they have their own.
	VoIP string
}

// ReadFile returns the content of a file of the demo.
type ReadFile func(name string) ([]byte, error)

// DemoAccount is a vendor's account in the demo.
type DemoAccount struct {
	// New makes an API that knows the account.
	New func(*Core) API
	// Files are what a worker needs to use the account, for a sandbox at url.
	Files func(url string) []File
	// Certificates is a YAML list of the certificates that use the account, as a text/template:
	// {{q .URL}} is the sandbox's address, {{file "x"}} the path of a file, {{.Package}} is
	// [DemoPackage] and {{.Channel}} [DemoChannel]. Their ids are "demo-<vendor>" and, where a
	// vendor needs more than one, "demo-<vendor>-…".
	Certificates string
}

// SecretAccount is the account in the demo of a vendor that gives an app a secret, which the file
// <vendor>.secret holds.
func SecretAccount(vendor, secret, certificates string, api func(*Core) API) DemoAccount {
	return DemoAccount{
		New:          api,
		Files:        func(string) []File { return []File{{Name: vendor + ".secret", Data: []byte(secret)}} },
		Certificates: certificates,
	}
}

// File is a file of the demo.
type File struct {
	Name string
	Data []byte
}
