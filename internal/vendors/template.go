package vendors

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/url"
	"strings"

	"github.com/hongyan-im/hongyan"
)

// Fill replaces the placeholders in the value of a certificate's template parameter: "{title}" and
// "{body}" by the notification's texts, "{sender}" by the name of the person who wrote the message
// (or the title, where the notification names no sender), and "{text}" by the body without what
// leads it; see [Notification.Text]. Nothing is shortened. Where the preview is none, a value with
// any of them is the body and nothing else.
func Fill(value string, n *Notification) string {
	if !strings.Contains(value, "{") {
		return value
	}
	filled := strings.NewReplacer(
		"{title}", n.Title, "{body}", n.Body, "{sender}", cmp.Or(n.Sender, n.Title), "{text}", n.Text(),
	).Replace(value)
	if n.Preview == hongyan.PreviewNone && filled != value {
		return n.Body
	}
	return filled
}

// TemplateParams returns the values for the variables of a vendor's message template. The variables
// are those that the certificate names: each gets the message's value as it is or, where the
// message has none, the certificate's value after [Fill]. Other values of the message are left out.
// If the certificate has no parameters, or the template is not the certificate's own (nil), the
// message's values are used as they are. Where the preview is not the full one, the certificate's
// value is used even if the message has one.
func TemplateParams(message, certificate map[string]string, n *Notification) map[string]string {
	if len(certificate) == 0 {
		return maps.Clone(message)
	}
	params := make(map[string]string, len(certificate))
	for name, value := range certificate {
		if own, ok := message[name]; ok && n.shows() {
			params[name] = own
		} else {
			params[name] = Fill(value, n)
		}
	}
	return params
}

// Expand replaces the placeholders "{ext}", "{conversation}" and "{message}" in a click target by
// the message's ext, conversation id and message id ([Notification.IDs]), each passed through
// escape. For intents and
// URLs escape is [URLEscape].
func Expand(target string, n *Notification, escape func(string) string) string {
	if !strings.Contains(target, "{") {
		return target
	}
	conversation, message := n.IDs()
	return strings.NewReplacer(
		"{ext}", escape(n.Ext), "{conversation}", escape(conversation), "{message}", escape(message),
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
