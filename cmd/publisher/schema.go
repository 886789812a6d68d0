package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/schema"
)

func (t *tool) schemaCommand() *cobra.Command {
	kinds := schema.Kinds[:]
	return &cobra.Command{
		Use:   "schema [" + strings.Join(kinds, "|") + "]",
		Short: "Print the JSON Schema of what an IM backend publishes and reads",
		Long: `schema prints a JSON Schema (draft 2020-12), for the tests of an IM backend and for code generators. It connects to
nothing.

  message    a message event, on push.message.<app> or push.urgent.<app>
  device     a device's registration
  presence   what a device is doing
  settings   a user's mutes and quiet hours
  signal     a recall or a read mark, on push.signal.<app>
  lease      a gateway's lease, on push.gateway.<app>.<gateway>
  outcome    what became of a message: one line of a body on push.outcome.>

The schemas refuse fields that Hongyan does not know, so that a misspelled one is found; workers ignore and count them.`,
		Example:   `  publisher schema message > message.schema.json`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: kinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			data, err := schema.Wire(args[0])
			if err != nil {
				return err
			}
			_, err = t.out.Write(data)
			return err
		},
	}
}
