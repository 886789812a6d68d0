package huawei

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// TokenRequest asks for an access token by client credentials. Huawei allows 1,000 of them for an
// app in five minutes; a token lasts an hour and serves all workers.
func (p *protocol) TokenRequest(ctx context.Context, _ time.Time) (*http.Request, error) {
	return vendors.FormRequest(ctx, p.login, vendors.ClientCredentials(p.c.AppID, p.c.AppSecret), "token_endpoint")
}

// grant is the answer of the token endpoint, a token or an error. Numbers may come as strings.
type grant struct {
	AccessToken string        `json:"access_token"`
	ExpiresIn   vendors.Loose `json:"expires_in"`
	Error       json.Number   `json:"error"`
	SubError    json.Number   `json:"sub_error"`
}

// defaultLifetime is the documented one.
const defaultLifetime = time.Hour

// InterpretToken reads the token. A 200 without a token is no token.
func (p *protocol) InterpretToken(resp vendors.Response, now time.Time) (vendors.AccessToken, vendors.Result) {
	var g grant
	readable := json.Unmarshal(resp.Body, &g) == nil
	if resp.Status == http.StatusOK && readable && g.AccessToken != "" {
		return vendors.AccessToken{Value: g.AccessToken, Expires: now.Add(vendors.Lifetime(g.ExpiresIn, defaultLifetime))}, vendors.Result{Reason: vendors.Accepted}
	}
	if code, sub := g.Error.String(), g.SubError.String(); readable && pushkit.IsCode(code) && resp.Status != http.StatusServiceUnavailable {
		if pushkit.IsCode(sub) {
			code += "/" + sub
		}
		result := vendors.Result{Code: code, Reason: vendors.BadCredentials, Err: errors.New("the token endpoint refuses app_id and app_secret")}
		if row, ok := p.authCodes[code]; ok {
			result.Reason, result.Err = row.Reason, errors.New(row.Meaning.EN)
		} else if resp.Status >= 500 {
			result.Reason, result.Err = vendors.Unavailable, errors.New("the token endpoint failed")
		}
		return vendors.AccessToken{}, result
	}
	result := vendors.LoginResult(resp)
	if row, ok := p.authCodes["HTTP "+strconv.Itoa(resp.Status)]; ok {
		result.Reason, result.Err = row.Reason, errors.New(row.Meaning.EN)
	}
	if result.Err == nil {
		result.Err = errors.New("the token endpoint gave no token")
	}
	return vendors.AccessToken{}, result
}
