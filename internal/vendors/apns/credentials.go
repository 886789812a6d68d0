package apns

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sideshow/apns2/certificate"
	"github.com/sideshow/apns2/token"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// tokenRest is how old a provider token should be before another one takes its place: APNs answers
// TooManyProviderTokenUpdates to a connection that sees a new one more often than every 20 minutes.
// One early renewal is tried where APNs calls the token expired.
const tokenRest = 20 * time.Minute

// parseKey reads a .p8 key. Its errors tell nothing of the key.
func parseKey(pem vendors.Secret) (*ecdsa.PrivateKey, error) {
	key, err := token.AuthKeyFromBytes([]byte(string(pem)))
	switch {
	case errors.Is(err, token.ErrAuthKeyNotPem):
		return nil, errors.New("is not PEM")
	case err != nil || key == nil:
		return nil, errors.New("is not an EC key in PKCS#8")
	case key.Curve != elliptic.P256():
		return nil, errors.New("is not on the curve P-256, which ES256 needs")
	}
	return key, nil
}

// parseCertificate reads a certificate with its key, PEM or PKCS#12. Its errors tell nothing of
// either.
func parseCertificate(data, password vendors.Secret) (tls.Certificate, error) {
	raw := []byte(string(data))
	if strings.Contains(string(raw), "-----BEGIN") {
		cert, err := certificate.FromPemBytes(raw, string(password))
		switch {
		case errors.Is(err, certificate.ErrNoPrivateKey):
			return cert, errors.New("holds no private key")
		case errors.Is(err, certificate.ErrNoCertificate):
			return cert, errors.New("holds no certificate")
		case err != nil:
			return cert, errors.New("cannot be read as PEM: wrong certificate_password, or an unknown kind of key")
		}
		return cert, nil
	}
	return parsePKCS12(raw, string(password))
}

// parsePKCS12 reads a file with one key, its certificate, and any number of others, such as the
// issuers'. apns2 takes no other certificate and no newer encryption.
func parsePKCS12(raw []byte, password string) (tls.Certificate, error) {
	var unknown pkcs12.NotImplementedError
	key, first, others, err := pkcs12.DecodeChain(raw, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return tls.Certificate{}, errors.New("cannot be opened: wrong certificate_password")
	case errors.As(err, &unknown):
		return tls.Certificate{}, errors.New("is PKCS#12 of a kind that is not known here")
	case err != nil:
		return tls.Certificate{}, errors.New("cannot be read as PKCS#12, with a certificate and its private key")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, errors.New("holds a private key of an unknown kind")
	}
	// Exporters put the certificates in any order; the key knows its own.
	public, comparable := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	all := append([]*x509.Certificate{first}, others...)
	own := slices.IndexFunc(all, func(c *x509.Certificate) bool { return comparable && public.Equal(c.PublicKey) })
	if own < 0 {
		return tls.Certificate{}, errors.New("holds no certificate of its private key")
	}
	return tls.Certificate{Certificate: chain(all[own], all), PrivateKey: key, Leaf: all[own]}, nil
}

// chain is a certificate with its issuers among others, each after the one that it issued.
func chain(leaf *x509.Certificate, others []*x509.Certificate) [][]byte {
	der := [][]byte{leaf.Raw}
	for last := leaf; len(der) <= len(others); {
		i := slices.IndexFunc(others, func(c *x509.Certificate) bool { return !c.Equal(last) && last.CheckSignatureFrom(c) == nil })
		if i < 0 {
			break
		}
		last = others[i]
		der = append(der, last.Raw)
	}
	return der
}

// providerToken is the JWT that all connections share.
type providerToken struct {
	*token.Token
	// early says that the token was made before its predecessor had its rest, because APNs called
	// that one expired. It is guarded by the token's lock.
	early bool
}

// newToken makes the provider token and signs it once: apns2 ignores a signing error later on and
// would send an empty bearer.
func newToken(c *Config) (*providerToken, error) {
	key, err := parseKey(c.Key)
	if err != nil {
		return nil, errors.New("key " + err.Error())
	}
	t := &token.Token{AuthKey: key, KeyID: c.KeyID, TeamID: c.TeamID}
	if _, err := t.Generate(); err != nil {
		return nil, errors.New("key cannot sign a provider token")
	}
	return &providerToken{Token: t}, nil
}

// renew makes a fresh provider token in place of the one that APNs called expired, and says whether
// there is one to try. There is none where that one was young and made early itself: then a clock
// is wrong, ours or theirs, and more tokens would only be called too many.
func (t *providerToken) renew(used string, now time.Time) bool {
	t.Lock()
	defer t.Unlock()
	if used != t.Bearer {
		return true // another push renewed it already
	}
	young := now.Unix()-t.IssuedAt < int64(tokenRest/time.Second)
	if young && t.early {
		return false
	}
	t.early = young
	ok, _ := t.Generate() // it signed once in newToken
	return ok
}

func (t *providerToken) isEarly() bool {
	t.Lock()
	defer t.Unlock()
	return t.early
}
