package hongyan

import "time"

// Message is a message event: what an IM backend announces so that the recipients who are away get
// a push.
//
// ID, Conversation.Type, Sender.ID, Recipients and Content.Type are required. A field set in
// OfflinePush wins over the default of the certificate through which a device is reached.
type Message struct {
	// ID is unique in the app and at most [MaxMessageID] bytes long. The event's Nats-Msg-Id is
	// "<app>/<id>".
	ID string `json:"id"`
	// SentAt is when the user sent the message; default: when it arrived. A time more than five
	// minutes ahead of the arrival counts as the arrival.
	SentAt time.Time `json:"sent_at,omitzero"`
	// TTLSeconds counts from SentAt and ends at the latest 28 days after the arrival. 0 means the
	// default of the kind: 60 for a call invite, 86,400 for the rest.
	TTLSeconds int64 `json:"ttl_seconds,omitzero"`
	// Conversation is where the message was said.
	Conversation Conversation `json:"conversation"`
	// Sender is the user who sent the message.
	Sender Sender `json:"sender"`
	// Recipients are user ids, 1 to [MaxRecipients] of them, [MaxRecipientBytes] bytes in all. One
	// that is repeated counts once; one that is empty or longer than [MaxUserID] bytes is skipped.
	Recipients []string `json:"recipients"`
	// Content is what was said.
	Content Content `json:"content"`
	// Mentions are the user ids that the text names; with MentionAll everyone counts as named.
	Mentions []string `json:"mentions,omitempty"`
	// MentionAll says that the text names everyone.
	MentionAll bool `json:"mention_all,omitzero"`
	// Unread is the number that a recipient's badge shall show, by user id.
	Unread map[string]int `json:"unread,omitempty"`
	// OfflinePush steers the notification.
	OfflinePush OfflinePush `json:"offline_push,omitzero"`
}

// MapTexts replaces each text that people read by what f makes of it.
func (m *Message) MapTexts(f func(string) string) {
	o := &m.OfflinePush
	for _, text := range []*string{&m.Content.Text, &o.Title, &o.Desc, &o.IOS.Title, &o.IOS.Subtitle} {
		*text = f(*text)
	}
	for _, params := range []*map[string]string{&o.Android.XiaomiTemplateParams, &o.Android.OPPOTitleParams, &o.Android.OPPOContentParams} {
		if len(*params) == 0 {
			continue
		}
		mapped := make(map[string]string, len(*params))
		for name, value := range *params {
			mapped[name] = f(value)
		}
		*params = mapped
	}
}

// ConversationType is the kind of a conversation.
type ConversationType string

// The conversation types.
const (
	ConversationC2C   ConversationType = "c2c"
	ConversationGroup ConversationType = "group"
)

// ConversationTypes lists them all.
var ConversationTypes = [...]ConversationType{ConversationC2C, ConversationGroup}

// Conversation is where the message was said.
type Conversation struct {
	// Type is "c2c" for two users, or "group".
	Type ConversationType `json:"type"`
	// ID is what mutes and read marks name; at most [MaxName] bytes.
	ID string `json:"id"`
	// Name is a group's name, at most [MaxName] bytes; empty when it is not known.
	Name string `json:"name,omitempty"`
}

// Sender is the user who sent the message.
type Sender struct {
	// ID is a user id, at most [MaxUserID] bytes.
	ID string `json:"id"`
	// Nickname is what recipients see, at most [MaxName] bytes; without it they see the ID.
	Nickname string `json:"nickname,omitempty"`
	// Device is the device that the message was sent from.
	Device string `json:"device,omitempty"`
}

// ContentType is the kind of a content.
type ContentType string

// The content types.
const (
	ContentText     ContentType = "text"
	ContentImage    ContentType = "image"
	ContentAudio    ContentType = "audio"
	ContentVideo    ContentType = "video"
	ContentFile     ContentType = "file"
	ContentLocation ContentType = "location"
	ContentFace     ContentType = "face"
	ContentMerged   ContentType = "merged"
	ContentCustom   ContentType = "custom"
	ContentCall     ContentType = "call"
)

