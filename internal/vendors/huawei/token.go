package huawei

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// TokenRequest asks for an access token by client credentials. Huawei allows 1,000 of them for an
// app in five minutes; a token lasts an hour and serves all workers.
func (p *protocol) TokenRequest(ctx context.Context, _ time.Time) (*http.Request, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {p.c.AppID}, "client_secret": {string(p.c.AppSecret)},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.login, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("token_endpoint is no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}

// grant is the answer of the token endpoint, a token or an error. Numbers may come as strings.
type grant struct {
	AccessToken string      `json:"access_token"`
	ExpiresIn   json.Number `json:"expires_in"`
	Error       json.Number `json:"error"`
	SubError    json.Number `json:"sub_error"`
}

// Lifetimes of an access token: the documented one, and the longest that is accepted.
const (
	defaultLifetime = time.Hour
	maxLifetime     = 24 * time.Hour
)

// InterpretToken reads the token. A 200 without a token is no token.
func (p *protocol) InterpretToken(resp vendors.Response, now time.Time) (vendors.AccessToken, vendors.Result) {
	var g grant
	readable := json.Unmarshal(resp.Body, &g) == nil
	if resp.Status == http.StatusOK && readable && g.AccessToken != "" {
		life := defaultLifetime
		if secs, err := g.ExpiresIn.Int64(); err == nil && secs > 0 {
			life = maxLifetime
			if secs < int64(maxLifetime/time.Second) {
				life = time.Duration(secs) * time.Second
			}
		}
		return vendors.AccessToken{Value: g.AccessToken, Expires: now.Add(life)}, vendors.Result{Reason: vendors.Accepted}
	}
	if code, sub := g.Error.String(), g.SubError.String(); readable && codeForm.MatchString(code) && resp.Status != http.StatusServiceUnavailable {
		if codeForm.MatchString(sub) {
			code += "/" + sub
		}
		result := vendors.Result{Code: code, Reason: vendors.BadCredentials, Err: errors.New("the token endpoint refuses app_id and app_secret")}
		if row, ok := p.authCodes[code]; ok {
			result.Reason, result.Err = row.Reason, errors.New(row.Meaning)
		} else if resp.Status >= 500 {
			result.Reason, result.Err = vendors.Unavailable, errors.New("the token endpoint failed")
		}
		return vendors.AccessToken{}, result
	}
	result := vendors.HTTPResult(resp)
	if row, ok := p.authCodes["HTTP "+strconv.Itoa(resp.Status)]; ok {
		result.Reason, result.Err = row.Reason, errors.New(row.Meaning)
	} else if result.Reason == vendors.AuthExpired || result.Reason == vendors.BadPayload {
		// there is no older token to be expired, and nothing of the message in this call
		result.Reason = vendors.BadCredentials
	}
	if result.Err == nil {
		result.Err = errors.New("the token endpoint gave no token")
	}
	return vendors.AccessToken{}, result
}
