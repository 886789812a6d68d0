package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/goccy/go-yaml"
)

// worker is a worker process under measurement.
type worker struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	// ready is how long it took from its start until it consumed.
	ready time.Duration
	say   func(text string)
	url   string // of its HTTP server
	// ended is closed when the process has ended, and end is how.
	ended chan struct{}
	end   error
}

// startPatience is how long a worker may take until it consumes.
const startPatience = 2 * time.Minute

// start starts a worker with these apps and waits until it consumes. More of its environment may be
// given, as "KEY=value".
func (r *rig) start(ctx context.Context, apps string, env ...string) (*worker, error) {
	r.serial++
	listen := fmt.Sprintf("127.0.0.1:%d", 20000+os.Getpid()%20000+r.serial)
	file := filepath.Join(r.dir, fmt.Sprintf("worker-%d.yaml", r.serial))
	yaml := fmt.Sprintf("nats: {url: %q, replicas: %d, max_messages_per_app: %d}\nhttp: {listen: %q}\nlog: {level: error}\n%s",
		r.nats.URL(), len(r.nats), messagesPerApp, listen, apps)
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		return nil, err
	}
	w := &worker{cmd: exec.Command(r.opts.Worker, "run", "--config", file), say: r.opts.Say, url: "http://" + listen}
	w.cmd.Stderr = &w.stderr
	w.cmd.Env = append(os.Environ(), env...)
	if r.opts.Profile != "" {
		w.cmd.Env = append(w.cmd.Env, "HONGYAN_CPUPROFILE="+r.opts.Profile)
	}
	began := time.Now()
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the worker %s: %w", r.opts.Worker, err)
	}
	w.ended = make(chan struct{})
	go func() {
		defer close(w.ended)
		w.end = w.cmd.Wait()
	}()
	for !ready(ctx, w.url+"/readyz") {
		if time.Since(began) > startPatience {
			return nil, errors.Join(fmt.Errorf("the worker did not become ready within %v", startPatience), w.stop())
		}
		select {
		case <-w.ended:
			return nil, errors.Join(errors.New("the worker did not start"), w.stop())
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), w.stop())
		case <-time.After(20 * time.Millisecond):
		}
	}
	w.ready = time.Since(began)
	return w, nil
}

// with runs a worker with these apps while it calls use.
func (r *rig) with(ctx context.Context, apps string, use func(*worker) error) error {
	w, err := r.start(ctx, apps)
	if err != nil {
		return err
	}
	return errors.Join(use(w), w.stop())
}

// stop ends the worker cleanly, and tells what it said of errors while it ran; that a certificate
// was parked is one of them.
func (w *worker) stop() error {
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-w.ended
	const most = 2000
	if said := w.stderr.String(); said != "" {
		w.say("the worker reported: " + strings.TrimSpace(said[:min(len(said), most)]))
	}
	return w.end
}

// cpu is what the process used until now.
func (w *worker) cpu() (time.Duration, error) { return processCPU(w.cmd.Process.Pid) }

// processCPU reads /proc/<pid>/stat (proc(5)): fields 14 and 15, in clock ticks of 10 ms.
func processCPU(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("bench needs Linux's /proc: %w", err)
	}
	rest := data[bytes.LastIndexByte(data, ')')+2:]
	f := strings.Fields(string(rest))
	var ticks int64
	for _, i := range []int{11, 12} {
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// memory is the process's resident memory now and at its highest, in bytes.
func (w *worker) memory() (now, peak int64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		return 0, 0, fmt.Errorf("bench needs Linux's /proc: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			now = kb << 10
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			peak = kb << 10
		}
	}
	return now, peak, nil
}

func ready(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// apps is the demo's part of the configuration.
func (r *rig) apps() string { return string(r.demo.Apps(r.place)) }

// keys are those of a certificate in the configuration.
type keys map[string]any

// appsOf is a part of the configuration with certificates of any number of apps. A certificate is
// named <app>-<vendor> or <app>-<vendor>-<anything>, and has the keys of the demo's certificate of
// that vendor, with those of more in their place or beside them.
func (r *rig) appsOf(ids []string, more map[string]keys) string {
	var all []keys
	if err := yaml.Unmarshal(r.demo.Certificates(r.place), &all); err != nil {
		panic(fmt.Sprintf("bench: the demo's certificates: %v", err)) // they are constants
	}
	demo := map[string]keys{}
	for _, own := range all {
		if vendor := own["vendor"].(string); demo[vendor] == nil {
			demo[vendor] = own
		}
	}
	type app struct {
		ID           string `yaml:"id"`
		Certificates []keys `yaml:"certificates"`
	}
	var apps []*app
	of := map[string]*app{}
	for _, id := range ids {
		name, vendor := named(id)
		a := of[name]
		if a == nil {
			a = &app{ID: name}
			of[name], apps = a, append(apps, a)
		}
		certificate := maps.Clone(demo[vendor])
		certificate["id"] = id
		maps.Copy(certificate, more[id])
		a.Certificates = append(a.Certificates, certificate)
	}
	text, err := yaml.Marshal(map[string][]*app{"apps": apps})
	if err != nil {
		panic(fmt.Sprintf("bench: a configuration: %v", err))
	}
	return string(text)
}

// named takes the name of a certificate apart, see [rig.appsOf].
func named(certificate string) (app, vendor string) {
	app, rest, _ := strings.Cut(certificate, "-")
	vendor, _, _ = strings.Cut(rest, "-")
	return app, vendor
}
