package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/sandbox"
)

var (
	sickFor = flag.Duration("sick", 5*time.Second, "how long a stream takes nothing in TestStreamRefuses and TestStoreIsFull")
	awayFor = flag.Duration("away", 6*time.Second, "how long NATS is away in TestNATSIsAway, and each server of a cluster in TestNodesAreKilled")
)

// stream opens a stream beside the workers.
func (r *rig) stream(name string) (jetstream.JetStream, jetstream.StreamConfig, uint64) {
	r.t.Helper()
	nc, err := nats.Connect(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	s, err := js.Stream(ctx, name)
	if err != nil {
		r.t.Fatal(err)
	}
	return js, s.CachedInfo().Config, s.CachedInfo().State.Msgs
}

// refuse makes a stream take nothing that is new, and returns what makes it take messages again. It
// answers that it is full; one that may not refuse answers nothing.
func (r *rig) refuse(stream string) (heal func()) {
	r.t.Helper()
	js, was, has := r.stream(stream)
	sick := was
	switch {
	case was.AllowMsgSchedules, was.AllowMsgCounter:
		sick.Subjects = []string{"nobody." + stream}
		if was.AllowMsgSchedules { // what is due has its consumers
			sick.Subjects = slices.DeleteFunc(slices.Clone(was.Subjects), func(s string) bool { return s == "push.later.at.>" })
		}
	case has > 0:
		sick.Discard, sick.DiscardNewPerSubject, sick.MaxMsgs = jetstream.DiscardNew, false, int64(has)
	default:
		sick.Discard, sick.DiscardNewPerSubject, sick.MaxBytes = jetstream.DiscardNew, false, 1
	}
	update := func(ctx context.Context, to jetstream.StreamConfig) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if _, err := js.UpdateStream(ctx, to); err != nil {
			r.t.Errorf("change %s: %v", stream, err)
		}
	}
	update(r.t.Context(), sick)
	return func() { update(context.Background(), was) }
}

// A stream takes nothing for a while under load to all vendors: each push is made once, and each
// device has one end.
func TestStreamRefuses(t *testing.T) {
	if testing.Short() {
		t.Skip("streams refuse for a while")
	}
	for name, c := range map[string]struct {
		streams []string
		conf    []string // of Huawei's certificate
		fault   *sandbox.Fault
	}{
		"outcomes":  {streams: []string{"PUSH_OUTCOMES"}},
		"messages":  {streams: []string{"PUSH_MESSAGES"}},
		"directory": {streams: []string{"PUSH_DIRECTORY"}},
		"marks":     {streams: []string{"PUSH_MARKS"}},
		"notes":     {streams: []string{"PUSH_NOTES"}, conf: []string{"rate: {devices_per_second: 500}"}},
		"counters":  {streams: []string{"PUSH_COUNTERS"}, conf: []string{"daily_quota: {all: 100000}", "timezone: UTC"}},
		// Jobs are stored because they are over the rate, or tried again.
		"jobs":  {streams: []string{"PUSH_JOBS_HUAWEI"}, conf: []string{"rate: {devices_per_second: 5}"}},
		"later": {streams: []string{"PUSH_LATER"}, fault: &sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultThrottle, RetryAfter: 31, Times: 1}},
		"all_of_a_push": {streams: []string{"PUSH_OUTCOMES", "PUSH_DEAD", "PUSH_PIECES", "PUSH_LATER", "PUSH_JOBS_APNS", "PUSH_JOBS_FCM", "PUSH_JOBS_HUAWEI", "PUSH_JOBS_OPPO"},
			conf: []string{"rate: {devices_per_second: 5}"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "")
			if c.conf != nil {
				r.configure("demo-huawei", c.conf...)
			}
			crowd := r.crowd(90, allVendors...)
			worker := r.start()
			crowd.load("warm", time.Second)
			crowd.settle()
			var heals []func()
			for _, s := range c.streams {
				heals = append(heals, r.refuse(s))
			}
			if c.fault != nil {
				r.box.Arm(*c.fault)
			}
			before := crowd.accepted()
			healed := make(chan struct{})
			time.AfterFunc(*sickFor, func() {
				defer close(healed)
				for _, heal := range heals {
					heal()
				}
			})
			sent := crowd.load("sick", *sickFor)
			during := crowd.accepted() - before
			<-healed
			crowd.settle()
			crowd.settleLater(4 * time.Minute)
			all := crowd.tally(sent)
			report(t, name+" refuses for "+sickFor.String(), all, fmt.Sprintf("%d accepted meanwhile", during))
			if all.repeats > 0 || all.twice > 0 {
				t.Errorf("%v", all)
			}
			r.stopAll(worker)
		})
	}
}

// settleLater waits until no job waits for its time any more.
func (c *crowd) settleLater(limit time.Duration) {
	c.t.Helper()
	c.until(limit, "without a job that waits", func() bool {
		n := 0
		for _, v := range c.vendors {
			n += c.waiting(v)
		}
		return n == 0
	})
	c.settle()
}

