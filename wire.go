package hongyan

import "time"

// Message is a message event: what an IM backend announces so that the recipients who are away get
// a push.
//
// ID, Conversation, Sender.ID, Recipients and Content.Type are required. A field set in OfflinePush
// wins over the default of the certificate through which a device is reached.
type Message struct {
	// ID is unique in the app and at most [MaxMessageID] bytes long. It is also the default
	// Nats-Msg-Id.
	ID string `json:"id"`
	// SentAt is when the user sent the message; the zero value means "when it arrived".
	SentAt time.Time `json:"sent_at,omitzero"`
	// TTLSeconds counts from SentAt. 0 means the default of the kind: 60 for a call invite, 86,400
	// for the rest.
	TTLSeconds   int64        `json:"ttl_seconds,omitzero"`
	Conversation Conversation `json:"conversation"`
	Sender       Sender       `json:"sender"`
	// Recipients are user ids, 1 to [MaxRecipients] of them, [MaxRecipientBytes] in all.
	Recipients []string `json:"recipients"`
	Content    Content  `json:"content"`
	// Mentions lists the users that the text names; with MentionAll everyone counts as named.
	Mentions   []string `json:"mentions,omitempty"`
	MentionAll bool     `json:"mention_all,omitzero"`
	// Unread gives the number that a recipient's badge shall show, by user id.
	Unread      map[string]int `json:"unread,omitempty"`
	OfflinePush OfflinePush    `json:"offline_push,omitzero"`
}

// Conversation types.
const (
	C2C   = "c2c"
	Group = "group"
)

// Conversation is where the message was said.
type Conversation struct {
	Type string `json:"type"` // C2C or Group
	ID   string `json:"id"`
	// Name is a group's name; empty when it is not known.
	Name string `json:"name,omitempty"`
}

// Sender is the user who sent the message.
type Sender struct {
	ID       string `json:"id"`
	Nickname string `json:"nickname,omitempty"`
	Device   string `json:"device,omitempty"`
}

// Content types.
const (
	Text     = "text"
	Image    = "image"
	Audio    = "audio"
	Video    = "video"
	File     = "file"
	Location = "location"
	Face     = "face"
	Merged   = "merged"
	Custom   = "custom"
	CallType = "call"
)

// Content is what was said. Call is present exactly when Type is [CallType].
type Content struct {
	Type string `json:"type"`
	Text string `json:"text,omitempty"`
	Call *Call  `json:"call,omitempty"`
}

// Call actions.
const (
	Invite = "invite"
	Cancel = "cancel"
	Answer = "answer"
	Reject = "reject"
	Hangup = "hangup"
)

// Call is a step of a voice or video call. An invite notifies, a cancelled one only with
// OfflinePush.Desc, the other steps nobody.
type Call struct {
	Media  string `json:"media"`  // "audio" or "video"
	Action string `json:"action"` // Invite, Cancel, Answer, Reject or Hangup
	ID     string `json:"call_id"`
}

// OfflinePush steers the notification. Its names and meanings follow Tencent IM's OfflinePushInfo.
type OfflinePush struct {
	Disable bool   `json:"disable,omitzero"`
	Title   string `json:"title,omitempty"`
	Desc    string `json:"desc,omitempty"`
	// Ext reaches the app untouched when the notification is tapped.
	Ext string `json:"ext,omitempty"`
	// IgnoreMute lets the push pass a muted conversation.
	IgnoreMute bool    `json:"ignore_mute,omitzero"`
	IOS        IOS     `json:"ios,omitzero"`
	Android    Android `json:"android,omitzero"`
	Harmony    Harmony `json:"harmony,omitzero"`
}

// IOS holds what only APNs knows.
type IOS struct {
	PushType    string `json:"push_type,omitempty"` // "alert" (default) or "voip"
	Title       string `json:"title,omitempty"`
	Subtitle    string `json:"subtitle,omitempty"`
	Sound       string `json:"sound,omitempty"` // a file with its suffix, "default", or "none"
	IgnoreBadge bool   `json:"ignore_badge,omitzero"`
	Image       string `json:"image,omitempty"`
	// MutableContent runs the app's notification service extension first.
	MutableContent bool `json:"mutable_content,omitzero"`
	// InterruptionLevel is passive, active, time-sensitive or critical.
	InterruptionLevel string `json:"interruption_level,omitempty"`
}

