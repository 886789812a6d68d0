package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/erase"
	"github.com/hongyan-im/hongyan/internal/trail"
)

func (t *tool) userCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "user",
		Short: "Show or erase what is kept of a person",
		Long: `user is for people who ask what is kept of them, and who want it gone. docs/privacy.md says what is kept where, and for
how long.`,
		Example: `  publisher user show --app demo --user bob
  publisher user erase --app demo --user bob --dry-run`,
	}
	c.AddCommand(t.userShowCommand(), t.userEraseCommand())
	return c
}

// recordView is one thing that is kept of a person.
type recordView struct {
	Kind   string    `json:"kind"`
	Stream string    `json:"stream"`
	Stored time.Time `json:"stored"`
	// Sequence is a dead letter's number.
	Sequence uint64 `json:"sequence,omitzero"`
	Subject  string `json:"subject,omitempty"`
	// Record is what is stored, as JSON; of a dead letter and of a record of what became of a push
	// what concerns the user.
	Record jsontext.Value `json:"record,omitempty"`
	// Body is what is stored where that is no JSON; of the number on the icons beside its Record.
	Body []byte `json:"body,omitempty"`
}

func (t *tool) userShowCommand() *cobra.Command {
	var app, user string
	var showTokens bool
	c := &cobra.Command{
		Use:   "show --app APP --user USER",
		Short: "Show all that is kept of a person",
		Long: `show lists what is kept of a person: registrations, presences and settings; the number on the icons, and up to when
conversations were read; which tokens were the person's, and how many pushes each got on a day; dead letters; and what became of
pushes. What waits to be sent this moment is not among it: "publisher explain --message" looks for that.

Of what is about others as well only the person's part is shown: a dead letter without the other recipients and their devices. One
that nobody can read is listed with its number alone; "publisher dead show" shows it. Tokens are shortened unless --show-tokens is
given. JSON has every record in full, the texts of notifications in dead letters included.

JSON: one object a line with kind, stream, stored, sequence (of a dead letter), subject, record, and body (base64) for what is no
JSON.`,
		Example: `  publisher user show --app demo --user bob
  publisher user show --app demo --user bob --show-tokens -o json > bob.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return t.userShow(cmd.Context(), app, user, showTokens)
		},
	}
	owner(c, &app, &user, nil)
	c.Flags().BoolVar(&showTokens, "show-tokens", false, "show tokens whole")
	return c
}

// eraser looks for records, and says how many it has read once that takes long.
func (t *tool) eraser(b *bus.Bus) (*erase.Eraser, *reading) {
	reading := t.reading("reading")
	return &erase.Eraser{Store: b, Places: b.Topology(), Subjects: b.Topology().Subjects, Read: reading.one}, reading
}

func (t *tool) userShow(ctx context.Context, app, user string, showTokens bool) error {
	b, err := t.connect(ctx, t.topology().Directory())
	if err != nil {
		return err
	}
	defer b.Close()
	views, err := t.keptOf(ctx, b, app, user, showTokens)
	if err != nil {
		return err
	}
	switch {
	case t.json():
		for _, v := range views {
			if err := t.emit(v); err != nil {
				return err
			}
		}
	case len(views) == 0:
		t.printf("nothing is kept of %s in %s", user, app)
	default:
		w := t.table("kind", "stored", "stream", "record")
		for _, v := range views {
			record := shorten(string(v.Record), 100)
			if v.Record == nil && v.Body != nil {
				record = fmt.Sprintf("%d bytes", len(v.Body))
			}
			if v.Sequence > 0 && record == "" {
				record = fmt.Sprintf("nobody can read it; \"publisher dead show %d\" shows it", v.Sequence)
			}
			w.AppendRow(table.Row{v.Kind, when(v.Stored), v.Stream, record})
		}
		w.Render()
	}
	return nil
}

// keptOf lists what is kept of a user, by stream and in the order in which it was stored.
func (t *tool) keptOf(ctx context.Context, b *bus.Bus, app, user string, showTokens bool) (views []recordView, err error) {
	e, reading := t.eraser(b)
	defer func() { reading.stop(err != nil) }()
	records, err := e.Find(ctx, app, user)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if len(r.Data) > 0 {
			v := viewOf(r.Kind, r.Stream, r.Subject, r.Time, hideTokens(b.Topology().Subjects, r, showTokens))
			if n, err := badge.StoredNumber(r.Data); r.Kind == bus.KindBadge && err == nil {
				v.Record = jsontext.Value(fmt.Sprintf(`{"number":%d}`, n)) // its other contents are hashes
			}
			views = append(views, v)
		}
	}
	if _, err = t.lettersOf(ctx, b, app, user, reading, func(l *dispatch.Letter, _ erase.Fate, _ *dispatch.Outgoing) error {
		part, err := erase.Part(l, user)
		if err != nil {
			return err
		}
		letter := viewLetter(part, true, showTokens)
		data := letter.Body
		if letter.Job != nil {
			data = letter.Job
		}
		v := viewOf("dead letter", b.Topology().Dead(), l.Subject, l.Stored, data)
		v.Sequence = l.Sequence
		views = append(views, v)
		return nil
	}); err != nil {
		return nil, err
	}
	var unwritten error
	err = b.Records(ctx, app, hongyan.Partition(user), time.Time{}, func(r dispatch.Record) bool {
		reading.one()
		for i := range r.Devices {
			if r.Devices[i].User == user {
				one := r.Outcome
				one.Devices = r.Devices[i : i+1]
				var data []byte
				if data, unwritten = json.Marshal(one); unwritten != nil {
					return false
				}
				views = append(views, viewOf("outcome", b.Topology().Outcomes(), "", r.Stored, data))
			}
		}
		return true
	})
	if errors.Is(err, bus.ErrNoStream) {
		err = nil
	}
	return views, errors.Join(err, unwritten)
}

func viewOf(kind, stream, subject string, stored time.Time, data []byte) recordView {
	v := recordView{Kind: kind, Stream: stream, Stored: stored, Subject: subject}
	if jsontext.Value(data).IsValid() {
		v.Record = data
	} else {
		v.Body = data
	}
	return v
}

// lettersOf calls each with the dead letters that are about a user, and returns how many there are.
func (t *tool) lettersOf(ctx context.Context, b *bus.Bus, app, user string, reading *reading,
	each func(*dispatch.Letter, erase.Fate, *dispatch.Outgoing) error) (n int, err error) {
	step, cancel := t.step(ctx)
	box, err := b.LetterBox(step)
	cancel()
	if errors.Is(err, bus.ErrNoStream) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	step, cancel = t.step(ctx)
	_, created, err := box.Bounds(step)
	cancel()
	if err != nil {
		return 0, err
	}
	err = t.eachLetter(ctx, box, &dispatch.LetterFilter{App: app}, func(l *dispatch.Letter) error {
		reading.one()
		fate, rest, err := erase.Letter(l, app, user, created)
		if err != nil || fate == erase.Keep {
			return err
		}
		n++
		return each(l, fate, rest)
	})
	return n, err
}

// erased is the answer of user erase.
type erased struct {
	App    string `json:"app"`
	User   string `json:"user"`
	DryRun bool   `json:"dry_run"`
	// Records are how many were found of each kind, and Letters how many dead letters; of Split
	// ones others' parts stay.
	Records map[string]int `json:"records"`
	Letters int            `json:"letters"`
	Split   int            `json:"split"`
	// Left are those that were stored while the user was being erased.
	Left int `json:"left"`
	// OutcomesUntil is when the last record of what became of a push ends; zero where they have no
	// age.
	OutcomesUntil time.Time `json:"outcomes_until,omitzero"`
}

func (t *tool) userEraseCommand() *cobra.Command {
	var app, user string
	var dry, yes bool
	c := &cobra.Command{
		Use:   "erase --app APP --user USER [--dry-run]",
		Short: "Erase what is kept of a person",
		Long: `erase removes what is kept of a person for good, and overwrites it on the disk: all that "user show" lists but what became of
pushes. Of dead letters the person's part goes, and others' parts stay; a message that the person sent goes whole, and so does what
nobody can read and the name stands in. It cannot be undone, so it asks first; where nobody can be asked it needs --yes. Let the IM
backend forget the user before: what it publishes meanwhile is counted as left, and the exit code is 1.

What waits to be sent to the user ends as no_device when its turn comes. Records of what became of pushes cannot be taken out one
by one: they end with their age, and erase says when. What became of a call names its users for an hour. Backups and logs are yours
to see to. An erasure that failed halfway is just run again. --dry-run removes nothing.

JSON: {"app","user","dry_run","records","letters","split","left","outcomes_until"}, records by their kind.`,
		Example: `  publisher user erase --app demo --user bob --dry-run
  publisher user erase --app demo --user bob --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return t.userErase(cmd.Context(), erased{App: app, User: user, DryRun: dry}, yes)
		},
	}
	owner(c, &app, &user, nil)
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would be erased")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (t *tool) userErase(ctx context.Context, e erased, yes bool) (err error) {
	b, err := t.connect(ctx, t.topology().Directory())
	if err != nil {
		return err
	}
	defer b.Close()
	// Asked before anything is gone: whoever erases is told until when something stays.
	step, cancel := t.step(ctx)
	age, err := b.OutcomesAge(step)
	cancel()
	if err != nil {
		return err
	}
	if !e.DryRun {
		if err := t.confirm(ctx, yes, "This erases what is kept of %s in %s for good.", e.User, e.App); err != nil {
			return err
		}
	}
	eraser, reading := t.eraser(b)
	defer func() { reading.stop(err != nil) }()
	records, err := eraser.Find(ctx, e.App, e.User)
	if err != nil {
		return err
	}
	e.count(records)
	if !e.DryRun {
		if _, err := eraser.Remove(ctx, e.App, e.User, records); err != nil {
			return err
		}
	}
	e.Letters, err = t.lettersOf(ctx, b, e.App, e.User, reading, func(l *dispatch.Letter, fate erase.Fate, rest *dispatch.Outgoing) error {
		if fate == erase.Split {
			e.Split++
		}
		if e.DryRun {
			return nil
		}
		return t.eraseLetter(ctx, b, l, rest)
	})
	if err != nil {
		return err
	}
	if !e.DryRun {
		if records, err = eraser.Find(ctx, e.App, e.User); err != nil {
			return err
		}
		e.Left = len(slices.DeleteFunc(records, func(r erase.Record) bool { return len(r.Data) == 0 }))
	}
	if age > 0 {
		e.OutcomesUntil = t.now().Add(age).UTC()
	}
	return t.sayErased(&e)
}

