package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// healthCommand asks a running sandbox, for a container's health check.
func healthCommand() *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:     "health",
		Short:   "Ask a running sandbox whether it answers",
		Long:    "Ask a running sandbox whether it answers. The exit code is 0 when it does; its credentials are in place then.",
		Example: "  sandbox health --url http://127.0.0.1:8240",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := &http.Client{Timeout: 5 * time.Second}
			req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, url+"/sandbox/api/counts", nil)
			if err != nil {
				return fmt.Errorf("ask the sandbox: %w", err)
			}
			resp, err := client.Do(req)
			if err != nil {
				return fmt.Errorf("ask the sandbox: %w", err)
			}
			_ = resp.Body.Close()
			client.CloseIdleConnections()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("ask the sandbox: HTTP %d", resp.StatusCode)
			}
			return nil
		},
	}
	cmd.SilenceUsage = true
	cmd.Flags().StringVar(&url, "url", "http://127.0.0.1:8240", "plain HTTP `address` of the sandbox")
	return cmd
}
