package reference

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan"
)

// node is a JSON Schema, as much of it as is needed here.
type node struct {
	Schema      string           `json:"$schema,omitempty"`
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	Ref         string           `json:"$ref,omitempty"`
	Type        any              `json:"type,omitempty"`
	Enum        []any            `json:"enum,omitempty"`
	Const       string           `json:"const,omitempty"`
	Format      string           `json:"format,omitempty"`
	Pattern     string           `json:"pattern,omitempty"`
	MinLength   int              `json:"minLength,omitzero"`
	MaxLength   int              `json:"maxLength,omitzero"`
	Minimum     *int             `json:"minimum,omitempty"`
	MinItems    int              `json:"minItems,omitzero"`
	MaxItems    int              `json:"maxItems,omitzero"`
	MaxProps    int              `json:"maxProperties,omitzero"`
	Items       *node            `json:"items,omitempty"`
	Properties  map[string]*node `json:"properties,omitempty"`
	// Additional is false, or a schema.
	Additional any              `json:"additionalProperties,omitempty"`
	Required   []string         `json:"required,omitempty"`
	AnyOf      []*node          `json:"anyOf,omitempty"`
	AllOf      []*node          `json:"allOf,omitempty"`
	If         *node            `json:"if,omitempty"`
	Then       *node            `json:"then,omitempty"`
	Defs       map[string]*node `json:"$defs,omitempty"`
}

const draft = "https://json-schema.org/draft/2020-12/schema"

// wireSchemas are the schemas of what is published and read, by their kind.
func wireSchemas(w *wire) (map[string]*node, error) {
	filled := func(fields ...string) *node {
		n := &node{Required: fields, Properties: map[string]*node{}}
		for _, f := range fields {
			n.Properties[f] = &node{MinLength: 1, Type: "string"}
		}
		return n
	}
	object := func(field string) *node {
		return &node{Required: []string{field}, Properties: map[string]*node{field: {Type: "object"}}}
	}
	when := func(typ string, then *node) *node {
		return &node{If: &node{Properties: map[string]*node{"type": {Const: typ}}, Required: []string{"type"}}, Then: then}
	}
	schemas := map[string]*node{}
	for _, k := range []struct {
		kind, title string
		typ         reflect.Type
	}{
		{"message", "A message event, on push.message.<app> or push.urgent.<app>", reflect.TypeFor[hongyan.Message]()},
		{"device", "A device's registration, on push.user.<app>.<user>.device.<device>", reflect.TypeFor[hongyan.Device]()},
		{"presence", "A device's presence, on push.user.<app>.<user>.presence.<device>", reflect.TypeFor[hongyan.Presence]()},
		{"settings", "A user's settings, on push.user.<app>.<user>.settings", reflect.TypeFor[hongyan.Settings]()},
		{"signal", "A recall or a read mark, on push.signal.<app>", reflect.TypeFor[hongyan.Signal]()},
		{"lease", "A gateway's lease, on push.gateway.<app>.<gateway>", reflect.TypeFor[hongyan.Lease]()},
		{"outcome", "What became of a message, a line of a body on push.outcome.<app>.<status>.<partition>", reflect.TypeFor[hongyan.Outcome]()},
	} {
		members, err := w.members(k.typ, "")
		if err != nil {
			return nil, err
		}
		// Fields are added to outcomes; an unknown field of an input is a mistake of its writer.
		s := objectOf(members, k.kind == "outcome")
		s.Schema, s.Title = draft, k.title
		s.Description = "Bounds of texts are in bytes of UTF-8; this schema counts characters, and so refuses less."
		schemas[k.kind] = s
	}
	schemas["message"].Properties["content"].AllOf = []*node{when(string(hongyan.ContentCall), object("call"))}
	schemas["signal"].AllOf = []*node{
		when(string(hongyan.SignalRecall), filled("message_id")), when(string(hongyan.SignalRead), filled("user", "conversation")),
	}
	schemas["device"].AnyOf = []*node{filled("token"), object("voip"), filled("registration_error")}
	clock := `^([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$|^24:00(:00)?$`
	for _, field := range []string{"from", "to"} {
		schemas["settings"].Properties["quiet_hours"].Properties[field].Pattern = clock
	}
	schemas["device"].Properties["certificate"].Pattern = name
	schemas["device"].Properties["voip"].Properties["certificate"].Pattern = name
	return schemas, nil
}

// name is the pattern of the names of apps and certificates.
const name = `^[A-Za-z0-9_-]{1,64}$`

func objectOf(members []member, open bool) *node {
	s := &node{Type: "object", Properties: map[string]*node{}}
	if !open {
		s.Additional = false
	}
	for _, m := range members {
		value := valueOf(m.typ, m.below, open)
		value.Description = m.text
		value.bound(m)
		switch {
		case m.rule.required, open && m.name != "note":
			s.Required = append(s.Required, m.name)
		case !open:
			value.optional()
		}
		s.Properties[m.name] = value
	}
	return s
}

// optional lets null stand for an absent value, as many libraries write it, and an empty text for
// an absent word.
func (n *node) optional() {
	if n.Enum != nil {
		n.Enum = append(n.Enum, "", nil)
		return
	}
	n.Type = []any{n.Type, "null"}
}

// bound writes what the judge asks of a field.
func (n *node) bound(m member) {
	zero := 0
	switch {
	case m.rule.bytes > 0 && n.Enum == nil:
		n.MaxLength = m.rule.bytes
		if m.rule.required {
			n.MinLength = 1
		}
	case m.rule.items > 0 && n.Type == "array":
		n.MaxItems, n.MinItems = m.rule.items, 1
	case m.rule.items > 0:
		n.MaxProps = m.rule.items
	case m.rule.nonNegative:
		n.Minimum = &zero
	}
}

