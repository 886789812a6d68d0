package vendors_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// plainOptions are the ends of the names of options that say how a notification is shown, and
// nothing of its message. What is none of them must be hidden: an option that is new must be put on
// one side or the other.
var plainOptions = []string{
	"PushType", "Sound", "InterruptionLevel", "Category", "Style", "ChannelID", "Priority", "Importance", "TemplateID",
}

func TestHideTakesOutWhatIsContent(t *testing.T) {
	t.Parallel()
	var o vendors.Options
	var walk func(v reflect.Value, path string, visit func(v reflect.Value, path string))
	walk = func(v reflect.Value, path string, visit func(v reflect.Value, path string)) {
		if v.Kind() != reflect.Struct {
			visit(v, path)
			return
		}
		for i := range v.NumField() {
			walk(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
	}
	given := map[string]string{"a": "canary"}
	walk(reflect.ValueOf(&o).Elem(), "", func(v reflect.Value, _ string) {
		switch v.Kind() {
		case reflect.String:
			v.SetString("canary")
		case reflect.Map:
			v.Set(reflect.ValueOf(given))
		}
	})
	o.Hide("hidden")
	walk(reflect.ValueOf(&o).Elem(), "", func(v reflect.Value, path string) {
		plain := slices.ContainsFunc(plainOptions, func(end string) bool { return strings.HasSuffix(path, end) })
		switch v.Kind() {
		case reflect.String:
			if got := v.String(); plain != (got == "canary") {
				t.Errorf("%s is %q", path, got)
			}
		case reflect.Map:
			if got := v.Interface().(map[string]string); got["a"] != "hidden" || len(got) != 1 {
				t.Errorf("%s is %v", path, got)
			}
		}
	})
	if given["a"] != "canary" {
		t.Error("the message's own parameters are changed")
	}
}
