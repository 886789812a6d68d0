package fcm

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// kind checks a value and gives it back with names in snake_case.
type kind func(v any, path string) (any, *failure)

// object is a message type: its fields by their snake_case names.
type object map[string]kind

// invalid is a 400 without an FcmError: the JSON does not match the schema.
func invalid(message string) failure {
	return failure{status: 400, rpc: "INVALID_ARGUMENT", message: message, badRequest: true}
}

// argument is a 400 of FCM itself.
func argument(field, message string) *failure {
	a := failure{status: 400, rpc: "INVALID_ARGUMENT", code: "INVALID_ARGUMENT", message: message, rule: message + " (" + field + ")"}
	if field != "" {
		a.violations = []violation{{field, message}}
	}
	return &a
}

func wrongType(path, want string) *failure {
	a := invalid(fmt.Sprintf("Invalid value at '%s' (%s)", path, want))
	a.violations = []violation{{path, a.message}}
	a.rule = path + " must be a " + want
	return &a
}

// camel writes a snake_case name in lowerCamelCase, the other form that Google takes.
func camel(snake string) string {
	parts := strings.Split(snake, "_")
	for i, p := range parts[1:] {
		if p != "" {
			parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}

func (o object) check(v any, path string) (any, *failure) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, wrongType(path, "object")
	}
	out := make(map[string]any, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		snake := name
		kind, known := o[name]
		if !known {
			for s, k := range o {
				if camel(s) == name {
					snake, kind, known = s, k, true
				}
			}
		}
		inner := strings.TrimPrefix(path+"."+snake, ".")
		if !known {
			at := ""
			if path != "" {
				at = " at '" + path + "'"
			}
			a := invalid(fmt.Sprintf("Invalid JSON payload received. Unknown name %q%s: Cannot find field.", name, at))
			a.violations = []violation{{path, a.message}}
			a.rule = "there is no field " + inner
			return nil, &a
		}
		if m[name] == nil {
			continue // null is absence
		}
		value, bad := kind(m[name], inner)
		if bad != nil {
			return nil, bad
		}
		out[snake] = value
	}
	return out, nil
}

func checkString(v any, path string) (any, *failure) {
	s, ok := v.(string)
	if !ok {
		return nil, wrongType(path, "TYPE_STRING")
	}
	if !utf8.ValidString(s) {
		return nil, wrongType(path, "UTF-8 string")
	}
	return s, nil
}

func checkBool(v any, path string) (any, *failure) {
	if _, ok := v.(bool); !ok {
		return nil, wrongType(path, "TYPE_BOOL")
	}
	return v, nil
}

func checkInt32(v any, path string) (any, *failure) {
	n, ok := v.(json.Number)
	if !ok {
		return nil, wrongType(path, "TYPE_INT32")
	}
	if i, err := n.Int64(); err != nil || i < math.MinInt32 || i > math.MaxInt32 {
		return nil, wrongType(path, "TYPE_INT32")
	}
	return n, nil
}

func float(v any, path string) (any, *failure) {
	if _, ok := v.(json.Number); !ok {
		return nil, wrongType(path, "TYPE_FLOAT")
	}
	return v, nil
}

func checkStruct(v any, path string) (any, *failure) {
	if _, ok := v.(map[string]any); !ok {
		return nil, wrongType(path, "object")
	}
	return v, nil
}

// checkStrings is a map from string to string. A value that is none is blamed by its number, as
// Google does.
func checkStrings(v any, path string) (any, *failure) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, wrongType(path, "map")
	}
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if _, bad := checkString(m[key], fmt.Sprintf("%s[%d].value", path, i)); bad != nil {
			return nil, bad
		}
	}
	return m, nil
}

// data is checkStrings without the keys that FCM keeps for itself.
func data(v any, path string) (any, *failure) {
	m, bad := checkStrings(v, path)
	if bad != nil {
		return nil, bad
	}
	for _, key := range slices.Sorted(maps.Keys(m.(map[string]any))) {
		if key == "from" || key == "message_type" || key == "gcm" || strings.HasPrefix(key, "google") || strings.HasPrefix(key, "gcm.") {
			return nil, argument(path, "Invalid data payload key: "+key)
		}
	}
	return m, nil
}

func list(kind kind) kind {
	return func(v any, path string) (any, *failure) {
		list, ok := v.([]any)
		if !ok {
			return nil, wrongType(path, "list")
		}
		for i, item := range list {
			if _, bad := kind(item, fmt.Sprintf("%s[%d]", path, i)); bad != nil {
				return nil, bad
			}
		}
		return list, nil
	}
}

func enum(names ...string) kind {
	return func(v any, path string) (any, *failure) {
		s, ok := v.(string)
		if !ok || !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, s) }) {
			return nil, wrongType(path, "enum of "+strings.Join(names, ", "))
		}
		return s, nil
	}
}

func match(pattern, what string) kind {
	re := regexp.MustCompile(pattern)
	return func(v any, path string) (any, *failure) {
		s, bad := checkString(v, path)
		if bad == nil && !re.MatchString(s.(string)) {
			bad = argument(path, "must be "+what)
		}
		return s, bad
	}
}

// duration is a protobuf Duration, from zero to max.
func duration(max time.Duration) kind {
	form := regexp.MustCompile(`^-?[0-9]+(\.[0-9]{1,9})?s$`)
	return func(v any, path string) (any, *failure) {
		s, ok := v.(string)
		if !ok || !form.MatchString(s) {
			return nil, wrongType(path, "Duration such as 3.5s")
		}
		if secs, err := strconv.ParseFloat(strings.TrimSuffix(s, "s"), 64); err != nil || secs < 0 || secs > max.Seconds() {
			return nil, argument(path, fmt.Sprintf("must be 0s to %.0fs", max.Seconds()))
		}
		return s, nil
	}
}

