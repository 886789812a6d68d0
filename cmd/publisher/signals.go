package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
)

func (t *tool) recallCommand() *cobra.Command {
	var app, message string
	c := &cobra.Command{
		Use:   "recall --app APP --message ID",
		Short: "Say that a message was taken back",
		Long: `recall publishes that a message was taken back, for workers that suppress what was not sent yet. Workers
check and count recalls, but do not act on them yet: pushes go out all the same.

JSON: {"app","message","done"}.`,
		Example: `  publisher recall --app demo --message m-1001`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer := struct {
				App     string `json:"app"`
				Message string `json:"message"`
				Done    string `json:"done"`
			}{app, message, "recalled"}
			return t.publish(cmd.Context(), func(ctx context.Context, c *hongyan.Client) error {
				return c.Signal(ctx, app, hongyan.Signal{Type: hongyan.SignalRecall, MessageID: message})
			},
				answer, "published the recall of message %s in %s; workers count it and do not act on it yet", message, app)
		},
	}
	c.Flags().StringVar(&app, "app", "", "the `app`")
	c.Flags().StringVar(&message, "message", "", "the message's `id`")
	require(c, "app", "message")
	return c
}

func (t *tool) readCommand() *cobra.Command {
	var app, user, conversation, at string
	c := &cobra.Command{
		Use:   "read --app APP --user USER --conversation ID",
		Short: "Say that a user has read a conversation",
		Long: `read publishes a read mark, for workers that suppress older messages of the conversation which were not sent yet. Workers
check and count read marks, but do not act on them yet: pushes go out all the same.

JSON: {"app","user","conversation","at"}.`,
		Example: `  publisher read --app demo --user bob --conversation c2c_alice
  publisher read --app demo --user bob --conversation g-7 --at 10m    # up to ten minutes ago`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			upTo, err := t.moment("at", at)
			if err != nil {
				return err
			}
			if upTo.IsZero() {
				upTo = t.now()
			}
			answer := struct {
				App          string    `json:"app"`
				User         string    `json:"user"`
				Conversation string    `json:"conversation"`
				At           time.Time `json:"at"`
			}{app, user, conversation, upTo.UTC()}
			return t.publish(cmd.Context(), func(ctx context.Context, c *hongyan.Client) error {
				return c.Signal(ctx, app, hongyan.Signal{Type: hongyan.SignalRead, User: user, Conversation: conversation, At: upTo.UTC()})
			}, answer, "published that %s has read %s in %s up to %s; workers count it and do not act on it yet", user, conversation, app, when(upTo))
		},
	}
	owner(c, &app, &user, nil)
	c.Flags().StringVar(&conversation, "conversation", "", "the conversation's `id`")
	c.Flags().StringVar(&at, "at", "", "up to when: a `time` (RFC 3339) or how long ago (default now)")
	require(c, "conversation")
	return c
}
