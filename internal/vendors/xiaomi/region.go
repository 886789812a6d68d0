package xiaomi

import (
	"cmp"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// The hosts by region, November 2026. A token sent to the host of another region is called invalid
// there, so the region belongs to the registration.
const (
	hostCN     = "https://api.xmpush.xiaomi.com"
	hostRU     = "https://ru-api.xmpush.global.xiaomi.com"
	hostIN     = "https://idmb-api.xmpush.global.xiaomi.com"
	hostEU     = "https://fr-api.xmpush.global.xiaomi.com"
	hostGlobal = "https://sgp-api.xmpush.global.xiaomi.com"
)

// europe is the European Economic Area and the United Kingdom, by ISO 3166 code.
const europe = " at be bg hr cy cz dk ee fi fr de gr el hu ie is it li lv lt lu mt nl no pl pt ro sk si es se gb uk "

// region finds the host of a region: by Hongyan's names, by those of the SDK (getAppRegion: China,
// Russia, India, Europe, Global), by those in the host names (idmb, fr, sgp), or by a country's ISO
// 3166 code. An empty region is China. A country that is nowhere else belongs to the global host;
// known is false for what is not even a country's code.
func region(name string) (host string, known bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case "", "cn", "china":
		return hostCN, true
	case "ru", "russia":
		return hostRU, true
	case "in", "india", "idmb":
		return hostIN, true
	case "eu", "europe", "eea":
		return hostEU, true
	case "global", "sgp":
		return hostGlobal, true
	}
	if len(name) == 2 && strings.Contains(europe, " "+name+" ") {
		return hostEU, true
	}
	return hostGlobal, len(name) == 2
}

// host is where a device's push goes.
func (p *protocol) host(d vendors.Device) string {
	if p.c.Endpoint != "" {
		return strings.TrimRight(p.c.Endpoint, "/")
	}
	host, _ := region(cmp.Or(d.Region, p.c.Region))
	return host
}
