package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/dispatch/recall"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/dispatch/send"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/marks"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// withdraws is how what was accepted of recalled messages is withdrawn.
type withdraws struct {
	within   time.Duration // the policy's
	collapse bool
}

// recaller is a worker's, wired to its senders; nil where nothing is withdrawn.
func (m *memory) recaller(queue *dispatchtest.Connection, recorder *store.Recorder, said *marks.Marks, apps map[string]route.App, served *route.Apps, senders map[string]*send.Sender) *recall.Recaller {
	if m.withdraws == nil {
		return nil
	}
	app := apps["demo"]
	app.Policy.RecallOverwrite, app.Policy.Collapse = m.withdraws.within, m.withdraws.collapse
	apps["demo"] = app
	r := &recall.Recaller{
		Outcomes: queue, Devices: m.devices, Marks: said, Recorder: recorder, Apps: served, Metrics: m.metrics,
		Trouble: recorder.Trouble, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	for _, s := range senders {
		s.Recalls = r
	}
	return r
}

// connect gives accounts their senders, which refresh icons where counts says so.
func connect(accounts map[string]route.Account, senders map[string]*send.Sender, counts bool) {
	for id, account := range accounts {
		account.Sender = senders[id]
		if counts && senders[id].Refreshes() {
			account.Refreshing = senders[id]
		}
		accounts[id] = account
	}
}

// newRecalls is workers that hear of recalls, over a vendor whose pushes replace each other.
func newRecalls(t *testing.T) *memory {
	m := newMemory(t)
	m.devices = onePhone{}
	m.driver.limits.Replaces = true
	m.marks, m.withdraws = true, &withdraws{within: 2 * time.Hour}
	return m
}

// onePhone is a directory in which every user has one device.
type onePhone struct{ people }

func (p onePhone) Lookup(ctx context.Context, refs []directory.Ref) ([]*directory.User, error) {
	users, err := p.people.Lookup(ctx, refs)
	for i, u := range users {
		u.Devices = u.Devices[:1]
		u.Devices[0].Registration.Locale = "en"
		if refs[i].User == "gone" {
			users[i] = nil
		}
	}
	return users, err
}

func (p onePhone) Confirm(ctx context.Context, refs []directory.Ref) ([]*directory.User, error) {
	return p.Lookup(ctx, refs)
}

func (m *memory) takeBack(message string, sent time.Time) {
	m.t.Helper()
	data, err := json.Marshal(hongyan.Signal{Type: hongyan.SignalRecall, MessageID: message, SentAt: sent})
	if err != nil {
		m.t.Fatal(err)
	}
	if errs := m.queue.Publish(m.t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Signal("demo"), Data: data}}); errs != nil {
		m.t.Fatal(errs)
	}
}

// withdrawn are the withdrawn records, as "message/user reason".
func (m *memory) withdrawn() (of []string) {
	for _, s := range m.queue.Stored("outcome") {
		ends, err := dispatch.ParseEnded(s.Data)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, e := range ends {
			if e.Status == hongyan.StatusWithdrawn {
				of = append(of, fmt.Sprintf("%s/%s %s", e.MessageID, e.User, e.Reason))
			}
		}
	}
	return of
}

// quiet are the pushes that were to overwrite, as "user replace key".
func (m *memory) quiet() (of []vendors.Device) {
	m.driver.mu.Lock()
	defer m.driver.mu.Unlock()
	for _, b := range m.driver.calls {
		for _, d := range b.Devices {
			if d.Notification.Quiet {
				of = append(of, d)
			}
		}
	}
	return of
}

func (m *memory) wantWithdrawn(want ...string) {
	m.t.Helper()
	if diff := cmp.Diff(want, m.withdrawn()); diff != "" {
		m.t.Errorf("withdrawn (-want +got):\n%s", diff)
	}
	if n := m.left("signal"); n != 0 {
		m.t.Errorf("%d signals are not done with", n)
	}
}

