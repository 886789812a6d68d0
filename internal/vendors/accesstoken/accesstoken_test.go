package accesstoken

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// login counts its fetches and hands out t1, t2, … that live for an hour.
type login struct {
	mu    sync.Mutex
	n     int
	takes time.Duration
	err   error
}

func (l *login) fetch(ctx context.Context, now time.Time) (vendors.AccessToken, error) {
	l.mu.Lock()
	l.n++
	n, err := l.n, l.err
	l.mu.Unlock()
	if l.takes > 0 {
		select {
		case <-time.After(l.takes):
		case <-ctx.Done():
			return vendors.AccessToken{}, ctx.Err()
		}
	}
	if err != nil {
		return vendors.AccessToken{}, err
	}
	return vendors.AccessToken{Value: fmt.Sprint("t", n), Expires: now.Add(time.Hour)}, nil
}

func (l *login) fetches() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

func (l *login) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func want(t *testing.T, s *Source, token string) {
	t.Helper()
	if got, err := s.Token(t.Context()); got != token || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, token)
	}
}

func TestManyCallersOneFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &login{takes: time.Second}
		s := New(l.fetch, Options{})
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() { want(t, s, "t1") })
		}
		callers.Wait()
		if l.fetches() != 1 {
			t.Errorf("%d fetches for a hundred callers", l.fetches())
		}
	})
}

// The token is renewed before it expires, at nine tenths of its life.
func TestRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &login{}
		s := New(l.fetch, Options{})
		want(t, s, "t1")
		time.Sleep(53 * time.Minute)
		want(t, s, "t1")
		time.Sleep(2 * time.Minute)
		want(t, s, "t2")
	})
}

// A renewal that fails leaves the old token in use until it expires; then the failure is the
// answer, at once and without another fetch until the pause is over.
func TestFailedRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &login{}
		s := New(l.fetch, Options{})
		want(t, s, "t1")
		down := errors.New("down")
		l.fail(down)
		time.Sleep(55 * time.Minute)
		want(t, s, "t1")
		want(t, s, "t1")
		if l.fetches() != 2 {
			t.Errorf("%d fetches, want one failed renewal", l.fetches())
		}
		time.Sleep(6 * time.Minute)
		for range 50 {
			if got, err := s.Token(t.Context()); got != "" || !errors.Is(err, down) {
				t.Errorf("got %q, %v, want the failure", got, err)
			}
		}
		if l.fetches() != 3 {
			t.Errorf("%d fetches: a failure must not be repeated in a loop", l.fetches())
		}
		l.fail(nil)
		time.Sleep(6 * time.Second) // longer than the pause
		want(t, s, "t4")
	})
}

func TestInvalidate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &login{}
		s := New(l.fetch, Options{Pause: time.Minute})
		want(t, s, "t1")
		s.Invalidate("t1") // fetched a moment ago: a second one would be no better
		want(t, s, "t1")
		time.Sleep(2 * time.Minute)
		s.Invalidate("t0") // one that is not the current one
		s.Invalidate("")
		want(t, s, "t1")
		s.Invalidate("t1")
		want(t, s, "t2")
	})
}

// A caller that leaves does not take the fetch with it.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &login{takes: time.Second}
		s := New(l.fetch, Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := s.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		want(t, s, "t1")
		if l.fetches() != 1 {
			t.Errorf("%d fetches", l.fetches())
		}
	})
}

// A login that never answers ends by itself.
func TestFetchIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New((&login{takes: time.Hour}).fetch, Options{})
		began := time.Now()
		if _, err := s.Token(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// board is what the workers of a certificate share.
type board struct {
	mu        sync.Mutex
	token     vendors.AccessToken
	stored    int
	locked    int
	broken    error // of Lock
	deaf      error // of Store
	meanwhile vendors.AccessToken
	locking   sync.Mutex
}

func (b *board) Load(context.Context) (vendors.AccessToken, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.token, nil
}

func (b *board) Store(_ context.Context, t vendors.AccessToken) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.deaf != nil {
		return b.deaf
	}
	b.token = t
	b.stored++
	return nil
}

func (b *board) Lock(context.Context) (func(), error) {
	if b.broken != nil {
		return nil, b.broken
	}
	b.locking.Lock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.locked++
	if b.meanwhile.Value != "" {
		b.token = b.meanwhile
	}
	return b.locking.Unlock, nil
}

func TestShared(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, meanwhile string
		left              time.Duration // of the token that is there
		broken, deaf      error
		want              string
		fetches, stored   int
	}{
		"empty":            {want: "t1", fetches: 1, stored: 1},
		"there":            {before: "theirs", left: time.Hour, want: "theirs"},
		"about_to_expire":  {before: "theirs", left: 30 * time.Second, want: "t1", fetches: 1, stored: 1},
		"stored_meanwhile": {meanwhile: "theirs", left: time.Hour, want: "theirs"},
		// An unnecessary login is better than no push.
		"no_lock":  {broken: errors.New("down"), want: "t1", fetches: 1},
		"no_store": {deaf: errors.New("down"), want: "t1", fetches: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				end := time.Now().Add(c.left)
				b := &board{broken: c.broken, deaf: c.deaf}
				if c.before != "" {
					b.token = vendors.AccessToken{Value: c.before, Expires: end}
				}
				if c.meanwhile != "" {
					b.meanwhile = vendors.AccessToken{Value: c.meanwhile, Expires: end}
				}
				l := &login{}
				want(t, New(l.fetch, Options{Share: b}), c.want)
				if l.fetches() != c.fetches || b.stored != c.stored {
					t.Errorf("%d fetches, %d stored, want %d and %d", l.fetches(), b.stored, c.fetches, c.stored)
				}
			})
		})
	}
}

// Ten workers make one login; when the vendor refuses the token, one of them makes the next, and
// none takes the refused one from the others.
func TestWorkersShareLogins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, l := &board{}, &login{}
		var workers []*Source
		for range 10 {
			workers = append(workers, New(l.fetch, Options{Share: b}))
		}
		all := func(token string) {
			t.Helper()
			var asking sync.WaitGroup
			for _, w := range workers {
				asking.Go(func() { want(t, w, token) })
			}
			asking.Wait()
		}
		all("t1")
		time.Sleep(time.Minute)
		for _, w := range workers {
			w.Invalidate("t1")
		}
		all("t2")
		if l.fetches() != 2 {
			t.Errorf("%d logins of ten workers, want 2", l.fetches())
		}
	})
}

// How old a token from another worker is nobody knows, so one that is refused is replaced at once;
// one that was fetched here a moment ago is not.
func TestSharedTokenIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{token: vendors.AccessToken{Value: "theirs", Expires: time.Now().Add(time.Hour)}}
		s := New((&login{}).fetch, Options{Share: b})
		want(t, s, "theirs")
		s.Invalidate("theirs")
		want(t, s, "t1")
		s.Invalidate("t1")
		want(t, s, "t1")
	})
}
