package sandbox

import (
	"bytes"
	"encoding/json"
	"path"
	"strings"
	"text/template"
)

// Certificates is the list of the demo's certificates as YAML, for the key "certificates" of an
// app: demo-<vendor> for each vendor, and more for a vendor that needs them. It has no indent of
// its own.
func (d *Demo) Certificates(place Place) []byte {
	var out bytes.Buffer
	functions := template.FuncMap{
		"file": func(name string) string { return quote(path.Join(strings.ReplaceAll(place.Dir, `\`, "/"), name)) },
		"q":    quote,
	}
	for _, a := range d.accounts {
		err := template.Must(template.New("").Funcs(functions).Parse(a.Certificates)).Execute(&out, map[string]string{
			"URL": place.URL, "Package": DemoPackage, "Channel": DemoChannel,
		})
		if err != nil {
			panic(err) // the template is a constant
		}
	}
	return out.Bytes()
}

// Apps is a whole "apps" section with the app [DemoApp] and the demo's certificates.
func (d *Demo) Apps(place Place) []byte {
	return []byte("apps:\n  - id: " + DemoApp + "\n" + listed(d.Certificates(place)))
}

// DevApps is [Demo.Apps] for `worker dev`: the app counts what its icons show, and a second app,
// [DemoCollapse], collapses. The certificates of the second are those of the demo, "collapse-" in
// their ids instead of "demo-".
func (d *Demo) DevApps(place Place) []byte {
	list := d.Certificates(place)
	collapsing := bytes.ReplaceAll(list, []byte("- id: demo-"), []byte("- id: collapse-"))
	return []byte("apps:\n  - id: " + DemoApp + "\n    policy: {badge: counted}\n" + listed(list) +
		"  - id: " + DemoCollapse + "\n    policy: {collapse: conversation}\n" + listed(collapsing))
}

// listed is a list of certificates as the key of an app.
func listed(certificates []byte) string {
	list := strings.TrimRight(string(certificates), "\n")
	return "    certificates:\n      " + strings.ReplaceAll(list, "\n", "\n      ") + "\n"
}

// quote writes a string as YAML: JSON's strings are YAML's.
func quote(s string) string {
	quoted, _ := json.Marshal(s) // a string always marshals
	return string(quoted)
}
