// Package accesstoken keeps the access token of a certificate. It makes one fetch at a time, renews
// the token before it expires, fetches a new one when the vendor refuses it, and shares it with the
// other workers where a [Share] is given.
//
// A fetch is never repeated in a loop. After a failure, Token returns the same error for a moment
// (see Options.Pause), so that a wrong secret does not flood the vendor's login with requests.
package accesstoken

import (
	"context"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Share is where a worker finds the token that another worker fetched.
type Share interface {
	// Load returns the token that a worker stored, or the zero token.
	Load(ctx context.Context) (vendors.AccessToken, error)
	// Store gives a new token to the other workers.
	Store(ctx context.Context, token vendors.AccessToken) error
	// Lock waits until this worker may fetch. The caller must call unlock after the fetch. Another
	// worker may have stored a token meanwhile.
	Lock(ctx context.Context) (unlock func(), err error)
}

// Options of a [Source]. The zero value is useful.
type Options struct {
	// Share is nil if the token is not shared.
	Share Share
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Pause is how long a failed fetch is not repeated. It is also the shortest time between two
	// fetches because of Invalidate. Default 5s.
	Pause time.Duration
}

// Source implements vendors.TokenSource.
type Source struct {
	fetch vendors.TokenFetch
	opts  Options

	mu       sync.Mutex
	token    vendors.AccessToken
	fetched  time.Time // of token; zero where another worker fetched it
	renewAt  time.Time
	invalid  string // the token that a vendor no longer takes
	failed   time.Time
	failure  error
	inFlight *inFlight
}

type inFlight struct {
	done  chan struct{}
	token string
	err   error
}

// New returns a source that fetches with fetch.
func New(fetch vendors.TokenFetch, opts Options) *Source {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Pause <= 0 {
		opts.Pause = 5 * time.Second
	}
	return &Source{fetch: fetch, opts: opts}
}

// Token returns the current token. If a fetch is under way it waits for it, until ctx ends. The
// fetch goes on even if the ctx of the caller that started it ends.
func (s *Source) Token(ctx context.Context) (string, error) {
	s.mu.Lock()
	now := s.opts.Now()
	if s.token.Value != "" && now.Before(s.renewAt) {
		defer s.mu.Unlock()
		return s.token.Value, nil
	}
	if s.failure != nil && now.Before(s.failed.Add(s.opts.Pause)) {
		defer s.mu.Unlock()
		if s.token.Value != "" && now.Before(s.token.Expires) {
			return s.token.Value, nil // the renewal failed, but the old token is still valid
		}
		return "", s.failure
	}
	f := s.inFlight
	if f == nil {
		f = &inFlight{done: make(chan struct{})}
		s.inFlight = f
		go s.run(context.WithoutCancel(ctx), f)
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Invalidate makes the next Token fetch a new token, unless token is no longer the current one or
// was fetched less than Pause ago.
func (s *Source) Invalidate(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token == "" || token != s.token.Value || s.opts.Now().Before(s.fetched.Add(s.opts.Pause)) {
		return
	}
	s.invalid = token
	s.token = vendors.AccessToken{}
}

// Expires is when the current token ends; zero where there is none.
func (s *Source) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token.Expires
}

func (s *Source) run(ctx context.Context, f *inFlight) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	s.mu.Lock()
	refused := s.invalid
	s.mu.Unlock()
	token, fetched, err := s.obtain(ctx, refused)
	now := s.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight = nil
	if err != nil {
		s.failed, s.failure = now, err
		if s.token.Value != "" && now.Before(s.token.Expires) {
			f.token = s.token.Value
		} else {
			f.err = err
		}
	} else {
		s.token, s.fetched, s.failure = token, time.Time{}, nil
		if fetched { // how old one from another worker is, nobody knows
			s.fetched = now
		}
		s.renewAt = now.Add(token.Expires.Sub(now) * 9 / 10)
		f.token = token.Value
	}
	close(f.done)
}

// obtain takes the token that another worker stored, or fetches one.
func (s *Source) obtain(ctx context.Context, refused string) (token vendors.AccessToken, fetched bool, err error) {
	share := s.opts.Share
	if share == nil {
		t, err := s.fetch(ctx, s.opts.Now())
		return t, true, err
	}
	usable := func(t vendors.AccessToken) bool {
		return t.Value != "" && t.Value != refused && s.opts.Now().Add(time.Minute).Before(t.Expires)
	}
	if t, err := share.Load(ctx); err == nil && usable(t) {
		return t, false, nil
	}
	unlock, err := share.Lock(ctx)
	if err != nil {
		t, err := s.fetch(ctx, s.opts.Now()) // an unnecessary login is better than no push
		return t, true, err
	}
	defer unlock()
	if t, err := share.Load(ctx); err == nil && usable(t) {
		return t, false, nil
	}
	t, err := s.fetch(ctx, s.opts.Now())
	if err != nil {
		return t, true, err
	}
	// If this fails, the other workers log in themselves.
	_ = share.Store(ctx, t)
	return t, true, nil
}
