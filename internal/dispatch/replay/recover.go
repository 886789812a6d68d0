package replay

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// suspect is a letter that an interrupted run had in hand.
type suspect struct {
	comeback
	marked time.Time
	back   bool
}

// recover finds the letters, among those that the filter means, that an interrupted run brought
// back without deleting them.
func (r *run) recover(ctx context.Context) (map[uint64]bool, error) {
	marks, err := r.Journal.Marks(ctx)
	if err != nil || len(marks) == 0 {
		return nil, err
	}
	suspects, err := r.suspects(ctx, marks)
	if err != nil || len(suspects) == 0 {
		return nil, err
	}
	if err := r.clear(ctx, suspects); err != nil {
		return nil, err
	}
	back := map[uint64]bool{}
	for _, s := range suspects {
		if s.back {
			back[s.letter.Sequence] = true
		}
	}
	return back, nil
}

// suspects are the marked letters that still exist and are meant.
func (r *run) suspects(ctx context.Context, marks []dispatch.Mark) ([]*suspect, error) {
	nobody := func(directory.Ref) *directory.User { return nil }
	opts := comebackOptions{subjects: r.Subjects, filter: &dispatch.LetterFilter{}, created: r.created, includeExpired: true}
	every := (&dispatch.LetterFilter{}).Subject(r.Subjects)
	seen := map[uint64]bool{}
	var suspects []*suspect
	for _, m := range marks {
		var body markBody
		if json.Unmarshal(m.Data, &body) != nil || body.Created != r.created.UnixNano() {
			continue // of letters that went with their stream
		}
		for _, seq := range body.Sequences {
			if seen[seq] || seq > r.last {
				continue
			}
			seen[seq] = true
			letters, err := r.Letters.Letters(ctx, every, seq, time.Time{}, 1)
			if err != nil {
				return nil, err
			}
			if len(letters) == 0 || letters[0].Sequence != seq || !r.opts.Filter.Match(&letters[0]) {
				continue
			}
			job, err := letters[0].Job()
			if err != nil {
				job = nil
			}
			c, err := comeBack(&letters[0], job, nobody, opts, r.Now())
			if err != nil {
				return nil, err
			}
			// judged without a directory: every device may have been pushed to
			if c.kind == noRegistration {
				c.kind, c.out = bringBack, dispatch.Outgoing{Subject: r.Subjects.Job(job.Vendor, job.Certificate, job.Lane), ID: replayID(r.created, seq)}
				for _, t := range job.Targets {
					c.addresses = append(c.addresses, address{job.App, job.Notification.MessageID, t.User, t.Device})
				}
			}
			if c.kind == bringBack {
				suspects = append(suspects, &suspect{comeback: c, marked: m.Stored})
			}
		}
	}
	return suspects, nil
}

// partition is where the records of an app's users of one partition are.
type partition struct {
	app string
	n   int
}

// clear looks for what each suspect would have led to: the message that it was published as, or for
// one of its devices another try or a record. It reads the records of the devices' partitions only,
// since the oldest mark of a letter that has one there.
func (r *run) clear(ctx context.Context, suspects []*suspect) error {
	byID := map[string]*suspect{}
	byAddress := map[address][]*suspect{}
	subjects := map[string]time.Time{} // and the oldest mark
	partitions := map[partition]time.Time{}
	for _, s := range suspects {
		byID[s.out.ID] = s
		older(subjects, s.out.Subject, s.marked)
		for _, a := range s.addresses {
			byAddress[a] = append(byAddress[a], s)
			older(partitions, partition{a.app, hongyan.Partition(a.user)}, s.marked)
		}
	}
	found := func(a address, stored time.Time) {
		for _, s := range byAddress[a] {
			s.back = s.back || stored.After(s.marked)
		}
	}
	// A letter's own record is stored beside it, perhaps a moment later: it must not pass for that
	// of its replay.
	const moment = 2 * time.Second
	for subject, since := range subjects {
		where, err := r.Subjects.Parse(subject)
		if err != nil {
			return err
		}
		err = r.Trail.Waiting(ctx, where, since, func(w dispatch.Waiting) bool {
			if s := byID[w.ID]; s != nil {
				s.back = true
				return true
			}
			job, err := dispatch.DecodeJob(w.Data)
			if err != nil {
				return true
			}
			for _, t := range job.Targets {
				found(address{job.App, job.Notification.MessageID, t.User, t.Device}, w.Stored)
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	for at, since := range partitions {
		err := r.Trail.Records(ctx, at.app, at.n, since, func(rec dispatch.Record) bool {
			stored := rec.Stored
			switch {
			case rec.Status == hongyan.StatusAccepted:
			case rec.Status.End(), rec.Status == hongyan.StatusWaiting:
				stored = stored.Add(-moment)
			default:
				return true
			}
			for i := range rec.Devices {
				found(address{rec.App, rec.MessageID, rec.Devices[i].User, rec.Devices[i].Device}, stored)
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// older keeps the older time for a key.
func older[K comparable](m map[K]time.Time, key K, t time.Time) {
	if old, ok := m[key]; !ok || t.Before(old) {
		m[key] = t
	}
}
