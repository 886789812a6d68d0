package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
)

// The promise of the demo: what it writes is all that the real drivers need to reach the sandbox,
// over TLS, with no rule broken.
func TestDemoReachesSandbox(t *testing.T) {
	t.Parallel()
	demo, err := sandbox.NewDemo(time.Now(), all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	server := sandbox.New(sandbox.Options{}, demo.Fakes()...)
	listener, err := server.Start(sandbox.ListenOptions{Authority: demo.Authority()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// the test's own context has ended by now
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := listener.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	place := sandbox.Place{URL: listener.TLSURL(), Dir: dir}
	if err := demo.WriteFiles(dir, place); err != nil {
		t.Fatal(err)
	}
	var certificates []map[string]any
	if err := yaml.Unmarshal(demo.Certificates(place), &certificates); err != nil {
		t.Fatal(err)
	}
	for _, c := range certificates {
		config := load(t, c)
		common := config.Base()
		t.Run(common.ID, func(t *testing.T) {
			if problems := config.Problems(); len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			for _, advice := range config.Advice() {
				t.Logf("advice: %s", advice)
			}
			driver, err := config.Driver(vendors.Env{Tokens: func(_ string, fetch vendors.TokenFetch) vendors.TokenSource {
				return accesstoken.New(fetch, accesstoken.Options{})
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer driver.Close()
			voip := strings.HasSuffix(common.ID, "-voip")
			now := time.Now()
			chat := &vendors.Notification{
				Key: strings.Repeat("ab", 16), MessageID: "m-1", Conversation: "c2c_alice", Title: "Alice", Body: "See you at eight 👋 八点见",
				Ext: `{"conversationID":"c2c_alice"}`, Deadline: now.Add(24 * time.Hour),
			}
			call := &vendors.Notification{
				Key: strings.Repeat("cd", 16), MessageID: "m-2", Conversation: "c2c_alice", Title: "Alice", Body: "Voice call",
				Ext: `{"call":1}`, Deadline: now.Add(time.Minute), Urgent: true, VoIP: voip,
				Call: &hongyan.Call{Media: "audio", Action: "invite", ID: "call-1"},
			}
			notifications := []*vendors.Notification{chat, call}
			if voip {
				notifications = notifications[1:]
			}
			for _, n := range notifications {
				device := vendors.Device{Token: all.Token(common.Vendor, common.ID), Key: n.Key, Notification: n}
				result := driver.Push(t.Context(), vendors.Batch{Devices: []vendors.Device{device}, Now: now})[0]
				if result.Reason != vendors.Accepted {
					t.Errorf("%s: %v, code %q: %v", n.Body, result.Reason, result.Code, result.Err)
				}
			}
		})
	}
	for _, v := range server.Violations() {
		t.Errorf("%s: broken rule: %s (%s)", v.Vendor, v.Rule, v.Code)
	}
	counts := server.Counts()
	for _, f := range all.Fakes() {
		want := int64(2)
		if f.User.VoIP != "" {
			want = 3
		}
		if counts[f.Vendor].Accepted != want {
			t.Errorf("%s accepted %d, want %d", f.Vendor, counts[f.Vendor].Accepted, want)
		}
	}
}

// load reads a certificate as a worker's configuration does: strictly, and the file of x_file into
// the secret x.
func load(t *testing.T, certificate map[string]any) vendors.Config {
	t.Helper()
	for k, v := range certificate {
		name, isFile := strings.CutSuffix(k, "_file")
		if !isFile || k == "ca_file" {
			continue
		}
		data, err := os.ReadFile(filepath.Clean(v.(string)))
		if err != nil {
			t.Fatal(err)
		}
		delete(certificate, k)
		certificate[name] = string(data)
	}
	text, err := yaml.Marshal(certificate)
	if err != nil {
		t.Fatal(err)
	}
	config := registry.Kinds()[certificate["vendor"].(string)]()
	if err := yaml.UnmarshalWithOptions(text, config, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", certificate["id"], err)
	}
	return config
}
