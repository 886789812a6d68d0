package vendors

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// FormRequest writes a POST of a form, as logins of OAuth 2.0 are. key is the configuration's key
// of the address, for the error.
func FormRequest(ctx context.Context, address string, form url.Values, key string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New(key + " is no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}

// ClientCredentials is the form of an OAuth 2.0 login by client credentials (RFC 6749, 4.4.2), with
// the secret in the form.
func ClientCredentials(id string, secret Secret) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {string(secret)}}
}

// maxLifetime is the longest lifetime of an access token that is believed.
const maxLifetime = 24 * time.Hour

// Lifetime reads the expires_in of an access token (RFC 6749, 5.1), in seconds: at most a day, and
// usual where it is missing or makes no sense.
func Lifetime(expiresIn Loose, usual time.Duration) time.Duration {
	secs, err := strconv.ParseInt(string(expiresIn), 10, 64)
	if err != nil || secs <= 0 {
		return usual
	}
	return time.Duration(min(secs, int64(maxLifetime/time.Second))) * time.Second
}

// LoginResult is the result of a login that gave no token, as far as its HTTP status says: that of
// [HTTPResult], but never AuthExpired or BadPayload. There is no older token that could be expired,
// and nothing of a message in a login; the certificate is refused.
func LoginResult(resp Response) Result {
	result := HTTPResult(resp)
	if result.Reason == AuthExpired || result.Reason == BadPayload {
		result.Reason = BadCredentials
	}
	result.Scope = ScopeUnsaid // a login is the certificate's
	return result
}

// TokenFailure is the result of a push for which [TokenSource.Token] gave an error. parent is the
// context without the call's own deadline.
func TokenFailure(parent context.Context, err error) Result {
	var te *TokenError
	if errors.As(err, &te) {
		result := te.Result
		result.Err = te
		return result
	}
	return TransportResult(parent, err)
}

// RSAKey reads the private key of a service account: PEM of PKCS #8 or PKCS #1. Its errors quote
// nothing of it.
func RSAKey(text string) (*rsa.PrivateKey, error) {
	// JSON has turned each \n of the file into a line break already.
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("has a private_key that is not PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("has a private_key that is not PKCS#8")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("has a private_key that is not RSA")
	}
	return key, nil
}
