package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/jsonerror"
	tokens "github.com/hongyan-im/hongyan/internal/owner"
	"github.com/hongyan-im/hongyan/internal/terminal"
)

// imported is the answer of device import.
type imported struct {
	App string `json:"app"`
	// Imported were stored. Already were there: the device is registered. Taken were left out
	// because another device has the token, Superseded because a later line is about the same
	// device or token. Bad lines are none.
	Imported   int `json:"imported"`
	Already    int `json:"already"`
	Taken      int `json:"taken"`
	Superseded int `json:"superseded"`
	Bad        int `json:"bad"`
	// Next is the line to go on from after an interruption; 0 when all lines were read.
	Next int `json:"next"`
}

const (
	// linesTogether is how many lines are compared with what is stored at a time, importsAtOnce how
	// many of them are written side by side.
	linesTogether, importsAtOnce = 500, 128
	// maxImportLine is the longest line: the longest registration and the longest names, escaped.
	maxImportLine = 64 << 10
)

func (t *tool) deviceImportCommand() *cobra.Command {
	var app string
	var from int
	var perSecond float64
	c := &cobra.Command{
		Use:   "import FILE|- --app APP",
		Short: "Register the devices of a file",
		Long: `import registers the devices of a file of JSON lines: each is a registration with its user and device,
{"user":"bob","device":"phone","certificate":"35001","token":"…"}, and the other fields of a registration where they are known.

It never takes anything from anybody: a device that is registered stays as it is, and a token that another device has stays with
that one. Of several lines about the same device, or with the same token, the last one counts, as if they had been published one
after the other. So a file can be imported again at any time, and an import that was interrupted is just run again, or goes on
where it says with --from. Bad lines are named and left out, and the exit code is 1.

To know the last lines, import reads all of them first: what comes through a pipe is kept in a temporary file until the end.

JSON: {"app","imported","already","taken","superseded","bad","next"}.`,
		Example: `  publisher device import devices.jsonl --app demo --rate 2000
  publisher device import devices.jsonl --app demo --from 120501`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if from < 1 {
				return cli.UsageError(errors.New("--from is below 1, the first line"))
			}
			if perSecond < 0 {
				return cli.UsageError(errors.New("--rate is negative"))
			}
			return t.deviceImport(cmd.Context(), args[0], app, from, perSecond)
		},
	}
	f := c.Flags()
	f.StringVar(&app, "app", "", "the `app`")
	f.IntVar(&from, "from", 1, "the first `line` to read")
	f.Float64Var(&perSecond, "rate", 0, "at most so many lines a second; 0 for as fast as it goes")
	require(c, "app")
	return c
}

// candidate is a line that is a registration.
type candidate struct {
	line    int
	subject string
	record  hongyan.Device
	// stays says that it is left out.
	stays bool
}

// importer imports lines.
type importer struct {
	t      *tool
	b      *bus.Bus
	name   string
	counts imported
	pace   *rate.Limiter
	last   lastLines
}

func (t *tool) deviceImport(ctx context.Context, name, app string, from int, perSecond float64) (err error) {
	in, err := t.open(ctx, name)
	if err != nil {
		return err
	}
	defer in.close()
	if _, err := t.topology().Subjects.Parse(t.topology().Subjects.Message(app)); err != nil {
		return cli.UsageError(errors.New("--app is no name of an app"))
	}
	b, err := t.connect(ctx, t.topology().Directory(), t.topology().Tokens())
	if err != nil {
		return err
	}
	defer b.Close()
	text, err := openTwice(in.Reader, "")
	if err != nil {
		return fmt.Errorf("%s: %w", in.name, err)
	}
	defer text.close()
	limit := rate.Inf
	if perSecond > 0 {
		limit = rate.Limit(perSecond)
	}
	i := &importer{t: t, b: b, name: in.name, counts: imported{App: app, Next: from}, pace: rate.NewLimiter(limit, linesTogether), last: lastLines{}}
	if err = i.read(ctx, text, "reading", from, i.note, func() error { return nil }); err == nil {
		err = i.run(ctx, text, from)
	}
	c := i.counts
	err = errors.Join(err, t.say(c, "%d device(s) registered, %d were already, %d left out because another device has the token, %d because of a later line, %d bad line(s)",
		c.Imported, c.Already, c.Taken, c.Superseded, c.Bad))
	if err != nil && c.Next > 0 {
		t.warn("go on with --from %d", c.Next)
	}
	if err == nil && c.Bad > 0 {
		return errSaid
	}
	return err
}