// PUSH_DEAD refuses for a while: each push that the vendor refuses is made once.
func TestLettersRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("a stream refuses for a while")
	}
	t.Parallel()
	r := newRig(t, "")
	crowd := r.crowd(40, "apns")
	worker := r.start()
	crowd.load("warm", time.Second)
	crowd.settle()
	heal := r.refuse("PUSH_DEAD")
	r.box.Arm(sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultCode, Code: "BadExpirationDate"})
	before := r.box.Counts()["apns"]
	sent := crowd.load("sick", *sickFor)
	heal()
	crowd.settle()
	after := r.box.Counts()["apns"]
	calls := int(after.Accepted + after.Refused - before.Accepted - before.Refused)
	ends, endless := r.endings(), 0
	for _, p := range sent {
		if ends[p.id+" "+crowd.user(p.user)] != 1 {
			endless++
		}
	}
	t.Logf("FIGURES PUSH_DEAD refuses for %v: %d pushes, %d vendor calls, %d without one end", sickFor, len(sent), calls, endless)
	if endless > 0 || calls != len(sent) {
		t.Errorf("%d vendor calls for %d pushes, %d have not one end", calls, len(sent), endless)
	}
	r.stopAll(worker)
}

// The stream of pieces refuses while large groups are sent: they are planned in place, each member
// once.
func TestPiecesRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("a stream refuses for a while")
	}
	t.Parallel()
	r := newRig(t, "")
	crowd := r.crowd(540, allVendors...)
	var members []string
	for i := range crowd.n {
		members = append(members, crowd.user(i))
	}
	worker := r.start()
	heal := r.refuse("PUSH_PIECES")
	var sent []push
	for end, n := time.Now().Add(*sickFor), 0; time.Now().Before(end); n++ {
		m := chat(fmt.Sprintf("m-group-%d", n), members...)
		m.Conversation.Type = hongyan.ConversationGroup
		r.send(m)
		for i := range members {
			sent = append(sent, push{m.ID, i})
		}
		time.Sleep(time.Second) // the backend's own pace
	}
	during := crowd.accepted()
	heal()
	crowd.settle()
	all := crowd.tally(sent)
	report(t, "PUSH_PIECES refuses for "+sickFor.String(), all, fmt.Sprintf("%d accepted meanwhile", during))
	if all.repeats > 0 || all.twice > 0 {
		t.Errorf("%v", all)
	}
	r.stopAll(worker)
}

// The job stream of one vendor refuses: the other vendor's pushes are as fast as ever.
func TestJobsRefusedHurtNobodyElse(t *testing.T) {
	if testing.Short() {
		t.Skip("a stream refuses for a while")
	}
	t.Parallel()
	r := newRig(t, "")
	r.configure("demo-huawei", "rate: {devices_per_second: 40}")
	crowd := r.crowd(40, "apns", "huawei")
	worker := r.start()
	crowd.load("warm", time.Second)
	crowd.settle()
	heal := r.refuse("PUSH_JOBS_HUAWEI")
	sent := crowd.load("sick", *sickFor)
	r.until(time.Minute, "pushed by APNs", func() bool { return r.count("apns") >= len(sent)/2 })
	heal()
	ends := r.outcomes()
	var slowest int64
	for _, p := range sent {
		if end, ok := ends[[3]string{p.id, crowd.user(p.user), "phone"}]; ok && crowd.vendor(p.user) == "apns" {
			slowest = max(slowest, end.LatencyMS)
		}
	}
	t.Logf("FIGURES PUSH_JOBS_HUAWEI refuses for %v: the slowest of %d pushes of the other vendor took %d ms", sickFor, len(sent)/2, slowest)
	if slowest > 3000 { // a queue shared with Huawei would hold it up for all that time
		t.Errorf("a push of the other vendor took %d ms", slowest)
	}
	crowd.settle()
	crowd.settleLater(4 * time.Minute)
	if all := crowd.tally(sent); all.repeats > 0 || all.twice > 0 {
		t.Errorf("%v", all)
	}
	r.stopAll(worker)
}

// The disk of NATS is full for a while, so that no stream takes anything.
func TestStoreIsFull(t *testing.T) {
	if testing.Short() {
		t.Skip("the store is full for a while")
	}
	t.Parallel()
	const bound = 300 << 20
	r := &rig{t: t, dir: t.TempDir()}
	r.nats = startNATS(t, r.natsDir(), "127.0.0.1:0", "-max-store", fmt.Sprint(bound))
	r.url = r.nats.URL
	r.setUp(r.url, 1, "")
	crowd := r.crowd(90, allVendors...)
	worker := r.start()
	warm := crowd.load("warm", time.Second)
	crowd.settle()
	js, _, _ := r.stream("PUSH_OUTCOMES")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	junk, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "JUNK", Subjects: []string{"junk"}})
	if err != nil {
		t.Fatal(err)
	}
	fill := func(least int) {
		for size := 1 << 20; size > least; {
			if _, err := js.Publish(ctx, "junk", make([]byte, size)); err != nil {
				size /= 2
			}
		}
	}
	for range bound>>20 - 30 { // room for what is on its way when the disk fills up
		if _, err := js.Publish(ctx, "junk", make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range crowd.vendors {
		r.box.Arm(sandbox.Fault{Vendor: v, Kind: sandbox.FaultSlow, Delay: 3})
	}
	sent := crowd.flood(1000)
	fill(0)
	before := crowd.accepted()
	full, flooded := time.Now(), make(chan []push)
	go func() { flooded <- crowd.load("sick", *sickFor) }()
	time.Sleep(*sickFor) // the disk is full
	during := crowd.accepted() - before
	if err := junk.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	lasted := time.Since(full).Round(time.Second)
	r.box.Clear("", 0)
	sent = append(append(sent, warm...), <-flooded...)
	crowd.settle()
	crowd.settleLater(4 * time.Minute)
	all := crowd.tally(sent)
	report(t, "full store for "+lasted.String(), all, fmt.Sprintf("%d accepted meanwhile", during))
	if all.repeats > 0 || all.twice > 0 {
		t.Errorf("%v", all)
	}
	r.stopAll(worker)
}