// ContentTypes lists them all.
var ContentTypes = [...]ContentType{
	ContentText, ContentImage, ContentAudio, ContentVideo, ContentFile, ContentLocation, ContentFace, ContentMerged, ContentCustom,
	ContentCall,
}

// Content is what was said.
type Content struct {
	// Type chooses the words that stand for what is no text, such as "[Photo]".
	Type ContentType `json:"type"`
	// Text is what people wrote. It may be of any length and is shortened to what a vendor takes.
	Text string `json:"text,omitempty"`
	// Call is the step of a call; required when Type is [ContentCall].
	Call *Call `json:"call,omitempty"`
}

// CallAction is a step of a call.
type CallAction string

// The call actions. An invite rings. A cancel and a hangup end the ringing on the devices of the
// recipients, with a missed call in its place; an answer and a reject come from a callee, the
// sender, and end it on the callee's other devices. See docs/messages.md.
const (
	CallInvite CallAction = "invite"
	CallCancel CallAction = "cancel"
	CallAnswer CallAction = "answer"
	CallReject CallAction = "reject"
	CallHangup CallAction = "hangup"
)

// CallActions lists them all.
var CallActions = [...]CallAction{CallInvite, CallCancel, CallAnswer, CallReject, CallHangup}

// CallMedia says what a call carries.
type CallMedia string

// The call media.
const (
	CallAudio CallMedia = "audio"
	CallVideo CallMedia = "video"
)

// Call is a step of a voice or video call.
type Call struct {
	// Media is what the call carries.
	Media CallMedia `json:"media"`
	// Action is the step. An invite rings; a cancel and a hangup make that a missed call on the
	// recipients' devices; an answer and a reject, whose sender is the callee, end it on the
	// callee's other devices.
	Action CallAction `json:"action"`
	// ID is the same in all steps of a call; at most [MaxName] bytes.
	ID string `json:"call_id"`
}

// OfflinePush steers the notification. Its names and meanings follow Tencent IM's OfflinePushInfo.
type OfflinePush struct {
	// Disable announces the message without a push.
	Disable bool `json:"disable,omitzero"`
	// Title replaces the sender's or group's name. It may be of any length and is shortened.
	Title string `json:"title,omitempty"`
	// Desc replaces the text of the content. It may be of any length and is shortened.
	Desc string `json:"desc,omitempty"`
	// Ext reaches the app untouched when the notification is tapped; at most [MaxExt] bytes. JSON
	// may be given as it is instead of as a string.
	Ext string `json:"ext,omitempty" loose:"json"`
	// IgnoreMute lets the push pass a muted conversation.
	IgnoreMute bool `json:"ignore_mute,omitzero"`
	// IOS holds what only APNs knows.
	IOS IOS `json:"ios,omitzero"`
	// Android holds what the Android vendors know.
	Android Android `json:"android,omitzero"`
	// Harmony holds what only HarmonyOS knows.
	Harmony Harmony `json:"harmony,omitzero"`
}

// IOS holds what only APNs knows.
type IOS struct {
	// PushType is "alert" or "voip"; a call invite prefers VoIP where the device registered for it.
	PushType string `json:"push_type,omitempty"`
	// Title is the title on iOS, instead of OfflinePush.Title.
	Title string `json:"title,omitempty"`
	// Subtitle is a line below the title.
	Subtitle string `json:"subtitle,omitempty"`
	// Sound is a file with its suffix, "default", or "none".
	Sound string `json:"sound,omitempty"`
	// IgnoreBadge leaves the number on the app's icon as it is.
	IgnoreBadge bool `json:"ignore_badge,omitzero"`
	// Image is the address of a picture; at most [MaxExt] bytes.
	Image string `json:"image,omitempty"`
	// MutableContent runs the app's notification service extension first.
	MutableContent bool `json:"mutable_content,omitzero"`
	// InterruptionLevel is "passive", "active", "time-sensitive" or "critical".
	InterruptionLevel string `json:"interruption_level,omitempty"`
	// Category names the app's set of buttons.
	Category string `json:"category,omitempty"`
}

