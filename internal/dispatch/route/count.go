package route

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
)

// Badges keep the numbers on the icons of users, for apps that count; *badge.Book implements it.
type Badges interface {
	// Change makes changes and returns when they are stored. A *badge.NewerError says for whom they
	// could not be made, while the others are.
	Change(ctx context.Context, changes []badge.Change) error
	// Read takes a read mark into account and returns at once; done is called when that is stored.
	Read(app, user, conversation string, at time.Time, unread *int, done func(error))
}

// countTimeout bounds the counting of a round.
const countTimeout = 20 * time.Second

// planned is a message with the decisions on its recipients' devices.
type planned struct {
	m         *routed
	users     []*directory.User // at the place of each recipient
	decisions []Decision
	// recalled says that the message was; done is on how many devices something became of it
	// before.
	recalled bool
	done     int
	// doubtful are the users whose decisions must be confirmed; none of them is in decisions.
	doubtful map[string]bool
}

// names says whether one of some users of the app gets the message.
func (p *planned) names(users []badge.Ref) bool {
	return slices.ContainsFunc(users, func(u badge.Ref) bool { return u.App == p.m.app && slices.Contains(p.m.message.Recipients, u.User) })
}

// counts says whether the message counts on the icons. Calls do not, and wait for nobody's numbers.
func (r *routing) counts(p *planned) bool {
	return r.Badges != nil && p.m.conf.Policy.Badge == BadgeCounted && p.m.message.Content.Call == nil
}

// counting are planned messages that wait to be counted. Those of several rounds are counted
// together while the store of the numbers is slow, and the rounds go on meanwhile.
type counting struct {
	mu      sync.Mutex
	waiting []planned
	busy    int
}

// countLater counts messages, and carries out what was planned once that is done. It does not wait.
func (r *routing) countLater(round []planned) {
	if len(round) == 0 {
		return
	}
	c := &r.counting
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, round...)
	if c.busy < routeRounds {
		c.busy++
		r.confirming.Go(r.countAll)
	}
}

// countAll counts what waits, until nothing does.
func (r *routing) countAll() {
	for {
		round := r.counting.take()
		if len(round) == 0 {
			return
		}
		err := r.count(round)
		if err != nil && r.hard.Err() == nil {
			r.Log.Warn("cannot count messages on icons, trying again", "messages", len(round), "error", err)
		}
		newer := badge.Newer(err)
		var counted []planned
		for i := range round {
			p := &round[i]
			switch {
			case err == nil:
			case newer == nil:
				p.m.duty.GiveBack(backoffDelay())
				continue
			case p.names(newer.Users): // for a worker that can count for all of them
				p.m.duty.GiveBack(store.RollOut(p.m.duty.Claim.Takes()))
				continue
			}
			counted = append(counted, *p)
		}
		r.carryOutAll(counted)
	}
}

// take returns the messages that are counted next, to about as many users as a round has; none
// where nothing waits.
func (c *counting) take() (round []planned) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for users := 0; n < len(c.waiting) && (n == 0 || users+len(c.waiting[n].users) <= routeUsers); n++ {
		users += len(c.waiting[n].users)
	}
	if n == 0 {
		c.busy--
	}
	round, c.waiting = c.waiting[:n:n], c.waiting[n:]
	return round
}

// count counts messages for their recipients, before anything that follows from them is sent: so
// the numbers are stored whatever becomes of this worker. Counting once more changes nothing. A
// message that is recalled by now, and may have been counted before, is taken away again.
func (r *routing) count(round []planned) error {
	var changes []badge.Change
	for i := range round {
		p := &round[i]
		accounts := p.m.conf.Accounts
		changes = countOf(changes, p.m.message, p.m.app, p.m.stored, p.users, p.decisions, func(certificate string) bool { return accounts[certificate].Badge })
		if p.recalled && p.m.duty.Claim.Takes() > 1 {
			changes = forgetting(changes, p.m)
		}
	}
	ctx, cancel := context.WithTimeout(r.hard, countTimeout)
	defer cancel()
	if len(changes) > 0 {
		if err := r.Badges.Change(ctx, changes); err != nil {
			return err
		}
	}
	changes = nil
	for i := range round { // what looks for the messages of a recall may have been here before
		if p := &round[i]; !p.recalled && r.Marks != nil && r.Marks.Recalled(p.m.app, p.m.message.ID) {
			changes = forgetting(changes, p.m)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return r.Badges.Change(ctx, changes)
}

// forgetting adds the changes that take a message away from what is counted for its recipients.
func forgetting(changes []badge.Change, m *routed) []badge.Change {
	for _, u := range m.message.Recipients {
		changes = append(changes, badge.Change{Ref: badge.Ref{App: m.app, User: u}, Forget: m.message.ID})
	}
	return changes
}
