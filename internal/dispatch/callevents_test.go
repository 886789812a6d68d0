package dispatch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
)

// Events of calls, in any order, in virtual time.

// phones is a directory in which every user has two devices.
type phones struct{ people }

func (phones) Lookup(_ context.Context, refs []directory.Ref) ([]*directory.User, error) {
	var known []*directory.User
	for _, ref := range refs {
		u := &directory.User{}
		for _, id := range []string{"1", "2"} {
			u.Devices = append(u.Devices, directory.Device{ID: id, Registration: hongyan.Device{Certificate: "c", Token: ref.User + id}, Heard: time.Now()})
		}
		known = append(known, u)
	}
	return known, nil
}

// event is one of a call, some time after the one before: "action sender[/device] recipients".
func (m *memory) event(n int, text string) {
	m.t.Helper()
	words := strings.Fields(text)
	sender, device, _ := strings.Cut(words[1], "/")
	m.publish(hongyan.Subjects{}.Urgent("demo"), hongyan.Message{
		ID: fmt.Sprint("e", n), Conversation: hongyan.Conversation{Type: hongyan.ConversationGroup, ID: "g"}, Sender: hongyan.Sender{ID: sender, Device: device},
		Recipients: words[2:],
		Content:    hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: hongyan.CallAudio, Action: hongyan.CallAction(words[0]), ID: "call-1"}},
	})
}

// endsOfEvents are how the events ended, as "e0 bob/1": "accepted".
func (m *memory) endsOfEvents(users ...string) map[string]string {
	ends := map[string]string{}
	for _, u := range users {
		for _, e := range m.endsOf(u) {
			key := e.MessageID + " " + e.User + "/" + e.Device
			if ends[key] != "" {
				m.t.Errorf("%s ended twice: %s, %s", key, ends[key], e.DeviceOutcome.Reason)
			}
			ends[key] = string(e.DeviceOutcome.Reason)
		}
	}
	return ends
}

// shown is what a device's pushes said, in order.
func (m *memory) shown(token string) (texts []string) {
	m.driver.mu.Lock()
	defer m.driver.mu.Unlock()
	for _, b := range m.driver.calls {
		for _, d := range b.Devices {
			if d.Token != token {
				continue
			}
			text := d.Notification.Body
			if d.Notification.Quiet {
				text += " quietly"
			}
			texts = append(texts, text)
		}
	}
	return texts
}

const (
	rings    = "邀请你加入多人语音通话"
	missed   = "未接语音通话"
	answered = "已在其他设备接听 quietly"
	declined = "已在其他设备拒绝 quietly"
)