// What was accepted is overwritten under the key of what it replaces, quietly, in the language of
// the device, and with a key of its own.
func TestRecallOverwrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newRecalls(t)
		defer m.worker()(time.Second)
		m.messageTo("m-1", "bob")
		time.Sleep(30 * time.Second)
		m.takeBack("m-1", time.Now().Add(-30*time.Second))
		time.Sleep(5 * time.Second)
		m.wantWithdrawn("m-1/bob overwritten")
		got := m.quiet()
		if len(got) != 1 {
			t.Fatalf("%d overwrites, want one", len(got))
		}
		first := m.driver.calls[0].Devices[0]
		switch n := got[0].Notification; {
		case n.Replaces() != first.Notification.Replaces(), n.Key == first.Notification.Key, got[0].Key == first.Key:
			t.Errorf("it has keys %s, %s, %s; the original %s, %s, %s", n.Replaces(), n.Key, got[0].Key, first.Notification.Replaces(), first.Notification.Key, first.Key)
		case n.Title != "This message was recalled" || n.Title != n.Body || n.Kind != vendors.KindC2C || n.Ext != "":
			t.Errorf("it shows %+v", n)
		case got[0].Token != first.Token || got[0].Badge != nil:
			t.Errorf("it goes to %+v", got[0])
		}
	})
}

// A recall looks back as far as the contract says, and no farther.
func TestRecallWindows(t *testing.T) {
	for name, c := range map[string]struct {
		wait   time.Duration // from acceptance to recall
		sent   time.Duration // how long before the recall the message was sent; 0 for untold
		within time.Duration
		want   bool
	}{
		"lately":               {wait: 9 * time.Minute, want: true},
		"too_long_ago":         {wait: 11 * time.Minute},
		"an_hour_ago":          {wait: time.Hour, sent: time.Hour, want: true},
		"accepted_after_14":    {wait: time.Hour, sent: time.Hour + 14*time.Minute, want: true},
		"accepted_after_20":    {wait: time.Hour, sent: time.Hour + 20*time.Minute},
		"clock_ahead":          {wait: 10 * time.Second, sent: -2 * time.Minute, want: true},
		"three_hours_ago":      {wait: 3 * time.Hour, sent: 3 * time.Hour},
		"policy_of_four_hours": {wait: 3 * time.Hour, sent: 3 * time.Hour, within: 4 * time.Hour, want: true},
		"policy_of_a_minute":   {wait: 2 * time.Minute, within: time.Minute},
		"never":                {wait: time.Minute, within: -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newRecalls(t)
				if c.within != 0 {
					m.withdraws.within = max(c.within, 0)
				}
				defer m.worker()(time.Second)
				m.messageTo("m-1", "bob")
				time.Sleep(c.wait)
				sent := time.Time{}
				if c.sent != 0 {
					sent = time.Now().Add(-c.sent)
				}
				m.takeBack("m-1", sent)
				time.Sleep(5 * time.Second)
				if c.want {
					m.wantWithdrawn("m-1/bob overwritten")
				} else {
					m.wantWithdrawn()
				}
			})
		})
	}
}

// Where newer messages replace older ones, only the last of a conversation is overwritten: the
// recall of an older one must not take a newer one off the screen.
func TestRecallWhereMessagesReplaceEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newRecalls(t)
		m.withdraws.collapse = true
		defer m.worker()(time.Second)
		m.messageTo("m-1", "bob", "carol")
		time.Sleep(time.Second)
		m.messageTo("m-2", "bob")
		time.Sleep(20 * time.Minute)
		m.takeBack("m-1", time.Now().Add(-21*time.Minute))
		time.Sleep(5 * time.Second)
		if got := m.quiet(); len(got) != 1 || got[0].Token != "token-carold" {
			t.Errorf("overwritten on %+v, want carol's phone alone", got)
		}
		m.takeBack("m-2", time.Now().Add(-21*time.Minute))
		time.Sleep(5 * time.Second)
		if got := m.quiet(); len(got) != 2 || got[1].Notification.ReplaceKey != dispatch.Key("demo", "conversation", "c2c_alice") {
			t.Errorf("overwritten: %+v", got)
		}
		if n := len(m.withdrawn()); n != 3 {
			t.Errorf("withdrawn: %q", m.withdrawn())
		}
	})
}

// Nor does a push that was accepted after its recall take a newer message off the screen, but one
// that was accepted later than the newer message is the last of its conversation.
func TestLateAcceptanceWhereMessagesReplaceEachOther(t *testing.T) {
	for name, c := range map[string]struct {
		newer time.Duration // when the newer message is sent
		want  int           // overwrites
	}{
		"newer":                {20*time.Second + 100*time.Millisecond, 0},
		"older_by_acceptance":  {15 * time.Second, 1},
		"only_of_another_time": {40 * time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newRecalls(t)
				m.withdraws.collapse = true
				m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
					if d.Notification.MessageID == "m-1" && !d.Notification.Quiet {
						time.Sleep(20 * time.Second)
					}
					return accept(ctx, d, n)
				}
				defer m.worker()(time.Second)
				m.messageTo("m-1", "bob")
				time.AfterFunc(c.newer, func() { m.messageTo("m-2", "bob") })
				time.Sleep(5 * time.Second)
				m.takeBack("m-1", time.Time{})
				time.Sleep(time.Minute)
				if got := m.quiet(); len(got) != c.want {
					t.Errorf("overwritten on %+v, want %d", got, c.want)
				}
				m.wantWithdrawn("m-1/bob overwritten")
			})
		})
	}
}

