package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

// rig is an installation: a NATS server and workers as real processes, a sandbox in the test.
type rig struct {
	t      *testing.T
	dir    string
	binary string
	url    string
	env    []string // for the processes, beside the test's own
	nats   *natsProcess
	bus    *bus.Bus
	box    *sandbox.Server

	workers []*process // all that were started
}

// build is a program that is built once for all tests.
type build struct {
	sync.Once
	path string
	err  error
}

var worker, publisher, natsServer build

func (b *build) binary(t *testing.T, folder string) string {
	t.Helper()
	b.Do(func() {
		dir, err := os.MkdirTemp("", "hongyan-worker-")
		if err != nil {
			b.err = err
			return
		}
		b.path = filepath.Join(dir, filepath.Base(folder))
		out, err := exec.Command("go", "build", "-o", b.path, folder).CombinedOutput()
		if err != nil {
			b.err = fmt.Errorf("build %s: %w\n%s", folder, err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of the time these tests wait for outages, claims and midnights of other processes.
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	for _, b := range []*build{&worker, &publisher, &natsServer} {
		if b.path != "" {
			if err := os.RemoveAll(filepath.Dir(b.path)); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}
	os.Exit(code)
}

// newRig starts NATS and the sandbox, and writes the workers' configuration; extra is YAML for its
// top level.
func newRig(t *testing.T, extra string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	r.nats = startNATS(t, r.natsDir(), "127.0.0.1:0")
	r.url = r.nats.URL
	r.setUp(r.url, 1, extra)
	return r
}

// setUp starts the sandbox, makes the streams with some replicas, and writes the configuration of
// workers that reach NATS at an address.
func (r *rig) setUp(workers string, replicas int, extra string) {
	t := r.t
	t.Helper()
	r.binary = worker.binary(t, "../worker")
	demo, err := sandbox.NewDemo(time.Now(), all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	r.box = sandbox.New(sandbox.Options{Keep: -1, Unpaced: true}, demo.Fakes()...)
	listener, err := r.box.Start(sandbox.ListenOptions{Authority: demo.Authority()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.box.Clear("", 0)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = listener.Stop(ctx)
	})
	place := sandbox.Place{URL: listener.TLSURL(), Dir: filepath.Join(r.dir, "sandbox")}
	if err := demo.WriteFiles(place.Dir, place); err != nil {
		t.Fatal(err)
	}
	copies := "" // the default
	if replicas > 1 {
		copies = fmt.Sprintf(", replicas: %d", replicas)
	}
	// The vendors run on the machine of everything else here: where it is busy, no call is to end
	// before its answer, and then be made again.
	apps := regexp.MustCompile(`(?m)^( *)vendor: .*$`).ReplaceAll(demo.Apps(place), []byte("$0\n${1}timeout: 1m"))
	yaml := fmt.Appendf(nil, "nats: {url: %q%s}\nhttp: {listen: \"off\"}\n%s\n%s", workers, copies, extra, apps)
	if err := os.WriteFile(r.config(), yaml, 0o600); err != nil {
		t.Fatal(err)
	}
	r.bus = bustest.Connect(t, r.url, bus.Topology{Replicas: replicas}, allVendors...)
}

var allVendors = all.Vendors()

func (r *rig) config() string { return filepath.Join(r.dir, "hongyan.yaml") }

func (r *rig) natsDir() string { return filepath.Join(r.dir, "nats") }

// process is a running worker.
type process struct {
	cmd  *exec.Cmd
	log  *output
	done chan error
}

// output is what a process wrote so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start starts a worker. It is killed at the end of the test if it still runs.
func (r *rig) start() *process {
	r.t.Helper()
	p := &process{cmd: exec.Command(r.binary, "run", "--config", r.config()), log: &output{}, done: make(chan error, 1)}
	p.cmd.Stderr, p.cmd.Stdout = p.log, p.log
	p.cmd.Env = append(os.Environ(), r.env...)
	if err := p.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.workers = append(r.workers, p)
	go func() { p.done <- p.cmd.Wait() }()
	r.t.Cleanup(func() {
		p.kill()
		if r.t.Failed() {
			r.t.Logf("a worker's log:\n%s", tail(p.log.String()))
		}
	})
	return p
}

func tail(b string) string {
	if len(b) > 4000 {
		return b[len(b)-4000:]
	}
	return b
}

// kill is SIGKILL: no chance to tidy up.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	err := <-p.done
	p.done <- err
}

// stop sends a signal and waits for the exit code.
func (p *process) stop(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	select {
	case err := <-p.done:
		p.done <- err
		return err
	case <-time.After(80 * time.Second):
		return errors.New("the worker did not stop")
	}
}

func (r *rig) put(subject string, v any) {
	r.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.bus.Put(r.t.Context(), subject, data); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) register(user, device, vendor string) string {
	token := all.Token(vendor, user+"/"+device)
	r.put(hongyan.Subjects{}.Device("demo", user, device), hongyan.Device{Certificate: "demo-" + vendor, Token: token})
	return token
}

// send publishes messages with the backend's patience: until they are stored.
func (r *rig) send(messages ...hongyan.Message) {
	r.t.Helper()
	out := make([]dispatch.Outgoing, len(messages))
	for i, m := range messages {
		data, err := json.Marshal(m)
		if err != nil {
			r.t.Fatal(err)
		}
		out[i] = dispatch.Outgoing{Subject: hongyan.Subjects{}.Message("demo"), ID: "demo/" + m.ID, Data: data}
	}
	for end := time.Now().Add(3 * time.Minute); len(out) > 0; {
		errs := r.bus.Publish(r.t.Context(), out)
		if errs == nil {
			return
		}
		if time.Now().After(end) {
			r.t.Fatal(errors.Join(errs...))
		}
		var again []dispatch.Outgoing
		for i, err := range errs {
			if err != nil {
				again = append(again, out[i])
			}
		}
		out = again
		time.Sleep(100 * time.Millisecond) // NATS is away, or full
	}
}

func chat(id string, recipients ...string) hongyan.Message {
	return hongyan.Message{ID: id, Conversation: hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c2c_alice"}, Sender: hongyan.Sender{ID: "alice", Nickname: "爱丽丝"},
		Recipients: recipients, Content: hongyan.Content{Type: hongyan.ContentText, Text: "晚上八点见，第 " + id + " 号消息"},
		OfflinePush: hongyan.OfflinePush{Ext: `{"id":"` + id + `"}`}}
}

// outcomes reads every end there is, by message, user and device; later ones win.
func (r *rig) outcomes() map[[3]string]dispatch.Ended {
	r.t.Helper()
	found := map[[3]string]dispatch.Ended{}
	for next := uint64(1); ; {
		entries, err := r.bus.Read(r.t.Context(), r.bus.Topology().Outcomes(), "push.outcome.>", next, 1000)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(entries) == 0 {
			return found
		}
		for _, e := range entries {
			next = e.Sequence + 1
			ends, err := dispatch.ParseEnded(e.Data)
			if err != nil {
				r.t.Fatal(err)
			}
			for _, o := range ends {
				if !o.Status.End() {
					continue
				}
				found[[3]string{o.MessageID, o.User, o.Device}] = o
			}
		}
	}
}

// settled waits until no message, no piece of one and no job is left.
func (r *rig) settled(limit time.Duration, vendors ...string) {
	r.t.Helper()
	deadline := time.After(limit)
	for {
		left := uint64(0)
		b, err := r.bus.MessageBacklog(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		left += b.Jobs
		pieces, err := r.bus.Read(r.t.Context(), r.bus.Topology().Pieces(), "push.piece.>", 1, 1)
		if err != nil {
			r.t.Fatal(err)
		}
		left += uint64(len(pieces))
		for _, v := range vendors {
			b, err := r.bus.Backlog(r.t.Context(), v)
			if err != nil {
				r.t.Fatal(err)
			}
			left += b.Jobs
		}
		if left == 0 {
			return
		}
		select {
		case <-deadline:
			r.t.Fatalf("%d messages and jobs are still waiting after %v", left, limit)
		case <-time.After(50 * time.Millisecond): // polling other processes
		}
	}
}

// freePort finds an address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get fetches a page of a worker's own server.
func get(url string) (status int, body string, err error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

const sigterm = syscall.SIGTERM
