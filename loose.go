package hongyan

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan/internal/jsonerror"
)

// RepairKind is a kind of thing that was not as the contract writes it and was taken all the same.
// The kinds are words for counters.
type RepairKind string

// The kinds of repairs.
const (
	// RepairByteOrderMark: skipped before the JSON.
	RepairByteOrderMark RepairKind = "byte_order_mark"
	// RepairText: lone surrogates and invalid bytes became U+FFFD.
	RepairText RepairKind = "invalid_text"
	// RepairUnknownField: a field that the contract does not name was ignored.
	RepairUnknownField RepairKind = "unknown_field"
	// RepairEmpty: "", {} or [] stood for an absent value.
	RepairEmpty RepairKind = "empty_field"
	// RepairNumber: "5", 5.0 or 8.64e4 for a whole number.
	RepairNumber RepairKind = "number_form"
	// RepairBoolean: "true" for true.
	RepairBoolean RepairKind = "boolean_form"
	// RepairParameter: a number or boolean for the text of a template parameter.
	RepairParameter RepairKind = "parameter_form"
	// RepairExt: ext was given as JSON instead of as a string of JSON.
	RepairExt RepairKind = "ext_object"
	// RepairTime: a time without zone, with +0000, or in Unix time.
	RepairTime RepairKind = "time_form"
	// RepairFuture: a time ahead of the arrival became the arrival.
	RepairFuture RepairKind = "future_time"
	// RepairRecipient: an unusable recipient or mention was dropped.
	RepairRecipient RepairKind = "recipient"
	// RepairName: a name was made one line, or was blank.
	RepairName RepairKind = "name"
	// RepairToken: white space around a token was dropped.
	RepairToken RepairKind = "token_space"
	// RepairField: a field of a directory record counts as absent.
	RepairField RepairKind = "dropped_field"
)

// Repair is one thing that was repaired.
type Repair struct {
	Kind RepairKind
	// Field is the first field that it was met in, as the contract writes it; empty for the whole
	// input. A field that the contract does not name has whatever name the input gives it.
	Field string
}

// Repairs lists what was repaired in one input, each kind once.
type Repairs []Repair

func (r *Repairs) add(kind RepairKind, field string) {
	for _, k := range *r {
		if k.Kind == kind {
			return
		}
	}
	*r = append(*r, Repair{kind, field})
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// decode reads JSON as it really comes into a wire type. What has one meaning is taken and noted in
// repairs. A field that cannot be understood is an error that names it or, where forgiving is set,
// counts as absent. The error holds nothing of the text.
func decode(data []byte, into any, what string, forgiving bool, repairs *Repairs) error {
	if rest, ok := bytes.CutPrefix(data, byteOrderMark); ok {
		data = rest
		repairs.add(RepairByteOrderMark, "")
	}
	err := json.Unmarshal(data, into, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	// Most inputs never come here: the rest of this file reads what the strict reader refused.
	value := reflect.ValueOf(into).Elem()
	value.SetZero()
	if errors.Is(err, json.ErrUnknownName) {
		var where *json.SemanticError
		if errors.As(err, &where) {
			repairs.add(RepairUnknownField, jsonerror.Field(where.JSONPointer))
		}
		if err = json.Unmarshal(data, into); err == nil {
			return nil
		}
		value.SetZero()
	}
	whole, err := onlyValue(data)
	if err != nil {
		return describe(err, what)
	}
	if whole.Kind() != '{' {
		return describe(json.Unmarshal(data, into), what)
	}
	l := loosener{forgiving: forgiving, repairs: repairs}
	strict, _, err := l.object(nil, whole, value.Type(), "")
	if err != nil {
		return err
	}
	return describe(json.Unmarshal(strict, into), what)
}

// onlyValue reads a JSON value that nothing follows. Its texts may hold bytes that are not UTF-8.
func onlyValue(data []byte) (jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowInvalidUTF8(true))
	whole, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	whole = whole.Clone() // the next read reuses its memory
	switch _, err = dec.ReadToken(); {
	case errors.Is(err, io.EOF):
		return whole, nil
	case err == nil:
		return nil, errMore
	}
	return nil, err
}

var errMore = errors.New("not valid JSON: something follows the object")

func describe(err error, what string) error {
	if err == nil || errors.Is(err, errMore) {
		return err
	}
	// Below these fields stand users, conversations and template parameters.
	return jsonerror.Describe(err, what, "unread", "conversations")
}

// loosener rewrites loose JSON into the strict JSON of a Go type.
type loosener struct {
	forgiving bool
	repairs   *Repairs
}

// errAbsent says that a value stands for none.
var errAbsent = errors.New("absent")

// field is a member of a wire type.
type field struct {
	typ reflect.Type
	// json says that JSON may stand in the place of a string of JSON.
	json bool
	// member says that it is a member of a map: a number or boolean may stand for its text.
	member bool
}

var fieldsOf sync.Map // reflect.Type of a struct → map[string]field

// members finds the fields of a struct by their JSON names.
func members(t reflect.Type) map[string]field {
	if m, ok := fieldsOf.Load(t); ok {
		return m.(map[string]field)
	}
	m := make(map[string]field, t.NumField())
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		m[name] = field{typ: f.Type, json: f.Tag.Get("loose") == "json"}
	}
	fieldsOf.Store(t, m)
	return m
}

