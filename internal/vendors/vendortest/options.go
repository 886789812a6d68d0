package vendortest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// everything is an offline_push that asks for everything there is.
func everything() hongyan.OfflinePush {
	var push hongyan.OfflinePush
	var fill func(v reflect.Value, name string)
	fill = func(v reflect.Value, name string) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i), v.Type().Field(i).Name)
			}
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), name)
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int:
			v.SetInt(1)
		case reflect.Map:
			v.Set(reflect.ValueOf(map[string]string{"a": "b"}))
		case reflect.String:
			v.SetString(wish(name))
		}
	}
	fill(reflect.ValueOf(&push).Elem(), "")
	return push
}

// wish is a value that a field of this name may have, other than what drivers take by default.
func wish(field string) string {
	for suffix, value := range map[string]string{
		"Sound": "ding.mp3", "Image": "https://im.example.com/a.png", "Style": "big_text", "Importance": "LOW", "Priority": "normal",
		"Category": "NEWS", "InterruptionLevel": "passive",
	} {
		if strings.HasSuffix(field, suffix) {
			return value
		}
	}
	return "x" + field
}

// options wants the driver to read nothing of a message's offline_push but what its configuration
// chooses, and the choice to leave the message as it is.
func options(t *testing.T, s Subject) {
	r := NewRig(t, s, nil)
	config := s.Config("https://vendor.example.com", "")
	push1 := everything()
	chosen := config.Options(&push1)
	if diff := cmp.Diff(everything(), push1); diff != "" {
		t.Errorf("Options changes the message (-before +after):\n%s", diff)
	}
	if empty := config.Options(&hongyan.OfflinePush{}); !reflect.ValueOf(empty).IsZero() {
		t.Errorf("of a message that asks for nothing, Options chooses %+v", empty)
	}
	whole := vendors.Options{}
	data, err := json.Marshal(push1)
	if err == nil {
		err = json.Unmarshal(data, &whole)
	}
	if err != nil {
		t.Fatal(err)
	}
	sent := func(o vendors.Options) []string {
		note := Chat()
		note.Options = o
		push(r, r.Batch(1, note))
		return r.Requests.Take()
	}
	push(r, r.Batch(1, Corpus()["ascii"])) // the access token is fetched here
	r.Requests.Take()
	sent(whole) // whatever is asked for but once, such as the check of an image
	if diff := cmp.Diff(sent(whole), sent(chosen)); diff != "" {
		t.Errorf("the driver reads options that Options does not choose (-all +chosen):\n%s", diff)
	}
}
