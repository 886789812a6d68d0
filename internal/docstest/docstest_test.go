package docstest

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestUnknown(t *testing.T) {
	t.Parallel()
	root := &cobra.Command{Use: "tool"}
	root.PersistentFlags().StringP("output", "o", "", "")
	list := &cobra.Command{Use: "list", Run: func(*cobra.Command, []string) {}}
	list.Flags().String("since", "", "")
	dead := &cobra.Command{Use: "dead"}
	dead.AddCommand(list)
	root.AddCommand(dead)
	for line, want := range map[string]string{
		"tool dead list --since 1d -o json":            "",
		"$ tool dead list --since 1d | jq --slurp .":   "",
		"go run ./cmd/tool dead list --until 1d":       "flag --until",
		"tool dead lst --since 1d":                     "command lst",
		"tool dead list -x":                            "flag -x",
		"true && tool dead list --text \"a --b c\"":    "flag --text",
		"tool dead list --since \"a --b c\" --help":    "",
		"cat tool dead list --until":                   "",
		"  # tool dead list --until":                   "flag --until",
		"tool dead list --since 1d    # and --nothing": "",
	} {
		got := ""
		for _, words := range calls(line, "tool") {
			got += unknown(root, words)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if got := calls("tool a; b && tool c | tool d", "tool"); !slices.EqualFunc(got, []string{"a b", "c", "d"}, func(words []string, want string) bool {
		return strings.Join(words, " ") == want
	}) {
		t.Errorf("%q", got)
	}
}