// each visits the members of a JSON object that is known to be valid.
func each(v jsontext.Value, visit func(name string, v jsontext.Value) error) error {
	dec := jsontext.NewDecoder(bytes.NewReader(v), jsontext.AllowInvalidUTF8(true))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		member, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := visit(name, member); err != nil {
			return err
		}
	}
	return nil
}

// object rewrites an object for a struct or map. empty says that nothing is left of it.
func (l *loosener) object(dst []byte, v jsontext.Value, t reflect.Type, path string) (_ []byte, empty bool, err error) {
	var fields map[string]field
	if t.Kind() == reflect.Struct {
		fields = members(t)
	}
	dst, empty = append(dst, '{'), true
	err = each(v, func(name string, member jsontext.Value) error {
		// The names of a map's members are people's: errors name the map.
		f, where := field{member: true}, path
		if fields != nil {
			var known bool
			if f, known = fields[name]; !known {
				l.repairs.add(RepairUnknownField, strings.TrimPrefix(path+"."+name, "."))
				return nil
			}
			where = strings.TrimPrefix(path+"."+name, ".")
		} else {
			f.typ = t.Elem()
		}
		before := len(dst)
		if !empty {
			dst = append(dst, ',')
		}
		if dst, err = jsontext.AppendQuote(dst, name); err != nil {
			l.repairs.add(RepairText, path) // it was appended with U+FFFD in the bad places
		}
		out, err := l.value(append(dst, ':'), member, f, where)
		switch {
		case errors.Is(err, errAbsent):
			dst = dst[:before]
		case err != nil && l.forgiving:
			l.repairs.add(RepairField, where)
			dst = dst[:before]
		case err != nil:
			return err
		default:
			dst, empty = out, false
		}
		return nil
	})
	return append(dst, '}'), empty, err
}

var timeType = reflect.TypeFor[time.Time]()

