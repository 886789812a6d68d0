package deploy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8syaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const chartDir = "../helm"

// kinds are what a manifest may be, by kind; scaled objects have a schema instead.
var kinds = map[string]func() any{
	"ConfigMap":           func() any { return new(corev1.ConfigMap) },
	"Deployment":          func() any { return new(appsv1.Deployment) },
	"Job":                 func() any { return new(batchv1.Job) },
	"NetworkPolicy":       func() any { return new(networkingv1.NetworkPolicy) },
	"PodDisruptionBudget": func() any { return new(policyv1.PodDisruptionBudget) },
	"PodMonitor":          func() any { return new(monitoringv1.PodMonitor) },
	"PrometheusRule":      func() any { return new(monitoringv1.PrometheusRule) },
}

// values reads a file of values, or none where the name is empty.
func values(t *testing.T, name string) map[string]any {
	t.Helper()
	v := map[string]any{}
	if name == "" {
		return v
	}
	text, err := os.ReadFile(filepath.Join("testdata/values", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// render renders the chart as "helm install push" does, without a cluster.
func render(values map[string]any) (map[string]string, error) {
	c, err := loader.Load(chartDir)
	if err != nil {
		return nil, err
	}
	all, err := util.ToRenderValues(c, values, common.ReleaseOptions{Name: "push", Namespace: "push", Revision: 1, IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// manifests are what the chart makes of values, each held to its type, by kind and name.
func manifests(t *testing.T, values map[string]any) map[string]any {
	t.Helper()
	files, err := render(values)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for file, text := range files {
		if filepath.Ext(file) != ".yaml" {
			continue
		}
		docs := k8syaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
		for {
			doc, err := docs.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if strings.TrimSpace(string(doc)) == "" {
				continue
			}
			var head struct {
				metav1.TypeMeta   `json:",inline"`
				metav1.ObjectMeta `json:"metadata"`
			}
			if err := yaml.Unmarshal(doc, &head); err != nil {
				t.Fatalf("%s: %v\n%s", file, err, doc)
			}
			object, err := decode(head.Kind, doc)
			if err != nil {
				t.Errorf("%s: %s %s: %v\n%s", file, head.Kind, head.Name, err, doc)
				continue
			}
			all[head.Kind+" "+head.Name] = object
		}
	}
	return all
}

// decode reads a manifest strictly: unknown and doubled keys are errors.
func decode(kind string, doc []byte) (any, error) {
	if kind == "ScaledObject" {
		var object map[string]any
		if err := yaml.UnmarshalStrict(doc, &object); err != nil {
			return nil, err
		}
		schema, err := scaledObjects()
		if err != nil {
			return nil, err
		}
		// Numbers as JSON has them.
		text, err := json.Marshal(object)
		if err != nil {
			return nil, err
		}
		plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		return object, schema.Validate(plain)
	}
	empty := kinds[kind]
	if empty == nil {
		return nil, fmt.Errorf("the chart makes no %s", kind)
	}
	object := empty()
	return object, yaml.UnmarshalStrict(doc, object)
}

// scaledObjects is the schema of KEDA's own definition, which drops what it does not know: here it
// is an error.
func scaledObjects() (*jsonschema.Schema, error) {
	text, err := os.ReadFile("testdata/keda.sh_scaledobjects.yaml")
	if err != nil {
		return nil, err
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema map[string]any `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return nil, err
	}
	root := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	closed(root)
	root["properties"].(map[string]any)["metadata"] = map[string]any{"type": "object"}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("keda.json", any(root)); err != nil {
		return nil, err
	}
	return compiler.Compile("keda.json")
}

// closed makes every object of a schema refuse what it does not name, and leaves out what a
// JSON Schema knows otherwise.
func closed(schema map[string]any) {
	delete(schema, "format")
	if schema["x-kubernetes-int-or-string"] == true {
		schema["type"] = []any{"integer", "string"}
		delete(schema, "anyOf")
	}
	if properties, ok := schema["properties"].(map[string]any); ok {
		if schema["x-kubernetes-preserve-unknown-fields"] != true {
			schema["additionalProperties"] = false
		}
		for _, p := range properties {
			closed(p.(map[string]any))
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if inner, ok := schema[key].(map[string]any); ok {
			closed(inner)
		}
	}
}

func find[T any](t *testing.T, all map[string]any, name string) T {
	t.Helper()
	object, ok := all[name].(T)
	if !ok {
		t.Fatalf("there is no %s among %v", name, slices.Sorted(maps.Keys(all)))
	}
	return object
}

// With the default values the chart makes what a small installation needs, and with all of them
// what there is.
func TestChart(t *testing.T) {
	t.Parallel()
	small := []string{"ConfigMap push-hongyan", "Deployment push-hongyan", "NetworkPolicy push-hongyan", "PodDisruptionBudget push-hongyan"}
	all := append(slices.Clone(small), "ConfigMap push-hongyan-dashboard", "ConfigMap push-hongyan-setup", "Job push-hongyan-setup",
		"PodMonitor push-hongyan", "PrometheusRule push-hongyan", "ScaledObject push-hongyan")
	slices.Sort(all)
	for file, want := range map[string][]string{"": small, "production.yaml": all} {
		if got := slices.Sorted(maps.Keys(manifests(t, values(t, file)))); !slices.Equal(got, want) {
			t.Errorf("%q makes %q, want %q", file, got, want)
		}
	}
}

func TestChartLint(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"", "production.yaml"} {
		for _, m := range lint.RunAll(chartDir, values(t, file), "push").Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("helm lint, %q: %v", file, m)
			}
		}
	}
}

// A worker that is stopped has longer than it drains, is asked how it is, runs as nobody, and finds
// its secrets as files.
func TestChartWorker(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"", "production.yaml"} {
		all := manifests(t, values(t, file))
		d := find[*appsv1.Deployment](t, all, "Deployment push-hongyan")
		pod := d.Spec.Template.Spec
		c := pod.Containers[0]
		var conf struct {
			Shutdown string `json:"shutdown"`
			HTTP     struct{ Listen string }
		}
		if err := yaml.Unmarshal([]byte(find[*corev1.ConfigMap](t, all, "ConfigMap push-hongyan").Data["hongyan.yaml"]), &conf); err != nil {
			t.Fatal(err)
		}
		drain, err := time.ParseDuration(conf.Shutdown)
		if err != nil {
			t.Fatal(err)
		}
		if grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; grace < drain+10*time.Second {
			t.Errorf("%q: %v until it is killed, and it drains for %v", file, grace, drain)
		}
		if conf.HTTP.Listen != "0.0.0.0:8230" || c.Ports[0].ContainerPort != 8230 || c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe.HTTPGet.Path != "/healthz" {
			t.Errorf("%q: the probes do not reach it: %q, %+v", file, conf.HTTP.Listen, c)
		}
		if !*pod.SecurityContext.RunAsNonRoot || !*c.SecurityContext.ReadOnlyRootFilesystem || *c.SecurityContext.AllowPrivilegeEscalation ||
			!slices.Equal(c.SecurityContext.Capabilities.Drop, []corev1.Capability{"ALL"}) || *pod.AutomountServiceAccountToken {
			t.Errorf("%q: it may more than it needs: %+v, %+v", file, pod.SecurityContext, c.SecurityContext)
		}
		for _, m := range c.VolumeMounts {
			if !m.ReadOnly {
				t.Errorf("%q: %s can be written", file, m.Name)
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom != nil {
				t.Errorf("%q: %s comes from a secret; secrets are files", file, e.Name)
			}
		}
		labels := d.Spec.Template.Labels
		selectors := []map[string]string{d.Spec.Selector.MatchLabels, find[*policyv1.PodDisruptionBudget](t, all, "PodDisruptionBudget push-hongyan").Spec.Selector.MatchLabels,
			find[*networkingv1.NetworkPolicy](t, all, "NetworkPolicy push-hongyan").Spec.PodSelector.MatchLabels}
		if m, ok := all["PodMonitor push-hongyan"].(*monitoringv1.PodMonitor); ok {
			selectors = append(selectors, m.Spec.Selector.MatchLabels)
			if labels[m.Spec.JobLabel] != "hongyan" {
				t.Errorf("Prometheus' job is %q, and the alerts look for hongyan", labels[m.Spec.JobLabel])
			}
		}
		for _, s := range selectors {
			for k, v := range s {
				if labels[k] != v {
					t.Errorf("%q: nothing is selected by %s=%s", file, k, v)
				}
			}
		}
	}
	d := find[*appsv1.Deployment](t, manifests(t, values(t, "production.yaml")), "Deployment push-hongyan")
	if sources := d.Spec.Template.Spec.Volumes[1].Projected.Sources; len(sources) != 2 || sources[0].Secret.Name != "hongyan" {
		t.Errorf("secrets: %+v", sources)
	}
	if d.Spec.Replicas != nil {
		t.Error("the number of workers is set, and KEDA's")
	}
	if image := d.Spec.Template.Spec.Containers[0].Image; !strings.HasPrefix(image, "registry.example.com/push/hongyan@sha256:") {
		t.Errorf("image %s", image)
	}
}

// What the chart writes as a configuration, the worker's schema takes: the setup's too, which is
// another user's.
func TestChartConfiguration(t *testing.T) {
	t.Parallel()
	compiler := jsonschema.NewCompiler()
	text, err := os.ReadFile("../../internal/schema/config.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.AddResource("config.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	all := manifests(t, values(t, "production.yaml"))
	users := map[string]string{}
	for _, name := range []string{"push-hongyan", "push-hongyan-setup"} {
		conf, err := yaml.YAMLToJSON([]byte(find[*corev1.ConfigMap](t, all, "ConfigMap "+name).Data["hongyan.yaml"]))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(conf))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(plain); err != nil {
			t.Errorf("%s: %v\n%s", name, err, conf)
		}
		nats := plain.(map[string]any)["nats"].(map[string]any)
		users[name] = fmt.Sprint(nats["user"], " ", nats["password_file"], " ", nats["replicas"], " ", nats["tls"] != nil)
	}
	if users["push-hongyan"] != "worker /run/secrets/hongyan/nats 3 true" || users["push-hongyan-setup"] != "operator /run/secrets/hongyan/nats-operator 3 true" {
		t.Errorf("users: %v", users)
	}
}

// Workers are added for messages that nobody has taken, and never for jobs, which wait for vendors.
func TestChartScaling(t *testing.T) {
	t.Parallel()
	object := find[map[string]any](t, manifests(t, values(t, "production.yaml")), "ScaledObject push-hongyan")
	triggers := object["spec"].(map[string]any)["triggers"].([]any)
	if len(triggers) != 1 {
		t.Fatalf("%d triggers", len(triggers))
	}
	query := triggers[0].(map[string]any)["metadata"].(map[string]any)["query"].(string)
	if query != `max(hongyan_messages_untaken{namespace="push"})` {
		t.Errorf("query %s", query)
	}
	if _, err := promqlParser.ParseExpr(query); err != nil {
		t.Error(err)
	}
}

// The schema refuses what the chart would not do, and what would leave a worker without its probes
// or its time to drain.
func TestChartSchema(t *testing.T) {
	t.Parallel()
	apps := map[string]any{"nats": map[string]any{"url": "nats://nats:4222"}, "apps": []any{}}
	with := func(key string, value any) map[string]any {
		conf := maps.Clone(apps)
		conf[key] = value
		return map[string]any{"config": conf}
	}
	for name, wrong := range map[string]map[string]any{
		"unknown_key":     {"replicas": 3},
		"no_workers":      {"replicaCount": 0},
		"own_shutdown":    with("shutdown", "60s"),
		"own_listen":      with("http", map[string]any{"listen": "127.0.0.1:1"}),
		"server_inside":   with("nats", map[string]any{"url": "nats://nats:4222", "embedded": map[string]any{}}),
		"keda_on_what":    {"keda": map[string]any{"enabled": true, "jobsPerWorker": 5}},
		"digest":          {"image": map[string]any{"digest": "latest"}},
		"budget_of_none":  {"podDisruptionBudget": map[string]any{"maxUnavailable": 0}},
		"secret_no_name":  {"secrets": []any{""}},
		"env_is_a_number": {"env": map[string]any{"N": 5}},
	} {
		if _, err := render(wrong); err == nil || !strings.Contains(err.Error(), "schema") {
			t.Errorf("%s is taken: %v", name, err)
		}
	}
	if _, err := render(with("http", map[string]any{"explain": map[string]any{"trusted_header": "X-User"}})); err != nil {
		t.Error(err)
	}
}

// What the chart says of each value is said of one that exists, and of all of them.
func TestChartValuesAreTold(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(chartDir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct{ Properties map[string]any }
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	defaults, err := os.ReadFile(filepath.Join(chartDir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range schema.Properties {
		if name != "global" && !regexp.MustCompile(`(?m)^`+name+`:`).Match(defaults) {
			t.Errorf("values.yaml has no %s", name)
		}
	}
}

// A key that Kubernetes or KEDA would drop without a word is an error here.
func TestDecodeIsStrict(t *testing.T) {
	t.Parallel()
	for kind, doc := range map[string]string{
		"Deployment":   "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {repliacs: 2}\n",
		"PodMonitor":   "apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {name: x}\nspec: {selectors: {}}\n",
		"ScaledObject": "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: x}\nspec: {scaleTargetRef: {name: x}, triggers: [], minReplicas: 2}\n",
		"Secret":       "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n",
	} {
		if _, err := decode(kind, []byte(doc)); err == nil {
			t.Errorf("%s is taken:\n%s", kind, doc)
		}
	}
}
