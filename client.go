package hongyan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"go.opentelemetry.io/otel/propagation"

	"github.com/hongyan-im/hongyan/internal/natsaddr"
)

// Errors of a [Client], for errors.Is, beside [ErrInvalid] and those of nats.go.
var (
	// ErrNoStream means that nothing stores the subject: no worker has run yet, or it runs with
	// other prefixes.
	ErrNoStream = errors.New("no stream takes the subject: has a worker run, with the same prefixes?")
	// ErrFull means that the stream is at its limits and took nothing. The workers are behind;
	// publish it again later.
	ErrFull = errors.New("the stream is full")
)

// patience is how long a call whose context has no deadline goes on trying. An election in a
// cluster takes up to ten seconds.
const patience = 30 * time.Second

// tryTimeout bounds one try, so that one that a dying server swallowed is made again.
const tryTimeout = 4 * time.Second

// Options of a Client. The zero value fits a default installation.
type Options struct {
	// Prefix of the installation's subjects; default "push". It is the worker's
	// nats.subject_prefix.
	Prefix string
	// Credentials of the connection that [Connect] makes; [New] takes a connection that has its
	// own.
	Credentials Credentials
}

// Client publishes what an IM backend has to say. It may be used by many goroutines at once, and
// should be: a call waits for the server's word, so throughput comes from calls side by side.
//
// Every method returns nil only when the server has stored what was said. Until then it tries
// again, for as long as its context lives and for half a minute where that has no deadline; so it
// outlasts a lost connection and the election of a new leader. A method that fails leaves it open
// whether the last try was stored, unless the error is [ErrInvalid], [ErrNoStream] or [ErrFull]:
// then it was not. A right that the NATS user lacks is told at once, as a [PermissionError].
type Client struct {
	js          jetstream.JetStream
	permissions *permissions
	subjects    Subjects
	own         *nats.Conn // closed by Close; nil for a caller's connection
}

// New returns a client on a connection of the caller's, who closes it. One client for a connection
// is enough. It hears of missing rights by the connection's error handler: New puts its own before
// the caller's, which is called as ever. A caller that sets a handler later, by SetErrorHandler,
// must call the one that was there before (ErrorHandler), or a missing right looks like a server
// that does not answer.
func New(nc *nats.Conn, opts Options) (*Client, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	return &Client{js: js, permissions: watchPermissions(nc), subjects: Subjects{Prefix: opts.Prefix}}, nil
}

// Connect connects to one or several comma-separated addresses, as opts.Credentials say, and
// returns a client that Close disconnects. A connection that is lost later is regained for ever,
// also from a server that refuses the credentials for a time. More options are nats.go's. No error
// repeats a secret that stands in an address.
func Connect(addresses string, opts Options, more ...nats.Option) (*Client, error) {
	if addresses == "" {
		addresses = natsaddr.Default
	}
	fail := func(err error) error { return fmt.Errorf("connect to NATS at %s: %w", natsaddr.Redact(addresses), err) }
	if err := natsaddr.Check(addresses); err != nil {
		return nil, fail(err)
	}
	options := []nats.Option{
		nats.Name("hongyan client"), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, time.Second), nats.PingInterval(10 * time.Second), nats.IgnoreAuthErrorAbort(),
		// What is published while the connection is gone fails at once, and publish tries again:
		// nothing is sent twice from a buffer.
		nats.ReconnectBufSize(-1),
		// What fails is told by the call that fails; nats.go would write to standard error besides.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}
	credentials, err := opts.Credentials.options(addresses)
	if err != nil {
		return nil, fail(err)
	}
	nc, err := nats.Connect(addresses, slices.Concat(options, credentials, more)...)
	if err != nil {
		return nil, fail(err)
	}
	c, err := New(nc, opts)
	if err != nil {
		nc.Close()
		return nil, err
	}
	c.own = nc
	return c, nil
}

// Close disconnects a client that [Connect] made. Calls under way fail.
func (c *Client) Close() {
	if c.own != nil {
		c.own.Close()
	}
}

// Receipt is the server's word that it stored a message.
type Receipt struct {
	// Sequence is the message's place in its stream.
	Sequence uint64
	// Duplicate says that a message with this id was there before this call, within the last two
	// minutes; it was not stored again.
	Duplicate bool
}

