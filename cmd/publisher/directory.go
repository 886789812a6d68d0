package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/terminal"
	"github.com/hongyan-im/hongyan/internal/trail"
)

func (t *tool) deviceCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "device",
		Short: "Register devices, remove them, list a user's, import many",
		Long: `device handles registrations: through which certificate, and under which token, a user's device is reached. The app
gets the token from the phone vendor's SDK and tells the IM backend, which publishes the registration.`,
		Example: `  publisher device set --app demo --user bob --device phone --certificate 35001 --token 8f2c…
  publisher device list --app demo --user bob`,
	}
	c.AddCommand(t.deviceSetCommand(), t.deviceRemoveCommand(), t.deviceListCommand(), t.deviceImportCommand())
	return c
}

// place names a directory record in JSON answers.
type place struct {
	App    string `json:"app"`
	User   string `json:"user"`
	Device string `json:"device,omitempty"`
	Done   string `json:"done"`
}

func (t *tool) deviceSetCommand() *cobra.Command {
	var app, user, device string
	var d hongyan.Device
	var v hongyan.VoIP
	c := &cobra.Command{
		Use:   "set --app APP --user USER --device DEVICE --certificate ID --token TOKEN",
		Short: "Register a device, or change its registration",
		Long: `set publishes a device's registration. It replaces the one before: what is not given is gone.

An iOS app that takes calls through PushKit has a second token under a second certificate: give both with --voip-….
A worker removes a registration when the vendor calls its token dead; the app registers again when it gets a new one.`,
		Example: `  publisher device set --app demo --user bob --device phone --certificate 35001 --token 8f2c… --platform android --locale zh-CN

  # an iPhone with PushKit
  publisher device set --app demo --user bob --device iphone --platform ios \
    --certificate 35002 --token 5d1a… --voip-certificate 35009 --voip-token 77b0…`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if v != (hongyan.VoIP{}) {
				d.VoIP = &v
			}
			d.RegisteredAt = t.now().UTC()
			return t.publish(cmd.Context(), func(ctx context.Context, c *hongyan.Client) error { return c.SetDevice(ctx, app, user, device, d) },
				place{app, user, device, "set"}, "registered device %s of %s in %s", device, user, app)
		},
	}
	owner(c, &app, &user, &device)
	f := c.Flags()
	f.StringVar(&d.Certificate, "certificate", "", "the `id` of the certificate that reaches the device, as in the worker's configuration")
	f.StringVar(&d.Token, "token", "", "the vendor's `token` of the device")
	f.StringVar(&d.Platform, "platform", "", "its system: "+strings.Join(hongyan.Platforms[:], ", "))
	f.StringVar(&d.Locale, "locale", "", "the device's `language`, such as zh-CN or en; placeholders are written in it")
	f.StringVar(&d.Region, "region", "", "the token's `region` where the vendor has several; its page in docs/vendors lists them")
	f.StringVar((*string)(&d.Notifications), "notifications", "", "the system's switch as the app saw it: `on` or off")
	complete(c, "notifications", string(hongyan.SwitchOn), string(hongyan.SwitchOff))
	f.StringVar(&v.Certificate, "voip-certificate", "", "the certificate `id` for PushKit calls")
	f.StringVar(&v.Token, "voip-token", "", "the PushKit `token`")
	require(c, "certificate")
	complete(c, "platform", hongyan.Platforms[:]...)
	return c
}

func (t *tool) deviceRemoveCommand() *cobra.Command {
	var app, user, device string
	c := &cobra.Command{
		Use:     "remove --app APP --user USER --device DEVICE",
		Short:   "Remove a device's registration",
		Long:    `remove forgets a device: nothing is pushed to it any more. It is no error when there is no such registration.`,
		Example: `  publisher device remove --app demo --user bob --device phone`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return t.publish(cmd.Context(), func(ctx context.Context, c *hongyan.Client) error { return c.RemoveDevice(ctx, app, user, device) },
				place{app, user, device, "removed"}, "removed device %s of %s in %s", device, user, app)
		},
	}
	owner(c, &app, &user, &device)
	return c
}

func (t *tool) deviceTable(views []trail.Device) {
	w := t.table("device", "certificate", "token", "hash", "platform", "model", "locale", "notifications", "presence", "since", "registered")
	for _, v := range views {
		state := dash(string(v.State))
		if v.Foreground {
			state += " (gateway)"
		}
		w.AppendRow(table.Row{v.Device, v.Certificate, dash(v.Token), dash(v.TokenHash), dash(v.Platform), dash(shorten(v.Model, 16)), dash(v.Locale),
			dash(string(v.Notifications)), state, t.ago(v.StateAt), t.ago(v.RegisteredAt)})
		if v.VoIPCertificate != "" {
			w.AppendRow(table.Row{"  calls", v.VoIPCertificate, v.VoIPToken})
		}
	}
	w.Render()
}

