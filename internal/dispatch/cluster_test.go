package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/owner"
)

// What holds for marks and owners while a cluster loses the server that leads their streams.

// shaken is an installation on three servers, of which one leads PUSH_MARKS and PUSH_TOKENS until
// it is killed.
type shaken struct {
	*rig
	leader *server.Server
}

func newShaken(t *testing.T) *shaken {
	t.Helper()
	c, topology := bustest.StartCluster(t), bus.Topology{Replicas: 3}
	s := &shaken{rig: newRigOn(t, bustest.Connect(t, c.URL, topology, "apns", "huawei"))}
	leads := func(stream string) *server.Server {
		for _, srv := range c.Servers {
			if srv.JetStreamIsStreamLeader("$G", stream) {
				return srv
			}
		}
		return nil
	}
	s.until("one server leads both streams", func() bool {
		s.leader = leads(topology.Marks())
		tokens := leads(topology.Tokens())
		if tokens != nil && tokens != s.leader {
			_ = tokens.JetStreamStepdownStream("$G", topology.Tokens()) // else the next try
		}
		return s.leader != nil && tokens == s.leader
	})
	second := newRigOn(t, bustest.Connect(t, c.URL, topology, "apns", "huawei"))
	second.apns = s.apns
	for _, r := range []*rig{s.rig, second} {
		r.start()
		ctx, cancel := context.WithCancel(context.Background())
		keeper := &owner.Keeper{Store: r.bus, Log: slog.New(slog.DiscardHandler)}
		var wg sync.WaitGroup
		wg.Go(func() { keeper.Run(ctx, r.bus.RegistrationConsumer(64)) })
		t.Cleanup(func() { cancel(); wg.Wait() })
	}
	return s
}

// until polls the real servers.
func (s *shaken) until(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(40 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("not in time: %s", what)
		}
	}
}

// stores stores something, however often that fails, as an IM backend does.
func (s *shaken) stores(subject, id, body string) {
	s.t.Helper()
	s.until(subject+" is stored", func() bool {
		ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Second)
		defer cancel()
		return s.bus.Publish(ctx, []dispatch.Outgoing{{Subject: subject, ID: id, Data: []byte(body)}}) == nil
	})
}

// says stores signals, and waits until they are remembered where that is asked for.
func (s *shaken) says(remembered bool, signals ...hongyan.Signal) {
	s.t.Helper()
	subjects, marks := hongyan.Subjects{}, make([]string, len(signals))
	for i, x := range signals {
		if marks[i] = subjects.RecallMark("demo", x.MessageID); x.Type == hongyan.SignalRead {
			marks[i] = subjects.ReadMark("demo", x.User, x.Conversation)
		}
		s.stores(subjects.Signal("demo"), "", string(encoded(s.t, x)))
	}
	if remembered {
		s.until("the signals are remembered", func() bool {
			ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Second)
			defer cancel()
			found, _, err := s.bus.LastMarks(ctx, marks)
			return err == nil && len(found) == len(marks)
		})
	}
}

// tells stores messages of a kind to a user, n of them, sent at a time.
func (s *shaken) tells(kind, user string, n int, at time.Time) {
	s.t.Helper()
	for i := range n {
		m := chat(fmt.Sprint(kind, "-", i), user)
		m.SentAt = at
		s.stores(hongyan.Subjects{}.Message("demo"), "demo/"+m.ID, string(encoded(s.t, m)))
	}
}

// ended are the ends of all messages so far, by their ids.
func (s *shaken) ended() map[string]string {
	ends := map[string]string{}
	for next := uint64(1); ; {
		ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Second)
		entries, err := s.bus.Read(ctx, s.bus.Topology().Outcomes(), "push.outcome.>", next, 500)
		cancel()
		if err != nil || len(entries) == 0 {
			return ends
		}
		for _, e := range entries {
			next = e.Sequence + 1
			all, err := dispatch.ParseEnded(e.Data)
			if err != nil {
				s.t.Fatal(err)
			}
			for _, o := range all {
				if o.Status.End() {
					ends[o.MessageID] = strings.TrimSpace(ends[o.MessageID] + " " + string(o.Status) + " " + string(o.Reason))
				}
			}
		}
	}
}

