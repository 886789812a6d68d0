package oppo

import (
	"context"
	"testing"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// TestHost holds the rule of the region in a token, which wins over the registration's.
func TestHost(t *testing.T) {
	t.Parallel()
	const hex = "0123456789abcdef0123456789abcdef"
	for _, c := range []struct {
		token, region, want string
	}{
		{hex, "", hostChina},
		{hex, "cn", hostChina},
		{hex, "in", hostAbroad},
		{"CN_" + hex, "", hostChina},
		{"IN_" + hex, "", hostAbroad},
		{"OPPO_CN_" + hex, "in", hostChina},
		{"OPPO_EUEX_" + hex, "cn", hostAbroad},
		{"a_b_c_" + hex, "", hostAbroad},
	} {
		if got := host(vendors.Device{Token: c.token, Region: c.region}); got != c.want {
			t.Errorf("token %s, region %q: got %s, want %s", c.token, c.region, got, c.want)
		}
	}
}

// stub counts its batches.
type stub struct {
	pushed, closed *int
}

func (s stub) Push(_ context.Context, b vendors.Batch) []vendors.Result {
	*s.pushed++
	return vendors.All(len(b.Devices), vendors.Result{Reason: vendors.Accepted})
}
func (s stub) Limits() vendors.Limits { return vendors.Limits{Batch: 7, Mixed: 7} }
func (s stub) Close()                 { *s.closed++ }

// TestRegions holds that each batch goes to the host of its tokens, and that both hosts have a
// token of their own.
func TestRegions(t *testing.T) {
	t.Parallel()
	var china, abroad, closed int
	r := regions{hostChina: stub{&china, &closed}, hostAbroad: stub{&abroad, &closed}}
	for _, token := range []string{"OPPO_CN_x", "OPPO_IN_x", "OPPO_IN_x"} {
		r.Push(context.Background(), vendors.Batch{Devices: []vendors.Device{{Token: token}}})
	}
	if china != 1 || abroad != 2 {
		t.Errorf("%d batches went to China and %d abroad, want 1 and 2", china, abroad)
	}
	if l := r.Limits(); l.Batch != 7 || l.Partition == nil || l.Partition(vendors.Device{Token: "OPPO_IN_x"}) != hostAbroad {
		t.Errorf("got limits %+v", l)
	}
	if r.Close(); closed != 2 {
		t.Errorf("%d drivers closed, want 2", closed)
	}
	var sources []string
	c := config()
	c.ID = "35001"
	d, err := c.Driver(vendors.Env{Tokens: func(certificate string, _ vendors.TokenFetch) vendors.TokenSource {
		sources = append(sources, certificate)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	if len(sources) != 2 || sources[0] == sources[1] {
		t.Errorf("got token sources %q, want one for each host", sources)
	}
	if _, err := c.Driver(vendors.Env{}); err == nil {
		t.Error("a driver without token sources was made")
	}
}
