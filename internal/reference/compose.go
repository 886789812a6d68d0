package reference

import (
	"fmt"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

// composeFiles are what the containers of docker-compose.yml know of the demo: the workers'
// certificates, and the script that registers a phone of each vendor.
func composeFiles() (map[string][]byte, error) {
	demo, err := sandbox.NewDemo(time.Now(), all.Fakes()) // its certificates name no key
	if err != nil {
		return nil, err
	}
	apps := string(demo.Apps(sandbox.Place{URL: "https://sandbox:8241", Dir: "/sandbox-data"}))
	var users []string
	var phones strings.Builder
	for _, f := range all.Fakes() {
		u := f.User
		users = append(users, u.ID)
		fmt.Fprintf(&phones, "phone %s %s demo-%s %s %s %s", u.ID, u.Device, f.Vendor, u.Platform, u.Locale, f.Token(u.ID))
		if u.VoIP != "" {
			fmt.Fprintf(&phones, " --voip-certificate %s --voip-token %s", u.VoIP, f.Token(u.ID+"-voip"))
		}
		phones.WriteString("\n")
	}
	files := map[string][]byte{}
	for name, gaps := range map[string]map[string]string{
		"worker.yaml": {"Apps": strings.Replace(strings.ReplaceAll(apps, "\n      - id:", "\n\n      - id:"), ":\n\n", ":\n", 1)},
		"demo.sh":     {"Users": strings.Join(users, " "), "Phones": phones.String()},
	} {
		file, err := fill(name, gaps)
		if err != nil {
			return nil, err
		}
		files["deploy/compose/"+name] = file
	}
	return files, nil
}
