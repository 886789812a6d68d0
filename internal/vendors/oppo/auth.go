package oppo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

const (
	authPath  = "/server/v1/auth"
	tokenLife = 24 * time.Hour // from its create_time
)

// sign is the lower-case hex of SHA-256 over app_key, timestamp and master secret, with nothing
// between them.
func sign(appKey, timestamp, masterSecret string) string {
	sum := sha256.Sum256([]byte(appKey + timestamp + masterSecret))
	return hex.EncodeToString(sum[:])
}

// TokenRequest asks for an auth_token. The timestamp is epoch milliseconds and must lie within the
// last ten minutes.
func (p *protocol) TokenRequest(ctx context.Context, now time.Time) (*http.Request, error) {
	timestamp := strconv.FormatInt(now.UnixMilli(), 10)
	return p.post(ctx, authPath, url.Values{
		"app_key": {p.c.AppKey}, "timestamp": {timestamp}, "sign": {sign(p.c.AppKey, timestamp, string(p.c.MasterSecret))},
	})
}

// InterpretToken reads the token. It is valid for 24 hours from its creation, which may be before
// this call. A creation time that does not fit our clock is ignored.
func (p *protocol) InterpretToken(resp vendors.Response, now time.Time) (vendors.AccessToken, vendors.Result) {
	code, raw := read(resp.Body)
	var d struct {
		Token   string        `json:"auth_token"`
		Created vendors.Loose `json:"create_time"` // milliseconds, as a number or as text
	}
	ok := resp.Status >= 200 && resp.Status <= 299
	switch {
	case code == codeOK && ok && json.Unmarshal(raw, &d) == nil && d.Token != "":
		expires := now.Add(tokenLife)
		if ms, err := strconv.ParseInt(string(d.Created), 10, 64); err == nil {
			if end := time.UnixMilli(ms).Add(tokenLife); end.After(now) && end.Before(expires) {
				expires = end
			}
		}
		return vendors.AccessToken{Value: d.Token, Expires: expires}, vendors.Result{Reason: vendors.Accepted}
	case code == "" || code == codeOK:
		result := vendors.LoginResult(resp)
		result.Err = errors.New("the login gave no auth_token")
		return vendors.AccessToken{}, result
	}
	result := vendors.Result{Reason: vendors.Unknown, Code: code, Err: errors.New("the login refuses app_key and master_secret")}
	row, known := p.codes[code]
	switch {
	case known && (row.Reason == vendors.RateLimited || row.Reason == vendors.Unavailable || row.Reason == vendors.BadCredentials):
		result.Reason, result.Err = row.Reason, errors.New(row.Meaning.EN)
	case known: // a code that speaks of messages or tokens
		result.Reason = vendors.BadCredentials
	case resp.Status >= 500:
		result.Reason = vendors.Unavailable
	}
	return vendors.AccessToken{}, result
}

// post writes a call. Every call of the API is a form.
func (p *protocol) post(ctx context.Context, path string, form url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.host+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("endpoint is no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	return req, nil
}
