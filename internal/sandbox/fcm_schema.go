package sandbox

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

// fcmKind checks a value and gives it back with names in snake_case.
type fcmKind func(v any, path string) (any, *fcmAnswer)

// fcmObject is a message type: its fields by their snake_case names.
type fcmObject map[string]fcmKind

// fcmInvalid is a 400 without an FcmError: the JSON does not match the schema.
func fcmInvalid(message string) fcmAnswer {
	return fcmAnswer{status: 400, rpc: "INVALID_ARGUMENT", message: message, badRequest: true}
}

// fcmArgument is a 400 of FCM itself.
func fcmArgument(field, message string) *fcmAnswer {
	a := fcmAnswer{status: 400, rpc: "INVALID_ARGUMENT", code: "INVALID_ARGUMENT", message: message, rule: message + " (" + field + ")"}
	if field != "" {
		a.violations = []fcmViolation{{field, message}}
	}
	return &a
}

func fcmWrongType(path, want string) *fcmAnswer {
	a := fcmInvalid(fmt.Sprintf("Invalid value at '%s' (%s)", path, want))
	a.violations = []fcmViolation{{path, a.message}}
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

func (o fcmObject) check(v any, path string) (any, *fcmAnswer) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fcmWrongType(path, "object")
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
			a := fcmInvalid(fmt.Sprintf("Invalid JSON payload received. Unknown name %q%s: Cannot find field.", name, at))
			a.violations = []fcmViolation{{path, a.message}}
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

func fcmString(v any, path string) (any, *fcmAnswer) {
	s, ok := v.(string)
	if !ok {
		return nil, fcmWrongType(path, "TYPE_STRING")
	}
	if !utf8.ValidString(s) {
		return nil, fcmWrongType(path, "UTF-8 string")
	}
	return s, nil
}

func fcmBool(v any, path string) (any, *fcmAnswer) {
	if _, ok := v.(bool); !ok {
		return nil, fcmWrongType(path, "TYPE_BOOL")
	}
	return v, nil
}

func fcmInt32(v any, path string) (any, *fcmAnswer) {
	n, ok := v.(json.Number)
	if !ok {
		return nil, fcmWrongType(path, "TYPE_INT32")
	}
	if i, err := n.Int64(); err != nil || i < math.MinInt32 || i > math.MaxInt32 {
		return nil, fcmWrongType(path, "TYPE_INT32")
	}
	return n, nil
}

func fcmFloat(v any, path string) (any, *fcmAnswer) {
	if _, ok := v.(json.Number); !ok {
		return nil, fcmWrongType(path, "TYPE_FLOAT")
	}
	return v, nil
}

func fcmStruct(v any, path string) (any, *fcmAnswer) {
	if _, ok := v.(map[string]any); !ok {
		return nil, fcmWrongType(path, "object")
	}
	return v, nil
}

// fcmStrings is a map from string to string. A value that is none is blamed by its number, as
// Google does.
func fcmStrings(v any, path string) (any, *fcmAnswer) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fcmWrongType(path, "map")
	}
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if _, bad := fcmString(m[key], fmt.Sprintf("%s[%d].value", path, i)); bad != nil {
			return nil, bad
		}
	}
	return m, nil
}

// fcmData is fcmStrings without the keys that FCM keeps for itself.
func fcmData(v any, path string) (any, *fcmAnswer) {
	m, bad := fcmStrings(v, path)
	if bad != nil {
		return nil, bad
	}
	for _, key := range slices.Sorted(maps.Keys(m.(map[string]any))) {
		if key == "from" || key == "message_type" || key == "gcm" || strings.HasPrefix(key, "google") || strings.HasPrefix(key, "gcm.") {
			return nil, fcmArgument(path, "Invalid data payload key: "+key)
		}
	}
	return m, nil
}

