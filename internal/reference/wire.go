package reference

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
)

// wire is the wire types as the source tells of them: what reflection does not know.
type wire struct {
	types folder
	// words are the constants' values by their Go names: `c2c` of ConversationC2C, 8,192 of MaxExt.
	words map[string]string
	// reasons and statuses are the closed lists, in the order of the source, with their comments.
	reasons, statuses, repairs []term
}

// term is a word of a closed list.
type term struct {
	// name is the Go name, word the one on the wire.
	name, word string
	text       string
}

func readWire(root string) (*wire, error) {
	w := &wire{words: map[string]string{
		"MaxMessage": count(hongyan.MaxMessage), "MaxMessageID": count(hongyan.MaxMessageID), "MaxRecipients": count(hongyan.MaxRecipients),
		"MaxRecipientBytes": count(hongyan.MaxRecipientBytes), "MaxUserID": count(hongyan.MaxUserID), "MaxName": count(hongyan.MaxName),
		"MaxExt": count(hongyan.MaxExt), "MaxTemplateParams": count(hongyan.MaxTemplateParams), "MaxToken": count(hongyan.MaxToken),
		"MaxLocale": count(hongyan.MaxLocale), "DefaultTimezone": code(hongyan.DefaultTimezone),
	}}
	var err error
	if w.types, err = readFolder(root); err != nil {
		return nil, err
	}
	for _, name := range []string{"message.go", "record.go", "signal.go", "reason.go", "loose.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("read sources: %w", err)
		}
		w.constants(file)
	}
	return w, nil
}

// constants reads the words of the closed lists.
func (w *wire) constants(file *ast.File) {
	for _, d := range file.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.CONST {
			continue
		}
		for _, s := range gen.Specs {
			spec := s.(*ast.ValueSpec)
			typ, _ := spec.Type.(*ast.Ident)
			if typ == nil || len(spec.Values) != 1 {
				continue
			}
			lit, ok := spec.Values[0].(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				continue
			}
			word, _ := strconv.Unquote(lit.Value) // the parser took it
			name := spec.Names[0].Name
			w.words[name] = code(word)
			t := term{name, word, spec.Doc.Text() + spec.Comment.Text()}
			switch typ.Name {
			case "Reason":
				w.reasons = append(w.reasons, t)
			case "Status":
				w.statuses = append(w.statuses, t)
			case "RepairKind":
				w.repairs = append(w.repairs, t)
			}
		}
	}
}

// count writes a number as people read it: 10,000.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// member is a field of a wire type.
type member struct {
	// path is where it stands, such as "conversation.id"; name is the last part of it.
	path, name string
	typ        reflect.Type
	// text is the field's comment, with the wire's words in the place of Go names.
	text string
	rule rule
	// below are the fields of a struct, or of a list's structs.
	below []member
}

var timeType = reflect.TypeFor[time.Time]()

// members lists the fields of a wire type. A field without a comment is an error, because the
// comments are the manual.
func (w *wire) members(t reflect.Type, above string) ([]member, error) {
	names := map[string]string{}
	for f := range t.Fields() {
		names[f.Name], _, _ = strings.Cut(f.Tag.Get("json"), ",")
	}
	docs := map[string]string{}
	if s, ok := w.types[t.Name()].spec.Type.(*ast.StructType); ok {
		for _, f := range s.Fields.List {
			for _, n := range f.Names {
				docs[n.Name] = f.Doc.Text()
			}
		}
	}
	var list []member
	for f := range t.Fields() {
		m := member{name: names[f.Name], typ: f.Type, rule: rules[t.Name()+"."+f.Name]}
		m.path = strings.TrimPrefix(above+"."+m.name, ".")
		if docs[f.Name] == "" {
			return nil, fmt.Errorf("field %s of %s has no comment", f.Name, t.Name())
		}
		m.text = w.translate(docs[f.Name], f.Name, names)
		inner, path := f.Type, m.path
		if inner.Kind() == reflect.Slice {
			path += "[]"
		}
		if inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner != timeType {
			var err error
			if m.below, err = w.members(inner, path); err != nil {
				return nil, err
			}
		}
		list = append(list, m)
	}
	return list, nil
}

var (
	bracketed = regexp.MustCompile(`(^|[^"])\[([A-Z]\w+)\]`)
	inner     = regexp.MustCompile(`\b([A-Z]\w+)\.([A-Z]\w+)\b`)
	mixed     = regexp.MustCompile(`\b[A-Z][a-z]+[A-Z]\w*\b`)
)