// The server that leads PUSH_MARKS and PUSH_TOKENS is killed. What was said of messages before
// holds for those that come during the election, what is said during it is remembered, and of two
// phones with one token the later one stays; nothing is lost and nothing pushed twice.
func TestClusterLosesTheLeaderOfMarksAndTokens(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a server of three")
	}
	s := newShaken(t)
	const each = 10
	subjects := hongyan.Subjects{}
	for _, user := range []string{"mike", "rita"} {
		s.register(user, "phone", "c-apns")
	}
	registers := func(user string, phone int) {
		s.stores(subjects.Device("demo", user, fmt.Sprint("phone", phone)), "", fmt.Sprintf(`{"certificate":"c-apns","token":"t%d"}`, phone))
	}
	for phone := range each {
		registers("alice", phone)
	}
	recalls := func(kind string) (all []hongyan.Signal) {
		for i := range each {
			all = append(all, hongyan.Signal{Type: hongyan.SignalRecall, MessageID: fmt.Sprint(kind, "-", i)})
		}
		return all
	}
	read := time.Now()
	s.says(true, append(recalls("before"), hongyan.Signal{Type: hongyan.SignalRead, User: "rita", Conversation: "c2c_alice", At: read})...)

	s.leader.Shutdown()
	s.leader.WaitForShutdown()
	var storm sync.WaitGroup
	storm.Go(func() {
		s.tells("before", "mike", each, time.Time{})
		s.tells("read", "rita", each, read.Add(-time.Minute))
		s.tells("unread", "rita", each, time.Time{})
		s.tells("plain", "mike", each, time.Time{})
	})
	storm.Go(func() {
		s.says(true, recalls("meanwhile")...)
		s.tells("meanwhile", "mike", each, time.Time{})
	})
	storm.Go(func() {
		for phone := range each {
			registers("bob", phone)
		}
		for phone := range each / 2 {
			registers("carol", phone)
		}
		for phone := range each / 2 {
			registers("alice", phone)
		}
	})
	storm.Wait()
	if t.Failed() {
		return
	}
	want := map[string]string{}
	for kind, end := range map[string]string{"before": "suppressed recalled", "meanwhile": "suppressed recalled", "read": "suppressed read", "unread": "accepted accepted", "plain": "accepted accepted"} {
		for i := range each {
			want[fmt.Sprint(kind, "-", i)] = end
		}
	}
	var ends map[string]string
	s.until("all messages have their end", func() bool { ends = s.ended(); return len(ends) >= len(want) })
	for id, end := range want {
		if ends[id] != end {
			t.Errorf("%s ended as %q, want %q", id, ends[id], end)
		}
	}
	s.apns.mu.Lock()
	pushed := map[string]int{}
	for _, b := range s.apns.calls {
		pushed[b.Devices[0].Notification.MessageID]++
	}
	s.apns.mu.Unlock()
	for id, end := range want {
		if n := pushed[id]; n != map[bool]int{true: 1}[end == "accepted accepted"] {
			t.Errorf("%s was pushed %d times, its end is %s", id, n, end)
		}
	}
	s.until("each phone is whose it was last", func() bool {
		for phone := range each {
			whose := ""
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			values, err := s.bus.LastValues(ctx, []string{subjects.Own(fmt.Sprintf("user.demo.*.device.phone%d", phone))})
			cancel()
			if err != nil {
				return false
			}
			for _, v := range values.Values {
				if x, err := subjects.Parse(v.Subject); err == nil && len(v.Data) > 0 {
					whose += x.User
				}
			}
			if whose != map[bool]string{true: "alice", false: "bob"}[phone < each/2] {
				return false
			}
		}
		return true
	})
	s.empty()
}

// encoded is a value's JSON.
func encoded(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
