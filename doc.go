// Package hongyan is what an IM backend imports: the wire types of Hongyan (鸿雁) and a client that
// publishes them on NATS JetStream.
//
//	IM backend ── Client ──▶ push.message.<app>                          a message event
//	                     ──▶ push.user.<app>.<user>.device.<device>      a device's registration
//	                     ──▶ push.user.<app>.<user>.presence.<device>    a device's presence
//	                     ──▶ push.user.<app>.<user>.settings             a user's mutes and quiet hours
//
// Nothing here is needed to use Hongyan: any NATS client can publish the same JSON on the same
// subjects.
package hongyan
