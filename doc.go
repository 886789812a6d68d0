// Package hongyan is what an IM backend imports: the wire types of Hongyan (鸿雁) and a client that
// publishes them on NATS JetStream.
//
//	IM backend ── Client ──▶ push.message.<app>                          a message event
//	                     ──▶ push.urgent.<app>                           a call, which must not queue behind chat
//	                     ──▶ push.signal.<app>                           a recall or a read mark
//	                     ──▶ push.user.<app>.<user>.device.<device>      a device's registration
//	                     ──▶ push.user.<app>.<user>.presence.<device>    a device's presence
//	                     ──▶ push.user.<app>.<user>.settings             a user's mutes and quiet hours
//	                     ──▶ push.gateway.<app>.<gateway>                a gateway's lease
//	IM backend ◀──────────── push.outcome.<app>.<status>.<partition>     what became of it, see [ParseOutcomes]
//
// Nothing here is needed to use Hongyan: any NATS client can publish the same JSON on the same
// subjects; docs/messages.md tells how. Workers do not act on recalls and read marks yet.
package hongyan
