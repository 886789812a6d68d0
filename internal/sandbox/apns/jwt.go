package apns

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	tokenLife = time.Hour        // older is ExpiredProviderToken
	tokenRest = 20 * time.Minute // sooner than this a new one is TooManyProviderTokenUpdates
	maxConns  = 1024             // connections that are remembered
)

// conn is what APNs remembers of a connection: it is bound to the first push's team and key.
type conn struct {
	team, kid string
	iat       time.Time // of the provider token in use
	since     time.Time // when it was first used here
	used      time.Time
}

// providerToken is a provider token whose signature was right.
type providerToken struct {
	account *Account
	iat     time.Time
}

// authorize checks who sends. Apple, "Establishing a token-based connection to APNs" and
// "Establishing a certificate-based connection".
func (f *fake) authorize(r *http.Request, h headers) *brokenRule {
	for _, a := range f.accounts {
		if a.speaksFor(r.TLS) { // the authorization header is ignored
			return h.allowed(&a)
		}
	}
	auth := r.Header.Get("Authorization")
	jwt, ok := strings.CutPrefix(auth, "bearer ")
	if !ok || jwt == "" {
		return broken("MissingProviderToken", "the authorization header is not \"bearer \" and a provider token")
	}
	t, bad := f.verify(jwt)
	if bad != nil {
		return bad
	}
	now := f.core.Now()
	if now.Sub(t.iat) > tokenLife {
		return broken("ExpiredProviderToken", "the provider token's iat is more than an hour old")
	}
	if bad := f.bind(r.TLS, t, now); bad != nil {
		return bad
	}
	return h.allowed(t.account)
}

func (h headers) allowed(a *Account) *brokenRule {
	if !slices.Contains(a.Topics, h.bundle()) {
		return broken("TopicDisallowed", "the account may not push to the topic %s", h.topic)
	}
	return nil
}

// verify checks a provider token's form and signature, and remembers the good ones.
func (f *fake) verify(jwt string) (providerToken, *brokenRule) {
	f.mu.Lock()
	t, known := f.jwts[jwt]
	f.mu.Unlock()
	if known {
		return t, nil
	}
	invalid := func(rule string) (providerToken, *brokenRule) {
		return providerToken{}, broken("InvalidProviderToken", "%s", rule)
	}
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return invalid("the provider token is no JWT of three parts")
	}
	var header struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ"`
	}
	var claims struct {
		Iss string `json:"iss"`
		Iat int64  `json:"iat"`
	}
	if !part(parts[0], &header) || !part(parts[1], &claims) {
		return invalid("the provider token's header has alg and kid, its claims are iss and iat, a number, and nothing else")
	}
	if header.Alg != "ES256" {
		return invalid("the provider token's alg is ES256")
	}
	at := slices.IndexFunc(f.accounts, func(a Account) bool { return a.Key != nil && a.KeyID == header.Kid })
	if at < 0 {
		return invalid("the provider token's kid is that of no key")
	}
	account := &f.accounts[at]
	if claims.Iss != account.TeamID {
		return invalid("the provider token's iss is not the key's team")
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(sig) != 64 {
		return invalid("the provider token's signature is r and s, 32 bytes each, in base64url")
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(account.Key, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return invalid("the provider token's signature is wrong")
	}
	t = providerToken{account: account, iat: time.Unix(claims.Iat, 0)}
	if t.iat.Sub(f.core.Now()) > tokenLife {
		return invalid("the provider token's iat lies in the future: it is in seconds")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.jwts) > 1000 {
		clear(f.jwts)
	}
	f.jwts[jwt] = t
	return t, nil
}

// part reads a part of a JWT that has no other members.
func part(part string, into any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && strict(text, into)
}

// strict reads JSON that has no members but those of into.
func strict(text []byte, into any) bool {
	return json.Unmarshal(text, into, json.RejectUnknownMembers(true)) == nil
}

// bind holds a connection to its first team and key, and to one provider token in 20 minutes.
func (f *fake) bind(state *tls.ConnectionState, t providerToken, now time.Time) *brokenRule {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.conns[state]
	if c == nil {
		if len(f.conns) >= maxConns {
			f.forgetConns(now)
		}
		c = &conn{team: t.account.TeamID, kid: t.account.KeyID, iat: t.iat, since: now}
		f.conns[state] = c
	}
	c.used = now
	switch {
	case c.team != t.account.TeamID:
		return broken("InvalidProviderToken", "the connection is another team's")
	case c.kid != t.account.KeyID:
		return broken("UnrelatedKeyIdInToken", "the connection's first push had another key")
	case c.iat.Equal(t.iat): // signatures are random, and a second signature no update
		return nil
	case now.Sub(c.since) < tokenRest && t.iat.Sub(c.iat).Abs() < tokenRest:
		return broken("TooManyProviderTokenUpdates", "the provider token changed twice within 20 minutes on one connection")
	}
	c.iat, c.since = t.iat, now
	return nil
}

// forgetConns drops the half of the connections that was not used for longest.
func (f *fake) forgetConns(now time.Time) {
	var ages []time.Duration
	for _, c := range f.conns {
		ages = append(ages, now.Sub(c.used))
	}
	slices.Sort(ages)
	for state, c := range f.conns {
		if now.Sub(c.used) >= ages[len(ages)/2] {
			delete(f.conns, state)
		}
	}
}