// What overwrites a push stands in its conversation also where the recall does not name that.
func TestLateOverwriteKeepsItsConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newRecalls(t)
		m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
			time.Sleep(20 * time.Second)
			return accept(ctx, d, n)
		}
		defer m.worker()(time.Second)
		m.messageTo("m-1", "bob")
		time.Sleep(5 * time.Second)
		m.takeBack("m-1", time.Time{})
		time.Sleep(time.Minute)
		if got := m.quiet(); len(got) != 1 || got[0].Notification.Conversation != "c2c_alice" {
			t.Errorf("overwritten: %+v", got)
		}
	})
}

// Where a recall leaves alone what was accepted, so does a message that is taken again and was
// recalled by then.
func TestRecalledAgainIsLeftAlone(t *testing.T) {
	for _, within := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			m := newRecalls(t)
			m.withdraws.within = within
			m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
				if d.Token == "token-carold" {
					<-ctx.Done()
					return vendors.Result{Reason: vendors.Interrupted}
				}
				return accept(ctx, d, n)
			}
			_, kill := m.start(m.driver)
			m.messageTo("m-1", "bob", "carol")
			time.Sleep(2 * time.Second)
			kill()
			m.takeBack("m-1", time.Time{})
			defer m.worker()(time.Second)
			time.Sleep(10 * time.Minute)
			if got := m.quiet(); (len(got) > 0) != (within > 0) {
				t.Errorf("within %v: overwritten on %+v", within, got)
			}
			if left := m.left("signal") + m.left("message"); left > 0 {
				t.Errorf("%d signals and messages are left", left)
			}
		})
	}
}

// A recall that is repeated, or unknown, does nothing.
func TestRecallRepeatedAndUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newRecalls(t)
		defer m.worker()(time.Second)
		m.messageTo("m-1", "bob")
		time.Sleep(time.Second)
		for range 3 {
			m.takeBack("m-1", time.Time{})
			m.takeBack("m-1", time.Time{})
			m.takeBack("nobody-knows", time.Time{})
			time.Sleep(time.Minute)
		}
		m.wantWithdrawn("m-1/bob overwritten")
		if n := len(m.quiet()); n != 1 {
			t.Errorf("%d overwrites, want one", n)
		}
	})
}

// What cannot be overwritten says so, leaves no dead letter and takes no registration away.
func TestRecallNotPossible(t *testing.T) {
	for name, c := range map[string]struct {
		user   string
		change func(*memory)
	}{
		"vendor_cannot": {change: func(m *memory) { m.driver.limits.Replaces = false }},
		"dead_token": {change: func(m *memory) {
			m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
				if d.Notification.Quiet {
					return vendors.Result{Reason: vendors.BadToken, Code: "Unregistered"}
				}
				return accept(ctx, d, n)
			}
		}},
		"vendor_is_sick": {change: func(m *memory) {
			m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
				if d.Notification.Quiet {
					return vendors.Result{Reason: vendors.Unavailable, Scope: vendors.ScopeCall}
				}
				return accept(ctx, d, n)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newRecalls(t)
				dropped := &onePhoneDropped{}
				m.devices = dropped
				c.change(m)
				defer m.worker()(time.Second)
				m.messageTo("m-1", "bob")
				time.Sleep(time.Minute)
				m.takeBack("m-1", time.Time{})
				time.Sleep(30 * time.Hour)
				m.wantWithdrawn("m-1/bob not_possible")
				if n := len(m.queue.Stored("dead")); n != 0 || m.left("job.apns") != 0 {
					t.Errorf("%d dead letters, %d jobs are left", n, m.left("job.apns"))
				}
				if dropped.n != 0 {
					t.Errorf("%d registrations were dropped", dropped.n)
				}
			})
		})
	}
}

// onePhoneDropped counts the registrations that are to go.
type onePhoneDropped struct {
	onePhone
	n int
}

func (p *onePhoneDropped) DropAll(_ context.Context, dead []directory.Dead) []directory.Dropped {
	p.n += len(dead)
	return make([]directory.Dropped, len(dead))
}