// value appends the strict form of a value, or fails with errAbsent or the sentence that names the
// field.
func (l *loosener) value(dst []byte, v jsontext.Value, f field, path string) ([]byte, error) {
	t, kind := f.typ, v.Kind()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if kind == 'n' {
		return nil, errAbsent
	}
	text := ""
	if kind == '"' {
		raw, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			l.repairs.add(RepairText, path)
		}
		text = string(raw)
	}
	natural := map[reflect.Kind]jsontext.Kind{reflect.Struct: '{', reflect.Map: '{', reflect.Slice: '[', reflect.String: '"'}[t.Kind()]
	if t == timeType {
		natural = '"'
	}
	if kind != natural && isEmpty(v, text) || t == timeType && kind == '"' && text == "" {
		l.repairs.add(RepairEmpty, path)
		return nil, errAbsent
	}
	wrong := jsonerror.WrongType(path, kind)
	switch {
	case t == timeType:
		if at, ok := looseTime(v, text); ok {
			l.repairs.add(RepairTime, path)
			return at.AppendFormat(append(dst, '"'), time.RFC3339Nano+`"`), nil
		}
	case t.Kind() == reflect.String:
		switch {
		case kind == '"':
			dst, _ = jsontext.AppendQuote(dst, text)
			return dst, nil
		case f.json && (kind == '{' || kind == '['):
			compact := v.Clone()
			if err := compact.Compact(jsontext.AllowInvalidUTF8(true)); err != nil {
				return nil, wrong
			}
			l.repairs.add(RepairExt, path)
			dst, _ = jsontext.AppendQuote(dst, string(compact))
			return dst, nil
		case f.member && (kind == '0' || kind == 't' || kind == 'f'):
			l.repairs.add(RepairParameter, path)
			dst, _ = jsontext.AppendQuote(dst, string(v))
			return dst, nil
		}
	case t.Kind() == reflect.Bool:
		if kind == 't' || kind == 'f' {
			return append(dst, v...), nil
		}
		if text == "true" || text == "false" {
			l.repairs.add(RepairBoolean, path)
			return append(dst, text...), nil
		}
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		number := text
		if kind == '0' {
			number = string(v)
		}
		if n, ok := wholeNumber(number); ok {
			if number != string(v) || strconv.FormatInt(n, 10) != number {
				l.repairs.add(RepairNumber, path)
			}
			return strconv.AppendInt(dst, n, 10), nil
		}
	case t.Kind() == reflect.Slice && kind == '[':
		return l.list(dst, v, t.Elem(), path)
	case kind == '{' && (t.Kind() == reflect.Struct || t.Kind() == reflect.Map):
		out, empty, err := l.object(dst, v, t, path)
		if err == nil && empty {
			return nil, errAbsent
		}
		return out, err
	}
	return nil, wrong
}

// list rewrites a list of names; what is no text in it is dropped.
func (l *loosener) list(dst []byte, v jsontext.Value, t reflect.Type, path string) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(v), jsontext.AllowInvalidUTF8(true))
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	dst = append(dst, '[')
	for first := true; dec.PeekKind() != ']'; {
		element, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		before := len(dst)
		if !first {
			dst = append(dst, ',')
		}
		out, err := l.value(dst, element, field{typ: t}, path)
		if err != nil {
			l.repairs.add(RepairRecipient, path)
			dst = dst[:before]
			continue
		}
		dst, first = out, false
	}
	return append(dst, ']'), nil
}

// isEmpty says whether a value is "", {} or [].
func isEmpty(v jsontext.Value, text string) bool {
	switch v.Kind() {
	case '"':
		return text == ""
	case '{', '[':
		return len(bytes.TrimSpace(v[1:len(v)-1])) == 0
	}
	return false
}

// wholeNumber reads 5, 5.0 and 8.64e4 as long as a whole number comes out exactly.
func wholeNumber(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 || strings.ContainsAny(s, "xX_nNiI") {
		return 0, false
	}
	return int64(f), true
}

// timeLayouts are ways to write a time that have one meaning; a time without a zone is in UTC.
var timeLayouts = [...]string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07", "2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999",
}

// firstMillisecond is where numbers begin to be milliseconds: as seconds it is in the year 5138.
const firstMillisecond = 1e11

// looseTime reads a time in a way that is not RFC 3339's.
func looseTime(v jsontext.Value, text string) (time.Time, bool) {
	number := text
	switch v.Kind() {
	case '0':
		number = string(v)
	case '"':
		for _, layout := range timeLayouts {
			if at, err := time.Parse(layout, strings.ToUpper(strings.TrimSpace(text))); err == nil {
				return at.UTC(), true
			}
		}
	default:
		return time.Time{}, false
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f > -firstMillisecond && f < 1000*firstMillisecond) || strings.ContainsAny(number, "xX_") {
		return time.Time{}, false
	}
	if f >= firstMillisecond {
		return time.UnixMilli(int64(f)).UTC(), true
	}
	whole, part := math.Modf(f)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), true
}
