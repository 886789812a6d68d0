package bustest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/hongyan-im/hongyan/internal/natsauth"
)

// Secured is a server that lets nobody in without the right credentials, and these.
type Secured struct {
	Name, URL   string
	Credentials natsauth.Credentials
}

// StartSecured starts a server for each kind of credentials. They end with the test. All their
// secrets contain "hunter2".
func StartSecured(t testing.TB) []Secured {
	t.Helper()
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, content, 0o600))
		return path
	}
	user, operator := nkeyPair(t, nkeys.CreateUser), startOperator(t)
	authority := newAuthority(t)
	mutual := authority.serverConfig(t)
	certificate, key := authority.issue(t, "client")
	return []Secured{
		{"user", StartServer(t, &server.Options{Username: "hongyan", Password: "hunter2"}).ClientURL(),
			natsauth.Credentials{User: "hongyan", PasswordFile: file("password", []byte("hunter2\n"))}},
		{"token", StartServer(t, &server.Options{Authorization: "token-hunter2"}).ClientURL(),
			natsauth.Credentials{TokenFile: file("token", []byte("token-hunter2\n"))}},
		{"nkey", StartServer(t, &server.Options{Nkeys: []*server.NkeyUser{{Nkey: user.public}}}).ClientURL(),
			natsauth.Credentials{NKeyFile: file("user.nk", user.seed)}},
		{"credentials", operator.url, natsauth.Credentials{CredentialsFile: file("user.creds", operator.credentials)}},
		{"certificate", StartServer(t, &server.Options{TLSConfig: mutual}).ClientURL(),
			natsauth.Credentials{CAFile: file("ca.pem", authority.pem), CertificateFile: file("client.pem", certificate), KeyFile: file("client-key.pem", key)}},
	}
}

// StartServer starts a server with JetStream and these options on a free port, or on opts.Port. It
// ends with the test, if it was not shut down before.
func StartServer(t testing.TB, opts *server.Options) *server.Server {
	t.Helper()
	opts.Host, opts.NoSigs, opts.NoLog, opts.JetStream, opts.MaxPayload = "127.0.0.1", true, true, true, 8<<20
	if opts.Port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	if opts.StoreDir == "" {
		opts.StoreDir = t.TempDir()
	}
	srv, err := server.NewServer(opts)
	must(t, err)
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server did not start")
	}
	return srv
}

type pair struct {
	nkeys.KeyPair
	public string
	seed   []byte
}

func nkeyPair(t testing.TB, create func() (nkeys.KeyPair, error)) pair {
	t.Helper()
	kp, err := create()
	must(t, err)
	public, err := kp.PublicKey()
	must(t, err)
	seed, err := kp.Seed()
	must(t, err)
	return pair{kp, public, seed}
}

type operated struct {
	url         string
	credentials []byte
}

// startOperator starts a server whose users are named by JWTs, with one account and one user.
func startOperator(t testing.TB) operated {
	t.Helper()
	operator, system, account, user := nkeyPair(t, nkeys.CreateOperator), nkeyPair(t, nkeys.CreateAccount), nkeyPair(t, nkeys.CreateAccount), nkeyPair(t, nkeys.CreateUser)
	resolver := &server.MemAccResolver{}
	for _, a := range []pair{system, account} {
		claims := jwt.NewAccountClaims(a.public)
		if a.public == account.public {
			claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
		}
		token, err := claims.Encode(operator)
		must(t, err)
		must(t, resolver.Store(a.public, token))
	}
	token, err := jwt.NewUserClaims(user.public).Encode(account)
	must(t, err)
	credentials, err := jwt.FormatUserConfig(token, user.seed)
	must(t, err)
	srv := StartServer(t, &server.Options{TrustedKeys: []string{operator.public}, SystemAccount: system.public, AccountResolver: resolver})
	return operated{srv.ClientURL(), credentials}
}

// authority signs certificates for 127.0.0.1.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
	pem         []byte
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{key, certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue makes a certificate and its key, in PEM.
func (a *authority) issue(t testing.TB, name string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// serverConfig is a server's TLS that asks every client for a certificate.
func (a *authority) serverConfig(t testing.TB) *tls.Config {
	t.Helper()
	certificate, key := a.issue(t, "server")
	own, err := tls.X509KeyPair(certificate, key)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return &tls.Config{Certificates: []tls.Certificate{own}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
