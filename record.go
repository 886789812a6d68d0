package hongyan

import "time"

// Device is a device's registration: which certificate reaches it, and under which token.
//
// Certificate is required, and a Token or VoIP, or the RegistrationError that says why there is
// none.
type Device struct {
	// Certificate is the certificate's id in the workers' configuration.
	Certificate string `json:"certificate"`
	// Token is what the vendor calls the device; at most [MaxToken] bytes.
	Token string `json:"token"`
	// Platform is "ios", "android" or "harmony".
	Platform string `json:"platform,omitempty"`
	// Locale is the language of the device as BCP 47 writes it, such as "zh-CN"; at most
	// [MaxLocale] bytes.
	Locale string `json:"locale,omitempty"`
	// Region is the vendor's region of the token where the vendor has several hosts.
	Region string `json:"region,omitempty"`
	// VoIP is the device's PushKit registration, a certificate and token of its own.
	VoIP *VoIP `json:"voip,omitempty"`
	// RegisteredAt is when the vendor's SDK gave the token; default: when the record was stored. A
	// later time counts as that.
	RegisteredAt time.Time `json:"registered_at,omitzero"`
	// Model is the phone's. It helps, as the next two do, whoever is asked why a push did not
	// arrive.
	Model string `json:"model,omitempty"`
	// OSVersion is the version of the phone's system.
	OSVersion string `json:"os_version,omitempty"`
	// AppVersion is the version of the app.
	AppVersion string `json:"app_version,omitempty"`
	// Notifications is the system's switch as the app last saw it; empty when it did not look. Off
	// suppresses every push but a call over VoIP.
	Notifications Switch `json:"notifications,omitempty"`
	// RegistrationError is the code of the vendor's SDK where it gave no token.
	RegistrationError string `json:"registration_error,omitempty"`
}

// Switch is the state of the system's switch for an app's notifications.
type Switch string

// The states of a switch.
const (
	SwitchOn  Switch = "on"
	SwitchOff Switch = "off"
)

// VoIP is the second registration of an iOS device, for incoming calls. Both fields are required.
type VoIP struct {
	// Certificate is the certificate's id in the workers' configuration.
	Certificate string `json:"certificate"`
	// Token is the PushKit token.
	Token string `json:"token"`
}

// PresenceState is what a device is doing.
type PresenceState string

// The presence states.
const (
	StateForeground   PresenceState = "foreground"
	StateBackground   PresenceState = "background"
	StateDisconnected PresenceState = "disconnected"
	StateLoggedOut    PresenceState = "logged_out"
	StateKicked       PresenceState = "kicked"
)

// PresenceStates lists them all.
var PresenceStates = [...]PresenceState{StateForeground, StateBackground, StateDisconnected, StateLoggedOut, StateKicked}

// Presence is what a device last said of itself. State is required.
type Presence struct {
	// State is what the device is doing.
	State PresenceState `json:"state"`
	// Unread is the number on the app's icon when the device went to the background; absent when it
	// is not known. Where workers count, they count on from it.
	Unread *int `json:"unread,omitempty"`
	// At is when the device said it; default: when the record was stored. A later time counts as
	// that.
	At time.Time `json:"at,omitzero"`
	// Gateway, when given, lets StateForeground hold as long as that gateway's lease lives.
	Gateway string `json:"gateway,omitempty"`
}

// Lease is what an IM gateway says every few seconds: "I live". The foreground presences that name
// the gateway hold as long.
type Lease struct {
	// Since is when the gateway's process began. Presences stored before that do not hold: whoever
	// was connected then has to come back. Without it the lease vouches for all.
	Since time.Time `json:"since,omitzero"`
}

// Settings are a user's wishes.
type Settings struct {
	// QuietHours is a daily window in which nothing but calls is notified.
	QuietHours *QuietWindow `json:"quiet_hours,omitempty"`
	// Conversations maps a conversation's id to MuteAll or MuteButMentions.
	Conversations map[string]Mute `json:"conversations,omitempty"`
	// Preview says how much notifications show; the stricter of this and the app's policy wins.
	Preview Preview `json:"preview,omitempty"`
}

// Mute says how quiet a conversation is.
type Mute string

// The mutes.
const (
	// MuteAll suppresses every push of the conversation.
	MuteAll Mute = "muted"
	// MuteButMentions lets those through that mention the user.
	MuteButMentions Mute = "mentions_only"
)

// Preview says how much of a message a notification shows.
type Preview string

// The previews.
const (
	PreviewFull   Preview = "full"   // names and text
	PreviewSender Preview = "sender" // names only
	PreviewNone   Preview = "none"   // neither
)

// DefaultTimezone is the time zone of quiet hours that name none.
const DefaultTimezone = "Asia/Shanghai"

// QuietWindow is a daily window, "HH:MM" to "HH:MM" in an IANA time zone; it may pass midnight.
// From and To are required; a window from a time to the same time is empty.
type QuietWindow struct {
	// From is when the window begins, "HH:MM".
	From string `json:"from"`
	// To is when it ends, "HH:MM".
	To string `json:"to"`
	// Timezone is the IANA name of the time zone; default: [DefaultTimezone].
	Timezone string `json:"timezone,omitempty"`
}
