package route

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

const (
	// refreshAfter is how long a number must have stood still before icons are refreshed: what
	// moves it mostly comes with a push that carries it.
	refreshAfter = time.Second
	// refreshPatience is how long it may go on moving.
	refreshPatience = 30 * time.Second
	// mostRefreshes is how many users may wait for a look. Those beyond see the right number with
	// their next push.
	mostRefreshes = 50_000
	// refreshesTogether is how many users are looked at together.
	refreshesTogether = 1000
	// sayEvery is how often the same trouble is logged at most.
	sayEvery = time.Minute
)

// Refreshing refreshes the icons of devices of one certificate; *send.Sender implements it.
type Refreshing interface {
	// Refresh returns when the calls are made, as far as they can be made now.
	Refresh(ctx context.Context, devices []dispatch.Refresh)
}

// Numbers are what a Refresher needs to know; *badge.Book implements it.
type Numbers interface {
	Change(ctx context.Context, changes []badge.Change) error
	// Numbers are the users' numbers, in order, no older than the call; -1 where this worker cannot
	// know.
	Numbers(ctx context.Context, users []badge.Ref) ([]int, error)
}

// Refresher refreshes icons that show a number which moved after the push that carries it: because
// another message or a read mark came meanwhile, and a vendor may deliver pushes in any order. It
// does so where the vendor can change the number alone, once the number stands still. One Refresher
// serves a whole worker, for the apps that count.
type Refresher struct {
	Badges  Numbers
	Devices Devices
	Apps    *Apps
	Metrics *dispatch.Metrics
	Log     *slog.Logger
	Now     func() time.Time

	once    sync.Once
	wake    chan struct{} // holds a token where somebody waits
	mu      sync.Mutex
	waiting map[badge.Ref]*moving
	said    time.Time // when it was logged last that too many wait
}

// moving is a user whose icons may show a number that moved.
type moving struct {
	since, due time.Time
	// number was that of the last look; -1 before the first.
	number int
	// all says that every icon is concerned, else those of the devices in shown.
	all bool
	// shown are the numbers that pushes carried last, by device.
	shown map[string]int
}

// next says whether icons of the user are to be refreshed to a number, and whether to look again
// because it did not stand still yet. It is pure.
func (w *moving) next(number int, now time.Time) (refresh, again bool) {
	right := !w.all
	for _, n := range w.shown {
		right = right && n == number
	}
	switch {
	case right:
		return false, false
	case number != w.number && now.Sub(w.since) < refreshPatience:
		return false, true
	}
	return true, false
}

// concerns says whether a device's icon may show another number.
func (w *moving) concerns(device string, number int) bool {
	n, known := w.shown[device]
	return known && n != number || !known && w.all
}

// Pushed says that a push which carries a number is on its way to a device, or may be.
func (f *Refresher) Pushed(app, user, device string, number int) {
	f.note(badge.Ref{App: app, User: user}, func(w *moving) {
		if w.shown == nil {
			w.shown = map[string]int{}
		}
		w.shown[device] = number
	})
}

// Moved says that the number of a user moved without a push.
func (f *Refresher) Moved(app, user string) {
	f.note(badge.Ref{App: app, User: user}, func(w *moving) { w.all = true })
}

func (f *Refresher) start() {
	f.once.Do(func() { f.wake, f.waiting = make(chan struct{}, 1), map[badge.Ref]*moving{} })
}