// read reads the lines from a number on. take is told of each that is not empty, with why it is no
// registration where it is none, and done after every linesTogether of them and at the end.
func (i *importer) read(ctx context.Context, text *twice, what string, from int, take func(c candidate, bad error), done func() error) (err error) {
	if err := text.rewind(); err != nil {
		return fmt.Errorf("%s: %w", i.name, err)
	}
	bar := i.t.bar(what, text.size, progress.UnitsBytes)
	defer func() { bar.stop(err != nil) }()
	lines := readLines(text.in, maxImportLine)
	some := 0
	for ctx.Err() == nil {
		data, tooLong, err := lines.next()
		if errors.Is(err, io.EOF) {
			return done()
		}
		if err != nil {
			return errors.Join(done(), fmt.Errorf("%s:%d: %w", i.name, lines.line+1, err))
		}
		switch {
		case lines.line < from || len(data) == 0 && !tooLong:
			continue
		case tooLong:
			take(candidate{line: lines.line}, fmt.Errorf("it is longer than %d bytes", maxImportLine))
		default:
			c, bad := i.parse(data)
			c.line = lines.line
			take(c, bad)
		}
		if some++; some%linesTogether == 0 {
			bar.set(lines.read)
			if err := done(); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("%s:%d: %w", i.name, lines.line+1, context.Cause(ctx))
}

// note notes what a line is about.
func (i *importer) note(c candidate, bad error) {
	if bad == nil {
		i.last.note(c.line, i.about(&c))
	}
}

// run imports the lines, some at a time.
func (i *importer) run(ctx context.Context, text *twice, from int) (err error) {
	var some []candidate
	next := from
	err = i.read(ctx, text, "importing", from, func(c candidate, bad error) {
		next = c.line + 1
		switch {
		case bad != nil:
			i.counts.Bad++
			i.t.warn("%s:%d: %s", i.name, c.line, terminal.Line(bad.Error()))
		case i.last.after(c.line, i.about(&c)):
			i.counts.Superseded++
		default:
			some = append(some, c)
		}
	}, func() error {
		if err := i.together(ctx, some); err != nil {
			return err
		}
		some, i.counts.Next = some[:0], next
		return nil
	})
	if err == nil {
		i.counts.Next = 0
	}
	return err
}

// about names what a registration is about: its device, and its tokens.
func (i *importer) about(c *candidate) []string {
	about := []string{c.subject}
	for _, token := range tokens.Tokens(&c.record) {
		about = append(about, tokens.Subject(i.t.topology().Subjects, i.counts.App, token))
	}
	return about
}

// parse reads a line. The error says why it is no registration.
func (i *importer) parse(data []byte) (c candidate, err error) {
	var place struct {
		User   string `json:"user"`
		Device string `json:"device"`
	}
	if err := json.Unmarshal(data, &place, jsontext.AllowInvalidUTF8(true)); err != nil {
		return c, jsonerror.Describe(err, "the line")
	}
	if strings.ContainsRune(place.User+place.Device, utf8.RuneError) {
		return c, errors.New("user or device is not UTF-8")
	}
	if err := hongyan.ValidateNames(i.counts.App, place.User, place.Device); err != nil {
		return c, err
	}
	record, _, err := hongyan.ParseDevice(data, i.t.now().UTC())
	return candidate{subject: i.t.topology().Subjects.Device(i.counts.App, place.User, place.Device), record: record}, err
}

// together imports some lines. After an error none of them counts: whoever goes on begins with
// them.
func (i *importer) together(ctx context.Context, some []candidate) error {
	if len(some) == 0 {
		return nil
	}
	if err := i.pace.WaitN(ctx, len(some)); err != nil {
		return fmt.Errorf("%s:%d: %w", i.name, some[0].line, err)
	}
	step, cancel := i.t.step(ctx)
	defer cancel()
	revisions, counts, err := i.compare(step, some)
	if err != nil {
		return fmt.Errorf("%s:%d: %w", i.name, some[0].line, err)
	}
	var g errgroup.Group
	g.SetLimit(importsAtOnce)
	changed := make([]bool, len(some))
	for k, c := range some {
		if c.stays {
			continue
		}
		g.Go(func() error {
			data, err := json.Marshal(c.record)
			if err == nil {
				changed[k], err = i.b.PutIf(step, c.subject, data, revisions[c.subject])
			}
			if err != nil {
				return fmt.Errorf("%s:%d: %w", i.name, c.line, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for k, c := range some {
		switch {
		case c.stays:
		case changed[k]:
			counts.Already++
		default:
			counts.Imported++
		}
	}
	i.counts.Imported, i.counts.Already, i.counts.Taken = i.counts.Imported+counts.Imported, i.counts.Already+counts.Already, i.counts.Taken+counts.Taken
	return nil
}

// compare finds the lines that are left out: of devices that are registered, and with tokens that
// others have. revisions are those of the devices' subjects.
func (i *importer) compare(ctx context.Context, some []candidate) (revisions map[string]uint64, counts imported, err error) {
	var subjects, keys []string
	for k := range some {
		about := i.about(&some[k])
		subjects, keys = append(subjects, about[0]), append(keys, about[1:]...)
	}
	owners, err := i.b.Owners(ctx, keys)
	if err != nil {
		return nil, counts, err
	}
	named := map[string]string{} // registrations by the tokens' keys
	for _, v := range owners {
		if o, err := tokens.Read(v.Data); err == nil && o.Registration != "" {
			named[v.Subject] = o.Registration
			subjects = append(subjects, o.Registration)
		}
	}
	read, err := i.b.LastValues(ctx, subjects)
	if err != nil {
		return nil, counts, err
	}
	stored := make(map[string]directory.Value, len(read.Values))
	revisions = make(map[string]uint64, len(read.Values))
	for _, v := range read.Values {
		stored[v.Subject], revisions[v.Subject] = v, v.Revision
	}
	for k := range some {
		c := &some[k]
		switch {
		case len(stored[c.subject].Data) > 0:
			c.stays = true
			counts.Already++
		case i.taken(c, named, stored):
			c.stays = true
			counts.Taken++
		}
	}
	return revisions, counts, nil
}

// taken says whether another device has one of a line's tokens.
func (i *importer) taken(c *candidate, named map[string]string, stored map[string]directory.Value) bool {
	for _, token := range tokens.Tokens(&c.record) {
		other := named[tokens.Subject(i.t.topology().Subjects, i.counts.App, token)]
		if other != "" && other != c.subject && tokens.Holds(stored[other], tokens.Hash(token)) {
			return true
		}
	}
	return false
}
