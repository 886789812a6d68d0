// Package natsauth makes nats.go's options from the credentials that a configuration, flags or a
// caller of the Go client gives, and judges them: it is the one builder for all of them.
package natsauth

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/hongyan-im/hongyan/internal/natsaddr"
	"github.com/hongyan-im/hongyan/internal/secretfile"
)

// Credentials say who connects to a NATS server and whom it trusts. The root package's type of this
// name has the same fields, and says what they mean.
type Credentials struct {
	CredentialsFile                  string
	NKeyFile                         string
	User, Password, PasswordFile     string
	Token, TokenFile                 string
	CAFile, CertificateFile, KeyFile string
}

// Problem is one thing that is wrong with credentials.
type Problem struct {
	// Key is the key of the configuration that it is about, below nats, such as password_file or
	// tls.key_file.
	Key string
	// Text says what is wrong, in words that follow the key; Remedy what to do.
	Text, Remedy string
}

// Problems lists all that is wrong with the credentials beside these addresses: two ways to say who
// one is, halves of a pair, and files that cannot be used. name says how a key is called where it
// was given. No problem repeats a secret.
func (c Credentials) Problems(addresses string, name func(key string) string) []Problem {
	var found []Problem
	say := func(key, text, remedy string) { found = append(found, Problem{key, text, remedy}) }

	// Who connects is said once.
	var kinds []string
	for _, k := range []struct {
		key   string
		given bool
	}{
		{"credentials_file", c.CredentialsFile != ""}, {"nkey_file", c.NKeyFile != ""},
		{"user", c.User != ""}, {"token", c.Token != ""}, {"token_file", c.TokenFile != ""},
	} {
		if k.given {
			kinds = append(kinds, k.key)
		}
	}
	switch {
	case len(kinds) > 1:
		say(kinds[1], "is given beside "+name(kinds[0]), "a connection has one kind of credentials: keep one of them")
	case len(kinds) == 1 && natsaddr.HasCredentials(addresses):
		say(kinds[0], "is given beside a user or token in the address", "a connection has one kind of credentials: keep one of them")
	}
	switch {
	case c.Password != "" && c.PasswordFile != "":
		say("password_file", "is given beside "+name("password"), "keep one of the two")
	case c.User == "" && c.Password != "":
		say("password", "is given without a user", "name the user with "+name("user"))
	case c.User == "" && c.PasswordFile != "":
		say("password_file", "is given without a user", "name the user with "+name("user"))
	case c.User != "" && c.Password == "" && c.PasswordFile == "":
		say("user", "is given without a password", "give it with "+name("password_file"))
	}
	switch {
	case c.KeyFile != "" && c.CertificateFile == "":
		say("tls.key_file", "is given without a certificate", "name it with "+name("tls.certificate_file"))
	case c.CertificateFile != "" && c.KeyFile == "":
		say("tls.certificate_file", "is given without its key", "name it with "+name("tls.key_file"))
	}

	// What the files hold can be used.
	check := func(key string, err error, remedy string) {
		if err != nil {
			say(key, err.Error(), remedy)
		}
	}
	if c.PasswordFile != "" {
		_, err := secretfile.Read(c.PasswordFile)
		check("password_file", err, "put the password alone into it")
	}
	if c.TokenFile != "" {
		_, err := secretfile.Read(c.TokenFile)
		check("token_file", err, "put the token alone into it")
	}
	if c.CredentialsFile != "" {
		check("credentials_file", usable(c.CredentialsFile, tryCredentials), "name a file as nsc writes it (.creds), with the user's JWT and key")
	}
	if c.NKeyFile != "" {
		check("nkey_file", usable(c.NKeyFile, tryNKey), "name a file with the seed of a user's nkey, which begins with SU")
	}
	if c.CAFile != "" {
		check("tls.ca_file", usable(c.CAFile, func(f string) error { return try(nats.RootCAs(f)) }), "name a PEM file with root certificates")
	}
	if c.CertificateFile != "" && c.KeyFile != "" {
		err := usable(c.CertificateFile, nil)
		if err == nil && usable(c.KeyFile, nil) != nil {
			check("tls.key_file", usable(c.KeyFile, nil), "name the certificate's key")
		} else {
			check("tls.certificate_file", usable(c.CertificateFile, func(f string) error { return try(nats.ClientCert(f, c.KeyFile)) }),
				"name a PEM file with a certificate, and its key with "+name("tls.key_file"))
		}
	}
	return found
}

// Err is the problems as one error, with each key as name has it; nil when there is none.
func Err(problems []Problem, name func(key string) string) error {
	var errs []error
	for _, p := range problems {
		errs = append(errs, fmt.Errorf("%s %s; %s", name(p.Key), p.Text, p.Remedy))
	}
	return errors.Join(errs...)
}

// Options are nats.go's. The files are read at each connection, so that a secret or certificate
// that changes is used from the next one on; the file of an nkey is the exception, because with
// another key its user is another one. A password or token that cannot be read at a reconnection is
// the last one.
func (c Credentials) Options(addresses string, name func(key string) string) ([]nats.Option, error) {
	if err := Err(c.Problems(addresses, name), name); err != nil {
		return nil, err
	}
	var opts []nats.Option
	switch {
	case c.CredentialsFile != "":
		opts = append(opts, nats.UserCredentials(c.CredentialsFile))
	case c.NKeyFile != "":
		o, err := nats.NkeyOptionFromSeed(c.NKeyFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name("nkey_file"), err)
		}
		opts = append(opts, o)
	case c.User != "":
		password := latest(c.PasswordFile, c.Password)
		opts = append(opts, nats.UserInfoHandler(func() (string, string) { return c.User, password() }))
	case c.Token != "" || c.TokenFile != "":
		opts = append(opts, nats.TokenHandler(latest(c.TokenFile, c.Token)))
	}
	if c.CAFile != "" {
		opts = append(opts, nats.RootCAs(c.CAFile))
	}
	if c.CertificateFile != "" {
		opts = append(opts, nats.ClientCert(c.CertificateFile, c.KeyFile))
	}
	return opts, nil
}

// latest reads a file whenever it is called, and returns the last value where that fails. Without a
// file it returns the value. nats.go calls it from one goroutine at a time.
func latest(file, value string) func() string {
	return func() string {
		if file != "" {
			if now, err := secretfile.Read(file); err == nil {
				value = now
			}
		}
		return value
	}
}

// usable says whether a file can be read, and then what use makes of it.
func usable(file string, use func(file string) error) error {
	f, err := os.Open(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("names a file that does not exist: %s", file)
	case err != nil:
		return fmt.Errorf("names a file that cannot be read: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("names a file that cannot be read: %w", err)
	}
	if use == nil {
		return nil
	}
	if err := use(file); err != nil {
		return fmt.Errorf("names a file that cannot be used: %s: %s", file, strings.TrimPrefix(err.Error(), "nats: "))
	}
	return nil
}

// try applies an option to nothing; those that read files look at them.
func try(o nats.Option) error { return o(&nats.Options{}) }

// tryCredentials reads the JWT and signs with the key.
func tryCredentials(file string) error {
	var o nats.Options
	if err := nats.UserCredentials(file)(&o); err != nil {
		return err
	}
	if _, err := o.UserJWT(); err != nil {
		return errors.New("it holds no user's JWT")
	}
	if _, err := o.SignatureCB([]byte("nonce")); err != nil {
		return errors.New("it holds no key of a user")
	}
	return nil
}

func tryNKey(file string) error {
	if _, err := nats.NkeyOptionFromSeed(file); err != nil {
		return errors.New("it holds no seed of a user's nkey")
	}
	return nil
}