func TestCallEvents(t *testing.T) {
	type step struct {
		wait  time.Duration
		event string
	}
	for name, c := range map[string]struct {
		steps []step
		ends  map[string]string   // some of them
		shown map[string][]string // by token; all
	}{
		"cancelled": {
			steps: []step{{0, "invite alice bob"}, {time.Second, "cancel alice bob"}},
			shown: map[string][]string{"bob1": {rings, missed}, "bob2": {rings, missed}},
		},
		"cancelled_at_once": {
			steps: []step{{0, "cancel alice bob"}, {time.Millisecond, "invite alice bob"}},
			ends:  map[string]string{"e0 bob/1": "no_content", "e0 bob/2": "no_content", "e1 bob/1": "call_over", "e1 bob/2": "call_over"},
		},
		"answered": {
			steps: []step{{0, "invite alice bob"}, {time.Second, "answer bob/1 alice"}},
			ends:  map[string]string{"e1 bob/1": "no_content", "e1 bob/2": "accepted", "e1 alice/1": "no_content", "e1 alice/2": "no_content"},
			shown: map[string][]string{"bob1": {rings}, "bob2": {rings, answered}},
		},
		"answered_elsewhere": { // on a device that we do not know
			steps: []step{{0, "invite alice bob"}, {time.Second, "answer bob/9 bob"}},
			shown: map[string][]string{"bob1": {rings, answered}, "bob2": {rings, answered}},
		},
		"rejected": {
			steps: []step{{0, "invite alice bob"}, {time.Second, "reject bob/2 alice"}},
			shown: map[string][]string{"bob1": {rings, declined}, "bob2": {rings}},
		},
		"answered_and_hung_up": {
			steps: []step{{0, "invite alice bob"}, {time.Second, "answer bob/1 alice"}, {5 * time.Minute, "hangup alice bob"}},
			ends:  map[string]string{"e2 bob/1": "no_content", "e2 bob/2": "no_content"},
			shown: map[string][]string{"bob1": {rings}, "bob2": {rings, answered}},
		},
		"answered_and_hung_up_after_long": { // longer than workers remember by themselves
			steps: []step{{0, "invite alice bob carol"}, {time.Second, "answer bob/1 alice"}, {50 * time.Minute, "hangup alice bob carol"}},
			ends:  map[string]string{"e2 bob/1": "no_content", "e2 bob/2": "no_content"},
			shown: map[string][]string{"bob1": {rings}, "bob2": {rings, answered}, "carol1": {rings, missed}, "carol2": {rings, missed}},
		},
		"forgotten_after_an_hour": {
			steps: []step{{0, "invite alice bob"}, {61 * time.Minute, "hangup alice bob"}},
			ends:  map[string]string{"e1 bob/1": "no_content"},
			shown: map[string][]string{"bob1": {rings}, "bob2": {rings}},
		},
		"answer_overtakes": {
			steps: []step{{0, "answer bob/1 alice"}, {time.Second, "invite alice bob"}},
			ends:  map[string]string{"e0 bob/2": "no_content", "e1 bob/1": "call_over", "e1 bob/2": "call_over"},
		},
		"answer_too_late": {
			steps: []step{{0, "invite alice bob"}, {time.Second, "cancel alice bob"}, {time.Second, "answer bob/1 alice"}},
			ends:  map[string]string{"e2 bob/1": "no_content", "e2 bob/2": "no_content"},
			shown: map[string][]string{"bob1": {rings, missed}, "bob2": {rings, missed}},
		},
		"ended_twice": {
			steps: []step{{0, "invite alice bob"}, {time.Second, "cancel alice bob"}, {time.Second, "hangup alice bob"}, {time.Second, "cancel alice bob"}},
			ends:  map[string]string{"e2 bob/1": "no_content", "e3 bob/2": "no_content"},
			shown: map[string][]string{"bob1": {rings, missed}, "bob2": {rings, missed}},
		},
		"group": { // one callee's answer concerns that callee alone
			steps: []step{{0, "invite alice bob carol"}, {time.Second, "answer bob/1 alice carol"}, {time.Second, "reject carol/2 alice bob"}},
			ends:  map[string]string{"e1 carol/1": "no_content", "e1 bob/1": "no_content", "e2 bob/2": "no_content"},
			shown: map[string][]string{"bob1": {rings}, "bob2": {rings, answered}, "carol1": {rings, declined}, "carol2": {rings}},
		},
		"group_with_one_who_does_not_answer": {
			steps: []step{{0, "invite alice bob carol"}, {time.Second, "answer bob/1 alice"}, {30 * time.Second, "cancel alice bob carol"}},
			shown: map[string][]string{"bob1": {rings}, "bob2": {rings, answered}, "carol1": {rings, missed}, "carol2": {rings, missed}},
		},
		"invited_later": {
			steps: []step{{0, "invite alice bob"}, {time.Second, "answer bob/1 alice"}, {time.Minute, "invite alice carol"}, {time.Second, "cancel alice carol"}},
			shown: map[string][]string{"bob1": {rings}, "bob2": {rings, answered}, "carol1": {rings, missed}, "carol2": {rings, missed}},
		},
		"own_devices": {
			steps: []step{{0, "invite alice bob alice"}, {time.Second, "cancel alice bob alice"}},
			ends:  map[string]string{"e0 alice/1": "own_message", "e1 alice/1": "own_message"},
			shown: map[string][]string{"bob1": {rings, missed}, "bob2": {rings, missed}},
		},
		"never_rung": {
			steps: []step{{0, "hangup alice bob"}, {time.Second, "reject bob/1 alice"}},
			ends:  map[string]string{"e0 bob/1": "no_content", "e1 bob/2": "no_content", "e1 alice/1": "no_content"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(t)
				m.marks, m.devices = true, phones{}
				m.queue.MarkLag = 3 * time.Millisecond
				m.worker()
				m.worker()
				for n, s := range c.steps {
					time.Sleep(s.wait)
					m.event(n, s.event)
				}
				time.Sleep(5 * time.Minute)
				ends := m.endsOfEvents("alice", "bob", "carol")
				for key, want := range c.ends {
					if ends[key] != want {
						t.Errorf("%s ended as %q, want %q", key, ends[key], want)
					}
				}
				for _, token := range []string{"alice1", "alice2", "bob1", "bob2", "carol1", "carol2"} {
					if got := m.shown(token); !slices.Equal(got, c.shown[token]) {
						t.Errorf("%s showed %q, want %q", token, got, c.shown[token])
					}
				}
				if left := m.left("urgent"); left > 0 {
					t.Errorf("%d events are left", left)
				}
				replace := map[string]bool{}
				for _, b := range m.driver.calls {
					for _, d := range b.Devices {
						replace[d.Notification.Replaces()] = true
					}
				}
				if len(c.shown) > 0 && len(replace) != 1 {
					t.Errorf("the events replace each other by %d keys", len(replace))
				}
				m.stopAll()
			})
		})
	}
}

