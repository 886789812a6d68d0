package dispatch_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/dispatch/send"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	fakeoppo "github.com/hongyan-im/hongyan/internal/sandbox/oppo"
	fakexiaomi "github.com/hongyan-im/hongyan/internal/sandbox/xiaomi"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/oppo"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
	"github.com/hongyan-im/hongyan/internal/vendors/xiaomi"
)

// tellers remembers which registrations were dropped.
type tellers struct {
	people
	mu      sync.Mutex
	dropped int
}

func (t *tellers) DropAll(_ context.Context, dead []directory.Dead) []directory.Dropped {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropped += len(dead)
	return make([]directory.Dropped, len(dead))
}

func (t *tellers) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dropped
}

// sent pushes one device for each of n messages to a certificate, all at hand before the first
// call, and returns how they ended, by user.
func sent(t *testing.T, vendor string, driver vendors.Driver, devices send.Devices, n int, token func(i int) string, change func(i int, n *vendors.Notification)) map[string]dispatch.Ended {
	t.Helper()
	queue := dispatchtest.New()
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	recorder := store.NewRecorder(context.Background(), store.Options{Queue: queue, Log: log, Now: time.Now})
	sender := &send.Sender{
		Certificate: send.Certificate{App: "demo", Vendor: vendor, ID: "c", Driver: driver, Concurrency: 4},
		Recorder:    recorder, Devices: devices, Log: log, Now: time.Now,
	}
	sender.Start(ctx, context.Background())
	subject := hongyan.Subjects{}.Job(vendor, "c", hongyan.LaneNormal)
	for i := range n {
		note := vendortest.Chat()
		note.MessageID, note.Key, note.Deadline = fmt.Sprintf("m-%d", i), fmt.Sprintf("%032x", i), time.Now().Add(time.Hour)
		if change != nil {
			change(i, note)
		}
		j := &dispatch.Job{ID: fmt.Sprintf("demo/m-%d/c/x", i), App: "demo", Vendor: vendor, Certificate: "c", Lane: hongyan.LaneNormal, Published: time.Now(),
			Notification: note, Targets: []dispatch.Target{{User: fmt.Sprintf("u%d", i), Device: "d", Token: token(i)}}}
		data, err := j.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if errs := queue.Publish(t.Context(), []dispatch.Outgoing{{Subject: subject, ID: j.ID, Data: data}}); errs != nil {
			t.Fatal(errs)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { sender.Serve(ctx, hongyan.LaneNormal, queue.Source(subject, n+16)) })
	ends := map[string]dispatch.Ended{}
	for limit := time.Now().Add(time.Minute); len(ends) < n; {
		if time.Now().After(limit) {
			t.Fatalf("%d of %d ended", len(ends), n)
		}
		time.Sleep(10 * time.Millisecond)
		for _, s := range queue.Stored("outcome") {
			records, err := dispatch.ParseEnded(s.Data)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range records {
				if e.Status.End() {
					ends[e.User] = e
				}
			}
		}
	}
	cancel()
	sender.Stop()
	wg.Wait()
	recorder.Wait()
	return ends
}

// One message that the vendor refuses among a thousand: the other 999 are accepted, it alone is
// dead, and nobody's registration is dropped.
func TestOneBadMessageAmongAThousand(t *testing.T) {
	const n, bad = 1000, 617
	for name, c := range map[string]struct {
		subject vendortest.Subject
		change  func(i int, n *vendors.Notification)
		code    string
		reason  hongyan.Reason
	}{
		// Xiaomi refuses a template that the app does not have, OPPO likewise.
		"xiaomi": {
			vendortest.Subject{
				Fake: fakexiaomi.Fake(fakexiaomi.Account{Package: "com.example.im", AppSecret: "s", Channels: map[string]string{"im": "private"},
					Templates: map[string][]string{"M12762": {"keywords1", "keywords2"}}}),
				Config: func(endpoint, ca string) vendors.Config {
					return &xiaomi.Config{Common: vendors.Common{Endpoint: endpoint, CAFile: ca}, AppSecret: "s", Package: "com.example.im", ChannelID: "im", TemplateID: "M12762",
						TemplateParams: map[string]string{"keywords1": "{title}", "keywords2": "{body}"}}
				},
			},
			func(i int, n *vendors.Notification) {
				if i == bad {
					n.Android.XiaomiTemplateID = "gone"
				}
			}, "10041", vendors.Refused,
		},
		"oppo": {
			vendortest.Subject{
				Fake: fakeoppo.Fake(fakeoppo.Account{AppKey: "k", MasterSecret: "s", Channels: []string{"im"}}),
				Config: func(endpoint, ca string) vendors.Config {
					return &oppo.Config{Common: vendors.Common{Endpoint: endpoint, CAFile: ca}, AppKey: "k", MasterSecret: "s", ChannelID: "im"}
				},
			},
			func(i int, n *vendors.Notification) {
				if i == bad {
					n.Android.OPPOChannelID = "unlisted"
				}
			}, "41", vendors.BadPayload,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := vendortest.NewRig(t, c.subject, nil)
			devices := &tellers{}
			token := func(i int) string { return fmt.Sprintf("OPPO_CN_%032x", i) }
			ends := sent(t, name, r.Driver, devices, n, token, c.change)
			for user, e := range ends {
				switch {
				case user == fmt.Sprintf("u%d", bad):
					want(t, e, hongyan.StatusDead, c.reason)
					if e.VendorCode != c.code {
						t.Errorf("the bad one ended with code %s, want %s", e.VendorCode, c.code)
					}
				case e.Status != hongyan.StatusAccepted || e.Attempt != 1:
					t.Fatalf("%s ended %s %s (code %s) at attempt %d", user, e.Status, e.Reason, e.VendorCode, e.Attempt)
				}
			}
			if got := len(r.Sandbox.Pushes()); got != n-1 {
				t.Errorf("the phones got %d pushes, want %d", got, n-1)
			}
			// Ten rounds, each with a call that is refused and one that is not, and the calls that
			// began before the rest was at hand.
			if calls := r.Sandbox.Counts()[name].Requests; calls > 200 {
				t.Errorf("%d calls", calls)
			}
			if devices.dropped > 0 {
				t.Errorf("%d registrations were dropped", devices.dropped)
			}
		})
	}
}

