package apns

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"github.com/sideshow/apns2/certificate"
	"github.com/sideshow/apns2/token"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// tokenRest is how old a provider token must be before another one may take its place: APNs answers
// TooManyProviderTokenUpdates to a connection that sees a new one more often than every 20 minutes.
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
	cert, err := certificate.FromP12Bytes(raw, string(password))
	if err != nil {
		return cert, errors.New("cannot be read as PKCS#12: wrong certificate_password, or a newer encryption than SHA-1 with 3DES or RC2")
	}
	return cert, nil
}

// newToken makes the provider token that all connections share, and signs it once: apns2 ignores a
// signing error later on and would send an empty bearer.
func newToken(c *Config) (*token.Token, error) {
	key, err := parseKey(c.Key)
	if err != nil {
		return nil, errors.New("key " + err.Error())
	}
	t := &token.Token{AuthKey: key, KeyID: c.KeyID, TeamID: c.TeamID}
	if _, err := t.Generate(); err != nil {
		return nil, errors.New("key cannot sign a provider token")
	}
	return t, nil
}

// renew makes a fresh provider token in place of the one that APNs called expired. It does nothing
// when another push renewed it already, and says false, leaving it as it is, when the token is too
// young to be replaced: then a clock is wrong, ours or theirs.
func renew(t *token.Token, used string, now time.Time) bool {
	t.Lock()
	defer t.Unlock()
	if used != "bearer "+t.Bearer {
		return true
	}
	if now.Unix()-t.IssuedAt < int64(tokenRest/time.Second) {
		return false
	}
	ok, _ := t.Generate() // it signed once in newToken
	return ok
}