// A call that waits for a parked certificate does not ring once it was answered.
func TestParkedCallIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, vendor := newMemory(t), &doctor{}
		m.marks, m.devices, m.driver.answer = true, phones{}, vendor.answer
		m.worker()
		m.message(1) // parks it
		time.Sleep(5 * time.Second)
		m.event(0, "invite alice bob")
		time.Sleep(5 * time.Second)
		m.event(1, "answer bob/9 alice")
		time.Sleep(time.Second)
		vendor.heal()
		time.Sleep(30 * time.Second)
		ends := m.endsOfEvents("bob")
		if ends["e0 bob/1"] != "call_over" || ends["e0 bob/2"] != "call_over" {
			t.Errorf("ends: %v", ends)
		}
		m.stopAll()
	})
}

// Whatever the order and the moment in which two workers take an invitation and its end, no phone
// rings after the end was known, and none that rang is left ringing.
func TestCallRaces(t *testing.T) {
	runs := 1000
	if testing.Short() {
		runs = 100
	}
	for range runs {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			m := newMemory(t)
			m.marks, m.devices = true, phones{}
			m.queue.MarkLag = time.Duration(rng.Int64N(int64(10 * time.Millisecond)))
			m.queue.Deafen(rng.IntN(2) == 0) // or they hear of nothing
			m.queue.Fail("mark", dispatchtest.Fault{Delay: time.Duration(rng.Int64N(int64(5 * time.Millisecond)))})
			m.worker()
			m.worker()
			time.Sleep(time.Second)
			gap := time.Duration(rng.Int64N(int64(10*time.Millisecond))) - 5*time.Millisecond
			first, second := "invite alice bob", "cancel alice bob"
			if gap < 0 {
				first, second, gap = second, first, -gap
			}
			m.event(0, first)
			time.Sleep(gap)
			m.event(1, second)
			time.Sleep(time.Minute)
			for _, token := range []string{"bob1", "bob2"} {
				shown := m.shown(token)
				if i := slices.Index(shown, rings); i >= 0 && slices.Index(shown, missed) < i {
					t.Errorf("seed %d: %s rings for ever: %q", seed, token, shown)
				}
			}
			m.stopAll()
		})
		if t.Failed() {
			return
		}
	}
}

// An invitation that comes again after its worker died keeps what rang.
func TestInvitationComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.marks, m.devices = true, phones{}
		_, kill := m.start(m.driver)
		m.event(0, "invite alice bob")
		time.Sleep(time.Second)
		kill()
		m.worker()
		m.event(1, "cancel alice bob")
		time.Sleep(3 * time.Minute)
		if got := m.shown("bob1"); !slices.Equal(got, []string{rings, missed}) {
			t.Errorf("it showed %q", got)
		}
		if ends := m.endsOfEvents("bob"); len(ends) != 4 {
			t.Errorf("ends: %v", ends)
		}
		m.stopAll()
	})
}

// stopAll ends all workers that run.
func (m *memory) stopAll() {
	for _, stop := range m.stops {
		stop()
	}
}