func (f *Refresher) note(ref badge.Ref, what func(*moving)) {
	f.start()
	now := f.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.waiting[ref]
	if w == nil {
		if len(f.waiting) >= mostRefreshes {
			f.Metrics.RefreshesLost("full", 1)
			if now.Sub(f.said) >= sayEvery {
				f.said = now
				f.Log.Warn("numbers on icons move for more users than are refreshed, the others see the right one with their next push", "users", len(f.waiting))
			}
			return
		}
		w = &moving{since: now, number: -1}
		f.waiting[ref] = w
	}
	what(w)
	if w.due = now.Add(refreshAfter); w.due.Sub(w.since) > refreshPatience {
		w.due = w.since.Add(refreshPatience)
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Run refreshes until ctx ends. What waits then is left: the next push carries the right number.
func (f *Refresher) Run(ctx context.Context) {
	f.start()
	for {
		select {
		case <-f.wake:
		case <-ctx.Done():
			return
		}
		for left := true; left; {
			if !sleep.For(ctx, refreshAfter/2) {
				return
			}
			var round map[badge.Ref]*moving
			if round, left = f.take(); len(round) > 0 {
				if err := f.look(ctx, round); err != nil && ctx.Err() == nil {
					f.Metrics.RefreshesLost("unread", len(round))
					f.Log.Warn("cannot look whether icons show the right number, those that do not will with the next push", "users", len(round), "error", err)
				}
				f.mu.Lock()
				left = len(f.waiting) > 0
				f.mu.Unlock()
			}
		}
	}
}

// take takes some of the users who are due; left says whether anybody waits.
func (f *Refresher) take() (round map[badge.Ref]*moving, left bool) {
	now := f.Now()
	round = map[badge.Ref]*moving{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for ref, w := range f.waiting {
		if len(round) < refreshesTogether && !now.Before(w.due) {
			round[ref] = w
			delete(f.waiting, ref)
		}
	}
	return round, len(f.waiting) > 0
}

// look looks at the numbers of some users and refreshes their icons.
func (f *Refresher) look(ctx context.Context, round map[badge.Ref]*moving) error {
	users := make([]badge.Ref, 0, len(round))
	refs := make([]directory.Ref, 0, len(round))
	for ref := range round {
		users, refs = append(users, ref), append(refs, directory.Ref(ref))
	}
	bounded, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	known, err := f.Devices.Lookup(bounded, refs)
	if err != nil {
		return err
	}
	var said []badge.Change
	for i, u := range known {
		if u != nil {
			if r := reported(u); r != nil {
				said = append(said, badge.Change{Ref: users[i], Report: r})
			}
		}
	}
	if err := f.Badges.Change(bounded, said); err != nil && badge.Newer(err) == nil {
		return err
	}
	numbers, err := f.Badges.Numbers(bounded, users)
	if err != nil {
		return err
	}
	now := f.Now()
	by := map[Refreshing][]dispatch.Refresh{}
	for i, ref := range users {
		if numbers[i] < 0 {
			continue
		}
		w := round[ref]
		switch refresh, again := w.next(numbers[i], now); {
		case again:
			f.again(ref, w, numbers[i], now)
		case refresh && known[i] != nil:
			f.devices(by, ref.App, ref.User, known[i], w, numbers[i], now)
		}
	}
	var all sync.WaitGroup
	for certificate, devices := range by {
		all.Go(func() { certificate.Refresh(ctx, devices) })
	}
	all.Wait()
	return nil
}

// again looks at a user once more later.
func (f *Refresher) again(ref badge.Ref, w *moving, number int, now time.Time) {
	w.number, w.due = number, now.Add(refreshAfter)
	f.mu.Lock()
	defer f.mu.Unlock()
	if young := f.waiting[ref]; young != nil { // pushed to meanwhile
		w.all = w.all || young.all
		if w.shown == nil {
			w.shown = map[string]int{}
		}
		maps.Copy(w.shown, young.shown)
	}
	f.waiting[ref] = w
}

// devices adds the devices of a user whose icons may be refreshed: those that a push would reach,
// whatever the user muted and whatever the hour.
func (f *Refresher) devices(by map[Refreshing][]dispatch.Refresh, app, user string, u *directory.User, w *moving, number int, now time.Time) {
	conf, _ := f.Apps.Of(app)
	for i := range u.Devices {
		d := &u.Devices[i]
		r := &d.Registration
		account := conf.Accounts[r.Certificate]
		if r.Token == "" || !account.Badge || account.Refreshing == nil || !w.concerns(d.ID, number) {
			continue
		}
		switch planDevice(about{ignoreMute: true, call: true}, conf.Policy, u, d, now) {
		case "", hongyan.ActiveElsewhere:
			by[account.Refreshing] = append(by[account.Refreshing], dispatch.Refresh{User: user, Device: d.ID, Token: r.Token, Region: r.Region, Number: number})
		}
	}
}
