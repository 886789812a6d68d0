package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
)

func checkCommand() *cobra.Command {
	var file string
	var online bool
	c := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Check a configuration without sending anything",
		Long: `check validates everything that can be validated without sending: the file's shape, every value, the secrets' files
and formats, and how the values belong together. It prints all problems at once, each with line, column, key and remedy, and warns
of what is allowed but unwise, such as a class that the vendor caps, an endpoint in plain text, a NATS server that is open to
others, a secret that everybody on the machine can read, or a push certificate that ends within 30 days. Warnings leave the exit
code at 0. It connects to nothing.

With --online it also tries each certificate with its vendor: it logs in where the vendor wants that, and pushes to a token that
no device has, so that nobody gets anything. Credentials that the vendor knows are told from those that it refuses, and what it
says of topic, package, project, channel or template besides is printed. Not every vendor looks at those before it looks at the
token, so they may be wrong all the same. The exit code is 1 where a certificate cannot push, or its vendor could not be asked.`,
		Example: `  worker check --config hongyan.yaml

  # before workers get new credentials
  worker check --online --config hongyan.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := load(cmd, file)
			if err != nil {
				return err
			}
			env := vendors.Env{Tokens: func(_ string, fetch vendors.TokenFetch) vendors.TokenSource {
				return accesstoken.New(fetch, accesstoken.Options{})
			}}
			certificates, err := offline(cmd, file, conf, env)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is valid: %d app(s), %d certificate(s)\n", file, len(conf.Apps), certificates)
			if !online {
				return nil
			}
			trials, err := tryCertificates(cmd.Context(), conf, env, time.Now())
			if err != nil {
				return cli.UsageError(err)
			}
			wrong := 0
			for i := range trials {
				if !trials[i].report(cmd.OutOrStdout(), cmd.ErrOrStderr()) {
					wrong++
				}
			}
			if wrong > 0 {
				return fmt.Errorf("%d of %d certificate(s) cannot push, or could not be tried", wrong, len(trials))
			}
			return nil
		},
	}
	configFlag(c, &file)
	c.Flags().BoolVar(&online, "online", false, "also try each certificate with its vendor, without a push to anybody")
	return c
}

// offline prints what is wrong or unwise without connecting to anything, and returns how many
// certificates there are.
func offline(cmd *cobra.Command, file string, conf *config.Config, env vendors.Env) (certificates int, err error) {
	warn := func(format string, values ...any) { fmt.Fprintf(cmd.OutOrStdout(), "warning: "+format+"\n", values...) }
	for _, w := range conf.Warnings() {
		warn("%s", w)
	}
	for _, app := range conf.Apps {
		for _, s := range app.Certificates {
			certificates++
			driver, wrong := s.Driver(env)
			if wrong != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: certificate %s: %v\n", file, s.Base().ID, wrong)
				err = errors.Join(err, errSaid)
				continue
			}
			driver.Close()
			for _, text := range s.Advice() {
				warn("certificate %s (%s): %s", s.Base().ID, s.Base().Vendor, text)
			}
		}
	}
	for _, text := range endings(conf, time.Now()) {
		warn("%s", text)
	}
	if err != nil {
		return 0, cli.UsageError(errSaid)
	}
	return certificates, nil
}
