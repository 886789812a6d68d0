package hongyan

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// PermissionError is the error of a [Client] whose NATS user lacks a right, for errors.As;
// errors.Is finds nats.ErrPermissionViolation in it too. Trying again has no point until the user
// has the right. Where the right to publish is missing, nothing was stored. Where the one to
// subscribe to the inbox is missing, where the server's answers arrive, the message may be stored,
// and nobody can hear that it is. [Client.Outcomes] needs one to subscribe to what it follows.
type PermissionError struct {
	// Right is "publish" or "subscribe", as the server's configuration calls its permissions.
	Right string
	// Subject is what the right is missing for.
	Subject string
}

// Error says which right is missing.
func (e *PermissionError) Error() string {
	if e.Right == "subscribe" {
		return fmt.Sprintf("the NATS user lacks the right to subscribe to %q, and hears nothing of what arrives there", e.Subject)
	}
	return fmt.Sprintf("the NATS user lacks the right to publish on %q", e.Subject)
}

// Unwrap returns nats.ErrPermissionViolation.
func (e *PermissionError) Unwrap() error { return nats.ErrPermissionViolation }

var violation = regexp.MustCompile(`Permissions Violation for (Publish|Subscription) to ("(?:[^"\\]|\\.)*")`)

// PermissionErrorFrom reads what nats.go tells an error handler; nil where it is not about a right.
func PermissionErrorFrom(err error) *PermissionError {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil
	}
	found := violation.FindStringSubmatch(err.Error())
	if found == nil {
		return nil
	}
	subject, bad := strconv.Unquote(found[2]) // the server writes it with %q
	if bad != nil {
		return nil
	}
	if found[1] == "Subscription" {
		return &PermissionError{Right: "subscribe", Subject: subject}
	}
	return &PermissionError{Right: "publish", Subject: subject}
}

// permissions hears what the server does not allow on a connection. The server says it apart from
// any answer, so a publish that it refused would wait for an answer until its time is over.
type permissions struct {
	nc    *nats.Conn
	inbox string // the subject where all answers arrive

	mu      sync.Mutex
	waiting map[PermissionError]map[*context.CancelCauseFunc]bool // by the right that they need
	// deaf is set while no answer can arrive: for one connection, until it is made anew.
	deaf     *PermissionError
	deafConn uint64
}

// watchPermissions puts itself before the connection's error handler, which is still called.
func watchPermissions(nc *nats.Conn) *permissions {
	p := &permissions{nc: nc, waiting: map[PermissionError]map[*context.CancelCauseFunc]bool{}}
	inbox := nc.NewRespInbox()
	p.inbox = inbox[:strings.LastIndexByte(inbox, '.')+1] + "*"
	before := nc.ErrorHandler()
	nc.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if refused := PermissionErrorFrom(err); refused != nil {
			p.refuse(refused)
		}
		if before != nil {
			before(nc, sub, err)
		}
	})
	return p
}

// refuse ends the calls that wait for what the server refused.
func (p *permissions) refuse(refused *PermissionError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for cancel := range p.waiting[*refused] {
		(*cancel)(refused)
	}
	if refused.Right == "subscribe" && refused.Subject == p.inbox {
		p.deaf, p.deafConn = refused, p.nc.Stats().Reconnects
		for right, calls := range p.waiting {
			for cancel := range calls {
				if right.Right == "publish" {
					(*cancel)(refused)
				}
			}
		}
	}
}

// guard returns a context that ends when the server refuses what the right is for, or, for a
// publish, to deliver its answers; the cause is then a *PermissionError. release must be called.
func (p *permissions) guard(ctx context.Context, right PermissionError) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if right.Right == "publish" && p.deaf != nil && p.deafConn == p.nc.Stats().Reconnects {
		cancel(p.deaf)
	}
	if p.waiting[right] == nil {
		p.waiting[right] = map[*context.CancelCauseFunc]bool{}
	}
	p.waiting[right][&cancel] = true
	return ctx, func() {
		cancel(nil)
		p.mu.Lock()
		defer p.mu.Unlock()
		if delete(p.waiting[right], &cancel); len(p.waiting[right]) == 0 {
			delete(p.waiting, right)
		}
	}
}

// refusal is the *PermissionError that ended a guarded context, or nil.
func refusal(ctx context.Context) error {
	var refused *PermissionError
	if errors.As(context.Cause(ctx), &refused) {
		return refused
	}
	return nil
}
