package tencent

import (
	_ "embed"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan/internal/jsonerror"
)

//go:embed fields.txt
var fieldsText string

// Field is what becomes of a field that needs nothing but its value.
type Field struct {
	// From is the field's path in a body; a star stands for any letters.
	From string
	// To is its path in a message event.
	To string
	// Kind says what is made of the value, as fields.txt explains.
	Kind string
}

// Fields lists them in the order of fields.txt.
var Fields = sync.OnceValue(func() []Field {
	var all []Field
	for line := range strings.Lines(fieldsText) {
		if columns := strings.Fields(line); len(columns) == 3 && columns[0] != "#" {
			all = append(all, Field{columns[0], columns[1], columns[2]})
		}
	}
	return all
})

// find is the field of a path.
func find(from string) (Field, bool) {
	for _, f := range Fields() {
		if ok, err := path.Match(f.From, from); err == nil && ok {
			return f, true
		}
	}
	return Field{}, false
}

// within says whether there are fields below a path.
func within(from string) bool {
	for _, f := range Fields() {
		if strings.HasPrefix(f.From, from+".") {
			return true
		}
	}
	return false
}

// value makes of a value what the field holds here; nil where it says nothing.
func (f *Field) value(from string, v jsontext.Value) (any, error) {
	text := plain(v)
	if text == "" {
		return nil, nil
	}
	switch f.Kind {
	case "text":
		return text, nil
	case "number":
		return jsontext.Value(text), number(from, text)
	case "flag":
		switch text {
		case "1", "true":
			return true, nil
		case "0", "false":
			return nil, nil
		}
		return nil, fmt.Errorf("%s is neither 0 nor 1", from)
	case "params":
		var params map[string]jsontext.Value
		if err := read([]byte(text), &params); err != nil {
			return nil, fmt.Errorf("%s: %w", from, jsonerror.Describe(err, "it"))
		}
		words := map[string]string{}
		for name, p := range params {
			words[name] = plain(p)
		}
		return words, nil
	}
	known, word, _ := strings.Cut(f.Kind, "=")
	if text == known {
		return word, nil
	}
	return nil, nil
}

func number(from, text string) error {
	var n int64
	if json.Unmarshal([]byte(text), &n) != nil {
		return fmt.Errorf("%s is no whole number", from)
	}
	return nil
}

// plain is a value as text: a string's content, any other value as it stands, "" for null.
func plain(v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		var s string
		if read(v, &s) == nil {
			return s
		}
	case 'n':
		return ""
	}
	return string(v)
}