// Android holds what the Android vendors know; a field that begins with a vendor's name is that
// vendor's alone.
type Android struct {
	// Sound is a file without its suffix.
	Sound string `json:"sound,omitempty"`
	// Style is "" or "big_text".
	Style string `json:"style,omitempty"`
	// Image is the address of a picture; at most [MaxExt] bytes.
	Image string `json:"image,omitempty"`

	// FCMChannelID is the notification channel.
	FCMChannelID string `json:"fcm_channel_id,omitempty"`
	// FCMPriority is "high" or "normal".
	FCMPriority string `json:"fcm_priority,omitempty"`

	// HuaweiChannelID is the notification channel.
	HuaweiChannelID string `json:"huawei_channel_id,omitempty"`
	// HuaweiCategory is the message's category in the vendor's classification, such as "IM".
	HuaweiCategory string `json:"huawei_category,omitempty"`
	// HuaweiImportance is "LOW" or "NORMAL".
	HuaweiImportance string `json:"huawei_importance,omitempty"`

	// HonorImportance is "LOW" or "NORMAL".
	HonorImportance string `json:"honor_importance,omitempty"`

	// XiaomiChannelID is the notification channel.
	XiaomiChannelID string `json:"xiaomi_channel_id,omitempty"`
	// XiaomiTemplateID is the id of a template that the vendor approved.
	XiaomiTemplateID string `json:"xiaomi_template_id,omitempty"`
	// XiaomiTemplateParams are the template's parameters by name.
	XiaomiTemplateParams map[string]string `json:"xiaomi_template_params,omitempty"`

	// OPPOChannelID is the notification channel.
	OPPOChannelID string `json:"oppo_channel_id,omitempty"`
	// OPPOCategory is the message's category in the vendor's classification, such as "IM".
	OPPOCategory string `json:"oppo_category,omitempty"`
	// OPPONotifyLevel is 1, 2 or 16.
	OPPONotifyLevel int `json:"oppo_notify_level,omitzero"`
	// OPPOTemplateID is the id of a template that the vendor approved.
	OPPOTemplateID string `json:"oppo_template_id,omitempty"`
	// OPPOTitleParams are the parameters of the template's title by name.
	OPPOTitleParams map[string]string `json:"oppo_title_params,omitempty"`
	// OPPOContentParams are the parameters of the template's content by name.
	OPPOContentParams map[string]string `json:"oppo_content_params,omitempty"`

	// VivoClassification is 0 for operational, 1 for system messages.
	VivoClassification *int `json:"vivo_classification,omitempty"`
	// VivoCategory is the message's category in the vendor's classification, such as "IM".
	VivoCategory string `json:"vivo_category,omitempty"`
	// VivoNotifyType is 1 for nothing, 2 for ringing, 3 for vibrating, 4 for both.
	VivoNotifyType int `json:"vivo_notify_type,omitzero"`

	// MeizuNoticeType is 0 for public, 1 for private messages.
	MeizuNoticeType *int `json:"meizu_notice_type,omitempty"`
}

// Harmony holds what only HarmonyOS knows.
type Harmony struct {
	// Category is the message's category in the vendor's classification, such as "IM".
	Category string `json:"category,omitempty"`
	// Image is the address of a picture; at most [MaxExt] bytes.
	Image string `json:"image,omitempty"`
	// Sound is a file in the app's resources/rawfile.
	Sound string `json:"sound,omitempty"`
	// SoundSeconds is how long Sound plays, 1 to 60; 0 for as long as it is, at most 30.
	SoundSeconds int `json:"sound_seconds,omitzero"`
	// IgnoreBadge leaves the number on the app's icon as it is.
	IgnoreBadge bool `json:"ignore_badge,omitzero"`
}
