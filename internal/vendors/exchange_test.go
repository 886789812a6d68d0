package vendors

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/turns"
)

// able is loggedIn with all that a vendor's calls may be.
type able struct{ loggedIn }

func (p able) Revoke(ctx context.Context, batch Batch, token string) (*http.Request, error) {
	return p.Request(ctx, batch, token)
}

func (p able) Revoked(resp Response, batch Batch) []Result { return p.Interpret(resp, batch) }

func (p able) RefreshRequest(ctx context.Context, batch Batch, token string) (*http.Request, error) {
	return p.Request(ctx, batch, token)
}

// Whatever a call is for, an access token that was too old is renewed once, the certificate is
// wrong where the fresh one is refused too, the vendor's wait reaches the devices that it took
// nothing for, and a token that no call can carry is not sent.
func TestAllCallsAreExchangedAlike(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(Driver, context.Context, Batch) []Result{
		"push":     Driver.Push,
		"withdraw": func(d Driver, ctx context.Context, b Batch) []Result { return d.(Withdrawer).Withdraw(ctx, b) },
		"refresh":  func(d Driver, ctx context.Context, b Batch) []Result { return d.(Refresher).Refresh(ctx, b) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logins := 0
			v := serve(t, func(r *http.Request, _ plainCall, n int) (int, string) {
				switch {
				case r.URL.Path == "/login":
					logins++
					return http.StatusOK, fmt.Sprint("t", logins)
				case n == 0:
					return http.StatusOK, `["auth","ok","slow"]`
				}
				return http.StatusOK, `["auth"]`
			})
			v.header.Set("Retry-After", "9")
			d, err := NewHTTP(able{loggedIn{plain{v.URL}}}, &Common{}, Env{Tokens: func(_ string, fetch TokenFetch) TokenSource { return &tokens{fetch: fetch} }})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			got := call(d, t.Context(), Batch{Devices: []Device{{Token: "a"}, {Token: "b"}, {Token: "c"}, {Token: "d,e"}}})
			want := []Result{
				{Reason: BadCredentials, Scope: ScopeCertificate, RetryAfter: 9 * time.Second}, {Reason: Accepted},
				{Reason: RateLimited, RetryAfter: 9 * time.Second}, {Reason: BadToken},
			}
			if got[3].Err == nil {
				t.Error("nothing says what is wrong with the last token")
			}
			got[3].Err = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"/login", "[a b c] t1", "/login", "[a] t2"}, v.calls); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A call is large that has many devices of one message.
func TestLarge(t *testing.T) {
	own := Batch{Devices: make([]Device, 1000)}
	for i := range own.Devices {
		own.Devices[i].Notification = &Notification{MessageID: strconv.Itoa(i)}
	}
	devices := func(n int, note *Notification) Batch {
		b := Batch{Devices: make([]Device, n)}
		for i := range b.Devices {
			b.Devices[i].Notification = note
		}
		return b
	}
	for name, c := range map[string]struct {
		batch Batch
		want  bool
	}{
		"one":        {devices(1, &Notification{}), false},
		"a few":      {devices(turns.Large-1, &Notification{}), false},
		"many":       {devices(turns.Large, &Notification{}), true},
		"a call":     {devices(turns.Large, &Notification{Urgent: true}), false},
		"no message": {devices(turns.Large, nil), true},
		"of its own": {own, false},
		"and others": {Batch{Devices: append(devices(turns.Large, &Notification{}).Devices, own.Devices...)}, true},
	} {
		if got := c.batch.Large(); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
