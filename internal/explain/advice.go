// Package explain says in words what a status, a reason and a vendor's code mean, and what to do.
// It reads nothing and knows no vendor by itself: what a code means is in codes.tsv, which is
// written from the vendors' own tables, so that a tool that links no driver tells the same as one.
//
//	status + reason         ──▶ Advice: what it means, and what to do
//	vendor + code + reason  ──▶ Meaning: what the vendor means by it
package explain

import "github.com/hongyan-im/hongyan"

// Rule is the place of a suppression in the order in which the rules apply, from 1, and how many
// there are; 0 where it is none.
func Rule(r hongyan.Reason) (n, of int) {
	for i, s := range hongyan.Suppressions {
		if s == r {
			return i + 1, len(hongyan.Suppressions)
		}
	}
	return 0, len(hongyan.Suppressions)
}

// Advice says what a status and reason mean and what to do.
func Advice(status hongyan.Status, r hongyan.Reason) string {
	switch status {
	case hongyan.StatusSuppressed:
		return Suppression(r)
	case hongyan.StatusWaiting:
		return Waiting(r)
	case hongyan.StatusWithdrawn:
		return Withdrawal(r)
	}
	return Result(r)
}

// Waiting says, for each reason to send a push later, what it waits for and what to do if
// that takes too long.
func Waiting(r hongyan.Reason) string {
	switch r {
	case hongyan.Busy:
		return "There was no free place for it: every call that the worker may make at once for the certificate was under way, or the worker was stopping. It goes by itself, in its turn. If that is often so, the vendor is slow (push_call_duration_seconds), or there are too few calls at once: raise the certificate's concurrency, or add workers."
	case hongyan.Parked:
		return "The certificate is parked: the vendor was unavailable, or refuses the credentials, or the channel or template that the certificate has for this kind of pushes. One push after another tries whether it is well again, and then all go by themselves. \"publisher limits\" shows what the vendor said."
	case hongyan.RateLimited:
		return "The certificate's rate lets no more through at the moment, or the vendor called it too fast. It goes by itself, in its turn; set the rate to what the vendor grants, or ask it for more."
	case hongyan.QuotaSpent:
		return "The day's quota is used up. It goes by itself after the vendor's midnight. If that is too late, ask the vendor for more; \"publisher limits\" shows what is left, and changes our own limit."
	case hongyan.BadCredentials:
		return "Key, secret, certificate or permission is wrong. It goes by itself after the workers got the right ones; put them right before it is worthless."
	case hongyan.AuthExpired:
		return "The access token or JWT was too old and is refreshed by itself; it goes again in a second or two. If it comes again and again, compare the worker's clock with the vendor's."
	case hongyan.Unavailable:
		return "The vendor answered with a server error or not at all. It is tried again by itself, after longer and longer waits; look at the vendor's status page and at the way there (proxy, DNS, firewall) if it stays so."
	case hongyan.Timeout:
		return "No answer came in time. It is tried again by itself under the same key, so that it replaces the first where both arrive; if it stays so, look at the way to the vendor, or raise the certificate's timeout."
	case hongyan.Interrupted:
		return "A worker stopped before it was sent, or in the middle of the call. Another one sends it at once; if none does, is a worker running?"
	case hongyan.Unknown:
		return "The vendor answered with a code that nobody here knows. It is tried three times in all; look the code up in the vendor's documentation, and please report it."
	}
	return "This version of publisher does not know what it waits for; a newer one may."
}

// Withdrawal says what was done about a push that was accepted and then taken back.
func Withdrawal(r hongyan.Reason) string {
	switch r {
	case hongyan.Withdrawn:
		return "The message was recalled, and the vendor took the notification back. Nothing to do."
	case hongyan.Overwritten:
		return "The message was recalled, and another notification replaced it, quietly. Nothing to do."
	case hongyan.NotPossible:
		return "The message was recalled after the vendor took it, and the notification could neither be taken back nor replaced: the device is registered no more or with another certificate, was logged out, rang through VoIP, or the vendor refused (see its code). Nothing to do."
	}
	return "This version of publisher does not know what was done about it; a newer one may."
}

