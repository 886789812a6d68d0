package vendors

import (
	"maps"
	"strings"
)

// Fill puts the notification's texts into the places of a certificate's template parameter:
// "{title}" and "{body}" as they are, "{sender}" for who wrote the message (the title, where the
// notification names no sender), "{text}" for the body without the sender's name in front of it.
// Nothing is shortened.
func Fill(value string, n *Notification) string {
	if !strings.Contains(value, "{") {
		return value
	}
	text := n.Body
	if n.Sender != "" {
		text = strings.TrimPrefix(text, n.Sender+": ")
	}
	return strings.NewReplacer(
		"{title}", n.Title, "{body}", n.Body, "{sender}", First(n.Sender, n.Title), "{text}", text,
	).Replace(value)
}

// TemplateParams are the values of a vendor's message template. The certificate's names are the
// template's variables: each gets the message's value, taken literally, or the certificate's,
// filled in by [Fill]; what else the message gives is left out. A certificate without parameters
// (or nil, for a template that is not its own) leaves the names to the message.
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
