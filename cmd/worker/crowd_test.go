package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

// crowd is users u0 to u<n-1> with a phone each, of the vendors in turn.
type crowd struct {
	*rig
	vendors []string
	n       int
}

// crowd registers n users.
func (r *rig) crowd(n int, vendors ...string) *crowd {
	r.t.Helper()
	c := &crowd{r, vendors, n}
	out := make([]dispatch.Outgoing, n)
	for i := range out {
		data, err := json.Marshal(hongyan.Device{Certificate: "demo-" + c.vendor(i), Token: c.token(i)})
		if err != nil {
			r.t.Fatal(err)
		}
		out[i] = dispatch.Outgoing{Subject: hongyan.Subjects{}.Device("demo", c.user(i), "phone"), Data: data}
	}
	if errs := r.bus.Publish(r.t.Context(), out); errs != nil {
		r.t.Fatal(errors.Join(errs...))
	}
	return c
}

func (c *crowd) user(i int) string   { return fmt.Sprintf("u%d", i%c.n) }
func (c *crowd) vendor(i int) string { return c.vendors[i%c.n%len(c.vendors)] }
func (c *crowd) token(i int) string {
	return all.Token(c.vendor(i), c.user(i)+"/phone")
}

// push is a message to a user of a crowd.
type push struct {
	id   string
	user int
}

// pace is how long the backend waits between two messages.
const pace = 5 * time.Millisecond

// load sends messages to one user after the other for d.
func (c *crowd) load(name string, d time.Duration) (sent []push) {
	c.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		p := push{fmt.Sprintf("m-%s-%d", name, len(sent)), len(sent) % c.n}
		c.send(chat(p.id, c.user(p.user)))
		sent = append(sent, p)
		time.Sleep(pace) // the backend's own pace
	}
	return sent
}

// flood sends n messages to one user after the other, as fast as they are stored.
func (c *crowd) flood(n int) (sent []push) {
	c.t.Helper()
	var some []hongyan.Message
	for i := range n {
		p := push{fmt.Sprintf("m-flood-%d", i), i % c.n}
		sent, some = append(sent, p), append(some, chat(p.id, c.user(p.user)))
		if len(some) == 500 || i == n-1 {
			c.send(some...)
			some = nil
		}
	}
	return sent
}

// accepted is how many pushes the vendors of the crowd accepted.
func (c *crowd) accepted() (n int) {
	for _, v := range c.vendors {
		n += c.count(v)
	}
	return n
}

// settle waits until no message and no job is left.
func (c *crowd) settle() { c.t.Helper(); c.settled(4*time.Minute, c.vendors...) }

// tally is what became of pushes.
type tally struct {
	pushes int
	// repeats are the vendor calls beyond the first of each, never those that no vendor accepted,
	// endless those without an end, and twice the ends beyond the first of each.
	repeats, never, endless, twice int
}

func (t tally) String() string {
	return fmt.Sprintf("%d pushes, %d repeats at the vendors, %d never made, %d without an end, %d ends too many", t.pushes, t.repeats, t.never, t.endless, t.twice)
}

// tally compares what was sent with what the vendors saw and with the ends. No push and no end may
// be missing.
func (c *crowd) tally(sent []push) (t tally) {
	c.t.Helper()
	calls := map[string]int{}
	for _, p := range c.box.Pushes() {
		calls[messageOf(p)+" "+p.Token]++
	}
	ends := c.endings()
	for _, p := range sent {
		t.pushes++
		switch n := calls[p.id+" "+c.token(p.user)]; n {
		case 0:
			t.never++
		default:
			t.repeats += n - 1
		}
		switch n := ends[p.id+" "+c.user(p.user)]; n {
		case 0:
			t.endless++
		default:
			t.twice += n - 1
		}
	}
	if t.never > 0 || t.endless > 0 {
		c.t.Errorf("something is missing: %v", t)
	}
	c.noViolations()
	return t
}

// endings counts the ends by message and user.
func (r *rig) endings() map[string]int {
	r.t.Helper()
	n := map[string]int{}
	for next := uint64(1); ; {
		entries, err := r.bus.Read(r.t.Context(), r.bus.Topology().Outcomes(), "push.outcome.>", next, 1000)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(entries) == 0 {
			return n
		}
		for _, e := range entries {
			next = e.Sequence + 1
			ends, err := dispatch.ParseEnded(e.Data)
			if err != nil {
				r.t.Fatal(err)
			}
			for _, o := range ends {
				if o.Status.End() {
					n[o.MessageID+" "+o.User]++
				}
			}
		}
	}
}

// stopAll stops the workers that run, cleanly.
func (r *rig) stopAll(workers ...*process) {
	r.t.Helper()
	for _, w := range workers {
		if err := w.stop(sigterm); err != nil {
			r.t.Errorf("a worker did not stop cleanly: %v", err)
		}
	}
}

// report logs the figures of an outage in one line.
func report(t *testing.T, what string, got tally, more ...string) {
	t.Helper()
	t.Logf("FIGURES %s: %v%s", what, got, strings.Join(append([]string{""}, more...), "; "))
}
