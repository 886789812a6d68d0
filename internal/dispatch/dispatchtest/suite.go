package dispatchtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// Tested is a queue for RunQueue, with what it takes to make it fail.
type Tested struct {
	Queue dispatch.Queue
	// Source hands out the jobs of vendor apns and certificate c in a lane.
	Source func(lane string, hold int) dispatch.Source
	// Records is as that of store.Records.
	Records func(ctx context.Context, app string, partition int, since time.Time, each func(dispatch.Record) (more bool)) error
	// Outcomes is as that of recall.Outcomes.
	Outcomes func(ctx context.Context, app string, status hongyan.Status, since time.Time, each func(dispatch.Records) (more bool)) error
	// ClaimFor is how long a claim on an urgent job lasts that is not renewed.
	ClaimFor time.Duration
	// Fill makes the stream of the jobs full, and Leave makes the server unreachable, until heal.
	Fill, Leave func() (heal func())
	// Unheard stores messages without hearing so.
	Unheard func(msgs []dispatch.Outgoing) (errs []error)
}

// RunQueue holds a queue to what package dispatch says of one. Each call of run gives the test a
// queue of its own, with nothing in it, and returns when the test is over.
func RunQueue(t *testing.T, run func(t *testing.T, test func(t *testing.T, q *Tested))) {
	t.Helper()
	for name, test := range map[string]func(*taker){
		"stored":       testStored,
		"once":         testOnce,
		"lost_answer":  testLostAnswer,
		"claims":       testClaims,
		"nak":          testNak,
		"hold":         testHold,
		"waiting":      testWaiting,
		"later":        testLater,
		"full":         testFull,
		"too_large":    testTooLarge,
		"away":         testAway,
		"records":      testRecords,
		"outcomes":     testOutcomes,
		"two_sources":  testTwoSources,
		"foreign_lane": testForeignLane,
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, q *Tested) {
				k := &taker{t: t, q: q}
				defer k.stop()
				test(k)
			})
		})
	}
}

// taker takes the urgent jobs of the queue under test.
type taker struct {
	t      *testing.T
	q      *Tested
	cancel []context.CancelFunc
	all    sync.WaitGroup
}

// within is how long what should come at once may take.
const within = 10 * time.Second

func job(id, data string) dispatch.Outgoing { return jobIn(hongyan.LaneUrgent, id, data) }

func jobIn(lane, id, data string) dispatch.Outgoing {
	return dispatch.Outgoing{Subject: hongyan.Subjects{}.Job("apns", "c", lane), ID: id, Data: []byte(data)}
}

// publish must store all.
func (k *taker) publish(msgs ...dispatch.Outgoing) {
	k.t.Helper()
	if errs := k.q.Queue.Publish(k.t.Context(), msgs); errs != nil {
		k.t.Fatalf("publish: %v", errors.Join(errs...))
	}
}

// open begins to take, and renews claims if it shall.
func (k *taker) open(lane string, hold int, renews bool) (dispatch.Source, <-chan dispatch.Delivery) {
	source, out := k.q.Source(lane, hold), make(chan dispatch.Delivery, hold)
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = append(k.cancel, cancel)
	k.all.Go(func() { source.Run(ctx, out) })
	if renews {
		k.all.Go(func() { source.Renew(ctx) })
	}
	return source, out
}

func (k *taker) stop() {
	for _, cancel := range k.cancel {
		cancel()
	}
	k.all.Wait()
}

// next must come soon.
func (k *taker) next(out <-chan dispatch.Delivery) dispatch.Delivery {
	k.t.Helper()
	select {
	case d := <-out:
		return d
	case <-time.After(within):
		k.t.Fatal("nothing came")
		return nil
	}
}

// none must come for a while.
func (k *taker) none(out <-chan dispatch.Delivery, d time.Duration) {
	k.t.Helper()
	select {
	case d := <-out:
		_, _, n := d.Meta()
		k.t.Fatalf("%q came for the %dth time", d.Data(), n)
	case <-time.After(d):
	}
}

func (k *taker) ack(d dispatch.Delivery) {
	k.t.Helper()
	if err := d.Ack(); err != nil {
		k.t.Error(err)
	}
}