func checkTime(v any, path string) (any, *failure) {
	s, ok := v.(string)
	if _, err := time.Parse(time.RFC3339Nano, s); !ok || err != nil {
		return nil, wrongType(path, "Timestamp")
	}
	return s, nil
}

func checkURL(v any, path string) (any, *failure) {
	s, ok := v.(string)
	if !ok {
		return nil, wrongType(path, "TYPE_STRING")
	}
	if u, err := url.Parse(s); s != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return nil, argument(path, "must be an http or https URL")
	}
	return s, nil
}

// requestSchema is https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages as
// of 2026-11.
func requestSchema() object {
	label := match(`^[a-zA-Z0-9\-_.~%]{0,50}$`, "an analytics label of ^[a-zA-Z0-9-_.~%]{1,50}$")
	options := func(more object) kind {
		o := object{"analytics_label": label}
		maps.Copy(o, more)
		return o.check
	}
	year := 365 * 24 * time.Hour
	shown := object{
		"title": checkString, "body": checkString, "icon": checkString, "color": match(`^(#[0-9a-fA-F]{6})?$`, "#rrggbb"), "sound": checkString,
		"tag": checkString, "click_action": checkString, "body_loc_key": checkString, "body_loc_args": list(checkString), "title_loc_key": checkString,
		"title_loc_args": list(checkString), "channel_id": checkString, "ticker": checkString, "sticky": checkBool, "event_time": checkTime,
		"local_only": checkBool, "default_sound": checkBool, "default_vibrate_timings": checkBool, "default_light_settings": checkBool,
		"notification_priority": enum("PRIORITY_UNSPECIFIED", "PRIORITY_MIN", "PRIORITY_LOW", "PRIORITY_DEFAULT", "PRIORITY_HIGH", "PRIORITY_MAX"),
		"vibrate_timings":       list(duration(year)), "visibility": enum("VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"),
		"notification_count": checkInt32, "image": checkURL, "proxy": enum("PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"),
		"bypass_proxy_notification": checkBool,
		"light_settings": object{
			"color":             object{"red": float, "green": float, "blue": float, "alpha": float}.check,
			"light_on_duration": duration(year), "light_off_duration": duration(year),
		}.check,
	}
	android := object{
		"collapse_key": checkString, "priority": enum("NORMAL", "HIGH"), "ttl": duration(28 * 24 * time.Hour), "restricted_package_name": checkString,
		"data": data, "notification": shown.check, "fcm_options": options(nil), "direct_boot_ok": checkBool,
		"bandwidth_constrained_ok": checkBool, "restricted_satellite_ok": checkBool,
	}
	message := object{
		"name": checkString, "data": data, "notification": object{"title": checkString, "body": checkString, "image": checkURL}.check,
		"android": android.check, "android_v2": checkStruct,
		"webpush": object{"headers": checkStrings, "data": checkStrings, "notification": checkStruct, "fcm_options": options(object{"link": checkURL})}.check,
		"apns": object{"headers": checkStrings, "payload": checkStruct, "fcm_options": options(object{"image": checkURL}),
			"live_activity_token": checkString}.check,
		"fcm_options": options(nil), "token": checkString, "topic": checkString, "condition": checkString, "fid": checkString,
	}
	return object{"validate_only": checkBool, "message": message.check}
}

// rules are the rules between fields.
func rules(m map[string]any) *failure {
	var targets []string
	for _, t := range []string{"token", "topic", "condition", "fid"} {
		if s, _ := m[t].(string); s != "" {
			targets = append(targets, t)
		}
	}
	switch len(targets) {
	case 0:
		return argument("message", "Recipient of the message is not set.")
	case 1:
	default:
		a := invalid("Invalid value at 'message' (oneof), oneof field 'target' is already set.")
		a.rule = "exactly one of token, topic, condition and fid may be set"
		return &a
	}
	if strings.HasPrefix(fmt.Sprint(m["topic"]), "/topics/") {
		return argument("message.topic", "a topic is named without /topics/")
	}
	if m["android"] != nil && m["android_v2"] != nil {
		return argument("message.android_v2", "android and android_v2 exclude each other")
	}
	android, _ := m["android"].(map[string]any)
	shown, _ := android["notification"].(map[string]any)
	for _, what := range []string{"title", "body"} {
		if args, _ := shown[what+"_loc_args"].([]any); len(args) > 0 && (shown[what+"_loc_key"] == nil || shown[what+"_loc_key"] == "") {
			return argument("message.android.notification."+what+"_loc_args", "needs "+what+"_loc_key")
		}
	}
	limit := maxBytes
	if targets[0] == "topic" || targets[0] == "condition" {
		limit = maxTopicBytes
	}
	size := 0
	for key, v := range m {
		if key != targets[0] {
			size += len(key) + sizeOf(v)
		}
	}
	if size > limit {
		return &failure{
			status: 400, rpc: "INVALID_ARGUMENT", code: "INVALID_ARGUMENT", message: "Android message is too big", badRequest: true,
			rule: fmt.Sprintf("a message has at most %d bytes of keys and values, not %d", limit, size),
		}
	}
	return nil
}

// sizeOf adds up keys and values. How Google counts is not published.
func sizeOf(v any) int {
	switch v := v.(type) {
	case map[string]any:
		n := 0
		for key, value := range v {
			n += len(key) + sizeOf(value)
		}
		return n
	case []any:
		n := 0
		for _, value := range v {
			n += sizeOf(value)
		}
		return n
	case string:
		return len(v)
	default:
		return len(fmt.Sprint(v))
	}
}
