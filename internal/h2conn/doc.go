// Package h2conn carries many small requests to one host over a few HTTP/2 connections, with as
// little work per request as the protocol allows. It is made for pushes: a header that is nearly
// the same each time, a body of a few kilobytes, an answer of a line.
//
//	Do, RoundTrip ──▶ conn.start ──▶ buffer ──▶ writeLoop ──▶ one write for many requests
//	      │           stream id, HEADERS, DATA        ▲
//	      ▼                                           │ acknowledgements, resets, room for DATA
//	    queue, while all are full                     │
//	answer ◀── call of the stream ◀── frames ◀── readLoop
//
// A [Transport] is an [net/http.RoundTripper] for one host. [Transport.Do] is the same without
// net/http's types: its header is encoded once per connection and it allocates next to nothing.
//
// Each connection has two goroutines. The caller itself writes its frames into the connection's
// buffer, under the lock that also guards stream ids and the header table; the writer takes all
// that has gathered there and writes it at once. The reader finds the call of each frame by its
// stream id. A call that has ended, for whatever reason, is no longer in the table of streams, so
// that no answer reaches a call that it does not belong to.
//
// What it promises:
//
//   - The first request on a connection is sent alone; more follow when it is answered. APNs allows
//     one stream until a push with a good token was answered, and a burst over a new connection would
//     be refused.
//   - It never opens two connections at once. Another one is opened only when all are full, of
//     streams or of bytes that the peer has not yet made room for, as happens when round trips are
//     long. After a failure it waits before it connects again.
//   - A request that the peer certainly did not process, by its own word (REFUSED_STREAM, GOAWAY) or
//     because no byte of it was written, goes to the next connection, over three of them at most.
//     Everything else is told as an [*Error], which says whether the peer may have acted on the
//     request. Nothing that may have been processed is sent twice.
//   - A cancelled call frees its stream at once and waits for nothing.
//   - Whatever a peer sends, memory stays bounded: the header of an answer, its body, the answers that
//     are incomplete, and what waits to be written all have limits.
//
// What it does not do: HTTP/1.1, streaming bodies, redirects, cookies, compression, server push.
//
// RFC 9113 (HTTP/2), RFC 7541 (HPACK); Apple, "Sending notification requests to APNs" and
// "Establishing a token-based connection to APNs". The shape follows grpc-go's transport.
package h2conn
