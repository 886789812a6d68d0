package sandbox

import (
	"bytes"
	"encoding/json"
	"path"
	"strings"
	"text/template"
)

// Certificates is the list of the demo's certificates as YAML, for the key "certificates" of an
// app: one for each vendor, demo-apns to demo-meizu, and demo-apns-voip for calls to iPhones. It
// has no indent of its own.
func (d *Demo) Certificates(place Place) []byte {
	var out bytes.Buffer
	err := template.Must(template.New("").Funcs(template.FuncMap{
		"file": func(name string) string { return quote(path.Join(strings.ReplaceAll(place.Dir, `\`, "/"), name)) },
		"q":    quote,
	}).Parse(demoCertificates)).Execute(&out, map[string]string{
		"URL": place.URL, "Package": demoPackage, "Channel": demoChannel,
		"APNsTeam": demoAPNsTeam, "APNsKey": demoAPNsKey, "FCMProject": demoFCMProject, "HuaweiApp": demoHuaweiApp,
		"HarmonyProject": demoHarmonyProject, "HonorApp": demoHonorApp, "HonorClient": demoHonorClient, "OPPOKey": demoOPPOKey,
		"VivoApp": demoVivoApp, "VivoKey": demoVivoKey, "MeizuApp": demoMeizuApp, "XiaomiTemplate": demoXiaomiTemplate, "OPPOTemplate": demoOPPOTemplate,
	})
	if err != nil {
		panic(err) // the template is a constant
	}
	return out.Bytes()
}

// Apps is a whole "apps" section with the app [DemoApp] and the demo's certificates.
func (d *Demo) Apps(place Place) []byte {
	list := strings.TrimRight(string(d.Certificates(place)), "\n")
	return []byte("apps:\n  - id: " + DemoApp + "\n    certificates:\n      " + strings.ReplaceAll(list, "\n", "\n      ") + "\n")
}

// quote writes a string as YAML: JSON's strings are YAML's.
func quote(s string) string {
	quoted, _ := json.Marshal(s) // a string always marshals
	return string(quoted)
}

const demoCertificates = `- id: demo-apns
  vendor: apns
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  topic: {{.Package}}
  key_file: {{file "apns.p8"}}
  key_id: {{.APNsKey}}
  team_id: {{.APNsTeam}}
- id: demo-apns-voip
  vendor: apns
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  topic: {{.Package}}
  key_file: {{file "apns.p8"}}
  key_id: {{.APNsKey}}
  team_id: {{.APNsTeam}}
- id: demo-fcm
  vendor: fcm
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  project_id: {{.FCMProject}}
  service_account_file: {{file "fcm.json"}}
  channel_id: {{.Channel}}
- id: demo-huawei
  vendor: huawei
  endpoint: {{q .URL}}
  token_endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  app_id: {{q .HuaweiApp}}
  app_secret_file: {{file "huawei.secret"}}
  category: IM
  badge_class: {{.Package}}.MainActivity
- id: demo-harmony
  vendor: harmony
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  project_id: {{q .HarmonyProject}}
  service_account_file: {{file "harmony.json"}}
  category: IM
- id: demo-honor
  vendor: honor
  endpoint: {{q .URL}}
  token_endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  app_id: {{q .HonorApp}}
  client_id: {{q .HonorClient}}
  client_secret_file: {{file "honor.secret"}}
  importance: NORMAL
  badge_class: {{.Package}}.MainActivity
- id: demo-xiaomi
  vendor: xiaomi
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  package: {{.Package}}
  app_secret_file: {{file "xiaomi.secret"}}
  channel_id: {{.Channel}}
  template_id: {{.XiaomiTemplate}}
  template_params: {keywords1: "{title}", keywords2: "{text}"}
- id: demo-oppo
  vendor: oppo
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  app_key: {{q .OPPOKey}}
  master_secret_file: {{file "oppo.secret"}}
  channel_id: {{.Channel}}
  category: IM
  template_id: {{.OPPOTemplate}}
  title_params: {sender: "{title}"}
  content_params: {text: "{body}"}
- id: demo-vivo
  vendor: vivo
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  app_id: {{q .VivoApp}}
  app_key: {{q .VivoKey}}
  app_secret_file: {{file "vivo.secret"}}
  category: IM
- id: demo-meizu
  vendor: meizu
  endpoint: {{q .URL}}
  ca_file: {{file "ca.pem"}}
  app_id: {{q .MeizuApp}}
  app_secret_file: {{file "meizu.secret"}}
`