func anyOf(words []string) []any {
	all := make([]any, len(words))
	for i, w := range words {
		all[i] = w
	}
	return all
}

func valueOf(t reflect.Type, below []member, open bool) *node {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case enums[t] != nil:
		return &node{Enum: anyOf(enums[t])}
	case t == reflect.TypeFor[hongyan.Reason]():
		words := list(hongyan.Suppressions[:])
		for _, r := range append(list(hongyan.Results[:]), string(hongyan.Parked), string(hongyan.Busy), string(hongyan.Withdrawn),
			string(hongyan.Overwritten), string(hongyan.NotPossible)) {
			if !slices.Contains(words, r) {
				words = append(words, r)
			}
		}
		return &node{Enum: anyOf(words)}
	case t == timeType:
		return &node{Type: "string", Format: "date-time"}
	}
	switch t.Kind() {
	case reflect.Struct:
		return objectOf(below, open)
	case reflect.Slice:
		return &node{Type: "array", Items: valueOf(t.Elem(), below, open)}
	case reflect.Map:
		return &node{Type: "object", Additional: valueOf(t.Elem(), nil, open)}
	case reflect.String:
		return &node{Type: "string"}
	case reflect.Bool:
		return &node{Type: "boolean"}
	}
	return &node{Type: "integer"}
}

// configSchema is the schema of the worker's configuration. A certificate has the keys of its
// vendor: another key is refused.
func configSchema(k *keys) *node {
	variable := `\$\{[A-Za-z_][A-Za-z0-9_]*\}`
	words := func(pattern string) *node { return &node{Type: "string", Pattern: pattern + "|" + variable} }
	null := &node{Type: "null"}
	defs := map[string]*node{
		// The loader takes a scalar of another kind where a text is asked for: id: 35001.
		"text":     {Type: []string{"string", "number", "boolean", "null"}},
		"boolean":  {AnyOf: []*node{{Type: "boolean"}, words(`^(true|false)$`), null}},
		"integer":  {AnyOf: []*node{{Type: "integer"}, words(`^-?[0-9_]+$`), null}},
		"number":   {AnyOf: []*node{{Type: "number"}, words(`^-?[0-9.]+$`), null}},
		"duration": {AnyOf: []*node{words(`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`), {Type: "integer", Minimum: new(int)}, null}},
		"quota":    {AnyOf: []*node{{Type: "integer", Minimum: new(int)}, words(`^(unlimited|[0-9_]+)$`), null}},
	}
	common := mapping(k.common)
	common.Additional = nil
	defs["common"] = common
	certificate := &node{Type: "object", Required: []string{"id", "vendor"}, Properties: map[string]*node{}}
	vendorNames := slices.Sorted(maps.Keys(k.vendors))
	for _, v := range vendorNames {
		own := mapping(k.vendors[v])
		for key := range common.Properties {
			own.Properties[key] = &node{Ref: "#/$defs/common/properties/" + key}
		}
		defs[v] = own
		certificate.AllOf = append(certificate.AllOf, &node{
			If:   &node{Properties: map[string]*node{"vendor": {Const: v}}, Required: []string{"vendor"}},
			Then: &node{Ref: "#/$defs/" + v},
		})
	}
	certificate.Properties["vendor"] = &node{Enum: anyOf(vendorNames)}
	defs["certificate"] = certificate
	s := mapping(k.config)
	s.Schema, s.Title, s.Defs = draft, "The configuration of Hongyan's worker", defs
	s.Description = "${NAME} in any value is the environment variable NAME. A secret x may be given as x_file, the name of a file that holds it."
	s.Type = "object"
	return s
}

// mapping is the schema of a mapping with these keys and no others.
func mapping(list []key) *node {
	s := &node{Type: []string{"object", "null"}, Properties: map[string]*node{}, Additional: false}
	for _, k := range list {
		value := &node{}
		switch {
		case len(k.below) > 0:
			value = mapping(k.below)
		case k.typ == "Config":
			value.Ref = "#/$defs/certificate"
		default:
			value.Ref = "#/$defs/" + scalar(k.typ)
		}
		if k.mapping {
			value = &node{Type: []string{"object", "null"}, Additional: value}
		}
		if k.list != "" || k.typ == "Config" {
			value = &node{Type: []string{"array", "null"}, Items: value}
		}
		value.Description = k.text
		s.Properties[k.name] = value
		if k.secret {
			s.Properties[k.name+"_file"] = &node{Ref: "#/$defs/text", Description: "The file that holds `" + k.name + "`."}
		}
	}
	return s
}

func scalar(typ string) string {
	switch typ {
	case "bool":
		return "boolean"
	case "int", "int64":
		return "integer"
	case "float64":
		return "number"
	case "Duration":
		return "duration"
	case "Quota":
		return "quota"
	}
	return "text"
}

// schemaFiles writes every schema. The keys are paths below the repository's folder.
func schemaFiles(w *wire, k *keys) (map[string][]byte, error) {
	schemas, err := wireSchemas(w)
	if err != nil {
		return nil, err
	}
	schemas["config"] = configSchema(k)
	files := map[string][]byte{}
	for kind, s := range schemas {
		data, err := json.Marshal(s, json.Deterministic(true), jsontext.WithIndent("  "))
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", kind, err)
		}
		files[filepath.Join("internal", "schema", kind+".json")] = append(data, '\n')
	}
	return files, nil
}
