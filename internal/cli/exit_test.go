package cli_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/cli"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, c := range []struct {
		args []string
		ends error
		want int
	}{
		{[]string{"work", "--file", "x"}, nil, 0},
		{[]string{"--help"}, nil, 0},
		{[]string{"work", "--file", "x"}, broken, 1},
		{[]string{"work", "--file", "x"}, fmt.Errorf("the file: %w", cli.UsageError(broken)), 2},
		{[]string{"work", "--file", "x"}, cli.UsageError(nil), 0},
		{[]string{"work"}, nil, 2},                          // a required flag
		{[]string{"work", "--file", "x", "--fiel"}, nil, 2}, // an unknown one
		{[]string{"work", "--file", "x", "more"}, nil, 2},
		{[]string{"play"}, nil, 2},
	} {
		root := &cobra.Command{Use: "program", SilenceErrors: true, SilenceUsage: true}
		work := &cobra.Command{Use: "work", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return c.ends }}
		work.Flags().String("file", "", "")
		if err := work.MarkFlagRequired("file"); err != nil {
			t.Fatal(err)
		}
		root.AddCommand(work)
		root.SetArgs(c.args)
		root.SetOut(io.Discard)
		err := cli.Execute(t.Context(), root)
		if got := cli.ExitCode(err); got != c.want {
			t.Errorf("%v that ends with %v: exit code %d, want %d", c.args, err, got, c.want)
		}
		if c.ends != nil && !errors.Is(err, broken) {
			t.Errorf("%v: %v hides why", c.args, err)
		}
	}
}