// Suppression says, for each suppression, why it happened and what to do if it should not
// have.
func Suppression(r hongyan.Reason) string {
	switch r {
	case hongyan.Disabled:
		return "The message asked for no push (offline_push.disable), or its group is larger than the app's max_push_group. Change the message, or the policy."
	case hongyan.Expired:
		return "The message was older than its ttl_seconds when a worker read it. Were the workers down or behind, or is sent_at wrong? Compare the clocks, or give a longer ttl_seconds."
	case hongyan.Recalled:
		return "The message was recalled before it was pushed, by a recall of the last 48 hours. Nothing to do."
	case hongyan.Read:
		return "The user had read the conversation up to the message's sent_at or later, by a read mark of the last 24 hours. If that is wrong, compare the clocks of at and sent_at."
	case hongyan.OwnMessage:
		return "The user wrote the message. Nothing to do."
	case hongyan.NoContent:
		return "A custom message without offline_push.desc: give a desc if it shall be pushed. Or a step of a call for a device that the call had not rung in the last hour, on which it was answered or declined, or whose ringing another step ended before: then nothing to do."
	case hongyan.CallOver:
		return "The call had ended for the user before the invitation was sent: it was answered, rejected, cancelled or hung up. Nothing to do; a call that shall ring anew needs a call_id of its own."
	case hongyan.NotificationsOff:
		return "The app registered with notifications off: the user switched them off in the system's settings. Only the user can change that; the app then registers again."
	case hongyan.TooManyDevices:
		return "The user has more than 32 devices, and others were heard of later. Remove registrations of devices that are gone: \"publisher device remove --help\"."
	case hongyan.NoDevice:
		return "The user had no registered device with a token. The app must register after it got its token from the vendor's SDK: see \"publisher device set --help\". A registration also goes when a vendor calls its token dead; and a push that waited has no device any more when the app registered under another certificate since."
	case hongyan.LoggedOut:
		return "The device's last presence is logged_out. When the user logs in again, publish another presence (background, foreground)."
	case hongyan.Kicked:
		return "The device's last presence is kicked: another login pushed it out. When the user logs in on it again, publish another presence."
	case hongyan.Stale:
		return "Nothing was heard of the device for longer than the app's stale_after (7 days unless set). Publish its presence or register it again when the app starts, or raise stale_after."
	case hongyan.Foreground:
		return "The device was in the foreground, so the app itself shows the message. If the app was closed by then, its presence is wrong: publish background or disconnected when the connection goes, or let a gateway lease vouch for the foreground."
	case hongyan.ActiveElsewhere:
		return "Another device of the user was in the foreground, and the app's policy is quiet_when_active_elsewhere."
	case hongyan.Muted:
		return "The user muted the conversation and was not mentioned. offline_push.ignore_mute passes it; \"publisher settings\" shows and changes it."
	case hongyan.QuietHours:
		return "It was inside the user's quiet hours; only calls pass. \"publisher settings\" shows and changes them; mind their time zone."
	case hongyan.UnknownCertificate:
		return "The registration names a certificate that the workers' configuration does not have for this app. Add it there, and the workers load it within seconds; or correct what the app registers."
	}
	return "This version of publisher does not know why; a newer one may."
}

// Result says, for each reason of an accepted or dead push, what the vendor's word means and what
// to do.
func Result(r hongyan.Reason) string {
	switch r {
	case hongyan.UnknownCertificate:
		return "The push waited for a certificate that no worker serves any more. Put it back into the configuration and replay, or let the app register under one that is served."
	case hongyan.Accepted:
		return "The vendor took it. If the phone showed nothing: are notifications allowed for the app and its channel, is battery saving on, and is the vendor's channel or category set up? The vendor's console follows the push by its id."
	case hongyan.BadToken:
		return "The vendor calls the token dead: the app was removed, its data cleared, or the token belongs to another app or environment (a vendor's sandbox and production are two). The registration was removed; the app registers again when it starts."
	case hongyan.NotDisplayed:
		return "The phone refuses: notifications are off, the device is no test device, or was inactive for long; only the user can change that. Or the vendor called the token dead while it accepted nothing else of the certificate: then check the certificate's environment, topic, project and app. The registration stays."
	case hongyan.BadPayload:
		return "The vendor calls the request wrong. The error says what; mostly a channel, category or template that the vendor's console does not have. Correct the message or the certificate's defaults, then replay."
	case hongyan.Refused:
		return "The vendor's policy refused it: sensitive words, a message class that was not granted to the app, or the app is blocked. Look into the vendor's console, or apply for the class; then replay."
	case hongyan.BadCredentials:
		return "Key, secret, certificate or permission is wrong: nothing of this certificate goes out until it is put right. The jobs wait, and go by themselves after the workers got the right ones."
	case hongyan.AuthExpired:
		return "The access token or JWT was too old. It is refreshed by itself; if it comes again and again, compare the worker's clock with the vendor's."
	case hongyan.RateLimited:
		return "The vendor calls it too fast. Jobs wait and go later by themselves; set the certificate's rate to what the vendor grants, or ask it for more."
	case hongyan.QuotaSpent:
		return "The day's quota is used up, and the message would not have lived until the vendor's midnight. Ask the vendor for more, move chat into its private or system class, then replay with --include-expired if it still matters."
	case hongyan.DeviceCapped:
		return "The device had its share of the day in this message class. Chat belongs into the vendor's private or communication class, where the share is larger or none."
	case hongyan.Unavailable:
		return "The vendor answered with a server error or not at all. It is tried again by itself until the message is worthless; look at the vendor's status page and at the way there (proxy, DNS, firewall)."
	case hongyan.Timeout:
		return "No answer in time; the phone may have got it all the same. It is tried again under the same key. If it comes often, look at the way to the vendor, or raise the certificate's timeout."
	case hongyan.Interrupted:
		return "A worker stopped in the middle of it. It goes again at once by itself."
	case hongyan.Unknown:
		return "The vendor answered with a code that nobody here knows; the code and the error say more. Look it up in the vendor's documentation, and please report it."
	case hongyan.Expired:
		return "It waited until it was worthless: the vendor, its limits or the workers were in the way for that long. See what the certificate suffers from; replay with --include-expired if it still matters."
	case hongyan.AttemptsExhausted:
		return "It was tried as often as allowed, and the error begins with the last reason; when its cause is gone, replay. Or workers took the message a hundred times and none came to an end with it: then publish it again."
	case hongyan.Malformed:
		return "The message could not be read; the error says what is wrong. Correct the publisher. Replay helps only where the workers' configuration was at fault, such as an app that was missing."
	}
	return "This version of publisher does not know the reason; a newer one may."
}
