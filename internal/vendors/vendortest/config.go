package vendortest

import (
	"reflect"
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
	if d.Dated == "" || d.Example == "" || len(d.Links) == 0 || len(d.Rows) == 0 || len(d.Classes) == 0 || len(d.Codes) == 0 || len(d.Setup) == 0 {
		t.Errorf("the page lacks a part: %+v", d)
	}
	if _, can := NewRig(t, s, nil).Driver.(vendors.Refresher); can != d.Refreshes {
		t.Errorf("the page says that numbers are refreshed: %v", d.Refreshes)
	}
	texts := append([]vendors.Bilingual{d.Name, d.Tap, d.Repeat}, d.Setup...)
	for _, r := range d.Rows {
		texts = append(texts, r.What, r.Value)
	}
	for _, c := range d.Classes {
		texts = append(texts, c.Means, c.Cap)
	}
	for _, text := range texts {
		if text.EN == "" || text.ZH == "" {
			t.Errorf("%+v lacks a language", text)
		}
	}
	for _, c := range d.Codes {
		if c.Code == "" || c.Meaning == "" || c.Reason != vendors.Accepted && !vendors.CanSay(c.Reason) {
			t.Errorf("code %q says too little, or a reason that is not for a driver: %v", c.Code, c.Reason)
		}
	}
}
