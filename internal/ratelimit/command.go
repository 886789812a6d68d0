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

// Action is what an operator's command does.
type Action string

// The actions.
const (
	// SetQuota replaces the configured quota by Command.Quota.
	SetQuota Action = "set_quota"
	// ResetQuota makes the whole quota of today available again. It is for a count that is wrong.
	// The counter itself is not changed, so that the leases of the workers stay correct.
	ResetQuota Action = "reset_quota"
	// DropOverride undoes SetQuota and ResetQuota.
	DropOverride Action = "drop_override"
	// ResumeQuota lets a class go on that was stopped because the vendor reported its quota as
	// spent.
	ResumeQuota Action = "resume_quota"
	// ResumeRate ends the slowdown after the vendor's "too fast", and the pause of a Retry-After.
	// It is for the whole certificate.
	ResumeRate Action = "resume_rate"
)

// Command is an operator's command to all workers.
type Command struct {
	Action      Action
	Certificate string
	// Class is not used by ResumeRate.
	Class string
	// Quota is the new quota of SetQuota.
	Quota vendors.Quota
	// Until is when SetQuota ends. Default: the end of the vendor's day. ResetQuota always ends
	// then.
	Until time.Time
	// Reason is required. By is who gives the command. Both are stored and logged.
	Reason, By string
	Now        time.Time
}

// commandEntry is the entry by which the workers learn who gave which command and why, for their
// logs. Other entries carry out the command.
type commandEntry struct {
	Action Action        `json:"action"`
	Quota  vendors.Quota `json:"quota,omitempty"`
	Reason string        `json:"reason"`
	By     string        `json:"by,omitempty"`
	At     time.Time     `json:"at"`
}

// commandTTL is how long a worker may be without the store and still log a command.
const commandTTL = time.Minute

// Apply carries out an operator's command. All workers follow within two heartbeats. Run is not
// needed for it.
func (l *Limiter) Apply(ctx context.Context, c Command) error {
	if c.Reason == "" {
		return errors.New("a command needs a reason")
	}
	cert := (*l.certs.Load())[c.Certificate]
	if cert == nil {
		return fmt.Errorf("no certificate %q", c.Certificate)
	}
	if !slices.Contains([]Action{SetQuota, ResetQuota, DropOverride, ResumeQuota, ResumeRate}, c.Action) {
		return fmt.Errorf("no action %q", c.Action)
	}
	logKey := joinKey(commandKey, c.Certificate)
	if c.Action != ResumeRate {
		if !validToken(c.Class) {
			return fmt.Errorf("no class %q", c.Class)
		}
		logKey = joinKey(commandKey, c.Certificate, c.Class)
	}
	ctx, cancel := context.WithTimeout(ctx, l.opts.StoreTimeout)
	defer cancel()
	ovKey := joinKey(overrideKey, c.Certificate, c.Class)
	entry, err := json.Marshal(commandEntry{Action: c.Action, Quota: c.Quota, Reason: c.Reason, By: c.By, At: c.Now})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Action, err)
	}
	// This comes first: a command that cannot be logged is not carried out.
	if err := l.store.Put(ctx, logKey, entry, commandTTL); err != nil {
		return fmt.Errorf("%s: %w", c.Action, err)
	}
	switch c.Action {
	case ResumeQuota:
		err = l.store.Remove(ctx, joinKey(exhaustedKey, c.Certificate, c.Class))
	case ResumeRate:
		err = l.store.Remove(ctx, joinKey(slowdownKey, c.Certificate))
	case DropOverride:
		err = l.store.Remove(ctx, ovKey)
	case SetQuota, ResetQuota:
		err = l.putOverride(ctx, cert, ovKey, c)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.Action, err)
	}
	return nil
}

// logCommand logs a command whose entry is new in the KV. Called with l.mu held.
func (l *Limiter) logCommand(entryKey, value string) {
	var c commandEntry
	rest, ok := strings.CutPrefix(entryKey, commandKey+".")
	if !ok || json.Unmarshal([]byte(value), &c) != nil {
		return
	}
	id, class, _ := strings.Cut(rest, ".")
	if (*l.certs.Load())[id] == nil {
		return
	}
	l.log.Info("operator changes a limit", "action", string(c.Action), "certificate", id, "class", class, "quota", int64(c.Quota), "reason", c.Reason, "by", c.By)
}

// putOverride writes the entry of SetQuota or ResetQuota, and keeps what the other one wrote
// before.
func (l *Limiter) putOverride(ctx context.Context, cert *certificate, entryKey string, c Command) error {
	entries, err := l.store.List(ctx, State)
	if err != nil {
		return err
	}
	var ov overrideEntry
	if value, ok := entries[entryKey]; ok && json.Unmarshal(value, &ov) != nil {
		ov = overrideEntry{}
	}
	today := dayRangeOf(c.Now, cert.zone)
	if ov.Day != today.name {
		ov.Day, ov.Forgiven = "", [2]int64{}
	}
	end := cert.arrival.closesAt(today)
	if c.Action == SetQuota {
		quota := int64(c.Quota)
		ov.Quota = &quota
		if !c.Until.IsZero() {
			end = c.Until
		}
		if !end.After(c.Now) {
			return errors.New("until is past")
		}
	} else {
		keys := make([]string, len(poolNames))
		for i, pool := range poolNames {
			keys[i] = joinKey(quotaKey, c.Certificate, c.Class, pool, today.name)
		}
		values, err := l.store.Load(ctx, keys...)
		if err != nil {
			return err
		}
		ov.Day, ov.Forgiven = today.name, [2]int64(values)
		end = latest(end, ov.Until)
	}
	ov.Until, ov.Reason, ov.By, ov.At = end, c.Reason, c.By, c.Now
	value, err := json.Marshal(ov)
	if err != nil {
		return err
	}
	return l.store.Put(ctx, entryKey, value, max(time.Second, end.Sub(c.Now)))
}