// Android holds what the Android vendors know; a field that begins with a vendor's name is that
// vendor's alone.
type Android struct {
	Sound string `json:"sound,omitempty"` // a file without its suffix
	Style string `json:"style,omitempty"` // "" or "big_text"
	Image string `json:"image,omitempty"`

	FCMChannelID string `json:"fcm_channel_id,omitempty"`
	FCMPriority  string `json:"fcm_priority,omitempty"` // "high" or "normal"

	HuaweiChannelID  string `json:"huawei_channel_id,omitempty"`
	HuaweiCategory   string `json:"huawei_category,omitempty"`
	HuaweiImportance string `json:"huawei_importance,omitempty"` // "LOW" or "NORMAL"

	HonorImportance string `json:"honor_importance,omitempty"` // "LOW" or "NORMAL"

	XiaomiChannelID      string            `json:"xiaomi_channel_id,omitempty"`
	XiaomiTemplateID     string            `json:"xiaomi_template_id,omitempty"`
	XiaomiTemplateParams map[string]string `json:"xiaomi_template_params,omitempty"`

	OPPOChannelID     string            `json:"oppo_channel_id,omitempty"`
	OPPOCategory      string            `json:"oppo_category,omitempty"`
	OPPONotifyLevel   int               `json:"oppo_notify_level,omitzero"` // 1, 2 or 16
	OPPOTemplateID    string            `json:"oppo_template_id,omitempty"`
	OPPOTitleParams   map[string]string `json:"oppo_title_params,omitempty"`
	OPPOContentParams map[string]string `json:"oppo_content_params,omitempty"`

	VivoClassification *int   `json:"vivo_classification,omitempty"` // 0 operational, 1 system
	VivoCategory       string `json:"vivo_category,omitempty"`
	// 1 none, 2 ring, 3 vibrate, 4 both
	VivoNotifyType int `json:"vivo_notify_type,omitzero"`

	MeizuNoticeType *int `json:"meizu_notice_type,omitempty"` // 0 public, 1 private
}

// Harmony holds what only HarmonyOS knows.
type Harmony struct {
	Category    string `json:"category,omitempty"`
	Image       string `json:"image,omitempty"`
	IgnoreBadge bool   `json:"ignore_badge,omitzero"`
}

// Limits of a message event. One that exceeds them becomes a dead letter with reason malformed.
const (
	MaxMessageID      = 128
	MaxRecipients     = 10_000
	MaxRecipientBytes = 1 << 20
	MaxUserID         = 256
)

// Device is a device's registration: which certificate reaches it, and under which token.
type Device struct {
	Certificate string `json:"certificate"`
	Token       string `json:"token"`
	Platform    string `json:"platform,omitempty"` // "ios", "android", "harmony"
	Locale      string `json:"locale,omitempty"`   // BCP 47, such as "zh-CN"
	// Region is the vendor's region of the token where the vendor has several hosts (Xiaomi: cn,
	// ru, in, eu, global).
	Region string `json:"region,omitempty"`
	// VoIP is the device's PushKit registration, a certificate and token of its own.
	VoIP         *VoIP     `json:"voip,omitempty"`
	RegisteredAt time.Time `json:"registered_at,omitzero"`
}

// VoIP is the second registration of an iOS device, for incoming calls.
type VoIP struct {
	Certificate string `json:"certificate"`
	Token       string `json:"token"`
}

// Presence states.
const (
	Foreground   = "foreground"
	Background   = "background"
	Disconnected = "disconnected"
	LoggedOut    = "logged_out"
	Kicked       = "kicked"
)

// Presence is what a device last said of itself.
type Presence struct {
	State  string    `json:"state"`
	Unread int       `json:"unread,omitzero"`
	At     time.Time `json:"at,omitzero"`
	// Gateway, when given, lets Foreground hold as long as that gateway's lease lives.
	Gateway string `json:"gateway,omitempty"`
}

// Settings are a user's wishes.
type Settings struct {
	QuietHours *QuietHours `json:"quiet_hours,omitempty"`
	// Conversations maps a conversation id to Muted or MentionsOnly.
	Conversations map[string]string `json:"conversations,omitempty"`
}

// Conversation settings.
const (
	Muted        = "muted"
	MentionsOnly = "mentions_only"
)

// QuietHours is a daily window, "HH:MM" to "HH:MM" in an IANA time zone; it may pass midnight.
type QuietHours struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Timezone string `json:"timezone,omitempty"` // default Asia/Shanghai
}

// Outcome statuses.
const (
	Accepted   = "accepted"
	Suppressed = "suppressed"
	Dead       = "dead"
)

// Outcome is what became of a message on one device of one user.
type Outcome struct {
	MessageID   string    `json:"message_id"`
	App         string    `json:"app"`
	User        string    `json:"user"`
	Device      string    `json:"device"`
	Vendor      string    `json:"vendor"`
	Certificate string    `json:"certificate"`
	Status      string    `json:"status"`
	Reason      string    `json:"reason"`
	VendorCode  string    `json:"vendor_code"`
	VendorID    string    `json:"vendor_id"`
	Attempt     int       `json:"attempt"`
	At          time.Time `json:"at"`
	LatencyMS   int64     `json:"latency_ms"`
}
