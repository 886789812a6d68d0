package h2conn

import "time"

// Request is one request. It is not changed, and not used any more when Do has returned.
type Request struct {
	// Preset is required. It may be used by several requests at once.
	Preset *Preset
	// Path is the path with the query. It must begin with a slash.
	Path string
	// Literal may be nil.
	Literal *Literal
	// Fields are the fields that are different each time, in lower case. The table takes the names
	// but not the values.
	Fields []Field
	Body   []byte
	// Timeout, if not 0, is how long the request may take, from Do to the end of the answer; it
	// ends with context.DeadlineExceeded then. It costs less than a context for each request.
	Timeout time.Duration

	// plain is set by RoundTrip, whose fields may or may not come again.
	plain bool
}

// Response is the answer to a request. It can be used for further ones; its slices are used again
// then.
type Response struct {
	Status int
	// Header and Trailer have the fields in the order in which they came.
	Header, Trailer []Field
	Body            []byte
}

// Get returns the first value of a field, or "". The name is in lower case.
func (r *Response) Get(name string) string {
	for _, f := range r.Header {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// call is a request under way.
type call struct {
	req  *Request
	resp *Response
	done chan struct{} // receives one value when the call has ended, unless it was abandoned
	err  error         // of an ended call
	// timer is for the request's timeout; it is used again, and nil before the first one.
	timer *time.Timer

	state      state
	prev, next *call // in the queue
	tries      int
	avoid      *conn // it refused the request
	refusal    error // why the last connection did not process it
	outcome    Outcome
	mark       uint64 // answers of the Transport when it began to wait, of the connection when it began there

	// Of an active call.
	conn     *conn
	id       uint32
	start    int64 // where its frames begin in all that was ever written
	window   int64 // how much of the body the peer lets us send on this stream
	unsent   []byte
	blocked  bool // it is in conn.blocked
	answered bool // the header is there
	length   int64
	received int64 // bytes of DATA frames, which take up the peer's window
}

// timeout returns a channel that receives when the request's time has run out; nil for one without
// a timeout.
func (k *call) timeout() <-chan time.Time {
	d := k.req.Timeout
	switch {
	case d <= 0:
		return nil
	case k.timer == nil:
		k.timer = time.NewTimer(d)
	default:
		k.timer.Reset(d)
	}
	return k.timer.C
}

type state int

const (
	queued state = iota
	active
	ended
)

// queue is a list of waiting calls.
type queue struct {
	first, last *call
	length      int
}

func (q *queue) pushBack(k *call) {
	k.state, k.prev, k.next = queued, q.last, nil
	if q.last != nil {
		q.last.next = k
	} else {
		q.first = k
	}
	q.last = k
	q.length++
}

func (q *queue) pushFront(k *call) {
	k.state, k.prev, k.next = queued, nil, q.first
	if q.first != nil {
		q.first.prev = k
	} else {
		q.last = k
	}
	q.first = k
	q.length++
}

func (q *queue) remove(k *call) {
	if k.prev != nil {
		k.prev.next = k.next
	} else {
		q.first = k.next
	}
	if k.next != nil {
		k.next.prev = k.prev
	} else {
		q.last = k.prev
	}
	k.prev, k.next = nil, nil
	q.length--
}
