package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
)

func checkCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Check a configuration without sending anything",
		Long: `check validates everything that can be validated without sending: the file's shape, every value, the secrets' files
and formats, and how the values belong together. It prints all problems at once, each with line, column, key and remedy, and warns
of what is allowed but unwise, such as a class that the vendor caps, an endpoint in plain text, a NATS server that is open to
others, or a secret that everybody on the machine can read. Warnings leave the exit code at 0. It connects to nothing.`,
		Example: `  worker check --config hongyan.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := load(cmd, file)
			if err != nil {
				return err
			}
			env := vendors.Env{Tokens: func(_ string, fetch vendors.TokenFetch) vendors.TokenSource {
				return accesstoken.New(fetch, accesstoken.Options{})
			}}
			for _, w := range conf.Warnings() {
				fmt.Fprintf(cmd.OutOrStdout(), "warning: %s\n", w)
			}
			certificates, broken := 0, false
			for _, app := range conf.Apps {
				for _, s := range app.Certificates {
					certificates++
					driver, err := s.Driver(env)
					if err != nil {
						fmt.Fprintf(cmd.ErrOrStderr(), "%s: certificate %s: %v\n", file, s.Base().ID, err)
						broken = true
						continue
					}
					driver.Close()
					for _, text := range s.Advice() {
						fmt.Fprintf(cmd.OutOrStdout(), "warning: certificate %s (%s): %s\n", s.Base().ID, s.Base().Vendor, text)
					}
				}
			}
			if broken {
				return cli.UsageError(errSaid)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is valid: %d app(s), %d certificate(s)\n", file, len(conf.Apps), certificates)
			return nil
		},
	}
	configFlag(c, &file)
	return c
}