// deliveries checks how often a message was delivered.
func (k *taker) deliveries(d dispatch.Delivery, data string, want int) {
	k.t.Helper()
	if _, _, n := d.Meta(); n != want || string(d.Data()) != data {
		k.t.Errorf("%q came for the %dth time, want %q for the %dth", d.Data(), n, data, want)
	}
}

// What Publish is content with is delivered, whole, in order, with its place and time; what is
// acked is gone.
func testStored(k *taker) {
	began := time.Now().Add(-time.Second)
	const n = 300
	var msgs []dispatch.Outgoing
	for i := range n {
		o := job(fmt.Sprint("id-", i), fmt.Sprint("data-", i))
		o.Header = map[string]string{dispatch.HeaderTrace: fmt.Sprint("trace-", i)}
		msgs = append(msgs, o)
	}
	_, out := k.open(hongyan.LaneUrgent, 16, false)
	k.publish(msgs...)
	var last uint64
	for i := range n {
		d := k.next(out)
		sequence, stored, deliveries := d.Meta()
		switch {
		case string(d.Data()) != fmt.Sprint("data-", i), d.Subject() != msgs[i].Subject, d.Header(dispatch.HeaderTrace) != fmt.Sprint("trace-", i), d.Header("Absent") != "":
			k.t.Fatalf("delivery %d is %q on %s", i, d.Data(), d.Subject())
		case sequence <= last, stored.Before(began), stored.After(time.Now().Add(time.Second)), deliveries != 1:
			k.t.Fatalf("delivery %d is number %d after %d, stored at %v, for the %dth time", i, sequence, last, stored, deliveries)
		}
		last = sequence
		k.ack(d)
	}
	k.none(out, k.q.ClaimFor+k.q.ClaimFor/2)
}

// An id is stored once, in one publish and in two; without an id everything is stored.
func testOnce(k *taker) {
	k.publish(job("a", "1"), job("b", "2"), job("a", "3"))
	k.publish(job("a", "4"), job("", "5"), job("", "5"))
	k.publish(jobIn(hongyan.LaneNormal, "c", "other"))
	_, out := k.open(hongyan.LaneUrgent, 16, false)
	for _, want := range []string{"1", "2", "5", "5"} {
		d := k.next(out)
		k.deliveries(d, want, 1)
		k.ack(d)
	}
	// An id of a message that is gone counts too.
	k.publish(job("a", "6"), job("d", "7"))
	d := k.next(out)
	k.deliveries(d, "7", 1)
	k.ack(d)
	k.none(out, time.Second)
}

// What was stored without a word is there, once, however often it is published again.
func testLostAnswer(k *taker) {
	lost := []dispatch.Outgoing{job("a", "1"), job("b", "2")}
	errs := k.q.Unheard(lost)
	if len(errs) != len(lost) {
		k.t.Fatalf("%d errors, want one for each message", len(errs))
	}
	for _, err := range errs {
		if err == nil || errors.Is(err, dispatch.ErrFull) || errors.Is(err, dispatch.ErrPermanent) {
			k.t.Errorf("an answer that was lost is %v", err)
		}
	}
	_, out := k.open(hongyan.LaneUrgent, 16, false)
	first := k.next(out)
	k.deliveries(first, "1", 1)
	k.publish(lost...)
	second := k.next(out)
	k.deliveries(second, "2", 1)
	k.ack(first)
	k.ack(second)
	k.publish(lost...)
	k.none(out, time.Second)
}

// A claim that is renewed holds; one that nobody knows of any more ends, and not before its time.
func testClaims(k *taker) {
	k.publish(job("a", "held"), job("b", "forgotten"))
	_, out := k.open(hongyan.LaneUrgent, 16, true)
	held, forgotten := k.next(out), k.next(out)
	k.deliveries(held, "held", 1)
	forgotten.Forget()
	k.none(out, k.q.ClaimFor*2/3)
	select {
	case d := <-out:
		k.deliveries(d, "forgotten", 2)
		k.ack(d)
	case <-time.After(k.q.ClaimFor):
		k.t.Fatal("what was forgotten did not come again")
	}
	k.none(out, k.q.ClaimFor)
	k.ack(held)
	k.none(out, time.Second)
}

