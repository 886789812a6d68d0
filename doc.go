// Package hongyan is what an IM backend imports: the wire types of Hongyan (鸿雁), the grammar of its
// subjects, the judge of its inputs, and a client that publishes on NATS JetStream.
//
//	IM backend ── Client ──▶ push.message.<app>                        a message event
//	                     ──▶ push.urgent.<app>                         a call event
//	                     ──▶ push.signal.<app>                         a recall or a read mark
//	                     ──▶ push.user.<app>.<user>.device.<device>    a device's registration
//	                     ──▶ push.user.<app>.<user>.presence.<device>  a device's presence
//	                     ──▶ push.user.<app>.<user>.settings           mutes and quiet hours
//	                     ──▶ push.gateway.<app>.<gateway>              an IM gateway's lease
//	IM backend ◀──────────── push.outcome.<app>.<status>.<partition>   see [ParseOutcomes]
//
// Nothing here is needed to use Hongyan: any NATS client can publish the same JSON on the same
// subjects; docs/messages.md tells how. Workers read it with the Parse functions, which take inputs
// as they really come; a backend checks what it publishes with the Validate methods, which say the
// same.
package hongyan
