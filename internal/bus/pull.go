package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Answers to a delivery.
const (
	ack = "+ACK"
	nak = "-NAK"
	// nakLong gives a delivery back for five minutes.
	nakLong = `-NAK {"delay":300000000000}`
)

// pullOverhead is more than what a delivery adds to the largest message in a pull's bytes.
const pullOverhead = 64 << 10

// pullNow takes what a consumer has at this moment, at most n messages of so many bytes together.
// They must be answered on their Reply. None is no error; jetstream.ErrConsumerNotFound is a
// consumer that nobody answers for. It goes on when ctx ends, which takes no time: what the server
// sent and nobody took would come back only after the ack wait.
//
// The library's Fetch takes a number of messages or of bytes, not both.
func (b *Bus) pullNow(ctx context.Context, stream, consumer string, n, bytes int) ([]*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	inbox := b.nc.NewInbox()
	sub, err := b.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("pull: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // it fails with the connection, and ends with it
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, fmt.Errorf("pull: %w", err)
	}
	request := fmt.Appendf(nil, `{"batch":%d,"max_bytes":%d,"no_wait":true}`, n, bytes)
	if err := b.nc.PublishRequest(jetstream.DefaultAPIPrefix+"CONSUMER.MSG.NEXT."+stream+"."+consumer, inbox, request); err != nil {
		return nil, fmt.Errorf("pull: %w", err)
	}
	var msgs []*nats.Msg
	for lacks := n; lacks > 0; {
		m, err := sub.NextMsgWithContext(ctx)
		switch {
		case errors.Is(err, nats.ErrNoResponders):
			return nil, jetstream.ErrConsumerNotFound
		case err != nil && len(msgs) > 0:
			return msgs, nil // whatever else was on its way comes again
		case err != nil:
			return nil, fmt.Errorf("pull: %w", err)
		}
		switch s := statusOf(m); {
		case s.code == 0:
			msgs = append(msgs, m)
			lacks--
		case s.full || s.tooBig || s.code == 408:
			lacks -= s.left // with replicas this may overtake the last messages
		default:
			return msgs, nil // there is nothing
		}
	}
	return msgs, nil
}
