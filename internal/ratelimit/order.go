package ratelimit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Action is what an operator can do.
type Action string

// The actions.
const (
	// SetQuota puts Order.Quota in the place of the configured quota.
	SetQuota Action = "set_quota"
	// ResetQuota forgives what was counted today: the whole quota is there again. It is for a count
	// that is wrong; the counter itself is not touched, so leases that are out stay right.
	ResetQuota Action = "reset_quota"
	// DropOverride takes SetQuota and ResetQuota back.
	DropOverride Action = "drop_override"
	// Unlatch forgets that the vendor called the quota spent.
	Unlatch Action = "unlatch"
	// Unslow forgets that the vendor said "too fast", and its Retry-After. It is for the whole
	// certificate.
	Unslow Action = "unslow"
)

// Order is what an operator wants, for all workers.
type Order struct {
	Action      Action
	Certificate string
	// Class is not used by Unslow.
	Class string
	// Quota is SetQuota's.
	Quota vendors.Quota
	// Until is when an override ends. Default: the end of the vendor's day. A ResetQuota is for
	// this day in any case.
	Until time.Time
	// Reason is required, By is who gives it; both are kept and logged.
	Reason, By string
	Now        time.Time
}

// given is the value of an order's note: it tells the workers who wanted what and why, for their
// logs. What the order does stands in other notes.
type given struct {
	Action Action        `json:"action"`
	Quota  vendors.Quota `json:"quota,omitempty"`
	Reason string        `json:"reason"`
	By     string        `json:"by,omitempty"`
	At     time.Time     `json:"at"`
}

// orderTTL is how long a worker may be away from the board and still log an order.
const orderTTL = time.Minute

// Do carries out an operator's order; all workers follow within two beats. It needs no Run.
func (l *Limiter) Do(ctx context.Context, o Order) error {
	if o.Reason == "" {
		return errors.New("an order needs a reason")
	}
	cert := l.certs[o.Certificate]
	if cert == nil {
		return fmt.Errorf("no certificate %q", o.Certificate)
	}
	if !slices.Contains([]Action{SetQuota, ResetQuota, DropOverride, Unlatch, Unslow}, o.Action) {
		return fmt.Errorf("no action %q", o.Action)
	}
	orderKey := key(orderNote, o.Certificate)
	if o.Action != Unslow {
		if !token(o.Class) {
			return fmt.Errorf("no class %q", o.Class)
		}
		orderKey = key(orderNote, o.Certificate, o.Class)
	}
	ctx, cancel := context.WithTimeout(ctx, l.opts.StoreTimeout)
	defer cancel()
	overrideKey := key(overrideNote, o.Certificate, o.Class)
	order, err := json.Marshal(given{Action: o.Action, Quota: o.Quota, Reason: o.Reason, By: o.By, At: o.Now})
	if err != nil {
		return fmt.Errorf("%s: %w", o.Action, err)
	}
	// First: what cannot be logged is not done.
	if err := l.store.Put(ctx, orderKey, order, orderTTL); err != nil {
		return fmt.Errorf("%s: %w", o.Action, err)
	}
	switch o.Action {
	case Unlatch:
		err = l.store.Remove(ctx, key(spentNote, o.Certificate, o.Class))
	case Unslow:
		err = l.store.Remove(ctx, key(slowNote, o.Certificate))
	case DropOverride:
		err = l.store.Remove(ctx, overrideKey)
	case SetQuota, ResetQuota:
		err = l.override(ctx, cert, overrideKey, o)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.Action, err)
	}
	return nil
}

// heard logs an order that came up on the board. Called with l.mu held.
func (l *Limiter) heard(noteKey, value string) {
	var o given
	rest, ok := strings.CutPrefix(noteKey, orderNote+".")
	if !ok || json.Unmarshal([]byte(value), &o) != nil {
		return
	}
	id, class, _ := strings.Cut(rest, ".")
	if l.certs[id] == nil {
		return
	}
	l.log.Info("operator changes a limit", "action", string(o.Action), "certificate", id, "class", class, "quota", int64(o.Quota), "reason", o.Reason, "by", o.By)
}

// override writes the note of SetQuota or ResetQuota, and keeps what the other one wrote before.
func (l *Limiter) override(ctx context.Context, cert *certificate, noteKey string, o Order) error {
	notes, err := l.store.List(ctx)
	if err != nil {
		return err
	}
	var ov override
	for _, n := range notes {
		if n.Key == noteKey && json.Unmarshal(n.Value, &ov) != nil {
			ov = override{}
		}
	}
	today := spanOf(o.Now, cert.zone)
	if ov.Day != today.name {
		ov.Day, ov.Forgiven = "", [2]int64{}
	}
	end := cert.band.over(today)
	if o.Action == SetQuota {
		quota := int64(o.Quota)
		ov.Quota = &quota
		if !o.Until.IsZero() {
			end = o.Until
		}
		if !end.After(o.Now) {
			return errors.New("until is past")
		}
	} else {
		keys := make([]string, len(poolNames))
		for i, pool := range poolNames {
			keys[i] = key(quotaCounter, o.Certificate, o.Class, pool, today.name)
		}
		values, err := l.store.Load(ctx, keys...)
		if err != nil {
			return err
		}
		ov.Day, ov.Forgiven = today.name, [2]int64(values)
		end = latest(end, ov.Until)
	}
	ov.Until, ov.Reason, ov.By, ov.At = end, o.Reason, o.By, o.Now
	value, err := json.Marshal(ov)
	if err != nil {
		return err
	}
	return l.store.Put(ctx, noteKey, value, max(time.Second, end.Sub(o.Now)))
}
