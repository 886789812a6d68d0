package bus

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hongyan-im/hongyan/internal/sleep"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// TokenShare is where the workers of a certificate find the access token that one of them fetched.
// It implements accesstoken.Share.
//
// The token is encrypted (AES-256-GCM) with a key derived from the certificate's own secret: who
// reads the streams without the configuration learns nothing, who has the configuration could fetch
// a token anyway, and a changed secret starts anew by itself.
type TokenShare struct {
	tokens, locks *Notes
	certificate   string
	seal          cipher.AEAD
}

// TokenShare opens a certificate's share. secret is everything secret in the certificate's
// configuration.
func (b *Bus) TokenShare(certificate string, secret []byte) (*TokenShare, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "hongyan access token of "+certificate, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of shared access tokens: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive the key of shared access tokens: %w", err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("derive the key of shared access tokens: %w", err)
	}
	return &TokenShare{tokens: b.Notes("token"), locks: b.Notes("tokenlock"), certificate: certificate, seal: seal}, nil
}

// Load returns the token that some worker stored, or a zero token. One that another secret sealed
// counts as none.
func (s *TokenShare) Load(ctx context.Context) (vendors.AccessToken, error) {
	var t vendors.AccessToken
	sealed, err := s.tokens.Get(ctx, s.certificate)
	if err != nil || len(sealed) < s.seal.NonceSize() {
		return t, err
	}
	n := s.seal.NonceSize()
	plain, err := s.seal.Open(nil, sealed[:n], sealed[n:], []byte(s.certificate))
	if err != nil {
		return t, nil
	}
	if err := json.Unmarshal(plain, &t); err != nil {
		return vendors.AccessToken{}, nil
	}
	return t, nil
}

// Store offers a fresh token to the others, for as long as it holds.
func (s *TokenShare) Store(ctx context.Context, token vendors.AccessToken) error {
	left := time.Until(token.Expires)
	if left < time.Second {
		return nil
	}
	plain, err := json.Marshal(token)
	if err != nil {
		return fmt.Errorf("share an access token: %w", err)
	}
	nonce := make([]byte, s.seal.NonceSize())
	_, _ = rand.Read(nonce) // never fails, says its documentation
	return s.tokens.Put(ctx, s.certificate, s.seal.Seal(nonce, nonce, plain, []byte(s.certificate)), left)
}

// lockTTL outlives a fetch; a worker that dies in one holds up the others no longer.
const lockTTL = 15 * time.Second

// Lock waits until this worker may fetch, and returns what to call after it.
func (s *TokenShare) Lock(ctx context.Context) (unlock func(), err error) {
	for {
		taken, err := s.locks.Create(ctx, s.certificate, []byte("locked"), lockTTL)
		if err != nil {
			return nil, err
		}
		if !taken {
			return func() {
				release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
				defer cancel()
				_ = s.locks.Remove(release, s.certificate) // it ends by itself
			}, nil
		}
		if !sleep.For(ctx, 100*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}
