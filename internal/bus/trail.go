package bus

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// Waiting calls each with what is stored on a subject and not consumed yet, since a time, until it
// returns false: of message events and signals, or of jobs, which are looked for among those that
// come later too. The subject may hold wildcards behind the vendor. A stream that does not exist
// holds nothing. It takes nothing away from the consumers. It implements dispatch.Trail.
func (b *Bus) Waiting(ctx context.Context, subject string, since time.Time, each func(dispatch.Waiting) (more bool)) error {
	more := true
	visit := func(m *jetstream.RawStreamMsg) bool {
		more = each(dispatch.Waiting{ID: m.Header.Get(jetstream.MsgIDHeader), Data: m.Data, Stored: m.Time})
		return more
	}
	stream := b.topology.Messages()
	jobs := b.topology.prefix() + ".job."
	if rest, isJob := strings.CutPrefix(subject, jobs); isJob {
		vendor, _, _ := strings.Cut(rest, ".")
		stream = b.topology.Jobs(vendor)
		later := b.topology.prefix() + ".later."
		for _, s := range []string{later + "at." + rest + ".*", later + "due." + rest} {
			// Those that come later first: they move into the job stream, never out of it unseen
			// but after another try.
			if err := b.scan(ctx, b.topology.Later(), s, place{since: since}, visit); err != nil && !errors.Is(err, ErrNoStream) || !more {
				return err
			}
		}
	}
	if err := b.scan(ctx, stream, subject, place{since: since}, visit); err != nil && !errors.Is(err, ErrNoStream) {
		return err
	}
	return nil
}

// Outcomes calls each with the outcomes of an app since a time, oldest first, until it returns
// false. With a user it reads only the user's bucket and gives only the user's. Records that cannot
// be read are left out. It implements dispatch.Trail.
func (b *Bus) Outcomes(ctx context.Context, app, user string, since time.Time, each func(o hongyan.Outcome, stored time.Time) (more bool)) error {
	subject := b.topology.prefix() + ".outcome." + app + ".*.*"
	if user != "" {
		subject = strings.TrimSuffix(subject, "*") + strconv.Itoa(hongyan.Bucket(user))
	}
	return b.scan(ctx, b.topology.Outcomes(), subject, place{since: since}, func(m *jetstream.RawStreamMsg) bool {
		var o hongyan.Outcome
		if err := json.Unmarshal(m.Data, &o); err != nil || user != "" && o.User != user {
			return true
		}
		return each(o, m.Time)
	})
}
