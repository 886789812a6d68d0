package vendors

import (
	"encoding/json"
	"net/url"
	"strings"
)

// Expand puts the message's ext, conversation and id into the places "{ext}", "{conversation}" and
// "{message}" of a click target, escaped by escape; [URLEscape] serves intents and URLs.
func Expand(target string, n *Notification, escape func(string) string) string {
	if !strings.Contains(target, "{") {
		return target
	}
	return strings.NewReplacer(
		"{ext}", escape(n.Ext), "{conversation}", escape(n.Conversation), "{message}", escape(n.MessageID),
	).Replace(target)
}

// URLEscape escapes a value for a query or an intent's data.
func URLEscape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// ExtObject gives the ext as a JSON object: itself where it is one, else wrapped as {"ext": "…"}.
// An empty ext gives nil.
func ExtObject(ext string) json.RawMessage {
	if ext == "" {
		return nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(ext), &object) == nil && object != nil {
		return json.RawMessage(ext)
	}
	wrapped, _ := json.Marshal(map[string]string{"ext": ext}) // a map of strings always marshals
	return wrapped
}
