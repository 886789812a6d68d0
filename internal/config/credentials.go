package config

import (
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/hongyan-im/hongyan/internal/natsauth"
)

// Credentials of the connection to NATS.
func (n NATS) Credentials() natsauth.Credentials {
	return natsauth.Credentials{
		CredentialsFile: n.CredentialsFile, NKeyFile: n.NKeyFile,
		User: n.User, Password: string(n.Password), PasswordFile: n.PasswordFile,
		Token: string(n.Token), TokenFile: n.TokenFile,
		CAFile: n.TLS.CAFile, CertificateFile: n.TLS.CertificateFile, KeyFile: n.TLS.KeyFile,
	}
}

// checkCredentials makes the files' names absolute, as the configuration's folder has them, and
// judges the credentials.
func (b *binder) checkCredentials(root ast.Node, n *NATS) {
	for _, file := range []*string{&n.CredentialsFile, &n.NKeyFile, &n.PasswordFile, &n.TokenFile, &n.TLS.CAFile, &n.TLS.CertificateFile, &n.TLS.KeyFile} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(b.dir, *file)
		}
	}
	key := func(key string) string { return "nats." + key }
	problems := n.Credentials().Problems(n.URL, key)
	for _, p := range problems {
		path := append([]string{"nats"}, strings.Split(p.Key, ".")...)
		b.problem(b.find(root, path...), key(p.Key), p.Text, p.Remedy)
	}
	if n.URL == "" && len(problems) == 0 && n.Credentials() != (natsauth.Credentials{}) {
		b.problem(b.find(root, "nats"), "nats", "has credentials without an address", "give nats.url; the embedded server has no users")
	}
}