// count counts what was found by its kind.
func (e *erased) count(records []erase.Record) {
	e.Records = map[string]int{}
	for _, r := range records {
		if len(r.Data) > 0 {
			e.Records[r.Kind]++
		}
	}
}

// eraseLetter stores what stays of a dead letter, and removes the letter then.
func (t *tool) eraseLetter(ctx context.Context, b *bus.Bus, l *dispatch.Letter, rest *dispatch.Outgoing) error {
	ctx, cancel := t.step(ctx)
	defer cancel()
	if rest != nil {
		if _, _, err := b.PublishSync(ctx, *rest); err != nil {
			return err
		}
	}
	return b.Erase(ctx, b.Topology().Dead(), l.Sequence)
}

func (t *tool) sayErased(e *erased) error {
	if t.json() {
		if err := t.emit(e); err != nil {
			return err
		}
	} else {
		t.erasedTable(e)
	}
	if e.Left > 0 {
		t.warn("%d record(s) of %s were stored while it was erased: let the IM backend forget the user first, then erase again", e.Left, e.User)
		return errSaid
	}
	return nil
}

func (t *tool) erasedTable(e *erased) {
	w := t.table("what", "records")
	kinds := make([]string, 0, len(e.Records))
	for kind := range e.Records {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		w.AppendRow(table.Row{kind, e.Records[kind]})
	}
	w.AppendRow(table.Row{"dead letter", e.Letters})
	if e.Split > 0 {
		w.AppendRow(table.Row{"  others' part stays", e.Split})
	}
	w.Render()
	done := "is erased"
	if e.DryRun {
		done = "would be erased"
	}
	t.printf("this %s of %s in %s", done, e.User, e.App)
	t.printf("what waits to be sent to %s ends as no_device", e.User)
	if e.OutcomesUntil.IsZero() {
		t.printf("records of what became of pushes have no age and stay: give the stream one, with nats stream edit --max-age")
	} else {
		t.printf("records of what became of pushes end by %s", when(e.OutcomesUntil))
	}
}

// hideTokens is a record's data, its tokens shortened unless they are to be shown.
func hideTokens(s hongyan.Subjects, r erase.Record, show bool) []byte {
	x, err := s.Parse(r.Subject)
	if show || err != nil || x.Kind != hongyan.KindDevice {
		return r.Data
	}
	reg, _, err := hongyan.ParseDevice(r.Data, r.Time)
	if err != nil {
		return r.Data[:0] // nobody knows where in it a token stands
	}
	reg.Token = trail.Token(reg.Token, false)
	if reg.VoIP != nil {
		reg.VoIP.Token = trail.Token(reg.VoIP.Token, false)
	}
	data, err := json.Marshal(reg)
	if err != nil {
		return r.Data[:0]
	}
	return data
}
