// Package trail finds out what became of pushes: what is known of a user's devices, what was
// decided of each message and by which rule, what the vendors said, what waits and for what, and
// what to do. The command-line tool and the worker's page both ask it, so that they say the same.
//
// It reads the streams and changes nothing. What it reads is bounded: by the time since which it
// looks, by the partition of the user, and by lookLimit where it has to look through what waits.
// What cannot be read any more is said in a note, and is no error.
package trail

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/standing"
)

// lookLimit bounds how many waiting jobs, messages and dead letters are read in one place.
const lookLimit = 50_000

// Explanation is all that can be found out about a user, and a message to the user.
type Explanation struct {
	App     string `json:"app"`
	User    string `json:"user"`
	Message string `json:"message,omitempty"`
	// Trace is the id of the message's trace, unless its publisher gave it another.
	Trace string `json:"trace,omitempty"`
	// Devices and Settings are what holds now, not what held when the message came.
	Devices  []Device         `json:"devices"`
	Settings hongyan.Settings `json:"settings"`
	// Decisions are what was decided and what the vendors said, oldest first.
	Decisions []Decision `json:"decisions"`
	// Waiting are jobs of the message that were not done with yet.
	Waiting []Waiting `json:"waiting"`
	// Previews are what the phones show, or would show, of what waits or is dead. Of what was
	// accepted or suppressed no text is kept.
	Previews []Preview `json:"previews,omitempty"`
	// Limits are how the certificates stand that something waits for.
	Limits []standing.Certificate `json:"limits,omitempty"`
	// Notes say in words what else is to be known.
	Notes []string `json:"notes"`
}

// Question is what is asked.
type Question struct {
	App, User, Message string
	// Since is from when on is read what was decided, what waits and what died.
	Since time.Time
	// Limit is the most decisions without a Message, the newest; 0 for all.
	Limit int
	// Tokens shows tokens whole, Texts what the notifications say.
	Tokens, Texts bool
}

// MessageOfApp takes the app out of a message's name that begins with it, as Nats-Msg-Id has it.
// app is "" where nobody else named one; then ok says whether the name did.
func MessageOfApp(app, message string) (_, id string, ok bool) {
	before, after, has := strings.Cut(message, "/")
	switch {
	case app == "" && !has:
		return "", message, false
	case has && (app == "" || app == before):
		return before, after, true
	}
	return app, message, true
}

// Reader answers questions. Its fields must not change while it does.
type Reader struct {
	Bus *bus.Bus
	Now func() time.Time
	// Language is that of notes and advice.
	Language explain.Language
	// Timeout bounds one step, such as the reading of a user's records.
	Timeout time.Duration
	// Read, if it is set, is called for each thing that was read.
	Read func()
}

func (r *Reader) one() {
	if r.Read != nil {
		r.Read()
	}
}

func (r *Reader) ago(at time.Time) string { return explain.Ago(r.Now(), at, r.Language) }

// explainer gathers an explanation.
type explainer struct {
	*Reader
	q Question
	e Explanation
}

func (x *explainer) note(text explain.Text, values ...any) {
	x.e.Notes = append(x.e.Notes, text.Format(x.Language, values...))
}

// Explain answers a question about a user.
func (r *Reader) Explain(ctx context.Context, q Question) (*Explanation, error) {
	x := &explainer{Reader: r, q: q, e: Explanation{App: q.App, User: q.User, Message: q.Message}}
	if err := x.explain(ctx); err != nil {
		return nil, err
	}
	return &x.e, nil
}

func (x *explainer) explain(ctx context.Context) error {
	u, notes, err := x.User(ctx, x.q.App, x.q.User)
	if err != nil {
		return err
	}
	x.e.Devices, x.e.Settings = Devices(u, x.q.Tokens), u.Settings
	x.e.Notes = append(x.e.Notes, notes...)
	x.registrations()
	if err := x.decisions(ctx); err != nil {
		return err
	}
	if x.e.Message != "" {
		x.e.Trace = hongyan.TraceID(x.e.App, x.e.Message)
		if err := x.message(ctx); err != nil {
			return err
		}
	}
	if err := x.standing(ctx); err != nil {
		return err
	}
	if len(x.e.Devices) == 0 {
		x.note(textNoDevice, x.e.User, explain.Suppression(hongyan.NoDevice).In(x.Language))
	}
	if x.e.Message == "" && len(x.e.Decisions) == 0 {
		x.note(textNothingDecided, x.e.User, explain.When(x.q.Since))
	}
	return nil
}

// isAbsent says of an error that no worker ever made the stream.
func isAbsent(err error) bool { return errors.Is(err, bus.ErrNoStream) }
