package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/hongyan-im/hongyan/internal/sleep"
)

const (
	// eventsPause is the least time between two writes of a stream, so that a benchmark's pushes
	// arrive in bunches.
	eventsPause = 100 * time.Millisecond
	// eventsBurst is how many pushes one write carries; of more, the newest, and an event "missed"
	// says how many it left out.
	eventsBurst = 100
	// eventsBeat is the time between two looks at the counts and faults. A stream that stays silent
	// for longer is broken.
	eventsBeat = time.Second
)

// getEvents streams server-sent events until the client leaves or the sandbox stops:
//
//	event: push    id: SEQ   data: a Push
//	event: missed            data: {"missed": N}, pushes that came too fast to be sent one by one
//	event: state             data: {"counts": {…}, "faults": […]}, at the start and when changed
//
// It starts after the query's after=SEQ, or the browser's Last-Event-ID, or with now.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) {
	vendor, err := s.vendorIn(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	stream := &eventStream{server: s, vendor: vendor, w: w}
	if last, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64); err == nil && last >= 0 {
		stream.seen = last
	} else if after, err := number(r, "after"); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	} else if r.FormValue("after") != "" {
		stream.seen = after
	} else {
		stream.seen = s.lastSeq()
	}
	// A sandbox that was started anew counts from 1 again; who saw more than there is saw another
	// sandbox.
	stream.seen = min(stream.seen, s.lastSeq())

	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// only a knock on the door: the pushes themselves are read from the ledger
	pushed := make(chan Push, 1)
	defer s.Watch(pushed)()
	beat := time.NewTicker(eventsBeat)
	defer beat.Stop()
	for {
		if !stream.write() || !sleep.For(r.Context(), eventsPause) {
			return
		}
		select {
		case <-pushed:
		case <-beat.C:
		case <-r.Context().Done():
			return
		}
	}
}

type eventStream struct {
	server *Server
	vendor string
	w      http.ResponseWriter
	seen   int64
	state  []byte
}

// write sends what is new, and says whether the client still listens.
func (e *eventStream) write() bool {
	var out bytes.Buffer
	var pushes []Push
	news := e.server.PushesAfter(e.seen)
	if len(news) > 0 {
		missed := news[0].Seq - e.seen - 1 // forgotten before they could be sent
		e.seen = news[len(news)-1].Seq
		for _, p := range news {
			if e.vendor == "" || p.Vendor == e.vendor {
				pushes = append(pushes, p)
			}
		}
		if over := len(pushes) - eventsBurst; over > 0 {
			missed += int64(over)
			pushes = pushes[over:]
		}
		if missed > 0 {
			event(&out, "missed", 0, map[string]int64{"missed": missed})
		}
	}
	for _, p := range pushes {
		event(&out, "push", p.Seq, p)
	}
	// plain values always marshal
	state, _ := json.Marshal(map[string]any{"counts": e.server.allCounts(), "faults": e.server.Faults()})
	if !bytes.Equal(state, e.state) {
		e.state = state
		event(&out, "state", 0, json.RawMessage(state))
	} else if out.Len() == 0 {
		// a sign of life, so that either side notices when the other is gone
		out.WriteString(":\n\n")
	}
	if _, err := e.w.Write(out.Bytes()); err != nil {
		return false
	}
	return http.NewResponseController(e.w).Flush() == nil
}

// event writes one event. JSON has no raw line breaks, so that one data line is enough.
func event(out *bytes.Buffer, name string, id int64, v any) {
	data, _ := json.Marshal(v) // plain values always marshal
	if id > 0 {
		fmt.Fprintf(out, "id: %d\n", id)
	}
	fmt.Fprintf(out, "event: %s\ndata: %s\n\n", name, data)
}