// A call is no longer than the driver says, and a call that is too long for the vendor is sent in
// halves.
func TestCallsAreBoundedByBytes(t *testing.T) {
	for name, c := range map[string]struct {
		limits vendors.Limits
		most   int // what the vendor takes
	}{
		"bounded": {vendors.Limits{Batch: 1000, Mixed: 1000, Bytes: 1000, Size: func(*vendors.Notification) (int, int) { return 90, 10 }}, 10},
		"refused": {vendors.Limits{Batch: 1000, Mixed: 1000}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver := &sized{limits: c.limits, most: c.most}
			for user, e := range sent(t, "oppo", driver, people{}, 100, func(i int) string { return fmt.Sprint(i) }, nil) {
				if e.Status != hongyan.StatusAccepted || e.Attempt != 1 {
					t.Errorf("%s ended %s %s at attempt %d", user, e.Status, e.Reason, e.Attempt)
				}
			}
			if name == "bounded" && driver.refused > 0 {
				t.Errorf("%d calls were too long", driver.refused)
			}
		})
	}
}

// sized takes calls for so many devices, and refuses longer ones.
type sized struct {
	limits vendors.Limits
	most   int

	mu      sync.Mutex
	refused int
}

func (d *sized) Push(_ context.Context, b vendors.Batch) []vendors.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(b.Devices) > d.most {
		d.refused++
		return vendors.All(len(b.Devices), vendors.Result{Reason: vendors.BadPayload, Code: "HTTP 413", Split: true})
	}
	return vendors.All(len(b.Devices), vendors.Result{Reason: vendors.Accepted})
}

func (d *sized) Limits() vendors.Limits { return d.limits }
func (d *sized) Close()                 {}
