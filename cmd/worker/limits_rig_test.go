package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// zoned is an environment in which the time zone Test/Vendor has its next midnight at midnight: the
// vendor's clock is the test's. Go's programs look into $ZONEINFO before the system's own zones.
func zoned(t *testing.T, midnight time.Time) (env string) {
	t.Helper()
	_, offset := midnight.In(vendorZone(midnight)).Zone()
	// RFC 9636, version 1: no transitions, one type of local time, and its name.
	var zone bytes.Buffer
	zone.WriteString("TZif")
	zone.Write(make([]byte, 16))
	for _, n := range []uint32{0, 0, 0, 0, 1, 4} {
		zone.Write(binary.BigEndian.AppendUint32(nil, n))
	}
	zone.Write(binary.BigEndian.AppendUint32(nil, uint32(int32(offset))))
	zone.Write([]byte{0, 0})
	zone.WriteString("TST\x00")
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "Test"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Test", "Vendor"), zone.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return "ZONEINFO=" + dir
}

// vendorZone is the zone whose next midnight is at midnight.
func vendorZone(midnight time.Time) *time.Location {
	offset := 24*time.Hour - midnight.UTC().Sub(midnight.UTC().Truncate(24*time.Hour))
	if offset > 12*time.Hour {
		offset -= 24 * time.Hour
	}
	return time.FixedZone("TST", int(offset/time.Second))
}

func itoa(n int) string { return strconv.Itoa(n) }

// noon keeps the vendor's midnight away.
func noon() time.Time { return time.Now().Add(12 * time.Hour) }

// configure adds keys to a certificate of the configuration.
func (r *rig) configure(certificate string, keys ...string) {
	r.t.Helper()
	conf, err := os.ReadFile(r.config())
	if err != nil {
		r.t.Fatal(err)
	}
	line := "- id: " + certificate + "\n"
	before, after, ok := strings.Cut(string(conf), line)
	if !ok {
		r.t.Fatalf("no certificate %s", certificate)
	}
	if err := os.WriteFile(r.config(), []byte(before+line+"        "+strings.Join(keys, "\n        ")+"\n"+after), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// count is how many pushes a vendor accepted.
func (r *rig) count(vendor string) int { return int(r.box.Counts()[vendor].Accepted) }

// until waits until the condition holds.
func (r *rig) until(limit time.Duration, what string, holds func() bool) {
	r.t.Helper()
	// polling other processes
	for end := time.Now().Add(limit); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("after %v: not %s", limit, what)
		}
	}
}

// flood sends messages to users u0 to u<users-1>, one each, with the lifetime that ttl gives; they
// are called m-0 to m-<n-1>.
func (r *rig) flood(n, users int, ttl func(i int) int) {
	r.t.Helper()
	for first := 0; first < n; first += 500 {
		var some []hongyan.Message
		for i := first; i < min(n, first+500); i++ {
			m := chat(fmt.Sprintf("m-%d", i), fmt.Sprintf("u%d", i%users))
			m.TTLSeconds = int64(ttl(i))
			some = append(some, m)
		}
		r.send(some...)
	}
}

func (r *rig) registerAll(users int, vendor string) {
	r.t.Helper()
	for u := range users {
		r.register(fmt.Sprintf("u%d", u), "phone", vendor)
	}
}

// waiting counts the jobs that come later.
func (r *rig) waiting(vendor string) (n int) {
	r.t.Helper()
	err := r.bus.Waiting(r.t.Context(), hongyan.Subject{Kind: hongyan.KindJob, Vendor: vendor, Certificate: "*", Lane: "*"}, time.Time{}, func(w dispatch.Waiting) bool {
		n++
		return true
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// ends counts the outcomes by status and reason.
func (r *rig) ends() map[string]int {
	r.t.Helper()
	ends := map[string]int{}
	for _, o := range r.outcomes() {
		ends[string(o.Status)+" "+o.Reason.String()]++
	}
	return ends
}

func (r *rig) noViolations() {
	r.t.Helper()
	if v := r.box.Violations(); len(v) > 0 {
		r.t.Errorf("broken rules: %v", v[0])
	}
}

// publisher runs the tool.
func (r *rig) publisher(args ...string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, publisher.binary(r.t, "../publisher"), append([]string{"--nats", r.url}, args...)...)
	cmd.Env = append(os.Environ(), r.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("publisher %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// pool is a quota as `publisher limits` shows it.
type pool struct{ Limit, Used, Leased, Lost, Left int64 }

func (r *rig) quota(certificate string) pool {
	r.t.Helper()
	var v struct {
		Certificates []struct {
			Classes []struct{ Normal pool }
		}
	}
	if err := json.Unmarshal([]byte(r.publisher("limits", "--certificate", certificate, "-o", "json")), &v); err != nil {
		r.t.Fatal(err)
	}
	return v.Certificates[0].Classes[0].Normal
}

// arrivals are the times at which a vendor accepted pushes, oldest first.
func (r *rig) arrivals(vendor string) (times []time.Time) {
	for _, p := range r.box.Pushes() {
		if p.Vendor == vendor {
			times = append(times, p.At)
		}
	}
	return times
}

// unique counts the messages that a vendor accepted, repeats once.
func unique(pushes []sandbox.Push) int {
	seen := map[string]bool{}
	for _, p := range pushes {
		seen[p.Key+p.Token] = true
	}
	return len(seen)
}
