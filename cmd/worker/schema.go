package main

import (
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/schema"
)

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration, for editors",
		Long: `schema prints the JSON Schema (draft 2020-12) of the configuration. An editor with the YAML language server then
completes keys, explains them, and marks those that are wrong; "worker check" finds more. A configuration names its schema in its
first line:

  # yaml-language-server: $schema=hongyan.schema.json`,
		Example: `  worker schema > hongyan.schema.json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := schema.Config()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(data)
			return err
		},
	}
}