func (t *tool) deviceListCommand() *cobra.Command {
	var app, user string
	var showTokens bool
	c := &cobra.Command{
		Use:   "list --app APP --user USER",
		Short: "List a user's registered devices and their presence",
		Long: `list shows what the directory knows of a user's devices. Tokens are shortened unless --show-tokens is given.

The hash is how the workers' logs name the token.

JSON: one object a line with device, certificate, token, token_hash, platform, locale, region, voip_certificate, voip_token,
registered_at, model, os_version, app_version, notifications, registration_error, state, state_at, foreground, heard.`,
		Example: `  publisher device list --app demo --user bob
  publisher device list --app demo --user bob -o json | jq -r .certificate`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := t.connect(cmd.Context(), t.topology().Directory())
			if err != nil {
				return err
			}
			defer b.Close()
			u, notes, err := t.reader(b).User(cmd.Context(), app, user)
			if err != nil {
				return err
			}
			for _, n := range notes {
				t.warn("%s", n)
			}
			views := trail.Devices(u, showTokens)
			switch {
			case t.json():
				for _, v := range views {
					if err := t.emit(v); err != nil {
						return err
					}
				}
			case len(views) == 0:
				t.printf("%s has no registered device in %s", user, app)
			default:
				t.deviceTable(views)
			}
			return nil
		},
	}
	owner(c, &app, &user, nil)
	c.Flags().BoolVar(&showTokens, "show-tokens", false, "show tokens whole")
	return c
}

func (t *tool) presenceCommand() *cobra.Command {
	var app, user, device string
	var p hongyan.Presence
	var unread int
	c := &cobra.Command{
		Use:   "presence --app APP --user USER --device DEVICE --state STATE",
		Short: "Say what a device is doing",
		Long: `presence publishes a device's presence. The states, and what they do to a push:

  foreground     not pushed to while the report is young (the app's foreground_lease, 400s) or its gateway lives
  background     pushed to
  disconnected   pushed to
  logged_out     never pushed to
  kicked         never pushed to`,
		Example: `  publisher presence --app demo --user bob --device phone --state background --unread 3`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.At = t.now().UTC()
			if cmd.Flags().Changed("unread") {
				p.Unread = &unread
			}
			return t.publish(cmd.Context(), func(ctx context.Context, c *hongyan.Client) error { return c.SetPresence(ctx, app, user, device, p) },
				place{app, user, device, string(p.State)}, "device %s of %s in %s is %s", device, user, app, p.State)
		},
	}
	owner(c, &app, &user, &device)
	f := c.Flags()
	f.StringVar((*string)(&p.State), "state", "", "foreground, background, disconnected, logged_out or kicked")
	f.IntVar(&unread, "unread", 0, "how many unread messages the device shows; left out where that is not known")
	f.StringVar(&p.Gateway, "gateway", "", "the IM `gateway` whose lease vouches for the foreground")
	require(c, "state")
	complete(c, "state", wordsOf(hongyan.PresenceStates[:])...)
	return c
}

// wishes are the changes that settings flags ask for.
type wishes struct {
	quiet, zone, preview       string
	noQuiet, replace           bool
	mute, mentionsOnly, unmute []string
}

func (w *wishes) none() bool {
	return w.quiet == "" && w.zone == "" && w.preview == "" && !w.noQuiet && !w.replace && len(w.mute)+len(w.mentionsOnly)+len(w.unmute) == 0
}

// apply changes settings.
func (w *wishes) apply(s *hongyan.Settings) error {
	switch {
	case w.noQuiet:
		s.QuietHours = nil
	case w.quiet != "":
		from, to, ok := strings.Cut(w.quiet, "-")
		if !ok {
			return cli.UsageError(fmt.Errorf("--quiet is %q, not FROM-TO such as 22:00-08:00", w.quiet))
		}
		s.QuietHours = &hongyan.QuietWindow{From: from, To: to, Timezone: w.zone}
	case w.zone != "":
		if s.QuietHours == nil {
			return cli.UsageError(fmt.Errorf("--timezone is for quiet hours, and there are none: give --quiet too"))
		}
		s.QuietHours.Timezone = w.zone
	}
	if w.preview != "" {
		s.Preview = hongyan.Preview(w.preview)
	}
	if s.Conversations == nil {
		s.Conversations = map[string]hongyan.Mute{}
	}
	for _, id := range w.mute {
		s.Conversations[id] = hongyan.MuteAll
	}
	for _, id := range w.mentionsOnly {
		s.Conversations[id] = hongyan.MuteButMentions
	}
	for _, id := range w.unmute {
		delete(s.Conversations, id)
	}
	return s.Validate()
}