// What is given back comes at once, or after the delay and not before.
func testNak(k *taker) {
	k.publish(job("a", "1"))
	_, out := k.open(hongyan.LaneUrgent, 1, true)
	if err := k.next(out).Nak(0); err != nil {
		k.t.Error(err)
	}
	d := k.next(out)
	k.deliveries(d, "1", 2)
	if err := d.Nak(3 * time.Second); err != nil {
		k.t.Error(err)
	}
	k.none(out, 2*time.Second)
	d = k.next(out)
	k.deliveries(d, "1", 3)
	k.ack(d)
	k.none(out, k.q.ClaimFor*3/2)
}

// No more are out than Hold; a kept one makes room, and stays claimed until it is settled.
func testHold(k *taker) {
	k.publish(job("a", "1"), job("b", "2"), job("c", "3"), job("d", "4"))
	source, out := k.open(hongyan.LaneUrgent, 2, true)
	if source.Hold() != 2 {
		k.t.Errorf("Hold is %d, want 2", source.Hold())
	}
	first, second := k.next(out), k.next(out)
	k.none(out, time.Second)
	first.Keep()
	first.Keep()
	third := k.next(out)
	k.deliveries(third, "3", 1)
	k.none(out, time.Second)
	k.ack(second)
	fourth := k.next(out)
	k.deliveries(fourth, "4", 1)
	k.none(out, k.q.ClaimFor*3/2)
	for _, d := range []dispatch.Delivery{first, third, fourth} {
		k.ack(d)
	}
	k.none(out, time.Second)
}

// Waiting counts what was handed out to nobody, and says when it knew.
func testWaiting(k *taker) {
	for i := range 5 {
		k.publish(job("", fmt.Sprint(i)))
	}
	source, out := k.open(hongyan.LaneUrgent, 2, true)
	first, second := k.next(out), k.next(out)
	k.eventually("3 wait", func() bool { n, _ := source.Waiting(); return n == 3 })
	k.ack(first)
	k.ack(second)
	asked := time.Now()
	for range 3 {
		k.ack(k.next(out))
	}
	k.eventually("none waits", func() bool { n, asOf := source.Waiting(); return n == 0 && asOf.After(asked) })
}

func (k *taker) eventually(what string, holds func() bool) {
	k.t.Helper()
	for end := time.Now().Add(2 * within); !holds(); time.Sleep(20 * time.Millisecond) { // polling a server
		if time.Now().After(end) {
			k.t.Fatalf("not so: %s", what)
		}
	}
}

// A job for later comes among the jobs when it is due, once, with its id and headers.
func testLater(k *taker) {
	o := job("a", "later")
	o.Header = map[string]string{dispatch.HeaderTrace: "t"}
	due := time.Now().Add(4 * time.Second)
	later := k.q.Queue.Later(o, due)
	k.publish(later)
	k.publish(later)
	_, out := k.open(hongyan.LaneUrgent, 16, true)
	k.none(out, 2*time.Second)
	d := k.next(out)
	if early := time.Until(due); early > time.Second {
		k.t.Errorf("it came %v before its time", early)
	}
	k.deliveries(d, "later", 1)
	if d.Subject() != o.Subject || d.Header(dispatch.HeaderTrace) != "t" || d.Header(dispatch.HeaderJob) != "" {
		k.t.Errorf("it came on %s, with trace %q and job %q", d.Subject(), d.Header(dispatch.HeaderTrace), d.Header(dispatch.HeaderJob))
	}
	k.ack(d)
	k.publish(o) // the same job by its id
	k.none(out, 2*time.Second)
}