// An overwrite that has to wait is stored like any push, without a word that its device waits: its
// end was there before.
func TestRecallWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newRecalls(t)
		m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
			if d.Notification.Quiet && n == 1 {
				return vendors.Result{Reason: vendors.RateLimited, RetryAfter: 5 * time.Minute}
			}
			return accept(ctx, d, n)
		}
		defer m.worker()(time.Second)
		m.messageTo("m-1", "bob")
		time.Sleep(time.Minute)
		m.takeBack("m-1", time.Time{})
		time.Sleep(time.Minute)
		m.wantWithdrawn()
		if m.left("later") != 1 {
			t.Errorf("%d jobs wait, want the overwrite", m.left("later"))
		}
		time.Sleep(10 * time.Minute)
		m.wantWithdrawn("m-1/bob overwritten")
		for _, s := range m.queue.Stored("outcome") {
			if ends, _ := dispatch.ParseEnded(s.Data); ends[0].Status == hongyan.StatusWaiting {
				t.Errorf("it says that a device waits: %+v", ends)
			}
		}
	})
}

// A call that was under way when the recall came is overwritten when it is answered.
func TestRecallWhileUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newRecalls(t)
		m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
			if !d.Notification.Quiet {
				time.Sleep(20 * time.Second)
			}
			return accept(ctx, d, n)
		}
		defer m.worker()(time.Second)
		m.messageTo("m-1", "bob")
		time.Sleep(5 * time.Second)
		m.takeBack("m-1", time.Time{})
		time.Sleep(10 * time.Second)
		m.wantWithdrawn()
		time.Sleep(15 * time.Second)
		m.wantWithdrawn("m-1/bob overwritten")
	})
}

// taker is a vendor that takes back what is not shown yet.
type taker struct {
	*scripted
	takes vendors.Reason

	mu    sync.Mutex
	taken int
}

func (d *taker) Withdraw(_ context.Context, b vendors.Batch) []vendors.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken += len(b.Devices)
	return vendors.All(len(b.Devices), vendors.Result{Reason: d.takes})
}

// A vendor that takes back is asked to, and what phones show already is overwritten beside: for a
// minute alone where it took back the rest.
func TestRecallTakesBack(t *testing.T) {
	for _, c := range []struct {
		takes vendors.Reason
		want  string
		keeps time.Duration
	}{
		{vendors.Accepted, "m-1/bob withdrawn", time.Minute},
		{vendors.Refused, "m-1/bob overwritten", 24*time.Hour - time.Minute},
	} {
		t.Run(string(c.takes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newRecalls(t)
				vendor := &taker{scripted: m.driver, takes: c.takes}
				stop, _ := m.start(vendor)
				defer stop(time.Second)
				m.messageTo("m-1", "bob")
				time.Sleep(time.Minute)
				m.takeBack("m-1", time.Time{})
				time.Sleep(5 * time.Second)
				m.wantWithdrawn(c.want)
				got := m.quiet()
				if vendor.taken != 1 || len(got) != 1 {
					t.Fatalf("%d were taken back and %d overwritten, want one each", vendor.taken, len(got))
				}
				if left := time.Until(got[0].Notification.Deadline); left > c.keeps || left < c.keeps-10*time.Second {
					t.Errorf("the vendor keeps it for %v, want about %v", left, c.keeps)
				}
			})
		})
	}
}

// What was taken back is not asked for again while the overwrite is tried again, also by another
// worker, and ends as withdrawn.
func TestRecallTakesBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newRecalls(t)
		m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
			if d.Notification.Quiet && n <= 4 {
				return vendors.Result{Reason: vendors.RateLimited}
			}
			return accept(ctx, d, n)
		}
		vendor := &taker{scripted: m.driver, takes: vendors.Accepted}
		_, kill := m.start(vendor)
		m.messageTo("m-1", "bob")
		time.Sleep(time.Minute)
		m.takeBack("m-1", time.Time{})
		time.Sleep(3 * time.Second) // of four times that it is refused, a second or two apart, two at most
		kill()
		stop, _ := m.start(vendor)
		defer stop(time.Second)
		m.wantWithdrawn()
		time.Sleep(5 * time.Minute)
		m.wantWithdrawn("m-1/bob withdrawn")
		if n := len(m.quiet()); vendor.taken != 1 || n != 5 {
			t.Errorf("it was taken back %d times and %d overwrites were pushed, want 1 and 5", vendor.taken, n)
		}
	})
}

