package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/directory"
	tokens "github.com/hongyan-im/hongyan/internal/owner"
	"github.com/hongyan-im/hongyan/internal/terminal"
)

// imported is the answer of device import.
type imported struct {
	App string `json:"app"`
	// Imported were stored. Already were there: the device is registered. Taken were left out
	// because another device has the token, one of a later line included. Bad lines are none.
	Imported int `json:"imported"`
	Already  int `json:"already"`
	Taken    int `json:"taken"`
	Bad      int `json:"bad"`
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
that one. Of two lines with the same token the later one counts. So a file can be imported again at any time, and an import that
was interrupted is just run again, or goes on where it says with --from. Bad lines are named and left out, and the exit code is 1.

JSON: {"app","imported","already","taken","bad","next"}.`,
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
}

func (t *tool) deviceImport(ctx context.Context, name, app string, from int, perSecond float64) (err error) {
	in, size := t.in, int64(0)
	if name == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it was only read
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
		in = f
	}
	if _, err := t.topology().Subjects.Parse(t.topology().Subjects.Message(app)); err != nil {
		return cli.UsageError(errors.New("--app is no name of an app"))
	}
	b, err := t.connect(ctx, t.topology().Directory(), t.topology().Tokens())
	if err != nil {
		return err
	}
	defer b.Close()
	limit := rate.Inf
	if perSecond > 0 {
		limit = rate.Limit(perSecond)
	}
	i := &importer{t: t, b: b, name: name, counts: imported{App: app}, pace: rate.NewLimiter(limit, linesTogether)}
	err = i.run(ctx, in, size, from)
	c := i.counts
	err = errors.Join(err, t.say(c, "%d device(s) registered, %d were already, %d left out because another device has the token, %d bad line(s)", c.Imported, c.Already, c.Taken, c.Bad))
	if err != nil && c.Next > 0 {
		t.warn("go on with --from %d", c.Next)
	}
	if err == nil && c.Bad > 0 {
		return errSaid
	}
	return err
}

// run reads the lines and imports them, some at a time.
func (i *importer) run(ctx context.Context, in io.Reader, size int64, from int) (err error) {
	units := progress.UnitsBytes
	if size == 0 {
		units = progress.UnitsDefault
	}
	bar := i.t.bar("importing", size, units)
	defer func() { bar.stop(err != nil) }()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxImportLine)
	var some []candidate
	line, read := 0, int64(0)
	flush := func() error {
		if err := i.together(ctx, some); err != nil {
			return err
		}
		some = some[:0]
		i.counts.Next = line + 1
		if size > 0 {
			bar.set(read)
		} else {
			bar.set(int64(line))
		}
		return nil
	}
	i.counts.Next = from
	for lines.Scan() {
		line++
		read += int64(len(lines.Bytes())) + 1
		if line < from {
			continue
		}
		if c, ok := i.parse(line, lines.Bytes()); ok {
			some = append(some, c)
		}
		if len(some) == linesTogether {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return errors.Join(flush(), fmt.Errorf("%s:%d: %w", i.name, line+1, err))
	}
	if err := flush(); err != nil {
		return err
	}
	i.counts.Next = 0
	return nil
}

// parse reads a line; one that is no registration is named.
func (i *importer) parse(line int, data []byte) (c candidate, ok bool) {
	if data = bytes.TrimSpace(data); len(data) == 0 {
		return c, false
	}
	var place struct {
		User   string `json:"user"`
		Device string `json:"device"`
	}
	bad := func(err error) (candidate, bool) {
		i.counts.Bad++
		i.t.warn("%s:%d: %s", i.name, line, terminal.Line(err.Error()))
		return c, false
	}
	if json.Unmarshal(data, &place) != nil {
		return bad(errors.New("it is no JSON object with a user and a device"))
	}
	if err := hongyan.ValidateNames(i.counts.App, place.User, place.Device); err != nil {
		return bad(err)
	}
	record, _, err := hongyan.ParseDevice(data, i.t.now().UTC())
	if err != nil {
		return bad(err)
	}
	return candidate{line: line, subject: i.t.topology().Subjects.Device(i.counts.App, place.User, place.Device), record: record}, true
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
	later, subjects, keys := map[string]bool{}, []string{}, []string{}
	for k := len(some) - 1; k >= 0; k-- {
		c := &some[k]
		own := []string{c.subject}
		for _, token := range tokens.Tokens(&c.record) {
			own = append(own, tokens.Subject(i.t.topology().Subjects, i.counts.App, token))
		}
		if c.stays = slices.ContainsFunc(own, func(s string) bool { return later[s] }); c.stays {
			counts.Taken++
			continue
		}
		for _, s := range own {
			later[s] = true
		}
		subjects, keys = append(subjects, c.subject), append(keys, own[1:]...)
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
		case c.stays:
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
