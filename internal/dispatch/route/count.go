package route

import (
	"context"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/directory"
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
	// doubtful are the users whose decisions must be confirmed; none of them is in decisions.
	doubtful map[string]bool
}

// names says whether one of some users of the app gets the message.
func (p *planned) names(users []badge.Ref) bool {
	return slices.ContainsFunc(users, func(u badge.Ref) bool { return u.App == p.m.app && slices.Contains(p.m.message.Recipients, u.User) })
}

// counts says whether the message counts on the icons.
func (r *routing) counts(p *planned) bool {
	return r.Badges != nil && p.m.conf.Policy.Badge == BadgeCounted
}

// count counts messages for their recipients, before anything that follows from them is sent: so
// the numbers are stored whatever becomes of this worker. Counting once more changes nothing.
func (r *routing) count(round []planned) error {
	var changes []badge.Change
	for i := range round {
		p := &round[i]
		if !r.counts(p) {
			continue
		}
		accounts := p.m.conf.Accounts
		changes = countOf(changes, p.m.message, p.m.app, p.m.stored, p.users, p.decisions, func(certificate string) bool { return accounts[certificate].Badge })
	}
	if len(changes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.hard, countTimeout)
	defer cancel()
	return r.Badges.Change(ctx, changes)
}