// Send announces a message. Call events go on the subject of urgent messages, so that they do not
// queue behind chat. The Nats-Msg-Id is "<app>/<id>": within two minutes a second Send with the
// same id stores nothing, so a backend that does not know whether a Send came through repeats it.
// The span in ctx, if there is one, becomes the parent of the pushes, by the W3C traceparent
// header.
func (c *Client) Send(ctx context.Context, app string, m *Message) (Receipt, error) {
	if err := errors.Join(validApp(app), m.Validate()); err != nil {
		return Receipt{}, err
	}
	subject := c.subjects.Message(app)
	if m.Content.Type == ContentCall {
		subject = c.subjects.Urgent(app)
	}
	return c.publishJSON(ctx, subject, app+"/"+m.ID, m, MaxMessage, 0)
}

// Signal publishes a recall or a read mark: see [Signal].
func (c *Client) Signal(ctx context.Context, app string, s Signal) error {
	if err := errors.Join(validApp(app), s.Validate()); err != nil {
		return err
	}
	_, err := c.publishJSON(ctx, c.subjects.Signal(app), nuid.Next(), s, MaxRecord, 0)
	return err
}

func validApp(app string) error {
	var j judgement
	j.word("app", app)
	return j.err("name")
}

// ValidateNames says what is wrong with the names of an app, a user and a device under which a
// record is to be stored. The error is [ErrInvalid].
func ValidateNames(app, user, device string) error { return owner(app, user, device) }

// SetDevice registers a device, or changes its registration. The last call wins.
func (c *Client) SetDevice(ctx context.Context, app, user, device string, d Device) error {
	if err := errors.Join(owner(app, user, device), d.Validate()); err != nil {
		return err
	}
	// The id keeps a try whose answer was lost from undoing what another process wrote meanwhile.
	_, err := c.publishJSON(ctx, c.subjects.Device(app, user, device), nuid.Next(), d, MaxRecord, 0)
	return err
}

// RemoveDevice removes a device's registration; it is no error when there is none.
func (c *Client) RemoveDevice(ctx context.Context, app, user, device string) error {
	if err := owner(app, user, device); err != nil {
		return err
	}
	_, err := c.publish(ctx, c.subjects.Device(app, user, device), nuid.Next(), nil, removalTTL)
	return err
}

// removalTTL is how long the mark of a removal stays; after it nothing is left of the subject.
const removalTTL = time.Hour

// SetPresence says what a device is doing. At defaults to the time at which it is stored.
func (c *Client) SetPresence(ctx context.Context, app, user, device string, s Presence) error {
	if err := errors.Join(owner(app, user, device), s.Validate()); err != nil {
		return err
	}
	// No id: presences are many, and remembering each for two minutes would cost the server more
	// than a repeat.
	_, err := c.publishJSON(ctx, c.subjects.Presence(app, user, device), "", s, MaxRecord, 0)
	return err
}

// SetSettings replaces a user's settings; zero settings say that the user has no wishes.
func (c *Client) SetSettings(ctx context.Context, app, user string, s Settings) error {
	if err := errors.Join(owner(app, user, "-"), s.Validate()); err != nil {
		return err
	}
	_, err := c.publishJSON(ctx, c.subjects.Settings(app, user), nuid.Next(), s, MaxSettings, 0)
	return err
}

// owner judges the names in a directory subject.
func owner(app, user, device string) error {
	var j judgement
	j.word("app", app)
	j.owner("user", user)
	j.owner("device", device)
	return j.err("name")
}

// RenewGateway says once that an IM gateway lives, for a time of at least a second. The foreground
// presences that name the gateway hold as long, if they were stored after lease.Since. A ttl of
// zero ends the lease at once: the gateway is gone.
func (c *Client) RenewGateway(ctx context.Context, app, gateway string, lease Lease, ttl time.Duration) error {
	var j judgement
	j.word("app", app)
	j.owner("gateway", gateway)
	if ttl != 0 && ttl < time.Second {
		j.add("the lease is %v, the least is 1s", ttl)
	}
	if err := j.err("gateway"); err != nil {
		return err
	}
	subject := c.subjects.Gateway(app, gateway)
	if ttl == 0 {
		_, err := c.publish(ctx, subject, "", nil, time.Minute)
		return err
	}
	_, err := c.publishJSON(ctx, subject, "", lease, MaxRecord, ttl)
	return err
}

