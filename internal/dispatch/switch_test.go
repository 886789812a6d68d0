package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/directory/directorytest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/owner"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// A phone on which people log in one after the other, in virtual time.

// handsets knows whose each phone is, by its token.
type handsets struct {
	mu     sync.Mutex
	rand   *rand.Rand
	owners map[string]string
	// lost are when the others lost the phone, by token and user.
	lost   map[string]time.Time
	pushed int
	wrong  []string
}

// brings makes a phone somebody's.
func (p *handsets) brings(token, user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if was := p.owners[token]; was != "" && was != user {
		p.lost[token+" "+was] = time.Now()
	}
	p.owners[token] = user
}

// answer is the vendor: it accepts, or lets the push come again later.
func (p *handsets) answer(_ context.Context, d vendors.Device, _ int) vendors.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, to, _ := strings.Cut(d.Notification.MessageID, "-to-")
	p.pushed++
	if lost := p.lost[d.Token+" "+to]; p.owners[d.Token] != to && time.Since(lost) > 2*time.Second {
		p.wrong = append(p.wrong, fmt.Sprintf("%s reached the phone of %s %v after it changed hands", d.Notification.MessageID, p.owners[d.Token], time.Since(lost)))
	}
	switch p.rand.IntN(8) {
	case 0:
		return vendors.Result{Reason: vendors.Timeout}
	case 1:
		return vendors.Result{Reason: vendors.RateLimited, RetryAfter: time.Duration(p.rand.IntN(5000)) * time.Millisecond}
	case 2:
		return vendors.Result{Reason: vendors.Unavailable, RetryAfter: time.Duration(p.rand.IntN(60)) * time.Second}
	}
	return vendors.Result{Reason: vendors.Accepted}
}

// A phone goes from hand to hand a thousand times, while messages are sent to everybody who ever
// had it, pushes wait, and workers come and go: two seconds after somebody registers it, no push
// reaches it that is for another.
func TestAccountSwitch(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { accountSwitch(t, rand.New(rand.NewPCG(seed, 1)), 250) })
		})
	}
}

func accountSwitch(t *testing.T, r *rand.Rand, switches int) {
	subjects := hongyan.Subjects{}
	known := directorytest.New()
	dir := directory.New(known, subjects, directory.Options{})
	p := &handsets{rand: rand.New(rand.NewPCG(r.Uint64(), 2)), owners: map[string]string{}, lost: map[string]time.Time{}}
	m := newMemory(t)
	m.devices, m.driver.answer = dir, p.answer
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { dir.Run(ctx, known) })
	keeper := &owner.Keeper{Store: known, Log: slog.New(slog.DiscardHandler)}
	for range 2 {
		wg.Go(func() { keeper.Run(ctx, known.Registrations(64)) })
	}
	stops := []func(time.Duration){m.worker()}
	users, tokens := []string{"alice", "bob", "carol", "dave"}, []string{"t0", "t1"}
	message := 0
	for n := range switches {
		user, token := users[r.IntN(len(users))], tokens[r.IntN(len(tokens))]
		certificate := "c"
		if r.IntN(10) == 0 {
			certificate = "h" // its jobs wait for good
		}
		// The device's name is the phone's, or a new one after a reinstall.
		device := token
		if r.IntN(4) == 0 {
			device += "-again"
		}
		known.Put(subjects.Device("demo", user, device), fmt.Sprintf(`{"certificate":%q,"token":%q}`, certificate, token))
		p.brings(token, user)
		for range r.IntN(5) {
			to := users[r.IntN(len(users))]
			message++
			data, err := json.Marshal(chat(fmt.Sprintf("m-%d-to-%s", message, to), to))
			if err != nil {
				t.Fatal(err)
			}
			m.queue.Publish(ctx, []dispatch.Outgoing{{Subject: subjects.Message("demo"), ID: fmt.Sprint(message), Data: data}})
			time.Sleep(time.Duration(r.IntN(800)) * time.Millisecond)
		}
		if n%50 == 49 { // what was under way goes to another worker
			stops = append(stops, m.worker())
			stops[0](time.Second)
			stops = stops[1:]
		}
	}
	time.Sleep(10 * time.Minute)
	stops[0](time.Second)
	cancel()
	wg.Wait()
	for _, w := range p.wrong {
		t.Error(w)
	}
	if p.pushed < message/4 {
		t.Errorf("%d pushes for %d messages", p.pushed, message)
	}
	if n := len(known.All(subjects.Own("token."))); n != 2 {
		t.Errorf("%d tokens have an owner, want 2", n)
	}
}
