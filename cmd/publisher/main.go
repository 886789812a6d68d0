// Command publisher is the tool of those who build an IM backend on Hongyan and of those who run
// it: it publishes messages, devices and presence, looks into dead letters and brings them back,
// and explains why a user got a push or did not. See `publisher --help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/terminal"
)

func main() {
	ctx, stop := cli.Signals(os.Stderr, "publisher: second signal, leaving at once")
	t := &tool{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, now: time.Now}
	code := t.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// tool is the program with its surroundings, so that tests can be them.
type tool struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	now      func() time.Time

	// The global flags.
	nats                        connectFlags
	subjectPrefix, streamPrefix string
	output                      string
	timeout                     time.Duration

	// refused ends the command that lacks a right.
	refused func(*hongyan.PermissionError)
}

// errSaid is a failure whose explanation was printed already.
var errSaid = errors.New("said")

// run is main without the exit; it returns the exit code.
func (t *tool) run(ctx context.Context, args []string) int {
	t.out, t.err = terminal.NewWriter(t.out), terminal.NewWriter(t.err)
	ctx, refusal := t.watchRights(ctx)
	root := t.root()
	root.SetArgs(args)
	err := refusal(cli.Execute(ctx, root))
	if err != nil && !errors.Is(err, errSaid) {
		t.warn("publisher: %s", terminal.Text(t.plain(err)))
	}
	if errors.Is(err, hongyan.ErrInvalid) {
		err = cli.UsageError(err) // what the arguments say is nothing that can be published
	}
	return cli.ExitCode(err)
}

func (t *tool) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "publisher",
		Short: "Publish to Hongyan, and look into what became of it",
		Long: `publisher talks to the NATS server that Hongyan's workers use. It does what an IM backend does, by hand: it
announces messages, registers devices, and says who is in the foreground. And it answers the operator's questions: why did
Bob not get it, what died, and bring it back.

Everything it publishes is plain JSON on NATS subjects, which any NATS client can publish too.

Answers are tables for people; "--output json" prints JSON for programs: one object for a single answer, one object a line for
lists. Progress and errors go to standard error. The exit code is 0 when all is
done, 1 when it is not, and 2 for a mistake in the command line.`,
		Example: `  # a phone registers, then somebody writes to its user
  publisher device set --app demo --user bob --device phone --certificate 35001 --token 8f2c…
  publisher send --app demo --from alice --to bob --text "See you at eight"

  # why did Bob not get it?
  publisher explain --app demo --user bob

  # what died since this morning, and bring back what a vendor refused while its key was wrong
  publisher dead list --since 8h --summary
  publisher replay --certificate 35001 --since 8h --dry-run`,
		SilenceUsage: true, SilenceErrors: true,
		Version: cli.Version(),
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if t.output != "table" && t.output != "json" {
				return fmt.Errorf("--output is %q, neither table nor json", t.output)
			}
			if t.timeout <= 0 {
				return errors.New("--timeout must be more than 0")
			}
			return nil
		},
	}
	root.SetIn(t.in)
	root.SetOut(t.out)
	root.SetErr(t.err)
	f := root.PersistentFlags()
	t.nats.define(root)
	f.StringVar(&t.subjectPrefix, "subject-prefix", or(t.getenv("HONGYAN_SUBJECT_PREFIX"), "push"),
		"the installation's subject `prefix`, the worker's nats.subject_prefix ($HONGYAN_SUBJECT_PREFIX)")
	f.StringVar(&t.streamPrefix, "stream-prefix", or(t.getenv("HONGYAN_STREAM_PREFIX"), "PUSH"),
		"the installation's stream `prefix`, the worker's nats.stream_prefix ($HONGYAN_STREAM_PREFIX)")
	f.StringVarP(&t.output, "output", "o", "table", "`format` of answers: table, or json for programs")
	f.DurationVar(&t.timeout, "timeout", 30*time.Second, "how long one step may take, a server's election included")
	complete(root, "output", "table", "json")
	root.AddCommand(t.sendCommand(), t.deviceCommand(), t.presenceCommand(), t.settingsCommand(), t.recallCommand(), t.readCommand(),
		t.deadCommand(), t.replayCommand(), t.explainCommand(), t.lossCommand(), t.userCommand(), t.importTencentCommand(), t.limitsCommand(), t.schemaCommand())
	return root
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// complete offers the words for a flag in shells.
func complete(c *cobra.Command, flag string, words ...string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was defined before
	}
}

// require makes flags required.
func require(c *cobra.Command, flags ...string) {
	for _, f := range flags {
		if err := c.MarkFlagRequired(f); err != nil {
			panic(err) // the flag was defined before
		}
	}
}

// checkNames refuses names under which nothing can be kept. In a subject they could stand for
// others: an app named * is every app.
func checkNames(app, user string) error {
	return hongyan.ValidateNames(app, user, "-") // a device is judged where there is one
}

// owner defines the flags that name an app, a user and, where it is not nil, a device, and refuses
// what is no name.
func owner(c *cobra.Command, app, user, device *string) {
	c.PreRunE = func(*cobra.Command, []string) error {
		if err := c.ValidateRequiredFlags(); err != nil {
			return err
		}
		return checkNames(*app, *user)
	}
	c.Flags().StringVar(app, "app", "", "the `app`")
	c.Flags().StringVar(user, "user", "", "the `user`")
	require(c, "app", "user")
	if device != nil {
		c.Flags().StringVar(device, "device", "", "the `device`")
		require(c, "device")
	}
}

func (t *tool) topology() bus.Topology {
	return bus.Topology{Subjects: hongyan.Subjects{Prefix: t.subjectPrefix}, StreamPrefix: t.streamPrefix}
}

// step bounds one step.
func (t *tool) step(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, t.timeout)
}

// publish makes a client, does one step with it, and says done.
func (t *tool) publish(ctx context.Context, do func(context.Context, *hongyan.Client) error, done any, text string, args ...any) error {
	c, err := t.client()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := t.step(ctx)
	defer cancel()
	if err := do(ctx, c); err != nil {
		return err
	}
	return t.say(done, text, args...)
}

// plain adds to an error what a person can do about it.
func (t *tool) plain(err error) string {
	switch {
	case isRefused(err):
		return rightsText(err)
	case errors.Is(err, hongyan.ErrNoStream), errors.Is(err, bus.ErrNoStream):
		return fmt.Sprintf("%v\nNo worker has run yet on %s with subject prefix %q and stream prefix %q: a worker makes the streams when it starts.\n"+
			"Start one (worker run), or give the prefixes of its configuration with --subject-prefix and --stream-prefix.",
			err, t.shownAddress(), t.subjectPrefix, t.streamPrefix)
	case errors.Is(err, hongyan.ErrFull):
		return fmt.Sprintf("%v\nThe workers are behind, or the disk is full. Nothing old was dropped; try again later.", err)
	case errors.Is(err, context.Canceled):
		said, _ := strings.CutSuffix(err.Error(), context.Canceled.Error())
		return strings.TrimSuffix("interrupted: "+said, ": ")
	case bus.IsRefused(err):
		return fmt.Sprintf("%v\nThe server does not let this user in. Give credentials with a --nats-… flag, with --context, or in the nats tool's variables such as $NATS_CREDS.", err)
	case isConnect(err):
		return fmt.Sprintf("%v\nIs a worker with an embedded server, or a NATS server, running there? Give its address with --nats or $NATS_URL.", err)
	}
	return err.Error()
}
