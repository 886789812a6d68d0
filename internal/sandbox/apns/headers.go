package apns

import (
	"net/http"
	"strconv"
	"strings"
)

// headers are the headers of a push.
type headers struct {
	topic, pushType, collapse string
	priority                  int
}

// suffix is what a push type adds to the bundle id to make the topic. Apple, "Sending
// notification requests to APNs".
var suffix = map[string]string{
	"alert": "", "background": "", "voip": ".voip", "pushtotalk": ".voip-ptt", "liveactivity": ".push-type.liveactivity",
	"location": ".location-query", "complication": ".complication", "fileprovider": ".pushkit.fileprovider", "mdm": "",
	"widgets": ".push-type.widgets", "controls": ".push-type.controls",
}

// isUUID reports whether id is a canonical UUID. Whether APNs takes upper case is not known; the
// fake does not.
func isUUID(id string) bool {
	const form = "00000000-0000-0000-0000-000000000000"
	if len(id) != len(form) {
		return false
	}
	for i := range len(id) {
		digit := id[i] >= '0' && id[i] <= '9' || id[i] >= 'a' && id[i] <= 'f'
		if form[i] == '-' && id[i] != '-' || form[i] != '-' && !digit {
			return false
		}
	}
	return true
}

func readHeaders(r *http.Request) (headers, *brokenRule) {
	h := headers{
		topic: r.Header.Get("apns-topic"), pushType: r.Header.Get("apns-push-type"), collapse: r.Header.Get("apns-collapse-id"), priority: 10,
	}
	for _, name := range []string{"Authorization", "Apns-Id", "Apns-Topic", "Apns-Push-Type", "Apns-Collapse-Id", "Apns-Priority", "Apns-Expiration"} {
		if len(r.Header[name]) > 1 {
			return h, broken("DuplicateHeaders", "the header %s is repeated", strings.ToLower(name))
		}
	}
	if id := r.Header.Values("apns-id"); len(id) > 0 && !isUUID(id[0]) {
		return h, broken("BadMessageId", "apns-id is a UUID of lower-case hex digits, 8-4-4-4-12")
	}
	if r.Method != http.MethodPost {
		return h, broken("MethodNotAllowed", "the method is POST, not %s", r.Method)
	}
	if r.URL.RawQuery != "" {
		return h, broken("BadPath", "the path has no query")
	}
	if h.topic == "" {
		return h, broken("MissingTopic", "apns-topic is missing")
	}
	if len(h.collapse) > 64 {
		return h, broken("BadCollapseId", "apns-collapse-id has %d bytes, at most 64 are allowed", len(h.collapse))
	}
	if v := r.Header.Values("apns-priority"); len(v) > 0 {
		switch v[0] {
		case "1", "5", "10":
			h.priority, _ = strconv.Atoi(v[0])
		default:
			return h, broken("BadPriority", "apns-priority is 1, 5 or 10")
		}
	}
	if v := r.Header.Values("apns-expiration"); len(v) > 0 {
		if _, err := strconv.ParseUint(v[0], 10, 63); err != nil {
			return h, broken("BadExpirationDate", "apns-expiration is in seconds since the epoch, or 0")
		}
	}
	suffix, known := suffix[h.pushType]
	switch {
	case !known:
		return h, broken("InvalidPushType", "apns-push-type %q is none", h.pushType)
	case h.pushType == "background" && h.priority != 5:
		return h, broken("BadPriority", "a background push has priority 5")
	case !strings.HasSuffix(h.topic, suffix) || suffix == "" && strings.HasSuffix(h.topic, ".voip"):
		return h, broken("BadTopic", "the topic of push type %s ends in %q", h.pushType, suffix)
	}
	if e := r.Header.Get("Content-Encoding"); e != "" {
		// which reason APNs has for it is not known
		return h, broken("PayloadEmpty", "the payload is not compressed")
	}
	return h, nil
}

// bundle is the app's bundle id.
func (h headers) bundle() string { return strings.TrimSuffix(h.topic, suffix[h.pushType]) }
