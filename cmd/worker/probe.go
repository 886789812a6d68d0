package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthCommand asks a running worker, for a container's health check: an image of only this
// program has no curl.
func healthCommand() *cobra.Command {
	var url string
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask a running worker whether it is ready",
		Long: `health asks a running worker whether it consumes messages, and says why not. The exit code is 0 when it does.

It is meant for a container's health check. An orchestrator that can ask over HTTP uses GET /readyz and GET /healthz itself.`,
		Example: `  worker health
  worker health --url http://10.0.0.7:8230`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := &http.Client{Timeout: 5 * time.Second}
			defer client.CloseIdleConnections()
			req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, strings.TrimSuffix(url, "/")+"/readyz", nil)
			if err != nil {
				return fmt.Errorf("ask the worker: %w", err)
			}
			resp, err := client.Do(req)
			if err != nil {
				return fmt.Errorf("ask the worker: %w", err)
			}
			defer resp.Body.Close()
			said, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
			if err != nil {
				return fmt.Errorf("ask the worker: %w", err)
			}
			text := strings.TrimSpace(string(said))
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("not ready: %s (HTTP %d)", text, resp.StatusCode)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
	c.Flags().StringVar(&url, "url", "http://127.0.0.1:8230", "the worker's http.listen as an `address` to call")
	return c
}
