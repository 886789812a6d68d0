// Package marks remembers what was said of messages after they were sent: that one was recalled,
// that a user has read a conversation, and what became of a call.
//
// A mark is a last value in a stream of the workers' own. Each worker hears of each new one, and
// keeps what it heard of the last ten minutes in memory:
//
//	signal, call event ─▶ mark ─▶ PUSH_MARKS ─┬─▶ each worker's memory ─▶ what is sent at once,
//	                                          │                          and what is at hand
//	                                          └─▶ one read for many ───▶ what waited for longer
//
// A mark that concerns a message was made after the message was sent. So the memory alone answers
// for a message that was sent since the memory is complete, five minutes for different clocks
// taken off; for older ones the stream is read. A mark once heard stays true: a recall is never
// taken back, and of read marks the latest counts. So what the memory holds is believed also while
// it is not complete.
//
// An error of a read says nothing of any message. A mark that cannot be read counts as absent.
package marks