// KeepGateway renews a gateway's lease, three times in its length, until ctx ends; then it ends the
// lease and returns nil. The lease says that the gateway began when KeepGateway was called: the
// presences of an earlier run under the same name do not hold. It returns early only for an error
// that would not pass by itself.
func (c *Client) KeepGateway(ctx context.Context, app, gateway string, ttl time.Duration) error {
	lease := Lease{Since: time.Now().UTC()}
	tick := time.NewTicker(max(ttl/3, time.Second/3))
	defer tick.Stop()
	for {
		err := c.RenewGateway(ctx, app, gateway, lease, ttl)
		if err != nil && ctx.Err() == nil && (errors.Is(err, ErrInvalid) || errors.Is(err, nats.ErrPermissionViolation) || errors.Is(err, nats.ErrConnectionClosed)) {
			return err
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTimeout)
			defer cancel()
			_ = c.RenewGateway(last, app, gateway, lease, 0) // it ends by itself soon
			return nil
		case <-tick.C:
		}
	}
}

func (c *Client) publishJSON(ctx context.Context, subject, id string, v any, limit int, ttl time.Duration) (Receipt, error) {
	// Texts with an invalid byte are taken, as workers take them.
	data, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: write JSON: %w", ErrInvalid, err)
	}
	if len(data) > limit {
		return Receipt{}, fmt.Errorf("%w: it is %d bytes long, the most is %d", ErrInvalid, len(data), limit)
	}
	return c.publish(ctx, subject, id, data, ttl)
}

// publish stores data under an id, trying again with the same id until it is stored, ctx ends, or
// trying has no point.
func (c *Client) publish(ctx context.Context, subject, id string, data []byte, ttl time.Duration) (Receipt, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	header := nats.Header{}
	trace := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, trace)
	for k, v := range trace {
		header.Set(k, v)
	}
	if id != "" {
		header.Set(jetstream.MsgIDHeader, id)
	}
	opts := []jetstream.PublishOpt{jetstream.WithRetryAttempts(1)}
	if ttl > 0 {
		opts = append(opts, jetstream.WithMsgTTL(ttl))
	}
	wait := 100 * time.Millisecond
	var before error // of the try before, which may say more than that the time is over
	for try := 0; ; try++ {
		one, cancel := context.WithTimeout(ctx, tryTimeout)
		one, release := c.permissions.guard(one, subject)
		ack, err := c.js.PublishMsg(one, &nats.Msg{Subject: subject, Data: data, Header: header}, opts...)
		release()
		cancel()
		if err == nil {
			return Receipt{Sequence: ack.Sequence, Duplicate: ack.Duplicate && try == 0}, nil
		}
		if refused := refusal(one); refused != nil {
			return Receipt{}, fmt.Errorf("publish on %s: %w", subject, refused)
		}
		final, err := c.final(ctx, subject, len(data), err)
		switch {
		case final:
			return Receipt{}, fmt.Errorf("publish on %s: %w", subject, err)
		case ctx.Err() != nil:
			return Receipt{}, fmt.Errorf("publish on %s: %w", subject, errors.Join(err, before))
		}
		before = err
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			wait = min(2*wait, 2*time.Second)
		case <-ctx.Done():
			timer.Stop()
			return Receipt{}, fmt.Errorf("publish on %s: %w", subject, errors.Join(context.Cause(ctx), err))
		}
	}
}

// final says whether an error would come again, and names those that a caller may want to know.
func (c *Client) final(ctx context.Context, subject string, size int, err error) (bool, error) {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return true, fmt.Errorf("%w: %d bytes are more than the server takes (max_payload): %w", ErrInvalid, size, err)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		// An election looks like a stream that is missing; the cluster's leader knows which it is.
		ask, cancel := context.WithTimeout(ctx, tryTimeout)
		defer cancel()
		// A user without the right to ask leaves it open, and the caller's patience decides.
		ask, release := c.permissions.guard(ask, jetstream.DefaultAPIPrefix+"STREAM.NAMES")
		defer release()
		_, look := c.js.StreamNameBySubject(ask, subject)
		switch {
		case errors.Is(look, jetstream.ErrStreamNotFound):
			return true, ErrNoStream
		case errors.Is(look, jetstream.ErrJetStreamNotEnabled), errors.Is(look, jetstream.ErrJetStreamNotEnabledForAccount):
			return true, look
		}
		return false, err
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrDisconnected),
		errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting):
		return false, err
	case errors.As(err, &api):
		switch api.ErrorCode {
		case 10077, 10047, 10023: // maximum messages or bytes exceeded, insufficient storage or resources
			return true, fmt.Errorf("%w: %w", ErrFull, err)
		case jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount:
			return true, err
		}
		return api.Code < 500 && api.Code != 429, err
	}
	return true, err
}