// translate is [translate] for the wire types: constants become the wire's words too.
func (w *wire) translate(doc, field string, names map[string]string) string {
	doc = bracketed.ReplaceAllString(doc, "$1$2")
	doc = inner.ReplaceAllStringFunc(doc, func(s string) string {
		m := inner.FindStringSubmatch(s)
		for f := range reflect.TypeFor[hongyan.Message]().Fields() {
			if f.Name != m[1] {
				continue
			}
			if below, ok := f.Type.FieldByName(m[2]); ok {
				return code(jsonName(f) + "." + jsonName(below))
			}
		}
		return s
	})
	doc = translate(doc, field, names)
	doc = regexp.MustCompile(`\b[A-Z]\w+\b`).ReplaceAllStringFunc(doc, func(s string) string {
		if word := w.words[s]; word != "" && (mixed.MatchString(s) || strings.HasPrefix(s, "Max")) {
			return word
		}
		return s
	})
	return strings.ToUpper(doc[:1]) + doc[1:]
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// rule is what the judge of the root package asks of a field. It is kept true by a test that asks
// the judge.
type rule struct {
	required bool
	// bytes is the most bytes of a text, items the most members of a list or mapping.
	bytes, items int
	// nonNegative is asked of a number.
	nonNegative bool
}

// rules are the bounds of the wire types' fields, by Go type and field.
var rules = wireRules()

func wireRules() map[string]rule {
	all := map[string]rule{
		"Message.ID":           {required: true, bytes: hongyan.MaxMessageID},
		"Message.TTLSeconds":   {nonNegative: true},
		"Message.Conversation": {required: true},
		"Message.Sender":       {required: true},
		"Message.Recipients":   {required: true, items: hongyan.MaxRecipients},
		"Message.Content":      {required: true},
		"Conversation.Type":    {required: true},
		"Conversation.ID":      {bytes: hongyan.MaxName},
		"Conversation.Name":    {bytes: hongyan.MaxName},
		"Sender.ID":            {required: true, bytes: hongyan.MaxUserID},
		"Sender.Nickname":      {bytes: hongyan.MaxName},
		"Sender.Device":        {bytes: hongyan.MaxUserID},
		"Content.Type":         {required: true},
		"Call.Media":           {required: true},
		"Call.Action":          {required: true},
		"Call.ID":              {required: true, bytes: hongyan.MaxName},
		"OfflinePush.Ext":      {bytes: hongyan.MaxExt},

		"Device.Certificate":       {required: true, bytes: hongyan.MaxWord},
		"Device.Token":             {bytes: hongyan.MaxToken},
		"Device.Locale":            {bytes: hongyan.MaxLocale},
		"Device.Platform":          {bytes: hongyan.MaxName},
		"Device.Region":            {bytes: hongyan.MaxName},
		"Device.Model":             {bytes: hongyan.MaxName},
		"Device.OSVersion":         {bytes: hongyan.MaxName},
		"Device.AppVersion":        {bytes: hongyan.MaxName},
		"Device.RegistrationError": {bytes: hongyan.MaxName},
		"VoIP.Certificate":         {required: true, bytes: hongyan.MaxWord},
		"VoIP.Token":               {required: true, bytes: hongyan.MaxToken},

		"Presence.State":   {required: true},
		"Presence.Unread":  {nonNegative: true},
		"Presence.Gateway": {bytes: hongyan.MaxUserID},

		"QuietWindow.From": {required: true},
		"QuietWindow.To":   {required: true},

		"Signal.Type":         {required: true},
		"Signal.MessageID":    {bytes: hongyan.MaxMessageID},
		"Signal.Conversation": {bytes: hongyan.MaxName},
		"Signal.User":         {bytes: hongyan.MaxUserID},
		"Signal.Unread":       {nonNegative: true},
	}
	// Texts of a notification may be of any length, its other texts may not.
	for platform := range reflect.TypeFor[hongyan.OfflinePush]().Fields() {
		t := platform.Type
		if t.Kind() != reflect.Struct {
			continue
		}
		for f := range t.Fields() {
			name := t.Name() + "." + f.Name
			switch {
			case f.Name == "Title", f.Name == "Subtitle":
			case f.Name == "Image":
				all[name] = rule{bytes: hongyan.MaxExt}
			case f.Type.Kind() == reflect.String:
				all[name] = rule{bytes: hongyan.MaxName}
			case f.Type.Kind() == reflect.Map:
				all[name] = rule{items: hongyan.MaxTemplateParams}
			}
		}
	}
	return all
}

// enums are the closed lists of words, by their Go type.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[hongyan.ConversationType](): list(hongyan.ConversationTypes[:]),
	reflect.TypeFor[hongyan.ContentType]():      list(hongyan.ContentTypes[:]),
	reflect.TypeFor[hongyan.CallAction]():       list(hongyan.CallActions[:]),
	reflect.TypeFor[hongyan.CallMedia]():        list([]hongyan.CallMedia{hongyan.CallAudio, hongyan.CallVideo}),
	reflect.TypeFor[hongyan.PresenceState]():    list(hongyan.PresenceStates[:]),
	reflect.TypeFor[hongyan.Switch]():           list([]hongyan.Switch{hongyan.SwitchOn, hongyan.SwitchOff}),
	reflect.TypeFor[hongyan.Mute]():             list([]hongyan.Mute{hongyan.MuteAll, hongyan.MuteButMentions}),
	reflect.TypeFor[hongyan.Preview]():          list([]hongyan.Preview{hongyan.PreviewFull, hongyan.PreviewSender, hongyan.PreviewNone}),
	reflect.TypeFor[hongyan.SignalType]():       list([]hongyan.SignalType{hongyan.SignalRecall, hongyan.SignalRead}),
	reflect.TypeFor[hongyan.Status]():           list(hongyan.Statuses[:]),
}

func list[T ~string](words []T) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return all
}
