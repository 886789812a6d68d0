package vendortest

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Case is one change of a complete certificate, and what comes of it: the keys that have problems,
// in order, or a word of each piece of advice, in order.
type Case[C vendors.Config] = struct {
	Name   string
	Change func(C)
	Want   []string
}

// ConfigCase is a [Case] of any vendor; see [Cases].
type ConfigCase struct {
	name   string
	change func(vendors.Config)
	want   []string
}

// Cases makes the cases of one vendor those of a [Subject].
func Cases[C vendors.Config](cases []Case[C]) []ConfigCase {
	list := make([]ConfigCase, len(cases))
	for i, c := range cases {
		list[i] = ConfigCase{c.Name, func(config vendors.Config) { c.Change(config.(C)) }, c.Want}
	}
	return list
}

// problems wants each wrong certificate to be told by its keys, with a remedy and without a secret,
// and the complete one to be fine.
func problems(t *testing.T, s Subject) {
	if found := s.Config("https://127.0.0.1:1", "").Problems(); len(found) > 0 {
		t.Errorf("a complete certificate has problems: %+v", found)
	}
	for _, c := range s.Problems {
		t.Run(c.name, func(t *testing.T) {
			config := s.Config("https://127.0.0.1:1", "")
			c.change(config)
			var got []string
			for _, p := range config.Problems() {
				got = append(got, p.Key)
				if p.Text == "" || p.Remedy == "" {
					t.Errorf("%s: a problem must say what is wrong and what to do", p.Key)
				}
				noSecret(t, config, p.Text+" "+p.Remedy)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("keys with problems (-want +got):\n%s", diff)
			}
			if len(got) == 0 {
				driver, err := config.Driver(env(time.Now))
				if err != nil {
					t.Fatalf("a certificate without problems makes no driver: %v", err)
				}
				driver.Close()
			}
		})
	}
}

// advice wants each unwise certificate to be told so, and the complete one to be wise.
func advice(t *testing.T, s Subject) {
	if got := s.Config("https://127.0.0.1:1", "").Advice(); len(got) > 0 {
		t.Errorf("a good certificate gets the advice %q", got)
	}
	for _, c := range s.Advice {
		t.Run(c.name, func(t *testing.T) {
			config := s.Config("https://127.0.0.1:1", "")
			c.change(config)
			got := config.Advice()
			if len(got) != len(c.want) {
				t.Fatalf("got the advice %q, want %d pieces", got, len(c.want))
			}
			for i, words := range c.want {
				if !strings.Contains(got[i], words) {
					t.Errorf("the advice %q does not say %q", got[i], words)
				}
				noSecret(t, config, got[i])
			}
		})
	}
}

// noSecret fails when a text holds a secret of the certificate.
func noSecret(t *testing.T, config vendors.Config, text string) {
	t.Helper()
	v := reflect.ValueOf(config).Elem()
	for i := range v.NumField() {
		if secret, ok := v.Field(i).Interface().(vendors.Secret); ok && len(secret) > 8 && strings.Contains(text, string(secret)) {
			t.Errorf("the text tells %s: %s", v.Type().Field(i).Name, text)
		}
	}
}

// doc wants the vendor's page to be complete in both languages, and its codes to have reasons that
// a driver may give.
func doc(t *testing.T, s Subject) {
	d := s.Doc()
	if d.Vendor != s.Fake.Vendor {
		t.Errorf("the page is about %s, the fake is %s", d.Vendor, s.Fake.Vendor)
	}
	whole(t, "Doc", reflect.ValueOf(d))
	if _, can := NewRig(t, s, nil).Driver.(vendors.Refresher); can != d.Screen.Refreshes {
		t.Errorf("the page says that numbers are refreshed: %v", d.Screen.Refreshes)
	}
	seen := map[string]bool{}
	for _, c := range d.Codes {
		if c.Code == "" || c.Reason != vendors.Accepted && !vendors.CanSay(c.Reason) {
			t.Errorf("code %q says too little, or a reason that is not for a driver: %v", c.Code, c.Reason)
		}
		if id := c.Level + " " + c.Code; seen[id] {
			t.Errorf("code %s stands twice", id)
		} else {
			seen[id] = true
		}
		if _, named := d.Levels[c.Level]; !named && (d.Levels != nil || c.Level != "") {
			t.Errorf("code %s stands at level %q, which Levels does not name", c.Code, c.Level)
		}
	}
}

// mayLack are the parts of a page that a vendor may have nothing for.
var mayLack = []string{"Doc.Kinds", "Doc.Levels", "Source.Dated"}

// whole wants a part of a page to have no gaps: every text in both languages, with as many marks of
// uncertainty in the one as in the other, and no list empty.
func whole(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	if b, ok := v.Interface().(vendors.Bilingual); ok {
		if b.EN == "" || b.ZH == "" {
			t.Errorf("%s lacks a language: %+v", path, b)
		}
		if strings.Count(b.EN, "(uncertain)") != strings.Count(b.ZH, "（不确定）") {
			t.Errorf("%s is less certain in one of the languages: %+v", path, b)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if _, ok := v.Interface().(vendors.Code); ok {
			whole(t, path+".Meaning", v.FieldByName("Meaning"))
			return
		}
		for i := range v.NumField() {
			name := v.Type().Name() + "." + v.Type().Field(i).Name
			if f := v.Field(i); !slices.Contains(mayLack, name) || !f.IsZero() {
				whole(t, name, f)
			}
		}
	case reflect.Slice, reflect.Map:
		if v.Len() == 0 {
			t.Errorf("%s is empty", path)
		}
		for _, at := range v.Seq2() {
			whole(t, path, at)
		}
	case reflect.String:
		if v.Len() == 0 {
			t.Errorf("%s is empty", path)
		}
	}
}
