package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
)

func (t *tool) recallCommand() *cobra.Command {
	var app, message, conversation, sentAt string
	c := &cobra.Command{
		Use:   "recall --app APP --message ID",
		Short: "Say that a message was taken back",
		Long: `recall publishes that a message was taken back. Workers suppress what was not sent of it, wherever it waits, and what comes of it
in the next 48 hours.

JSON: {"app","message","done"}.`,
		Example: `  publisher recall --app demo --message m-1001
  publisher recall --app demo --message m-1001 --conversation c2c_alice --sent-at 5m    # sent five minutes ago`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sent, err := t.moment("sent-at", sentAt)
			if err != nil {
				return err
			}
			answer := struct {
				App     string `json:"app"`
				Message string `json:"message"`
				Done    string `json:"done"`
			}{app, message, "recalled"}
			return t.publish(cmd.Context(), func(ctx context.Context, c *hongyan.Client) error {
				return c.Signal(ctx, app, hongyan.Signal{Type: hongyan.SignalRecall, MessageID: message, Conversation: conversation, SentAt: sent})
			}, answer, "published the recall of message %s in %s", message, app)
		},
	}
	c.Flags().StringVar(&app, "app", "", "the `app`")
	c.Flags().StringVar(&message, "message", "", "the message's `id`")
	c.Flags().StringVar(&conversation, "conversation", "", "the `id` of its conversation")
	c.Flags().StringVar(&sentAt, "sent-at", "", "when it was sent: a `time` (RFC 3339) or how long ago")
	require(c, "app", "message")
	return c
}

func (t *tool) readCommand() *cobra.Command {
	var app, user, conversation, at string
	var unread int
	c := &cobra.Command{
		Use:   "read --app APP --user USER --conversation ID",
		Short: "Say that a user has read a conversation",
		Long: `read publishes a read mark. Workers suppress what waits for the user in the conversation and was sent up to then, and what comes of
it in the next 24 hours.

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
			s := hongyan.Signal{Type: hongyan.SignalRead, User: user, Conversation: conversation, At: upTo.UTC()}
			if cmd.Flags().Changed("unread") {
				s.Unread = &unread
			}
			return t.publish(cmd.Context(), func(ctx context.Context, c *hongyan.Client) error {
				return c.Signal(ctx, app, s)
			}, answer, "published that %s has read %s in %s up to %s", user, conversation, app, when(upTo))
		},
	}
	owner(c, &app, &user, nil)
	c.Flags().StringVar(&conversation, "conversation", "", "the conversation's `id`")
	c.Flags().StringVar(&at, "at", "", "up to when: a `time` (RFC 3339) or how long ago (default now)")
	c.Flags().IntVar(&unread, "unread", 0, "`how many` messages the user has not read, in all conversations")
	require(c, "conversation")
	return c
}
