package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/cli"
)

// draft is what the flags of send say.
type draft struct {
	app, file                  string
	message                    hongyan.Message
	group, groupName           string
	kind, call, action, callID string
	ttl                        time.Duration
	parallel                   int
}

func (t *tool) sendCommand() *cobra.Command {
	var d draft
	m := &d.message
	c := &cobra.Command{
		Use:   "send --app APP (--from USER --to USER --text TEXT | --file FILE)",
		Short: "Announce messages, so that those who are away get a push",
		Long: `send publishes message events: one from flags, or one for each line of a file or of standard input, each line the JSON of
a message event. Give the users in full: everyone who shall get the message is a recipient, the sender is left out by itself.

Each message is checked first as the workers would, and published until the server has stored it. A second message with the same
id within two minutes is not stored again, so a file that was sent halfway is just sent again.

With --file a bad line is reported as FILE:LINE and left out; the others are sent, and the exit code is 1. At the interrupt key it
finishes what is under way and names the first line that was not sent.

JSON: {"app","id","sequence","duplicate"} for one message; {"app","sent","duplicates","bad"} for a file.`,
		Example: `  publisher send --app demo --from alice --nickname Alice --to bob --text "See you at eight"

  # to a group, with what a tap on the notification shall carry
  publisher send --app demo --from alice --to bob --to carol --group g-7 --group-name "Book club" --text "Chapter 3?" \
    --ext '{"conversationID":"g-7"}'

  # a call that rings
  publisher send --app demo --from alice --to bob --call video

  # many
  publisher send --app demo --file messages.jsonl
  jq -c '.[]' messages.json | publisher send --app demo --file -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if d.file != "" {
				return t.sendFile(cmd.Context(), &d)
			}
			return t.sendOne(cmd.Context(), &d)
		},
	}
	f := c.Flags()
	f.StringVar(&d.app, "app", "", "the `app`")
	f.StringVarP(&d.file, "file", "f", "", "send the messages of a `file` of JSON lines, - for standard input")
	f.IntVar(&d.parallel, "parallel", 128, "with --file, how many messages are under way at once")
	f.StringVar(&m.ID, "id", "", "the message's `id`, unique in the app (default: a new one)")
	f.StringVar(&m.Sender.ID, "from", "", "the `user` who wrote it")
	f.StringVar(&m.Sender.Nickname, "nickname", "", "the sender's `name` as the notification shows it")
	f.StringVar(&m.Sender.Device, "from-device", "", "the `device` that it was written on")
	f.StringArrayVar(&m.Recipients, "to", nil, "a `user` who shall get it (repeatable)")
	f.StringVar(&m.Content.Text, "text", "", "what it `says`")
	f.StringVar(&d.kind, "type", "", "the content's `type`: text image audio video file location face merged custom (default text)")
	f.StringVar(&d.call, "call", "", "make it a call: `audio` or video")
	f.StringVar(&d.action, "call-action", string(hongyan.CallInvite), "the call's step: invite, cancel, answer, reject or hangup")
	f.StringVar(&d.callID, "call-id", "", "the call's `id` (default: the message's)")
	f.StringVar(&d.group, "group", "", "the `id` of the group that it is said in (default: a conversation of two)")
	f.StringVar(&d.groupName, "group-name", "", "the group's `name`, which becomes the title")
	f.StringVar(&m.OfflinePush.Title, "title", "", "the notification's title instead of the sender's name")
	f.StringVar(&m.OfflinePush.Desc, "desc", "", "the notification's body instead of the text")
	f.StringVar(&m.OfflinePush.Ext, "ext", "", "what reaches the app when the notification is tapped, best a `JSON` object")
	f.StringArrayVar(&m.Mentions, "mention", nil, "a `user` whom the text names (repeatable)")
	f.BoolVar(&m.MentionAll, "mention-all", false, "the text names everyone")
	f.BoolVar(&m.OfflinePush.IgnoreMute, "ignore-mute", false, "pass muted conversations")
	f.DurationVar(&d.ttl, "ttl", 0, "how long it is worth pushing (default 24h, 1m for a call)")
	require(c, "app")
	c.MarkFlagsOneRequired("file", "from")
	for _, other := range []string{"from", "to", "text", "id", "call", "type", "group"} {
		c.MarkFlagsMutuallyExclusive("file", other)
	}
	c.MarkFlagsMutuallyExclusive("call", "type")
	complete(c, "type", wordsOf(hongyan.ContentTypes[:])...)
	complete(c, "call", "audio", "video")
	complete(c, "call-action", wordsOf(hongyan.CallActions[:])...)
	return c
}

// wordsOf writes a closed list as plain strings.
func wordsOf[T ~string](list []T) []string {
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = string(w)
	}
	return words
}

// complete fills in what the flags left open.
func (d *draft) complete() *hongyan.Message {
	m := &d.message
	if m.ID == "" {
		m.ID = "cli-" + strings.ToLower(rand.Text()[:16])
	}
	m.Conversation = hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c2c_" + m.Sender.ID}
	if d.group != "" {
		m.Conversation = hongyan.Conversation{Type: hongyan.ConversationGroup, ID: d.group, Name: d.groupName}
	}
	m.Content.Type = cmp.Or(hongyan.ContentType(d.kind), hongyan.ContentText)
	if d.call != "" {
		m.Content.Type = hongyan.ContentCall
		m.Content.Call = &hongyan.Call{Media: hongyan.CallMedia(d.call), Action: hongyan.CallAction(d.action), ID: or(d.callID, m.ID)}
	}
	m.TTLSeconds = int64(d.ttl / time.Second)
	return m
}

func (t *tool) sendOne(ctx context.Context, d *draft) error {
	m := d.complete()
	if m.Content.Type == hongyan.ContentText && m.Content.Text == "" && m.OfflinePush.Desc == "" {
		return cli.UsageError(errors.New("say something with --text, or give another --type or --call"))
	}
	if d.ttl != 0 && d.ttl < time.Second {
		return cli.UsageError(fmt.Errorf("--ttl is %v, the least is 1s", d.ttl))
	}
	c, err := t.client()
	if err != nil {
		return err
	}
	defer c.Close()
	m.SentAt = t.now().UTC()
	ctx, cancel := t.step(ctx)
	defer cancel()
	r, err := c.Send(ctx, d.app, m)
	if err != nil {
		return err
	}
	answer := struct {
		App       string `json:"app"`
		ID        string `json:"id"`
		Sequence  uint64 `json:"sequence"`
		Duplicate bool   `json:"duplicate"`
	}{d.app, m.ID, r.Sequence, r.Duplicate}
	if r.Duplicate {
		return t.say(answer, "message %s was sent before, within the last two minutes: nothing new was stored", m.ID)
	}
	return t.say(answer, "message %s is stored; see what becomes of it with\n  publisher explain --app %s --message %s --user %s", m.ID, d.app, m.ID, m.Recipients[0])
}

func (t *tool) sendFile(ctx context.Context, d *draft) error {
	in, err := t.open(ctx, d.file)
	if err != nil {
		return err
	}
	defer in.close()
	c, err := t.client()
	if err != nil {
		return err
	}
	defer c.Close()
	counts, err := t.sendLines(ctx, c, d, in)
	if sayErr := t.say(counts, "%d message(s) stored, %d of them were there already, %d bad line(s)", counts.Sent, counts.Duplicates, counts.Bad); err == nil {
		err = sayErr
	}
	if err == nil && counts.Bad > 0 {
		return errSaid
	}
	return err
}
