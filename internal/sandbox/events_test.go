package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

type sent struct{ name, id, data string }

// events listens to the stream and hands out its events until the test is over.
func events(t *testing.T, s *Server, query string, header http.Header) <-chan sent {
	t.Helper()
	server := httptest.NewServer(s.Handler())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/sandbox/api/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k := range header {
		req.Header.Set(k, header.Get(k))
	}
	resp, err := server.Client().Do(req) //nolint:bodyclose // the goroutine below closes it
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type %q", got)
	}
	out := make(chan sent, 1000)
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() { _ = resp.Body.Close() }() // the context ends the stream
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		var e sent
		for lines.Scan() {
			switch key, value, _ := strings.Cut(lines.Text(), ": "); key {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				e.data = value
			case "":
				if e.name != "" {
					out <- e
				}
				e = sent{}
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = resp.Body.Close()
		<-over
		server.Close()
	})
	return out
}

func next(t *testing.T, from <-chan sent, name string) sent {
	t.Helper()
	for {
		select {
		case e := <-from:
			if e.name == name {
				return e
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no event %q came", name)
		}
	}
}

func TestEventsArrive(t *testing.T) {
	t.Parallel()
	s := birds()
	s.Accept(Push{Vendor: "acme", Title: "before"})
	stream := events(t, s, "", nil)
	next(t, stream, "state")
	s.Accept(Push{Vendor: "gull", Title: "</script>\ndata: not an event\n\n鸿雁"})
	e := next(t, stream, "push")
	var p Push
	if err := json.Unmarshal([]byte(e.data), &p); err != nil || e.id != "2" || p.Seq != 2 || p.Title != "</script>\ndata: not an event\n\n鸿雁" {
		t.Errorf("got %+v, %v; want push 2 and nothing of before", e, err)
	}
	s.Accept(Push{Vendor: "gull", OnlyBadge: true, Badge: new(0), Clears: true})
	if data := next(t, stream, "push").data; !strings.Contains(data, `"badge":0`) || !strings.Contains(data, `"gone":[2]`) {
		t.Errorf("got %s; want the number, and that push 2 is gone", data)
	}
	s.Withdraw("gull")
	for !strings.Contains(next(t, stream, "state").data, `"withdrawn":1`) {
	}
	s.Arm(Fault{Vendor: "heron", Kind: FaultHang})
	for !strings.Contains(next(t, stream, "state").data, `"kind":"hang"`) {
	}
}

func TestEventsResume(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, query, lastID string
		vendor              string
		want                []string
	}{
		{name: "after", query: "?after=2", want: []string{"3", "4"}},
		// the browser knows better than the address
		{name: "last_event_id", query: "?after=0", lastID: "3", want: []string{"4"}},
		{name: "vendor", query: "?after=0&vendor=bolt", want: []string{"1", "3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := birds()
			for i := range 4 {
				s.Accept(Push{Vendor: []string{"bolt", "egret"}[i%2]})
			}
			header := http.Header{}
			if test.lastID != "" {
				header.Set("Last-Event-ID", test.lastID)
			}
			stream := events(t, s, test.query, header)
			for _, want := range test.want {
				if got := next(t, stream, "push"); got.id != want {
					t.Errorf("got %s, want %s", got.id, want)
				}
			}
		})
	}
}

// The page of a sandbox that was started anew has seen numbers that do not exist yet.
func TestEventsAfterRestart(t *testing.T) {
	t.Parallel()
	s := birds()
	stream := events(t, s, "?after=5000", nil)
	next(t, stream, "state")
	s.Accept(Push{Vendor: "bolt"})
	if got := next(t, stream, "push"); got.id != "1" {
		t.Errorf("got push %s, want 1", got.id)
	}
}

// A benchmark's flood must neither block the vendors nor drown the page: it gets the newest and the
// number of the rest.
func TestEventsFlood(t *testing.T) {
	t.Parallel()
	s := birds()
	stream := events(t, s, "", nil)
	next(t, stream, "state")
	const flood = 5000
	for i := range flood {
		s.Accept(Push{Vendor: "ibis", Token: fmt.Sprint(i)})
	}
	shown, missed, last := 0, 0, ""
	for shown+missed < flood {
		select {
		case e := <-stream:
			switch e.name {
			case "push":
				shown++
				last = e.id
			case "missed":
				var m struct{ Missed int }
				if err := json.Unmarshal([]byte(e.data), &m); err != nil {
					t.Fatal(err)
				}
				missed += m.Missed
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%d shown and %d missed of %d", shown, missed, flood)
		}
	}
	if shown+missed != flood || last != fmt.Sprint(flood) || missed == 0 {
		t.Errorf("%d shown, %d missed of %d, the last %s", shown, missed, flood, last)
	}
}
