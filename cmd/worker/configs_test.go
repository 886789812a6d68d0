package main

import (
	"bufio"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
)

// repo is the repository's root, as the tests of this package see it.
const repo = "../.."

// demoFiles writes a sandbox's credentials into a new folder, which stands in for the folders that
// the configurations name.
func demoFiles(t *testing.T) (dir string, demo *sandbox.Demo, place sandbox.Place) {
	t.Helper()
	demo, err := sandbox.NewDemo(time.Now(), all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	place = sandbox.Place{URL: "https://sandbox:8241", Dir: dir}
	if err := demo.WriteFiles(dir, place); err != nil {
		t.Fatal(err)
	}
	return dir, demo, place
}

// exampleEnv is deploy/hongyan.example.env, with the secrets in a folder that exists.
func exampleEnv(t *testing.T, secrets string) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(repo, "deploy/hongyan.example.env"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	env := map[string]string{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || name != strings.TrimSpace(name) || value == "" || strings.ContainsAny(value, " \t\"'$`") {
			t.Fatalf("hongyan.example.env:%d: %q is not NAME=value without quotes and spaces", n, line)
		}
		env[name] = value
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	env["SECRETS"] = secrets
	return env
}

// composeFile is what the tests read of docker-compose.yml.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
}

type composeService struct {
	Image       string            `yaml:"image"`
	Build       any               `yaml:"build"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	Restart     string            `yaml:"restart"`
	Volumes     []string          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	Environment map[string]string `yaml:"environment"`
}

func compose(t *testing.T) composeFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repo, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var c composeFile
	if err := yaml.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Services) == 0 {
		t.Fatal("no service")
	}
	return c
}

// composeEnv is the environment of the workers of docker-compose.yml where the caller's has nothing
// of it: "${NAME:-x}" is x.
func composeEnv(t *testing.T) map[string]string {
	t.Helper()
	env := map[string]string{}
	for name, value := range compose(t).Services["worker"].Environment {
		if ref, ok := strings.CutPrefix(value, "${"); ok {
			_, value, _ = strings.Cut(strings.TrimSuffix(ref, "}"), ":-")
		}
		env[name] = value
	}
	return env
}

// configs lists the YAML files of the repository that configure a worker: those with apps.
func configs(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(repo, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != repo && (strings.HasPrefix(name, ".") || name == "testdata" || name == "data" || name == "sandbox-data"):
			return filepath.SkipDir
		case d.IsDir() || !slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(name)):
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var top map[string]any
		if err := yaml.Unmarshal(data, &top); err != nil {
			return nil // some other tool's YAML
		}
		if _, ok := top["apps"]; ok {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// parse reads a configuration of the repository, with dir in the place of the folder that the
// containers see.
func parse(t *testing.T, path, dir string, env map[string]string) *config.Config {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.ReplaceAll(string(data), "/sandbox-data/", dir+"/"))
	conf, err := config.Parse(path, data, kinds, func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

// What the repository offers as a configuration, the worker takes, and finds nothing unwise in.
func TestConfigsAreValid(t *testing.T) {
	t.Parallel()
	dir, _, _ := demoFiles(t)
	env := exampleEnv(t, dir)
	maps.Copy(env, composeEnv(t))
	files := configs(t)
	for _, want := range []string{"deploy/hongyan.example.yaml", "deploy/compose/worker.yaml"} {
		if !slices.Contains(files, filepath.Join(repo, want)) {
			t.Fatalf("%s is missing among %q", want, files)
		}
	}
	tokens := vendors.Env{Tokens: func(_ string, fetch vendors.TokenFetch) vendors.TokenSource {
		return accesstoken.New(fetch, accesstoken.Options{})
	}}
	for _, file := range files {
		t.Run(strings.TrimPrefix(filepath.ToSlash(file), repo+"/"), func(t *testing.T) {
			for _, app := range parse(t, file, dir, env).Apps {
				for _, c := range app.Certificates {
					driver, err := c.Driver(tokens)
					if err != nil {
						t.Errorf("certificate %s: %v", c.Base().ID, err)
						continue
					}
					driver.Close()
					for _, text := range c.Advice() {
						t.Errorf("certificate %s: the example earns a warning: %s", c.Base().ID, text)
					}
				}
			}
		})
	}
}

// The environment file of the production example has what it asks for and nothing else.
func TestExampleEnvironment(t *testing.T) {
	t.Parallel()
	dir, _, _ := demoFiles(t)
	path := filepath.Join(repo, "deploy/hongyan.example.yaml")
	env := exampleEnv(t, dir)
	parse(t, path, dir, env)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name := range env {
		if !strings.Contains(string(text), "${"+name+"}") {
			t.Errorf("hongyan.example.env sets %s, which nothing reads", name)
		}
	}
}

// The compose file's workers know the sandbox's demo accounts by heart; they must not drift apart.
func TestComposeMatchesSandbox(t *testing.T) {
	t.Parallel()
	dir, demo, place := demoFiles(t)
	got := parse(t, filepath.Join(repo, "deploy/compose/worker.yaml"), dir, composeEnv(t))
	want, err := config.Parse("demo.yaml", demo.Apps(place), kinds, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Apps, got.Apps); diff != "" {
		t.Errorf("deploy/compose/worker.yaml differs from what the sandbox writes (-sandbox +compose):\n%s", diff)
	}
}

// Every service is hardened, every image of others is pinned, every file that is mounted exists,
// and every port stays on this machine.
func TestComposeIsHardened(t *testing.T) {
	t.Parallel()
	for name, s := range compose(t).Services {
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not hardened: read_only, cap_drop ALL, no-new-privileges", name)
		}
		if s.Build == nil && !strings.Contains(s.Image, "@sha256:") {
			t.Errorf("%s names its image %q without a digest", name, s.Image)
		}
		if s.Restart == "" {
			t.Errorf("%s has no restart policy", name)
		}
		for _, v := range s.Volumes {
			source, _, _ := strings.Cut(v, ":")
			if !strings.HasPrefix(source, "./") {
				continue
			}
			if _, err := os.Stat(filepath.Join(repo, source)); err != nil {
				t.Errorf("%s mounts a file that is not there: %v", name, err)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s publishes %s to the network", name, p)
			}
		}
	}
}