func (t *tool) settingsCommand() *cobra.Command {
	var app, user string
	var w wishes
	c := &cobra.Command{
		Use:   "settings --app APP --user USER [flags]",
		Short: "Show or change a user's mutes, quiet hours and preview",
		Long: `settings shows a user's wishes, or changes them: what the flags do not name stays as it is, unless --replace is given.

Calls pass quiet hours. A message with offline_push.ignore_mute passes a muted conversation. Of the user's preview and the app's
policy the stricter wins: full, sender (names without texts) or none.

JSON: the settings record, with quiet_hours, conversations and preview.`,
		Example: `  publisher settings --app demo --user bob
  publisher settings --app demo --user bob --quiet 22:00-08:00 --timezone Asia/Shanghai
  publisher settings --app demo --user bob --mute g-7 --mentions-only g-9
  publisher settings --app demo --user bob --unmute g-7 --no-quiet
  publisher settings --app demo --user bob --preview sender`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return t.settings(cmd.Context(), app, user, &w)
		},
	}
	owner(c, &app, &user, nil)
	f := c.Flags()
	f.StringVar(&w.quiet, "quiet", "", "quiet hours, `FROM-TO`, such as 22:00-08:00")
	f.StringVar(&w.zone, "timezone", "", "the IANA time `zone` of the quiet hours; default Asia/Shanghai")
	f.BoolVar(&w.noQuiet, "no-quiet", false, "end the quiet hours")
	f.StringArrayVar(&w.mute, "mute", nil, "mute a `conversation` (repeatable)")
	f.StringArrayVar(&w.mentionsOnly, "mentions-only", nil, "mute a `conversation` but for mentions (repeatable)")
	f.StringArrayVar(&w.unmute, "unmute", nil, "end the mute of a `conversation` (repeatable)")
	f.StringVar(&w.preview, "preview", "", "`how much` notifications show: full, sender or none")
	complete(c, "preview", string(hongyan.PreviewFull), string(hongyan.PreviewSender), string(hongyan.PreviewNone))
	f.BoolVar(&w.replace, "replace", false, "forget what is stored first")
	c.MarkFlagsMutuallyExclusive("quiet", "no-quiet")
	c.MarkFlagsMutuallyExclusive("timezone", "no-quiet")
	return c
}

func (t *tool) settings(ctx context.Context, app, user string, w *wishes) error {
	b, err := t.connect(ctx, t.topology().Directory())
	if err != nil {
		return err
	}
	defer b.Close()
	subject := t.topology().Subjects.Settings(app, user)
	for range 10 { // other writers may come between
		step, cancel := t.step(ctx)
		read, err := b.LastValues(step, []string{subject})
		values := read.Values
		cancel()
		if err != nil {
			return err
		}
		var s hongyan.Settings
		var revision uint64
		if len(values) > 0 {
			revision = values[0].Revision
			if len(values[0].Data) > 0 && !w.replace {
				var repairs hongyan.Repairs
				if s, repairs, err = hongyan.ParseSettings(values[0].Data, nil); err != nil {
					return fmt.Errorf("the stored settings cannot be read, and so count as absent: %w; --replace writes new ones", err)
				}
				for _, r := range repairs {
					if r.Kind == hongyan.RepairField {
						t.warn("the stored %s holds what cannot be understood, so that part counts as absent", r.Field)
					}
				}
			}
		}
		if w.none() {
			return t.showSettings(user, &s)
		}
		if err := w.apply(&s); err != nil {
			return err
		}
		data, err := json.Marshal(s)
		if err != nil {
			return err
		}
		step, cancel = t.step(ctx)
		changed, err := b.PutIf(step, subject, data, revision)
		cancel()
		if err != nil {
			return err
		}
		if !changed {
			return t.showSettings(user, &s)
		}
	}
	return fmt.Errorf("the settings of %s keep changing, nothing was written", user)
}

func (t *tool) showSettings(user string, s *hongyan.Settings) error {
	if t.json() {
		return t.emit(s)
	}
	t.printf("%s", settingsText(user, s))
	return nil
}

// settingsText is the settings in words.
func settingsText(user string, s *hongyan.Settings) terminal.Text {
	var lines []string
	add := func(format string, args ...any) {
		lines = append(lines, fmt.Sprintf(format, terminal.Values(args)...))
	}
	if q := s.QuietHours; q != nil {
		add("quiet hours: %s to %s, %s", q.From, q.To, or(q.Timezone, hongyan.DefaultTimezone))
	}
	ids := make([]string, 0, len(s.Conversations))
	for id := range s.Conversations {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		add("conversation %s: %s", id, s.Conversations[id])
	}
	if s.Preview != "" {
		add("preview: %s", s.Preview)
	}
	if len(lines) == 0 {
		add("%s has no quiet hours and no muted conversation", user)
	}
	return terminal.Text(strings.Join(lines, "\n"))
}
