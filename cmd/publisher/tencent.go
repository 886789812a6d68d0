package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/jsonerror"
	"github.com/hongyan-im/hongyan/internal/tencent"
)

func (t *tool) importTencentCommand() *cobra.Command {
	var members string
	c := &cobra.Command{
		Use:   "import-tencent FILE|-",
		Short: "Turn bodies of Tencent IM's REST calls into message events",
		Long: `import-tencent reads the JSON bodies that a backend sends to Tencent IM (sendmsg, batchsendmsg, send_group_msg, timpush/push and
timpush/batch), one after the other or in a list, and prints a message event for each, one a line, ready for "send --file -". It
connects to nothing.

What has no counterpart is named on standard error, once, with how often it came, and so is what else you should know; a body of
which no message can be made is named with its place, and the exit code is 1. docs/from-tencent.md says what becomes of each field.

A message event names its recipients, so the members of groups must be given: --members names a file with a JSON object of lists,
{"GROUP":["USER",…]}.`,
		Example: `  publisher import-tencent bodies.json | publisher send --app demo --file -
  publisher import-tencent --members groups.json - < bodies.json > messages.jsonl`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.importTencent(cmd.Context(), args[0], members)
		},
	}
	c.Flags().StringVar(&members, "members", "", "a `file` with the members of groups")
	return c
}

func (t *tool) importTencent(ctx context.Context, file, members string) error {
	groups, err := groupsIn(members)
	if err != nil {
		return err
	}
	in, err := t.open(ctx, file)
	if err != nil {
		return err
	}
	defer in.close()
	opts := tencent.Options{Members: func(group string) []string { return groups[group] }}
	notes := map[string]int{}
	n, bad := 0, 0
	err = bodies(in, func(body jsontext.Value) error {
		n++
		event, said, err := tencent.Convert(body, opts)
		if err == nil {
			_, _, err = hongyan.ParseMessage(event, t.now())
		}
		if err != nil {
			bad++
			t.warn("%s, body %d: %v", in.name, n, err)
			return ctx.Err()
		}
		for _, note := range said {
			notes[note]++
		}
		if err := t.emit(jsontext.Value(event)); err != nil {
			return err
		}
		return ctx.Err()
	})
	for _, note := range slices.SortedFunc(maps.Keys(notes), func(a, b string) int { return cmp.Or(notes[b]-notes[a], cmp.Compare(a, b)) }) {
		t.warn("%s (%d time(s))", note, notes[note])
	}
	if err != nil {
		return fmt.Errorf("%s, after body %d: %w", in.name, n, err)
	}
	if bad > 0 {
		t.warn("%d of %d bodies could not be turned into message events", bad, n)
		return errSaid
	}
	return nil
}

// groupsIn reads the members of groups.
func groupsIn(file string) (map[string][]string, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var groups map[string][]string
	if err := json.Unmarshal(data, &groups); err != nil {
		return nil, fmt.Errorf("%s is no JSON object of lists of users: %w", file, err)
	}
	return groups, nil
}

// bodies calls each with every JSON value of a stream, and with every element of a list.
func bodies(in io.Reader, each func(jsontext.Value) error) error {
	start := bufio.NewReader(in)
	if mark, err := start.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		_, _ = start.Discard(len(byteOrderMark)) // it is there
	}
	d := jsontext.NewDecoder(start, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	for {
		switch d.PeekKind() {
		case '[', ']':
			if d.StackDepth() > 0 && d.PeekKind() == '[' {
				break // a list in a list is no body
			}
			if _, err := d.ReadToken(); err != nil {
				return jsonerror.Describe(err, "the body")
			}
			continue
		}
		body, err := d.ReadValue()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if syntax := (*jsontext.SyntacticError)(nil); errors.As(err, &syntax) {
			return jsonerror.Describe(err, "the body")
		}
		if err != nil {
			return err
		}
		if err := each(body); err != nil {
			return err
		}
	}
}
