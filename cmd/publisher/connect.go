package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/natsaddr"
	"github.com/hongyan-im/hongyan/internal/natsauth"
)

// server is where the tool connects, and as whom.
type server struct {
	address     string
	credentials natsauth.Credentials
	// context is the nats tool's, where one is used.
	context bus.Context
}

// connectFlags are the global flags that say where and as whom. No secret is a flag: every user of
// the machine can read a command line. No default is taken from the environment here, because help
// prints defaults.
type connectFlags struct {
	address, context string
	credentials      natsauth.Credentials
}

func (c *connectFlags) define(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&c.address, "nats", "", "NATS `address`, or several, comma-separated (default $NATS_URL, else "+natsaddr.Default+")")
	f.StringVar(&c.context, "context", "", "`name` of a context of the nats tool, which has the address and the credentials (default $NATS_CONTEXT)")
	f.StringVar(&c.credentials.User, "nats-user", "", "`user` of the NATS server (default $NATS_USER; the password is $NATS_PASSWORD or in a file)")
	f.StringVar(&c.credentials.PasswordFile, "nats-password-file", "", "`file` with the user's password")
	f.StringVar(&c.credentials.TokenFile, "nats-token-file", "", "`file` with a token (default the token itself in $NATS_TOKEN)")
	f.StringVar(&c.credentials.CredentialsFile, "nats-credentials-file", "", "`file` with a user's JWT and key, .creds (default $NATS_CREDS)")
	f.StringVar(&c.credentials.NKeyFile, "nats-nkey-file", "", "`file` with the seed of a user's nkey (default $NATS_NKEY)")
	f.StringVar(&c.credentials.CAFile, "nats-ca-file", "", "`file` with root certificates of the NATS server (default $NATS_CA)")
	f.StringVar(&c.credentials.CertificateFile, "nats-certificate-file", "", "`file` with this client's certificate (default $NATS_CERT)")
	f.StringVar(&c.credentials.KeyFile, "nats-key-file", "", "`file` with the certificate's key (default $NATS_KEY)")
}

// flagOf is the flag for a key of the configuration.
func flagOf(key string) string {
	switch key {
	case "password": // there is none, and the environment is where it may be
		return "$NATS_PASSWORD"
	case "token":
		return "$NATS_TOKEN"
	}
	return "--nats-" + strings.ReplaceAll(strings.TrimPrefix(key, "tls."), "_", "-")
}

// server puts flags and environment together. Flags that say who connects are in the place of all
// that the environment says about it.
func (t *tool) server() (server, error) {
	s := server{credentials: t.nats.credentials}
	c := &s.credentials
	names := map[string]string{} // of what the environment gave
	env := func(value *string, key, variable string) {
		if v := t.getenv(variable); v != "" && *value == "" {
			*value, names[key] = v, "$"+variable
		}
	}
	nameOf := func(key string) string { return cmp.Or(names[key], flagOf(key)) }

	context := t.nats.context
	switch {
	case context == "" && c.User == "" && c.PasswordFile == "" && c.TokenFile == "" && c.CredentialsFile == "" && c.NKeyFile == "":
		env(&context, "context", "NATS_CONTEXT")
		env(&c.CredentialsFile, "credentials_file", "NATS_CREDS")
		env(&c.NKeyFile, "nkey_file", "NATS_NKEY")
		env(&c.Token, "token", "NATS_TOKEN")
		// As the nats tool has it: a user without a password is a token, a password without a user
		// is nothing.
		switch user, password := t.getenv("NATS_USER"), t.getenv("NATS_PASSWORD"); {
		case user != "" && password != "":
			env(&c.User, "user", "NATS_USER")
			env(&c.Password, "password", "NATS_PASSWORD")
		case user != "" && c.Token != "" && c.Token != user:
			return s, errors.New("credentials of NATS: $NATS_TOKEN is given beside $NATS_USER, which is a token where $NATS_PASSWORD is empty; keep one of the two")
		default:
			env(&c.Token, "token", "NATS_USER")
		}
	case c.User != "" && c.PasswordFile == "":
		env(&c.Password, "password", "NATS_PASSWORD")
	}
	if t.nats.context == "" {
		env(&c.CAFile, "tls.ca_file", "NATS_CA")
		env(&c.CertificateFile, "tls.certificate_file", "NATS_CERT")
		env(&c.KeyFile, "tls.key_file", "NATS_KEY")
	}

	s.address = t.nats.address
	from := "--nats"
	if s.address == "" && t.nats.context == "" {
		s.address, from = t.getenv("NATS_URL"), "$NATS_URL"
	}
	if context != "" {
		if *c != (natsauth.Credentials{}) {
			return s, fmt.Errorf("%s is given beside other credentials of NATS; a context brings its own, keep one of them", cmp.Or(names["context"], "--context"))
		}
		var err error
		if s.context, err = bus.LoadContext(context); err != nil {
			return s, err
		}
		if s.address == "" {
			s.address, from = s.context.Addresses, "the context "+context
		}
	}
	if s.address == "" {
		s.address = natsaddr.Default
	}
	if err := natsaddr.Check(s.address); err != nil {
		return s, fmt.Errorf("%s: %w", from, err)
	}
	if err := natsauth.Err(c.Problems(s.address, nameOf), nameOf); err != nil {
		return s, fmt.Errorf("credentials of NATS: %w", err)
	}
	return s, nil
}

// connect opens the streams and checks that those needed are there.
func (t *tool) connect(ctx context.Context, streams ...string) (*bus.Bus, error) {
	s, err := t.server()
	if err != nil {
		return nil, cli.UsageError(err)
	}
	b, err := bus.Connect(ctx, bus.Options{
		URL: s.address, Credentials: s.credentials, Key: flagOf, More: s.context.Options, Name: "hongyan publisher", Topology: t.topology(), Once: true,
		Refused: t.refused,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := t.step(ctx)
	defer cancel()
	if err := b.Require(ctx, streams...); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (t *tool) client() (*hongyan.Client, error) {
	s, err := t.server()
	if err != nil {
		return nil, cli.UsageError(err)
	}
	return hongyan.Connect(s.address, hongyan.Options{Prefix: t.subjectPrefix, Credentials: hongyan.Credentials(s.credentials)}, s.context.Options...)
}

// shownAddress is where the tool connects, without credentials.
func (t *tool) shownAddress() string {
	s, err := t.server()
	if err != nil {
		return "the NATS server" // connecting has said why
	}
	return natsaddr.Redact(s.address)
}

// isConnect tells a failure to connect from others.
func isConnect(err error) bool { return strings.Contains(err.Error(), "connect to NATS at ") }
