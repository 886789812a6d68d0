package deploy_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// The release builds what the image holds, in the same way, and the workflows run the gate.
func TestRelease(t *testing.T) {
	t.Parallel()
	read := func(path string) string {
		t.Helper()
		text, err := os.ReadFile("../../" + path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var release struct {
		Builds []struct {
			ID, Main, Binary            string
			Goos, Goarch, Tags, Ldflags []string
		}
	}
	if err := yaml.Unmarshal([]byte(read(".goreleaser.yaml")), &release); err != nil {
		t.Fatal(err)
	}
	docker := read("Dockerfile")
	var programs []string
	for _, b := range release.Builds {
		programs = append(programs, b.Binary)
		if b.Main != "./cmd/"+b.Binary || !strings.Contains(docker, b.Main) {
			t.Errorf("%s is built from %s", b.Binary, b.Main)
		}
		if !slices.Equal(b.Goarch, []string{"amd64", "arm64"}) || !slices.Equal(b.Goos, []string{"linux"}) {
			t.Errorf("%s is built for %v %v", b.Binary, b.Goos, b.Goarch)
		}
		if !strings.Contains(docker, "-tags "+strings.Join(b.Tags, ",")) {
			t.Errorf("the image is built with other tags than %v", b.Tags)
		}
		if setting := "-X github.com/hongyan-im/hongyan/internal/cli.version="; !strings.Contains(b.Ldflags[0], setting) || !strings.Contains(docker, setting) {
			t.Errorf("%s does not know its version", b.Binary)
		}
	}
	if slices.Sort(programs); !slices.Equal(programs, []string{"publisher", "sandbox", "worker"}) {
		t.Errorf("the release has %v", programs)
	}
	for _, workflow := range []string{"check", "release"} {
		var w struct {
			Jobs map[string]struct {
				Steps []struct{ Uses, Run string }
			}
		}
		text := read(".github/workflows/" + workflow + ".yml")
		if err := yaml.UnmarshalStrict([]byte(text), new(map[string]any)); err != nil {
			t.Fatalf("%s: %v", workflow, err)
		}
		if err := yaml.Unmarshal([]byte(text), &w); err != nil {
			t.Fatalf("%s: %v", workflow, err)
		}
		steps := w.Jobs["gate"].Steps
		if len(steps) == 0 || steps[len(steps)-1].Run != ".ci/run" {
			t.Errorf("%s does not run the gate: %+v", workflow, steps)
		}
	}
}
