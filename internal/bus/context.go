package bus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/natscontext"

	"github.com/hongyan-im/hongyan/internal/natsaddr"
)

// Context is what the nats tool knows under a name: where to connect, and as whom.
type Context struct {
	// Addresses are comma-separated, and may hold credentials.
	Addresses string
	// Options of nats.go carry the rest.
	Options []nats.Option
}

// LoadContext reads a context of the nats tool by its name, or by the absolute path of its file. It
// connects to nothing.
func LoadContext(name string) (Context, error) {
	if name == "" {
		return Context{}, errors.New("the nats tool's context has no name")
	}
	// The library connects, and tells what it read only afterwards. Its options are applied before
	// it does, so one that keeps them and fails ends there.
	var read nats.Options
	found := errors.New("found")
	_, _, err := natscontext.Connect(name, func(o *nats.Options) error {
		read = *o
		return found
	})
	if !errors.Is(err, found) {
		return Context{}, fmt.Errorf("the nats tool's context %q: %w", name, err)
	}
	c := Context{Addresses: strings.Join(read.Servers, ",")}
	if c.Addresses == "" {
		c.Addresses = natsaddr.Default
	}
	c.Options = []nats.Option{func(o *nats.Options) error {
		o.User, o.Password, o.Token, o.Nkey = read.User, read.Password, read.Token, read.Nkey
		o.UserJWT, o.SignatureCB = read.UserJWT, read.SignatureCB
		o.Secure, o.TLSConfig, o.TLSCertCB, o.RootCAsCB, o.TLSHandshakeFirst = read.Secure, read.TLSConfig, read.TLSCertCB, read.RootCAsCB, read.TLSHandshakeFirst
		o.CustomDialer, o.InboxPrefix = read.CustomDialer, read.InboxPrefix
		return nil
	}}
	return c, nil
}
