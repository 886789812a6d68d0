package oppo

import (
	"context"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// The hosts, November 2026. OPPO also names https://api-push-cn.heytapmobi.com for China; set
// endpoint to use it.
const (
	hostChina  = "https://api.push.oppomobile.com"
	hostAbroad = "https://api-intl.push.oppomobile.com"
)

// Driver makes the driver. Without an endpoint it is two, one for each host: an auth_token holds
// for the host that gave it.
func (c *Config) Driver(env vendors.Env) (vendors.Driver, error) {
	if c.Endpoint != "" {
		return vendors.NewHTTP(newProtocol(c, c.Endpoint), &c.Common, env)
	}
	china, err := vendors.NewHTTP(newProtocol(c, hostChina), &c.Common, env)
	if err != nil {
		return nil, err
	}
	overseas := env
	overseas.Tokens = func(certificate string, fetch vendors.TokenFetch) vendors.TokenSource {
		return env.Tokens(certificate+"__overseas", fetch)
	}
	abroad, err := vendors.NewHTTP(newProtocol(c, hostAbroad), &c.Common, overseas)
	if err != nil {
		china.Close()
		return nil, err
	}
	return regions{hostChina: china, hostAbroad: abroad}, nil
}

// regions is a driver for each host.
type regions map[string]vendors.Driver

// Push sends the batch, all of one host, to that host.
func (r regions) Push(ctx context.Context, batch vendors.Batch) []vendors.Result {
	return r[host(batch.Devices[0])].Push(ctx, batch)
}

// Limits keep the devices of different hosts apart.
func (r regions) Limits() vendors.Limits {
	l := r[hostChina].Limits()
	l.Partition = host
	return l
}

// Close closes both drivers.
func (r regions) Close() {
	for _, d := range r {
		d.Close()
	}
}

// host returns the host that serves a token. OPPO's tokens contain their region: "CN_…" and
// "<brand>_CN_…" belong to China, and "<brand>_<region>_…" to another region. A token without these
// parts belongs to China, unless the registration names another region.
func host(d vendors.Device) string {
	parts := strings.Split(d.Token, "_")
	switch {
	case len(parts) == 1 && (d.Region == "" || strings.EqualFold(d.Region, "cn") || strings.EqualFold(d.Region, "china")),
		len(parts) == 2 && parts[0] == "CN",
		len(parts) == 3 && parts[1] == "CN":
		return hostChina
	}
	return hostAbroad
}
