package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/natsd"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

// rig is a NATS server and a sandbox in this process, and a folder for the worker's configuration.
type rig struct {
	opts     options
	dir      string
	nats     *natsd.Server
	bus      *bus.Bus
	demo     *sandbox.Demo
	box      *sandbox.Server
	listener *sandbox.Listener
	place    sandbox.Place
	serial   int
	// vendor is the name of the one that most parts push to.
	vendor string
}

// certificate is the demo's certificate of the vendor.
func (r *rig) certificate() string { return "demo-" + r.vendor }

func newRig(ctx context.Context, opts options) (r *rig, err error) {
	r = &rig{opts: opts, vendor: yardstick().Vendor}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.dir, err = os.MkdirTemp("", "hongyan-bench-"); err != nil {
		return r, fmt.Errorf("make a temporary folder: %w", err)
	}
	if r.nats, err = natsd.Start(natsd.Options{Dir: filepath.Join(r.dir, "nats"), Listen: "127.0.0.1:0"}); err != nil {
		return r, err
	}
	if r.bus, err = bus.Connect(ctx, bus.Options{URL: r.nats.URL(), Name: "bench", Once: true}); err != nil {
		return r, err
	}
	if err = r.bus.Ensure(ctx, all.Vendors()); err != nil {
		return r, err
	}
	if r.demo, err = sandbox.NewDemo(time.Now(), all.Fakes()); err != nil {
		return r, err
	}
	r.box = sandbox.New(sandbox.Options{Keep: 100, Unpaced: true}, r.demo.Fakes()...)
	if r.listener, err = r.box.Start(sandbox.ListenOptions{Authority: r.demo.Authority()}); err != nil {
		return r, err
	}
	r.place = sandbox.Place{URL: r.listener.TLSURL(), Dir: filepath.Join(r.dir, "sandbox")}
	return r, r.demo.WriteFiles(r.place.Dir, r.place)
}

func (r *rig) close() error {
	var errs []error
	if r.listener != nil {
		r.box.Clear("", 0)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		errs = append(errs, r.listener.Stop(ctx))
	}
	if r.bus != nil {
		r.bus.Close()
	}
	if r.nats != nil {
		errs = append(errs, r.nats.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(r.dir))...)
}

// worker is a worker process under measurement.
type worker struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
}

// apps is the demo's part of the configuration.
func (r *rig) apps() string { return string(r.demo.Apps(r.place)) }

// start starts a worker with these apps and waits until it consumes.
func (r *rig) start(ctx context.Context, apps string) (*worker, error) {
	r.serial++
	listen := fmt.Sprintf("127.0.0.1:%d", 20000+os.Getpid()%20000+r.serial)
	file := filepath.Join(r.dir, "worker.yaml")
	yaml := fmt.Sprintf("nats: {url: %q}\nhttp: {listen: %q}\nlog: {level: error}\n%s", r.nats.URL(), listen, apps)
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		return nil, err
	}
	w := &worker{cmd: exec.Command(r.opts.Worker, "run", "--config", file)}
	w.cmd.Stderr = &w.stderr
	if r.opts.Profile != "" {
		w.cmd.Env = append(os.Environ(), "HONGYAN_CPUPROFILE="+r.opts.Profile)
	}
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the worker %s: %w", r.opts.Worker, err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for !ready(ctx, "http://"+listen+"/readyz") {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, errors.Join(errors.New("the worker did not become ready: "+w.stderr.String()), w.stop())
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return nil, errors.Join(ctx.Err(), w.stop())
		}
	}
	return w, nil
}

func (w *worker) stop() error {
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return w.cmd.Wait()
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

// register stores n users with one device each and a presence; user i's certificate is
// certificates[i mod len].
func (r *rig) register(ctx context.Context, prefix string, n int, certificates ...string) error {
	var msgs []dispatch.Outgoing
	flush := func() error {
		err := errors.Join(r.bus.Publish(ctx, msgs)...)
		msgs = msgs[:0]
		return err
	}
	for i := range n {
		user := prefix + strconv.Itoa(i)
		certificate := certificates[i%len(certificates)]
		vendor, _, _ := strings.Cut(strings.TrimPrefix(certificate, "demo-"), "-")
		device, err := json.Marshal(hongyan.Device{Certificate: certificate, Token: all.Token(vendor, user), Locale: "zh-CN", RegisteredAt: time.Now().UTC()})
		if err != nil {
			return err
		}
		presence, err := json.Marshal(hongyan.Presence{State: hongyan.StateBackground, Unread: 1, At: time.Now().UTC()})
		if err != nil {
			return err
		}
		msgs = append(msgs, dispatch.Outgoing{Subject: hongyan.Subjects{}.Device(sandbox.DemoApp, user, "phone"), Data: device},
			dispatch.Outgoing{Subject: hongyan.Subjects{}.Presence(sandbox.DemoApp, user, "phone"), Data: presence})
		if len(msgs) >= 4000 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// message is a chat message as a backend would write it.
func (r *rig) message(id string, recipients ...string) (dispatch.Outgoing, error) {
	m := hongyan.Message{
		ID: id, SentAt: time.Now().UTC(), Conversation: hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c2c_alice"},
		Sender: hongyan.Sender{ID: "alice", Nickname: "Alice", Device: "iphone-1"}, Recipients: recipients,
		Content:     hongyan.Content{Type: hongyan.ContentText, Text: "晚上八点老地方见，记得带上那本书。See you at eight."},
		OfflinePush: hongyan.OfflinePush{Ext: `{"conversationID":"c2c_alice","id":"` + id + `"}`},
	}
	if len(recipients) == 1 {
		m.Unread = map[string]int{recipients[0]: 5}
	} else {
		m.Conversation = hongyan.Conversation{Type: hongyan.ConversationGroup, ID: "g-1", Name: "大群"}
	}
	data, err := json.Marshal(m)
	return dispatch.Outgoing{Subject: hongyan.Subjects{}.Message(sandbox.DemoApp), ID: id, Data: data}, err
}

// load publishes n messages, each to one of users users, and calls progress with how many are
// stored.
func (r *rig) load(ctx context.Context, run string, n int, users int) error {
	for from := 0; from < n; from += 2000 {
		var msgs []dispatch.Outgoing
		for i := from; i < min(from+2000, n); i++ {
			m, err := r.message(run+"-"+strconv.Itoa(i), "u"+strconv.Itoa(i%users))
			if err != nil {
				return err
			}
			msgs = append(msgs, m)
		}
		if err := errors.Join(r.bus.Publish(ctx, msgs)...); err != nil {
			return err
		}
	}
	return nil
}

// accepted is how many devices all vendors took so far.
func (r *rig) accepted() (n int64) {
	for _, c := range r.box.Counts() {
		n += c.Accepted
	}
	return n
}

// wait waits until n more than before were accepted.
func (r *rig) wait(ctx context.Context, before, n int64) error {
	last, stalled := int64(-1), time.Now()
	for {
		now := r.accepted() - before
		if now >= n {
			return nil
		}
		if now != last {
			last, stalled = now, time.Now()
		}
		if time.Since(stalled) > 60*time.Second {
			return fmt.Errorf("only %d of %d pushes arrived, nothing for a minute; broken rules: %v", now, n, r.box.Violations())
		}
		if !sleep(ctx, 2*time.Millisecond) {
			return ctx.Err()
		}
	}
}