func fcmList(kind fcmKind) fcmKind {
	return func(v any, path string) (any, *fcmAnswer) {
		list, ok := v.([]any)
		if !ok {
			return nil, fcmWrongType(path, "list")
		}
		for i, item := range list {
			if _, bad := kind(item, fmt.Sprintf("%s[%d]", path, i)); bad != nil {
				return nil, bad
			}
		}
		return list, nil
	}
}

func fcmEnum(names ...string) fcmKind {
	return func(v any, path string) (any, *fcmAnswer) {
		s, ok := v.(string)
		if !ok || !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, s) }) {
			return nil, fcmWrongType(path, "enum of "+strings.Join(names, ", "))
		}
		return s, nil
	}
}

func fcmMatch(pattern, what string) fcmKind {
	re := regexp.MustCompile(pattern)
	return func(v any, path string) (any, *fcmAnswer) {
		s, bad := fcmString(v, path)
		if bad == nil && !re.MatchString(s.(string)) {
			bad = fcmArgument(path, "must be "+what)
		}
		return s, bad
	}
}

// fcmDuration is a protobuf Duration, from zero to max.
func fcmDuration(max time.Duration) fcmKind {
	form := regexp.MustCompile(`^-?[0-9]+(\.[0-9]{1,9})?s$`)
	return func(v any, path string) (any, *fcmAnswer) {
		s, ok := v.(string)
		if !ok || !form.MatchString(s) {
			return nil, fcmWrongType(path, "Duration such as 3.5s")
		}
		if secs, err := strconv.ParseFloat(strings.TrimSuffix(s, "s"), 64); err != nil || secs < 0 || secs > max.Seconds() {
			return nil, fcmArgument(path, fmt.Sprintf("must be 0s to %.0fs", max.Seconds()))
		}
		return s, nil
	}
}

func fcmTime(v any, path string) (any, *fcmAnswer) {
	s, ok := v.(string)
	if _, err := time.Parse(time.RFC3339Nano, s); !ok || err != nil {
		return nil, fcmWrongType(path, "Timestamp")
	}
	return s, nil
}

func fcmURL(v any, path string) (any, *fcmAnswer) {
	s, ok := v.(string)
	if !ok {
		return nil, fcmWrongType(path, "TYPE_STRING")
	}
	if u, err := url.Parse(s); s != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return nil, fcmArgument(path, "must be an http or https URL")
	}
	return s, nil
}

// fcmRequestSchema is https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages as
// of 2026-11.
func fcmRequestSchema() fcmObject {
	label := fcmMatch(`^[a-zA-Z0-9\-_.~%]{0,50}$`, "an analytics label of ^[a-zA-Z0-9-_.~%]{1,50}$")
	options := func(more fcmObject) fcmKind {
		o := fcmObject{"analytics_label": label}
		maps.Copy(o, more)
		return o.check
	}
	year := 365 * 24 * time.Hour
	shown := fcmObject{
		"title": fcmString, "body": fcmString, "icon": fcmString, "color": fcmMatch(`^(#[0-9a-fA-F]{6})?$`, "#rrggbb"), "sound": fcmString,
		"tag": fcmString, "click_action": fcmString, "body_loc_key": fcmString, "body_loc_args": fcmList(fcmString), "title_loc_key": fcmString,
		"title_loc_args": fcmList(fcmString), "channel_id": fcmString, "ticker": fcmString, "sticky": fcmBool, "event_time": fcmTime,
		"local_only": fcmBool, "default_sound": fcmBool, "default_vibrate_timings": fcmBool, "default_light_settings": fcmBool,
		"notification_priority": fcmEnum("PRIORITY_UNSPECIFIED", "PRIORITY_MIN", "PRIORITY_LOW", "PRIORITY_DEFAULT", "PRIORITY_HIGH", "PRIORITY_MAX"),
		"vibrate_timings":       fcmList(fcmDuration(year)), "visibility": fcmEnum("VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"),
		"notification_count": fcmInt32, "image": fcmURL, "proxy": fcmEnum("PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"),
		"bypass_proxy_notification": fcmBool,
		"light_settings": fcmObject{
			"color":             fcmObject{"red": fcmFloat, "green": fcmFloat, "blue": fcmFloat, "alpha": fcmFloat}.check,
			"light_on_duration": fcmDuration(year), "light_off_duration": fcmDuration(year),
		}.check,
	}
	android := fcmObject{
		"collapse_key": fcmString, "priority": fcmEnum("NORMAL", "HIGH"), "ttl": fcmDuration(28 * 24 * time.Hour), "restricted_package_name": fcmString,
		"data": fcmData, "notification": shown.check, "fcm_options": options(nil), "direct_boot_ok": fcmBool,
		"bandwidth_constrained_ok": fcmBool, "restricted_satellite_ok": fcmBool,
	}
	message := fcmObject{
		"name": fcmString, "data": fcmData, "notification": fcmObject{"title": fcmString, "body": fcmString, "image": fcmURL}.check,
		"android": android.check, "android_v2": fcmStruct,
		"webpush": fcmObject{"headers": fcmStrings, "data": fcmStrings, "notification": fcmStruct, "fcm_options": options(fcmObject{"link": fcmURL})}.check,
		"apns": fcmObject{"headers": fcmStrings, "payload": fcmStruct, "fcm_options": options(fcmObject{"image": fcmURL}),
			"live_activity_token": fcmString}.check,
		"fcm_options": options(nil), "token": fcmString, "topic": fcmString, "condition": fcmString, "fid": fcmString,
	}
	return fcmObject{"validate_only": fcmBool, "message": message.check}
}

