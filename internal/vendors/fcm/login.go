package fcm

import (
	"cmp"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// The login of a service account: an assertion signed with its key is traded for an access token.
// https://developers.google.com/identity/protocols/oauth2/service-account#httprest
const (
	// scope is the narrowest that lets a service account send.
	scope     = "https://www.googleapis.com/auth/firebase.messaging"
	grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenURI  = "https://oauth2.googleapis.com/token"
	// assertionLife is the longest that Google takes.
	assertionLife = time.Hour
	// clockSlack dates the assertion back, for a clock that runs ahead of Google's.
	clockSlack = 10 * time.Second
	// tokenLife stands in for an answer that does not say.
	tokenLife = 30 * time.Minute
)

// account is the part of a service account's JSON key file that matters.
type account struct {
	Type        string `json:"type"`
	ProjectID   string `json:"project_id"`
	KeyID       string `json:"private_key_id"`
	PrivateKey  string `json:"private_key"`
	ClientEmail string `json:"client_email"`
	TokenURI    string `json:"token_uri"`

	key *rsa.PrivateKey
}

// parseAccount reads the key file. Its errors quote nothing of it.
func parseAccount(secret vendors.Secret) (*account, error) {
	a := &account{}
	if err := json.Unmarshal([]byte(secret), a); err != nil {
		return nil, errors.New("is no JSON")
	}
	if a.Type != "service_account" {
		return nil, errors.New(`is not the key of a service account ("type" is not "service_account")`)
	}
	if a.ClientEmail == "" {
		return nil, errors.New("has no client_email")
	}
	key, err := vendors.RSAKey(a.PrivateKey)
	if err != nil {
		return nil, err
	}
	a.key = key
	a.TokenURI = cmp.Or(a.TokenURI, tokenURI)
	if u, err := url.Parse(a.TokenURI); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("has a token_uri that is no http or https URL")
	}
	return a, nil
}

// tokenRequest writes the call that fetches an access token.
func (a *account) tokenRequest(ctx context.Context, now time.Time) (*http.Request, error) {
	iat := now.Add(-clockSlack)
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": a.ClientEmail, "scope": scope, "aud": a.TokenURI, "iat": iat.Unix(), "exp": iat.Add(assertionLife).Unix(),
	})
	if a.KeyID != "" {
		t.Header["kid"] = a.KeyID
	}
	assertion, err := t.SignedString(a.key)
	if err != nil {
		return nil, err
	}
	return vendors.FormRequest(ctx, a.TokenURI, url.Values{"grant_type": {grantType}, "assertion": {assertion}}, "token_uri")
}

// interpretToken reads the answer. What it describes in words is not passed on: it may name the
// account.
func interpretToken(resp vendors.Response, now time.Time) (vendors.AccessToken, vendors.Result) {
	var answer struct {
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
		Error       string  `json:"error"`
	}
	parsed := json.Unmarshal(resp.Body, &answer) == nil
	if resp.Status == http.StatusOK && parsed && answer.AccessToken != "" {
		life := tokenLife
		if answer.ExpiresIn > 0 && answer.ExpiresIn < 7*24*3600 {
			life = time.Duration(answer.ExpiresIn * float64(time.Second))
		}
		return vendors.AccessToken{Value: answer.AccessToken, Expires: now.Add(life)}, vendors.Result{Reason: vendors.Accepted}
	}
	result := vendors.LoginResult(resp)
	if row, known := vendors.Index(codes, levelLogin)[answer.Error]; parsed && known && resp.Status >= 400 && resp.Status < 500 && resp.Status != http.StatusTooManyRequests {
		return vendors.AccessToken{}, vendors.Result{Reason: row.Reason, Code: row.Code, Err: errors.New(row.Meaning.EN)}
	}
	switch {
	case resp.Status == http.StatusTooManyRequests, resp.Status == http.StatusRequestTimeout, resp.Status >= 500:
		result = wait(result)
	case resp.Status >= 400:
		// whatever is wrong with a login is not the push's fault
		result.Reason = vendors.BadCredentials
		result.Err = errors.New("the token endpoint refused the service account")
	}
	return vendors.AccessToken{}, result
}

// login fetches access tokens.
type login struct {
	account *account
	client  *http.Client
	timeout time.Duration
}

// fetch is a vendors.TokenFetch.
func (l *login) fetch(ctx context.Context, now time.Time) (vendors.AccessToken, error) {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	req, err := l.account.tokenRequest(ctx, now)
	if err != nil {
		return vendors.AccessToken{}, &vendors.TokenError{Result: vendors.Result{Reason: vendors.BadCredentials, Err: errors.New("the assertion could not be signed")}}
	}
	resp, err := vendors.Do(l.client, req)
	if err != nil {
		return vendors.AccessToken{}, &vendors.TokenError{Result: vendors.TransportResult(parent, err)}
	}
	token, result := interpretToken(resp, now)
	if result.Reason != vendors.Accepted {
		return vendors.AccessToken{}, &vendors.TokenError{Result: result}
	}
	return token, nil
}
