// Package store sees to it that what follows from a delivery is stored before the delivery is done
// with, and that nothing is done twice because a store failed.
//
// Claims are the deliveries that a worker holds. A Duty is what one of them owes: it is acked when
// all that follows from it is stored. The Recorder stores, for as long as that takes: messages as
// they are, and the records of what became of devices gathered for a moment, so that one message
// holds many. The Looker reads these records when a delivery comes again, so that only devices of
// which nothing became yet are pushed to.
package store
