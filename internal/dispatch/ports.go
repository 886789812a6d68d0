package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/hongyan-im/hongyan"
)

// Delivery is a message on loan from a queue. It must be settled exactly once, by Ack, Nak or
// Forget; a delivery that is not settled comes again.
type Delivery interface {
	// Data must not be changed.
	Data() []byte
	Subject() string
	// Header returns a header's value, empty if it is absent.
	Header(key string) string
	// Meta is the message's place in its stream, when it was stored there, and how often it was
	// delivered, as far as is known: at least 2 where it may have been delivered before, without
	// anybody knowing (the queue's count of deliveries is lost now and then). So a receiver that
	// looks before it pushes at 2 and above pushes nothing twice.
	Meta() (sequence uint64, stored time.Time, deliveries int)
	// Ack ends the loan: the message is done.
	Ack() error
	// Nak gives the message back, to come again after the delay.
	Nak(delay time.Duration) error
	// Forget ends the loan without a word to the queue: another delivery of the message takes this
	// one's place, or the message is to come again when its claim ends.
	Forget()
	// Keep makes the delivery count no longer among those that Hold bounds. Its claim is still
	// renewed, and its bytes still count among those that a worker may have in hand.
	Keep()
}

// Together takes what else has been delivered by now to work on with a first delivery, without
// waiting for more: at most so many in all.
func Together(first Delivery, out <-chan Delivery, most int) []Delivery {
	all := []Delivery{first}
	for len(all) < most {
		select {
		case d, ok := <-out:
			if !ok {
				return all
			}
			all = append(all, d)
		default:
			return all
		}
	}
	return all
}

// Source hands out deliveries.
type Source interface {
	// Want must be called before Run, or not at all: more says how many further deliveries are of
	// use now, and is asked before each pull.
	Want(more func() int)
	// Run sends deliveries to out until ctx ends, or until nothing came for a while where the
	// source was opened on demand. It never has more than Hold that are neither settled nor kept,
	// save for a moment after a connection was lost.
	Run(ctx context.Context, out chan<- Delivery)
	// Renew keeps the claims on what is held, kept deliveries too, alive until ctx ends.
	Renew(ctx context.Context)
	// Hold is the most deliveries that are neither settled nor kept.
	Hold() int
	// Waiting is how many messages are stored for the receivers and were handed out to none of them
	// yet, and when that was found out.
	Waiting() (n int, asOf time.Time)
}

// Outgoing is a message to publish.
type Outgoing struct {
	Subject string
	// ID makes a second message with it within two minutes a repeat that is not stored. Empty for
	// none.
	ID     string
	Data   []byte
	Header map[string]string
	// Life is how long the message is kept, in whole seconds; 0 for as long as the stream keeps it.
	Life time.Duration
}

// Queue stores messages.
type Queue interface {
	// Publish stores all messages and waits until each is. errs is nil when all are, else it holds
	// each message's error or nil.
	Publish(ctx context.Context, msgs []Outgoing) (errs []error)
	// Later turns a job into one that is stored now and appears among the jobs at due.
	Later(job Outgoing, due time.Time) Outgoing
}

// ErrFull is what Publish answers, wrapped, for a stream at its limits: nothing was stored, nothing
// old was dropped.
var ErrFull = errors.New("the stream is full")

// ErrPermanent is what Publish answers, wrapped, for a message that the server will never take as
// it is: too large, or not allowed on its subject.
var ErrPermanent = errors.New("it can never be stored as it is")

// ErrAway is what Publish answers, wrapped, while the server cannot be reached.
var ErrAway = errors.New("the server cannot be reached")

// Record is a stored record of what became of a message on some devices.
type Record struct {
	hongyan.Outcome
	// Job of a waiting record is [Job.WaitName] of the stored job that the devices wait in.
	Job    string
	Stored time.Time
}

// Records is a stored message of records, one a line, which share app, status and partition.
type Records struct {
	Data []byte
	// Shown is the value of HeaderShown.
	Shown  string
	Stored time.Time
}
