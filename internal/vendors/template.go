package vendors

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
)

// Fill replaces the placeholders in the value of a certificate's template parameter: "{title}" and
// "{body}" by the notification's texts, "{sender}" by the name of the person who wrote the message
// (or the title, where the notification names no sender), and "{text}" by the body without the
// sender's name in front of it. Nothing is shortened.
func Fill(value string, n *Notification) string {
	if !strings.Contains(value, "{") {
		return value
	}
	text := n.Body
	if n.Sender != "" {
		text = strings.TrimPrefix(text, n.Sender+": ")
	}
	return strings.NewReplacer(
		"{title}", n.Title, "{body}", n.Body, "{sender}", cmp.Or(n.Sender, n.Title), "{text}", text,
	).Replace(value)
}

// TemplateParams returns the values for the variables of a vendor's message template. The variables
// are those that the certificate names: each gets the message's value as it is or, where the
// message has none, the certificate's value after [Fill]. Other values of the message are left out.
// If the certificate has no parameters, or the template is not the certificate's own (nil), the
// message's values are used as they are.
func TemplateParams(message, certificate map[string]string, n *Notification) map[string]string {
	if len(certificate) == 0 {
		return maps.Clone(message)
	}
	params := make(map[string]string, len(certificate))
	for name, value := range certificate {
		if own, ok := message[name]; ok {
			params[name] = own
		} else {
			params[name] = Fill(value, n)
		}
	}
	return params
}

// Expand replaces the placeholders "{ext}", "{conversation}" and "{message}" in a click target by
// the message's ext, conversation id and message id, each passed through escape. For intents and
// URLs escape is [URLEscape].
func Expand(target string, n *Notification, escape func(string) string) string {
	if !strings.Contains(target, "{") {
		return target
	}
	return strings.NewReplacer(
		"{ext}", escape(n.Ext), "{conversation}", escape(n.Conversation), "{message}", escape(n.MessageID),
	).Replace(target)
}

// URLEscape escapes a value for the query of a URL or the data of an intent.
func URLEscape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// ExtObject returns the ext as a JSON object: unchanged if it is an object, else as {"ext": "…"}.
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
