package harmony

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// account is what a service account's JSON file holds, as far as it matters. Its token_uri is not
// asked: a JWT is the bearer itself.
type account struct {
	ProjectID  string `json:"project_id"`
	KeyID      string `json:"key_id"`
	PrivateKey string `json:"private_key"`
	SubAccount string `json:"sub_account"`
}

// account reads the service account. Its errors hold nothing of it.
func (c *Config) account() (account, *rsa.PrivateKey, error) {
	var acc account
	if json.Unmarshal([]byte(c.ServiceAccount), &acc) != nil {
		return account{}, nil, errors.New("is not JSON")
	}
	for name, value := range map[string]string{
		"project_id": acc.ProjectID, "key_id": acc.KeyID, "private_key": acc.PrivateKey, "sub_account": acc.SubAccount,
	} {
		if value == "" {
			return account{}, nil, fmt.Errorf("has no %s", name)
		}
	}
	key, err := vendors.RSAKey(acc.PrivateKey)
	if err != nil {
		return account{}, nil, err
	}
	return acc, key, nil
}

// Sign makes the JWT that is the bearer itself: PS256 (RFC 7518, 3.5: the salt is as long as the
// hash), good for an hour. A machine whose clock is wrong makes tokens that Huawei refuses.
func (p *protocol) Sign(now time.Time) (vendors.AccessToken, error) {
	expires := now.Add(jwtLife)
	token := jwt.NewWithClaims(jwt.SigningMethodPS256, jwt.MapClaims{
		"iss": p.account.SubAccount, "aud": audience, "iat": now.Unix(), "exp": expires.Unix(),
	})
	token.Header["kid"] = p.account.KeyID
	signed, err := token.SignedString(p.key)
	if err != nil {
		return vendors.AccessToken{}, errors.New("the service account's key does not sign")
	}
	return vendors.AccessToken{Value: signed, Expires: expires.Truncate(time.Second)}, nil
}
