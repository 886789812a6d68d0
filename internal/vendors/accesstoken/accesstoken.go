// Package accesstoken keeps the access token of a certificate: one fetch at a time, renewed before
// it ends, fetched anew when a vendor no longer takes it, and shared with the other workers where a
// [Share] is given.
//
// A fetch is never repeated in a loop: after a failure the same failure is answered for a moment
// (see [Options]), so that a wrong secret does not become a storm on the vendor's login.
package accesstoken

import (
	"context"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Share is where workers find the token that another one fetched.
type Share interface {
	// Load returns the token that some worker stored, or a zero token.
	Load(ctx context.Context) (vendors.AccessToken, error)
	// Store offers a fresh token to the others.
	Store(ctx context.Context, token vendors.AccessToken) error
	// Lock waits until this worker may fetch, and returns what to call after it. Another worker may
	// have stored a token meanwhile.
	Lock(ctx context.Context) (unlock func(), err error)
}

// Options of a [Source]. The zero value is useful.
type Options struct {
	// Share is nil for a token that this process keeps to itself.
	Share Share
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Pause is how long a failed fetch is not repeated, and the least time between two fetches that
	// Invalidate asks for. Default 5s.
	Pause time.Duration
}

// Source implements vendors.TokenSource.
type Source struct {
	fetch vendors.TokenFetch
	opts  Options

	mu      sync.Mutex
	token   vendors.AccessToken
	fetched time.Time // of token
	renewAt time.Time
	refused string // the token that a vendor no longer takes
	failed  time.Time
	failure error
	flight  *flight
}

type flight struct {
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

// Token returns the current token. Callers that meet a fetch under way wait for it, each no longer
// than its own ctx; the fetch itself outlives the caller that started it.
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
			return s.token.Value, nil // renewing early failed; the old one still holds
		}
		return "", s.failure
	}
	f := s.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		s.flight = f
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

// Invalidate makes the next Token fetch anew, unless token is no longer the current one or was
// fetched within the pause.
func (s *Source) Invalidate(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token == "" || token != s.token.Value || s.opts.Now().Before(s.fetched.Add(s.opts.Pause)) {
		return
	}
	s.refused = token
	s.token = vendors.AccessToken{}
}

func (s *Source) run(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	s.mu.Lock()
	refused := s.refused
	s.mu.Unlock()
	token, err := s.obtain(ctx, refused)
	now := s.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight = nil
	if err != nil {
		s.failed, s.failure = now, err
		if s.token.Value != "" && now.Before(s.token.Expires) {
			f.token = s.token.Value
		} else {
			f.err = err
		}
	} else {
		s.token, s.fetched, s.failure = token, now, nil
		s.renewAt = now.Add(token.Expires.Sub(now) * 9 / 10)
		f.token = token.Value
	}
	close(f.done)
}

// obtain takes the token that another worker stored, or fetches one.
func (s *Source) obtain(ctx context.Context, refused string) (vendors.AccessToken, error) {
	share := s.opts.Share
	if share == nil {
		return s.fetch(ctx, s.opts.Now())
	}
	usable := func(t vendors.AccessToken) bool {
		return t.Value != "" && t.Value != refused && s.opts.Now().Add(time.Minute).Before(t.Expires)
	}
	if t, err := share.Load(ctx); err == nil && usable(t) {
		return t, nil
	}
	unlock, err := share.Lock(ctx)
	if err != nil {
		return s.fetch(ctx, s.opts.Now()) // better one login too many than no push
	}
	defer unlock()
	if t, err := share.Load(ctx); err == nil && usable(t) {
		return t, nil
	}
	t, err := s.fetch(ctx, s.opts.Now())
	if err != nil {
		return t, err
	}
	// A store that fails costs the others a login of their own, nothing else.
	_ = share.Store(ctx, t)
	return t, nil
}