// The same where the vendor took back and refused the overwrites as a whole, which are to be tried
// in smaller calls, while the worker ends: the stored job that no such call was made for does not
// forget what was taken back.
func TestRecallTakesBackOnceWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newRecalls(t)
		m.driver.limits.Batch = 2
		stopping := make(chan struct{})
		m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
			if n > 1 {
				return accept(ctx, d, n)
			}
			<-stopping
			return vendors.Result{Reason: vendors.BadPayload, Split: true}
		}
		vendor := &taker{scripted: m.driver, takes: vendors.Accepted}
		m.jobFor(1, "bob", "carol")
		j, err := dispatch.DecodeJob(m.queue.Stored("job.apns")[0].Data)
		if err != nil {
			t.Fatal(err)
		}
		j.ID, j.Withdraws, j.Notification.Quiet = "", true, true
		m.queue = dispatchtest.New()
		m.store(hongyan.Subjects{}.Job("apns", "c", hongyan.LaneNormal), j)
		stop, _ := m.start(vendor)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if vendor.taken != 2 {
			t.Fatalf("%d were taken back, want 2", vendor.taken)
		}
		time.AfterFunc(time.Second, func() { close(stopping) })
		stop(5 * time.Second)
		stop, _ = m.start(vendor)
		defer stop(time.Second)
		time.Sleep(5 * time.Minute)
		got := slices.Sorted(slices.Values(m.withdrawn())) // the smaller calls are made at once
		if diff := cmp.Diff([]string{"m-1/bob withdrawn", "m-1/carol withdrawn"}, got); diff != "" {
			t.Errorf("withdrawn (-want +got):\n%s", diff)
		}
		if vendor.taken != 2 || m.left("job.apns") > 0 {
			t.Errorf("%d were taken back, want 2; %d jobs are left", vendor.taken, m.left("job.apns"))
		}
	})
}

// Whenever a worker is killed on the way, another one does what is left.
func TestRecallAndKills(t *testing.T) {
	for seed := range 150 {
		synctest.Test(t, func(t *testing.T) {
			luck := rand.New(rand.NewPCG(uint64(seed), 7))
			var drawing sync.Mutex
			within := func(d time.Duration) time.Duration {
				drawing.Lock()
				defer drawing.Unlock()
				return time.Duration(luck.Int64N(int64(d)))
			}
			m := newRecalls(t)
			m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
				select {
				case <-time.After(within(2 * time.Second)):
					return accept(ctx, d, n)
				case <-ctx.Done():
					return vendors.Result{Reason: vendors.Interrupted}
				}
			}
			_, kill := m.start(m.driver)
			m.messageTo("m-1", "bob", "carol", "dave")
			recalled := within(4 * time.Second)
			killed := within(6 * time.Second)
			time.AfterFunc(recalled, func() { m.takeBack("m-1", time.Time{}) })
			time.Sleep(killed)
			kill()
			defer m.worker()(time.Second)
			time.Sleep(10 * time.Minute)
			accepted := map[string]bool{}
			for _, u := range []string{"bob", "carol", "dave"} {
				for _, e := range m.endsOf(u) {
					accepted[u] = accepted[u] || e.Status == hongyan.StatusAccepted
				}
			}
			got := map[string]bool{}
			for _, w := range m.withdrawn() {
				got[w] = true
			}
			for u := range accepted {
				if accepted[u] && !got["m-1/"+u+" overwritten"] {
					t.Errorf("seed %d: recalled after %v, killed after %v: %s's push was accepted and not overwritten: %q", seed, recalled, killed, u, m.withdrawn())
				}
			}
			if m.left("signal")+m.left("message")+m.left("job.apns") > 0 {
				t.Errorf("seed %d: %d signals and %d messages are left", seed, m.left("signal"), m.left("message"))
			}
		})
	}
}

// A flood of recalls of unknown messages shares its reads.
func TestRecallFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newRecalls(t)
		defer m.worker()(time.Second)
		m.messageTo("m-1", "bob")
		time.Sleep(time.Second)
		before := m.queue.Reads()
		const n = 6000
		for i := range n {
			m.takeBack(fmt.Sprint("unknown-", i), time.Time{})
			time.Sleep(time.Minute / n)
		}
		m.takeBack("m-1", time.Time{})
		time.Sleep(10 * time.Second)
		if reads := m.queue.Reads() - before; reads > 70 {
			t.Errorf("%d reads in a minute", reads)
		}
		m.wantWithdrawn("m-1/bob overwritten")
	})
}
