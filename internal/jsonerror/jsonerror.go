// Package jsonerror says in a sentence where a JSON text is wrong. It never quotes the text: that
// may hold a token or what people write.
package jsonerror

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// kinds are words for JSON's kinds.
var kinds = map[jsontext.Kind]string{'n': "null", 't': "boolean", 'f': "boolean", '"': "string", '0': "number", '{': "object", '[': "array"}

// Describe is the sentence for an error of reading what, such as "the message". Of a field that
// stands below one of masked, only that one is named: its members have names that people chose.
func Describe(err error, what string, masked ...string) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		problem := "not valid JSON"
		if errors.Is(err, jsontext.ErrDuplicateName) {
			problem = "a field stands twice"
		}
		return fmt.Errorf("%s, at byte %d", problem, syntax.ByteOffset)
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		field := Field(semantic.JSONPointer)
		if field == "" {
			return fmt.Errorf("%s is a JSON %s, not an object", what, kinds[semantic.JSONKind])
		}
		for _, m := range masked {
			if strings.HasPrefix(field, m+".") {
				field = m
			}
		}
		return WrongType(field, semantic.JSONKind)
	}
	return errors.New("not valid JSON")
}

// WrongType is the sentence for a field that holds a JSON kind which it cannot hold, or a value of
// it.
func WrongType(field string, kind jsontext.Kind) error {
	return fmt.Errorf("%s has the wrong type or value (%s)", field, kinds[kind])
}

// Field writes a JSON pointer as people write fields: with dots, empty for the whole text.
func Field(p jsontext.Pointer) string {
	var names []string
	for token := range p.Tokens() {
		names = append(names, token)
	}
	return strings.Join(names, ".")
}