// fcmRules are the rules between fields.
func fcmRules(m map[string]any) *fcmAnswer {
	var targets []string
	for _, t := range []string{"token", "topic", "condition", "fid"} {
		if s, _ := m[t].(string); s != "" {
			targets = append(targets, t)
		}
	}
	switch len(targets) {
	case 0:
		return fcmArgument("message", "Recipient of the message is not set.")
	case 1:
	default:
		a := fcmInvalid("Invalid value at 'message' (oneof), oneof field 'target' is already set.")
		a.rule = "exactly one of token, topic, condition and fid may be set"
		return &a
	}
	if strings.HasPrefix(fmt.Sprint(m["topic"]), "/topics/") {
		return fcmArgument("message.topic", "a topic is named without /topics/")
	}
	if m["android"] != nil && m["android_v2"] != nil {
		return fcmArgument("message.android_v2", "android and android_v2 exclude each other")
	}
	android, _ := m["android"].(map[string]any)
	shown, _ := android["notification"].(map[string]any)
	for _, what := range []string{"title", "body"} {
		if args, _ := shown[what+"_loc_args"].([]any); len(args) > 0 && (shown[what+"_loc_key"] == nil || shown[what+"_loc_key"] == "") {
			return fcmArgument("message.android.notification."+what+"_loc_args", "needs "+what+"_loc_key")
		}
	}
	limit := fcmMaxBytes
	if targets[0] == "topic" || targets[0] == "condition" {
		limit = fcmMaxTopicBytes
	}
	size := 0
	for key, v := range m {
		if key != targets[0] {
			size += len(key) + fcmSize(v)
		}
	}
	if size > limit {
		return &fcmAnswer{
			status: 400, rpc: "INVALID_ARGUMENT", code: "INVALID_ARGUMENT", message: "Android message is too big", badRequest: true,
			rule: fmt.Sprintf("a message has at most %d bytes of keys and values, not %d", limit, size),
		}
	}
	return nil
}

// fcmSize adds up keys and values. How Google counts is not published.
func fcmSize(v any) int {
	switch v := v.(type) {
	case map[string]any:
		n := 0
		for key, value := range v {
			n += len(key) + fcmSize(value)
		}
		return n
	case []any:
		n := 0
		for _, value := range v {
			n += fcmSize(value)
		}
		return n
	case string:
		return len(v)
	default:
		return len(fmt.Sprint(v))
	}
}