// A full stream stores nothing and says so, one message at a time; the others are not concerned.
func testFull(k *taker) {
	k.publish(job("a", "before"))
	heal := k.q.Fill()
	record := dispatch.Outgoing{Subject: hongyan.Subjects{}.Outcome("demo", hongyan.StatusAccepted, 1), Data: []byte("{}")}
	errs := k.q.Queue.Publish(k.t.Context(), []dispatch.Outgoing{job("b", "lost"), record, job("c", "lost")})
	if len(errs) != 3 || !errors.Is(errs[0], dispatch.ErrFull) || errs[1] != nil || !errors.Is(errs[2], dispatch.ErrFull) {
		k.t.Errorf("errors: %v", errs)
	}
	heal()
	k.publish(job("b", "after"))
	_, out := k.open(hongyan.LaneUrgent, 16, false)
	for _, want := range []string{"before", "after"} {
		d := k.next(out)
		k.deliveries(d, want, 1)
		k.ack(d)
	}
	k.none(out, time.Second)
}

// What the server never takes is no matter of time.
func testTooLarge(k *taker) {
	errs := k.q.Queue.Publish(k.t.Context(), []dispatch.Outgoing{job("a", "1"), {Subject: job("", "").Subject, ID: "b", Data: bytes.Repeat([]byte("x"), maxPayload+1)}, job("c", "3")})
	if len(errs) != 3 || errs[0] != nil || !errors.Is(errs[1], dispatch.ErrPermanent) || errs[2] != nil {
		k.t.Errorf("errors: %.300v", errs)
	}
	_, out := k.open(hongyan.LaneUrgent, 16, false)
	for _, want := range []string{"1", "3"} {
		d := k.next(out)
		k.deliveries(d, want, 1)
		k.ack(d)
	}
}

// While the server is away nothing is stored; what was held or stored before comes when it is back.
func testAway(k *taker) {
	_, out := k.open(hongyan.LaneUrgent, 16, true)
	k.publish(job("a", "before"))
	held := k.next(out)
	heal := k.q.Leave()
	errs := k.q.Queue.Publish(k.t.Context(), []dispatch.Outgoing{job("b", "meanwhile")})
	if len(errs) != 1 || !errors.Is(errs[0], dispatch.ErrAway) || errors.Is(errs[0], dispatch.ErrFull) || errors.Is(errs[0], dispatch.ErrPermanent) {
		k.t.Errorf("errors: %v", errs)
	}
	_ = held.Ack() // nobody hears it
	heal()
	k.eventually("it is back", func() bool { return k.q.Queue.Publish(k.t.Context(), []dispatch.Outgoing{job("b", "after")}) == nil })
	again := map[string]int{}
	for end := time.After(k.q.ClaimFor*2 + within); len(again) < 2; {
		select {
		case d := <-out:
			_, _, n := d.Meta()
			again[string(d.Data())] = n
			k.ack(d)
		case <-end:
			k.t.Fatalf("only %v came", again)
		}
	}
	if again["before"] < 2 || again["after"] < 1 {
		k.t.Errorf("deliveries: %v", again)
	}
}

// Two sources share the messages: each comes to one of them.
func testTwoSources(k *taker) {
	const n = 100
	var msgs []dispatch.Outgoing
	for i := range n {
		msgs = append(msgs, job("", fmt.Sprint(i)))
	}
	_, one := k.open(hongyan.LaneUrgent, 8, true)
	_, two := k.open(hongyan.LaneUrgent, 8, true)
	k.publish(msgs...)
	seen := map[string]bool{}
	for range n {
		var d dispatch.Delivery
		select {
		case d = <-one:
		case d = <-two:
		case <-time.After(within):
			k.t.Fatalf("only %d came", len(seen))
		}
		if seen[string(d.Data())] {
			k.t.Errorf("%s came twice", d.Data())
		}
		seen[string(d.Data())] = true
		k.ack(d)
	}
}

// A source hands out what is on its subject alone.
func testForeignLane(k *taker) {
	k.publish(jobIn(hongyan.LaneNormal, "a", "normal"), job("b", "urgent"))
	_, out := k.open(hongyan.LaneUrgent, 8, true)
	d := k.next(out)
	k.deliveries(d, "urgent", 1)
	k.ack(d)
	k.none(out, time.Second)
	_, normal := k.open(hongyan.LaneNormal, 8, true)
	d = k.next(normal)
	k.deliveries(d, "normal", 1)
	k.ack(d)
}
