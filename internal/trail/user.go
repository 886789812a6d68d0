package trail

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// Device is a device in answers.
type Device struct {
	Device      string `json:"device"`
	Certificate string `json:"certificate"`
	Token       string `json:"token"`
	// TokenHash is how logs name the token.
	TokenHash       string    `json:"token_hash,omitempty"`
	Platform        string    `json:"platform,omitempty"`
	Locale          string    `json:"locale,omitempty"`
	Region          string    `json:"region,omitempty"`
	VoIPCertificate string    `json:"voip_certificate,omitempty"`
	VoIPToken       string    `json:"voip_token,omitempty"`
	RegisteredAt    time.Time `json:"registered_at,omitzero"`
	// Model, OSVersion, AppVersion, Notifications and RegistrationError are as the app told them.
	Model             string         `json:"model,omitempty"`
	OSVersion         string         `json:"os_version,omitempty"`
	AppVersion        string         `json:"app_version,omitempty"`
	Notifications     hongyan.Switch `json:"notifications,omitempty"`
	RegistrationError string         `json:"registration_error,omitempty"`
	// State and StateAt are the presence, "" without one; Foreground says that a living gateway
	// vouches for the foreground.
	State      hongyan.PresenceState `json:"state,omitempty"`
	StateAt    time.Time             `json:"state_at,omitzero"`
	Foreground bool                  `json:"foreground,omitzero"`
	Heard      time.Time             `json:"heard"`
}

// User reads all that is known of a user; notes say which records cannot be read.
func (r *Reader) User(ctx context.Context, app, user string) (u *directory.User, notes []string, err error) {
	dir := directory.New(r.Bus, r.Bus.Topology().Subjects, directory.Options{
		Now: r.Now,
		Unreadable: func(_, kind string, err error) {
			notes = append(notes, textUnreadable.Format(r.Language, kind, err))
		},
		Repaired: func(repairs hongyan.Repairs) {
			for _, repair := range repairs {
				if repair.Kind == hongyan.RepairField {
					notes = append(notes, textUnclear.Format(r.Language, repair.Field))
				}
			}
		},
	})
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	users, err := dir.Lookup(ctx, []directory.Ref{{App: app, User: user}})
	if err != nil {
		return nil, nil, err
	}
	if u = users[0]; u == nil {
		u = &directory.User{}
	}
	return u, notes, nil
}

// Devices are a user's devices by their ids, with tokens shortened unless they are to be whole.
func Devices(u *directory.User, whole bool) []Device {
	list := make([]Device, 0, len(u.Devices))
	for _, d := range u.Devices {
		r := d.Registration
		v := Device{Device: d.ID, Certificate: r.Certificate, Token: Token(r.Token, whole), Platform: r.Platform, Locale: r.Locale,
			Region: r.Region, RegisteredAt: r.RegisteredAt, Foreground: d.Foreground, Heard: d.Heard,
			Model: r.Model, OSVersion: r.OSVersion, AppVersion: r.AppVersion, Notifications: r.Notifications, RegistrationError: r.RegistrationError}
		if r.Token != "" {
			v.TokenHash = dispatch.TokenHash(r.Token)
		}
		if r.VoIP != nil {
			v.VoIPCertificate, v.VoIPToken = r.VoIP.Certificate, Token(r.VoIP.Token, whole)
		}
		if d.Presence != nil {
			v.State, v.StateAt = d.Presence.State, d.Presence.At
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b Device) int { return cmp.Compare(a.Device, b.Device) })
	return list
}

// Token shows enough of a token to tell it from others, or the whole.
func Token(s string, whole bool) string {
	switch {
	case whole || s == "":
		return s
	case len(s) <= 12:
		return s[:min(len(s), 3)] + "…"
	}
	return strings.ToValidUTF8(s[:6]+"…"+s[len(s)-4:], "?")
}
