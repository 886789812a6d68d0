package hongyan

import (
	"log/slog"

	"github.com/nats-io/nats.go"

	"github.com/hongyan-im/hongyan/internal/natsauth"
)

// Credentials say who connects to NATS, and whom a connection trusts. At most one of four ways says
// who: a credentials file, an nkey, a user with a password, or a token; and none of them when the
// address holds a user or token. Files are read at each connection, so that a secret or certificate
// that is replaced there is used from the next one on; only a new nkey takes a new client.
type Credentials struct {
	// CredentialsFile holds a user's JWT and key, as nsc writes them (.creds).
	CredentialsFile string
	// NKeyFile holds the seed of a user's nkey.
	NKeyFile string
	// User goes with Password, or with PasswordFile, which holds the password and nothing else.
	User, Password, PasswordFile string
	// Token, or TokenFile, which holds it and nothing else.
	Token, TokenFile string
	// CAFile holds the root certificates, in PEM, that the servers' certificates are checked with;
	// default: the system's. It makes the connection use TLS.
	CAFile string
	// CertificateFile and KeyFile, in PEM, are the client's own certificate for servers that ask
	// for one. They make the connection use TLS.
	CertificateFile, KeyFile string
}

// String hides the credentials.
func (Credentials) String() string { return "<credentials>" }

// GoString hides the credentials.
func (Credentials) GoString() string { return "<credentials>" }

// LogValue hides the credentials.
func (Credentials) LogValue() slog.Value { return slog.StringValue("<credentials>") }

// credentialField is the field for a key of the configuration.
func credentialField(key string) string {
	return "Credentials." + map[string]string{
		"credentials_file": "CredentialsFile", "nkey_file": "NKeyFile", "user": "User", "password": "Password", "password_file": "PasswordFile",
		"token": "Token", "token_file": "TokenFile", "tls.ca_file": "CAFile", "tls.certificate_file": "CertificateFile", "tls.key_file": "KeyFile",
	}[key]
}

// options are nats.go's for a connection to these addresses.
func (c Credentials) options(addresses string) ([]nats.Option, error) {
	return natsauth.Credentials(c).Options(addresses, credentialField)
}
