package fcm

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// login plays https://oauth2.googleapis.com/token for service accounts: RFC 7523 with RS256.
func (f *fake) login(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code, description, rule string) {
		f.core.Violate("fcm", code, rule)
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": description})
	}
	if r.Method != http.MethodPost {
		refuse(http.StatusNotFound, "invalid_request", "Not found", "the token endpoint takes POST")
		return
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		refuse(http.StatusBadRequest, "invalid_request", "Bad content type", "the token endpoint takes application/x-www-form-urlencoded")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if r.ParseForm() != nil {
		refuse(http.StatusBadRequest, "invalid_request", "Bad form", "the login must be a form")
		return
	}
	if got := r.PostForm.Get("grant_type"); got != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		refuse(http.StatusBadRequest, "unsupported_grant_type", "Invalid grant_type", "grant_type must be urn:ietf:params:oauth:grant-type:jwt-bearer")
		return
	}
	account, code, rule := f.assertion(r.PostForm.Get("assertion"), r.Host)
	if code != "" {
		refuse(http.StatusBadRequest, code, "Invalid JWT.", rule)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": f.issue(account.ProjectID), "expires_in": int(tokenLife / time.Second), "token_type": "Bearer",
	})
}

// assertion checks a service account's JWT. code is empty for one that Google takes.
func (f *fake) assertion(token, host string) (account Account, code, rule string) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return account, "invalid_grant", "the assertion must be a JWT of three parts"
	}
	var decoded [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return account, "invalid_grant", "the parts of a JWT are base64url without padding"
		}
		decoded[i] = b
	}
	var header struct{ Alg, Typ string }
	if json.Unmarshal(decoded[0], &header) != nil || header.Alg != "RS256" {
		return account, "invalid_grant", "the assertion must be signed with RS256"
	}
	var claims struct {
		Iss, Scope, Aud string
		Iat, Exp        int64
	}
	if json.Unmarshal(decoded[1], &claims) != nil {
		return account, "invalid_grant", "iss, scope and aud are strings, iat and exp whole seconds"
	}
	i := slices.IndexFunc(f.accounts, func(a Account) bool { return a.ClientEmail == claims.Iss })
	if i < 0 {
		return account, "invalid_grant", "iss must be the client_email of a service account"
	}
	account = f.accounts[i]
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if account.Key == nil || rsa.VerifyPKCS1v15(account.Key, crypto.SHA256, digest[:], decoded[2]) != nil {
		return account, "invalid_grant", "the signature must be of the account's key"
	}
	if u, err := url.Parse(claims.Aud); err != nil || u.Path != "/token" || u.Host != host && u.Host != "oauth2.googleapis.com" {
		return account, "invalid_grant", "aud must be the token endpoint"
	}
	scopes := strings.Fields(claims.Scope)
	if !slices.Contains(scopes, "https://www.googleapis.com/auth/firebase.messaging") && !slices.Contains(scopes, "https://www.googleapis.com/auth/cloud-platform") {
		return account, "invalid_scope", "scope must hold firebase.messaging or cloud-platform"
	}
	now := f.core.Now()
	iat, exp := time.Unix(claims.Iat, 0), time.Unix(claims.Exp, 0)
	switch {
	case iat.After(now.Add(5 * time.Minute)):
		return account, "invalid_grant", "iat must not lie ahead"
	case !exp.After(now):
		return account, "invalid_grant", "the assertion is past its exp"
	case exp.Sub(iat) > time.Hour:
		return account, "invalid_grant", "exp must be at most an hour after iat"
	}
	return account, "", ""
}
