package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan/internal/directory"
)

// What a batch read may end with, beside an answer.
var (
	// errTooMany is a read whose filters cover more records than one answer may hold: 1,024, or
	// the server's bytes. Fewer filters have an answer.
	errTooMany = errors.New("more records than one answer holds")
	// errTorn is an answer of which a part is missing.
	errTorn = errors.New("a part of the answer is missing")
)

// answerBytes bounds an answer. With readsAtOnce it keeps what waits in this process below the
// bytes at which the client library drops messages of a subscription, 64 MiB.
const answerBytes = 4 << 20

// multiGet reads last values of a stream, many filters with one request (the batch form of
// JetStream's direct get, ADR-31). Unlike the library's, it says how new an answer is, and takes
// nothing for an answer that is not whole. All requests share one subscription.
type multiGet struct {
	nc *nats.Conn
	// subject takes the requests.
	subject string
	// probe is a record that each request asks for as well: without a record at all the server does
	// not say how new its answer is.
	probe string

	mu      sync.Mutex
	inbox   string // with the dot at its end; empty before the first request
	next    uint64
	waiting map[string]*answer // by the last token of the inbox
}

// answer is what has come of an answer so far.
type answer struct {
	values []directory.Value
	upTo   uint64
	err    error
	done   chan struct{}

	last uint64 // the sequence of the newest record
}

// subscribe makes the shared subscription. The caller locks.
func (g *multiGet) subscribe() error {
	if g.inbox != "" {
		return nil
	}
	inbox := g.nc.NewInbox() + "."
	if _, err := g.nc.Subscribe(inbox+"*", g.hear); err != nil {
		return err
	}
	g.inbox, g.waiting = inbox, map[string]*answer{}
	return nil
}

func (g *multiGet) ask(filters []string) (token string, a *answer, err error) {
	body, err := json.Marshal(struct {
		MultiLast []string `json:"multi_last"`
		MaxBytes  int      `json:"max_bytes"`
	}{append(filters[:len(filters):len(filters)], g.probe), answerBytes})
	if err != nil {
		return "", nil, err
	}
	g.mu.Lock()
	if err := g.subscribe(); err != nil {
		g.mu.Unlock()
		return "", nil, err
	}
	g.next++
	token = strconv.FormatUint(g.next, 36)
	a = &answer{done: make(chan struct{})}
	g.waiting[token] = a
	g.mu.Unlock()
	if err := g.nc.PublishRequest(g.subject, g.inbox+token, body); err != nil {
		g.leave(token)
		return "", nil, err
	}
	return token, a, nil
}

// leave waits no longer for an answer.
func (g *multiGet) leave(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.waiting, token)
}

// read asks once. upTo is the last sequence of the stream that the answer takes into account; zero
// where the server does not say, because there is no record at all.
func (g *multiGet) read(ctx context.Context, filters []string) (values []directory.Value, upTo uint64, err error) {
	token, a, err := g.ask(filters)
	if err != nil {
		return nil, 0, err
	}
	select {
	case <-a.done:
		return a.values, a.upTo, a.err
	case <-ctx.Done():
		g.leave(token)
		return nil, 0, context.Cause(ctx)
	}
}

func (g *multiGet) hear(m *nats.Msg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	token := m.Subject[len(g.inbox):]
	a := g.waiting[token]
	if a == nil {
		return // nobody waits any more
	}
	if a.take(m, g.probe) {
		delete(g.waiting, token)
		close(a.done)
	}
}

// take adds a part. It returns true when the answer is over.
func (a *answer) take(m *nats.Msg, probe string) (over bool) {
	subject := lastHeader(m.Header, jetstream.SubjectHeader)
	if subject == "" {
		a.err = a.end(m)
		if a.err != nil {
			a.values = nil
		}
		return true
	}
	v, before, err := readValue(m, subject)
	switch {
	case err != nil:
		a.err = fmt.Errorf("%w: %w", errTorn, err)
	case before != a.last:
		a.err = errTorn
	}
	if a.err != nil {
		a.values = nil
		return true
	}
	a.last = v.Revision
	if subject != probe {
		a.values = append(a.values, v)
	}
	return false
}

// end reads a message that is no record.
func (a *answer) end(m *nats.Msg) error {
	status, description := m.Header.Get("Status"), m.Header.Get("Description")
	switch status {
	case "204":
		pending := m.Header.Get("Nats-Num-Pending")
		last, err := strconv.ParseUint(m.Header.Get(jetstream.LastSequenceHeader), 10, 64)
		upTo, err2 := strconv.ParseUint(m.Header.Get("Nats-UpTo-Sequence"), 10, 64)
		switch {
		case errors.Join(err, err2) != nil:
			return fmt.Errorf("the end of an answer cannot be read: %w", errors.Join(err, err2))
		case pending != "0": // cut at the server's limit of bytes
			return errTooMany
		case last != a.last:
			return errTorn
		}
		a.upTo = upTo
		return nil
	case "404":
		if a.last == 0 && description == "No Results" {
			return nil
		}
		// A record that is known could not be loaded. Nobody knows which.
		return errTorn
	case "413":
		return errTooMany
	case "503":
		return nats.ErrNoResponders
	}
	return fmt.Errorf("the server answers %s %s", status, description)
}

// lastHeader is a header's last value: what the server adds stands behind what a publisher wrote
// under the same name.
func lastHeader(h nats.Header, key string) string {
	if all := h[key]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

func readValue(m *nats.Msg, subject string) (v directory.Value, before uint64, err error) {
	v = directory.Value{Subject: subject, Data: m.Data}
	v.Revision, err = strconv.ParseUint(lastHeader(m.Header, jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return v, 0, fmt.Errorf("a record's sequence: %w", err)
	}
	if before, err = strconv.ParseUint(lastHeader(m.Header, jetstream.LastSequenceHeader), 10, 64); err != nil {
		return v, 0, fmt.Errorf("the sequence before a record's: %w", err)
	}
	if v.Time, err = time.Parse(time.RFC3339Nano, lastHeader(m.Header, jetstream.TimeStampHeaer)); err != nil {
		return v, 0, fmt.Errorf("a record's time: %w", err)
	}
	if ttl := lifetime(m.Header.Get(jetstream.MsgTTLHeader)); ttl > 0 {
		v.Expires = v.Time.Add(ttl)
	}
	return v, before, nil
}

// lifetime reads a Nats-TTL as the server does: a duration or seconds; 0 for none.
func lifetime(ttl string) time.Duration {
	if ttl == "" || strings.EqualFold(ttl, "never") {
		return 0
	}
	if d, err := time.ParseDuration(ttl); err == nil {
		return d.Truncate(time.Second)
	}
	seconds, err := strconv.ParseInt(ttl, 10, 64)
	if err != nil || seconds < 0 || seconds > int64((1<<63-1)/time.Second) {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
