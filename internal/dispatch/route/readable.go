package route

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// headerID is the header by which a publisher names its message <app>/<id>.
const headerID = "Nats-Msg-Id"

// readableID finds the id of a message that cannot be read, so that somebody who asks for it finds
// its letter: in what can be read of the body, or else in the name under which it was published.
func readableID(d dispatch.Delivery, app string) string {
	if id := idIn(d.Data()); id != "" {
		return id
	}
	if id, ok := strings.CutPrefix(d.Header(headerID), app+"/"); ok {
		return id
	}
	return ""
}

// idIn is the id of a JSON object, whatever is wrong with the rest of it; empty where none can be
// read.
func idIn(body []byte) string {
	in := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := in.ReadToken(); err != nil || t.Kind() != '{' {
		return ""
	}
	for in.PeekKind() == '"' {
		name, err := in.ReadToken()
		if err != nil {
			return ""
		}
		if name.String() != "id" {
			if in.SkipValue() != nil {
				return ""
			}
			continue
		}
		value, err := in.ReadToken()
		if err != nil || value.Kind() != '"' && value.Kind() != '0' {
			return ""
		}
		return value.String()
	}
	return ""
}
