package deploy_test

import (
	"bufio"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

// project is docker-compose.yml as Compose reads it, with profiles and an environment file.
func project(t *testing.T, env string, profiles ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../../docker-compose.yml"}, cli.WithName("hongyan"), cli.WithProfiles(profiles), cli.WithEnv(environment(t, env)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// environment reads an environment file of deploy/compose.
func environment(t *testing.T, name string) []string {
	t.Helper()
	if name == "" {
		return nil
	}
	f, err := os.Open("../compose/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var env []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if line := lines.Text(); line != "" && !strings.HasPrefix(line, "#") {
			env = append(env, line)
		}
	}
	return env
}

// Each profile brings its services, and its environment file lets the others know.
func TestCompose(t *testing.T) {
	t.Parallel()
	usual := []string{"demo", "nats", "sandbox", "worker"}
	for _, c := range []struct {
		env, profile                  string
		more                          []string
		nats, replicas, traces, check string
	}{
		{nats: "nats.conf", check: "nats://nats:4222", replicas: "1", traces: "none"},
		{env: "cluster.env", profile: "cluster", more: []string{"nats-2", "nats-3"}, nats: "nats-cluster.conf", replicas: "3", traces: "none",
			check: "nats://nats:4222,nats://nats-2:4222,nats://nats-3:4222"},
		{env: "observe.env", profile: "observe", more: []string{"grafana", "jaeger", "prometheus"}, nats: "nats.conf", check: "nats://nats:4222", replicas: "1", traces: "otlp"},
	} {
		var profiles []string
		if c.profile != "" {
			profiles = []string{c.profile}
		}
		p := project(t, c.env, profiles...)
		want := slices.Sorted(slices.Values(slices.Concat(usual, c.more)))
		if got := slices.Sorted(maps.Keys(p.Services)); !slices.Equal(got, want) {
			t.Errorf("profile %q has %q, want %q", c.profile, got, want)
		}
		worker := p.Services["worker"]
		if got := p.Services["demo"].Environment["NATS_URL"]; got == nil || *got != c.check {
			t.Errorf("profile %q: the demo does not publish to %s", c.profile, c.check)
		}
		for name, want := range map[string]string{"HONGYAN_NATS_URL": c.check, "HONGYAN_NATS_REPLICAS": c.replicas, "OTEL_TRACES_EXPORTER": c.traces} {
			if got := worker.Environment[name]; got == nil || *got != want {
				t.Errorf("profile %q: %s is not %q", c.profile, name, want)
			}
		}
		if got := p.Services["nats"].Command[1]; got != "/etc/nats/"+c.nats {
			t.Errorf("profile %q: NATS reads %s", c.profile, got)
		}
		if worker.Scale == nil || *worker.Scale != 2 || worker.StopGracePeriod == nil {
			t.Errorf("profile %q: workers %v", c.profile, worker.Scale)
		}
	}
}

// A command that runs the demo leaves the other services alone. Compose would make them anew as the
// file has them, with one NATS server and two workers, where a profile or --scale had others.
func TestComposeRunsAlone(t *testing.T) {
	t.Parallel()
	run := regexp.MustCompile(`docker compose run[^` + "`" + `\n]*`)
	for _, path := range []string{"../../docker-compose.yml", "../../docs/deploy.md", "../../docs/deploy.zh-CN.md", "../compose/demo.sh"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		commands := run.FindAllString(string(text), -1)
		if len(commands) == 0 {
			t.Errorf("%s runs nothing", path)
		}
		for _, command := range commands {
			if !strings.HasPrefix(command, "docker compose run --rm --no-deps demo") {
				t.Errorf("%s: %s", path, command)
			}
		}
	}
}

// What Prometheus and Grafana are given is what they read: the alerts by their name, and a data
// source for each that the dashboard asks.
func TestComposeObserves(t *testing.T) {
	t.Parallel()
	var scrape struct {
		RuleFiles []string `json:"rule_files"`
		Configs   []struct {
			Job string `json:"job_name"`
			DNS []struct {
				Names []string
				Port  int
			} `json:"dns_sd_configs"`
		} `json:"scrape_configs"`
	}
	read := func(path string, into any) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	read("../prometheus/prometheus.yml", &scrape)
	for _, file := range scrape.RuleFiles {
		if _, err := os.Stat("../prometheus/" + file); err != nil {
			t.Error(err)
		}
	}
	if c := scrape.Configs[0]; c.Job != "hongyan" || c.DNS[0].Names[0] != "worker" || c.DNS[0].Port != 8230 {
		t.Errorf("Prometheus reads %+v", c)
	}
	var sources struct {
		Datasources []struct{ UID, Type, URL string }
	}
	read("../grafana/provisioning/datasources/datasources.yml", &sources)
	services := project(t, "", "observe").Services
	known := map[string]bool{}
	for _, s := range sources.Datasources {
		known[s.UID] = true
		host, _, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
		if _, ok := services[host]; !ok {
			t.Errorf("Grafana looks for %s, which is no service", s.URL)
		}
	}
	for _, p := range dashboard(t).Panels {
		if p.Datasource.UID != "" && !known[p.Datasource.UID] {
			t.Errorf("the panel %q asks %s", p.Title, p.Datasource.UID)
		}
	}
}
