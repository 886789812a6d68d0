package bus_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// record stores that a push of a message was accepted.
func record(t *testing.T, b *bus.Bus, message string, partition int) {
	t.Helper()
	data, err := json.Marshal(hongyan.Outcome{MessageID: message, App: "demo", Status: hongyan.StatusAccepted, At: time.Now(), Devices: []hongyan.DeviceOutcome{{User: "u", Device: "d"}}})
	if err != nil {
		t.Fatal(err)
	}
	o := dispatch.Outgoing{Subject: hongyan.Subjects{}.Outcome("demo", hongyan.StatusAccepted, partition), Data: data, Header: map[string]string{dispatch.HeaderJob: message}}
	if errs := b.Publish(t.Context(), []dispatch.Outgoing{o}); errs != nil {
		t.Fatal(errs)
	}
}

// Every record that was acknowledged is read, also where a replica answers that lacks some or all.
func TestRecordsOfAReplicaThatIsBehind(t *testing.T) {
	t.Parallel()
	c := bustest.StartCluster(t)
	b := bustest.Connect(t, c.Servers[0].ClientURL(), bus.Topology{Replicas: 3})
	const records = 40
	for i := range records {
		record(t, b, fmt.Sprint("m-", i), 3)
	}
	began := time.Now()
	var all []bus.Entry
	for len(all) < records { // until the server's own replica has all
		var err error
		if all, err = b.Read(t.Context(), b.Topology().Outcomes(), "push.outcome.>", 1, records); err != nil {
			t.Fatal(err)
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("only %d records are stored", len(all))
		}
	}
	for _, known := range []int{0, 25} {
		behind := startReplica(t, c.Servers[0], b.Topology().Outcomes(), all[:known])
		for lap := range 10 {
			n := 0
			err := b.Records(t.Context(), "demo", 3, all[0].Time, func(r dispatch.Record) bool {
				if want := fmt.Sprint("m-", n); r.MessageID != want || r.Job != want || r.Stored.IsZero() || len(r.Devices) != 1 {
					t.Errorf("record %d is %+v", n, r)
				}
				n++
				return true
			})
			if err != nil || n != records {
				t.Fatalf("lap %d: %d of %d records, %v", lap, n, records, err)
			}
		}
		if behind() == 0 {
			t.Error("the replica that is behind was never asked")
		}
	}
}

// startReplica lets a replica that has only some messages of a stream answer half of the direct
// gets of a server's clients. It returns what stops it and says how often it answered.
func startReplica(t *testing.T, srv *server.Server, stream string, has []bus.Entry) (stop func() int) {
	t.Helper()
	nc, err := nats.Connect(srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	var answered atomic.Int32
	_, err = nc.Subscribe("replica", func(m *nats.Msg) {
		var request struct {
			Sequence uint64 `json:"seq"`
			Batch    int    `json:"batch"`
		}
		if err := json.Unmarshal(m.Data, &request); err != nil {
			t.Error(err)
		}
		answered.Add(1)
		sent, last := 0, "0"
		for _, e := range has {
			if e.Sequence < request.Sequence || sent == request.Batch {
				continue
			}
			header := nats.Header{}
			for k, v := range e.Header {
				header[k] = v
			}
			header.Set("Nats-Stream", stream)
			header.Set("Nats-Subject", e.Subject)
			header.Set("Nats-Sequence", strconv.FormatUint(e.Sequence, 10))
			header.Set("Nats-Time-Stamp", e.Time.Format(time.RFC3339Nano))
			header.Set("Nats-Last-Sequence", last)
			header.Set("Nats-Num-Pending", "0")
			last, sent = header.Get("Nats-Sequence"), sent+1
			if err := nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: header, Data: e.Data}); err != nil {
				t.Error(err)
			}
		}
		end := nats.Header{"Status": {"204"}, "Description": {"EOB"}, "Nats-Num-Pending": {"0"}, "Nats-Last-Sequence": {last}}
		if sent == 0 {
			end = nats.Header{"Status": {"404"}, "Description": {"Message Not Found"}}
		}
		if err := nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: end}); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	subject := "$JS.API.DIRECT.GET." + stream
	if err := srv.GlobalAccount().AddWeightedMappings(subject, server.NewMapDest("replica", 50)); err != nil {
		t.Fatal(err)
	}
	return func() int {
		srv.GlobalAccount().RemoveMapping(subject)
		nc.Close()
		return int(answered.Load())
	}
}

// What the leader answers with is what a page holds.
func TestFirstMessageAtTheLeader(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	filter, stream := hongyan.Subjects{}.OutcomesIn("demo", 3), b.Topology().Outcomes()
	if found, err := b.AtLeader(t.Context(), stream, filter, 0, time.Time{}); err != nil || found != nil {
		t.Fatalf("an empty stream has %v, %v", found, err)
	}
	record(t, b, "m-0", 5)
	record(t, b, "m-1", 3)
	record(t, b, "m-2", 3)
	pages, err := b.Read(t.Context(), stream, filter, 1, 10)
	if err != nil || len(pages) != 2 {
		t.Fatalf("%d messages, %v", len(pages), err)
	}
	for name, c := range map[string]struct {
		sequence uint64
		since    time.Time
		want     int // -1 for none
	}{
		"first":     {0, time.Time{}, 0},
		"since":     {0, pages[1].Time, 1},
		"since_all": {0, pages[0].Time.Add(-time.Hour), 0},
		"future":    {0, time.Now().Add(time.Hour), -1},
		"from":      {pages[0].Sequence + 1, time.Time{}, 1},
		"end":       {pages[1].Sequence + 1, time.Time{}, -1},
	} {
		found, err := b.AtLeader(t.Context(), stream, filter, c.sequence, c.since)
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case (found == nil) != (c.want < 0):
			t.Errorf("%s: %v", name, found)
		case found != nil:
			want := pages[c.want]
			if found.Subject != want.Subject || found.Sequence != want.Sequence || !found.Time.Equal(want.Time) || string(found.Data) != string(want.Data) ||
				found.Header.Get(dispatch.HeaderJob) != want.Header[dispatch.HeaderJob][0] {
				t.Errorf("%s: %+v, want %+v", name, found, want)
			}
		}
	}
	if _, err := b.AtLeader(t.Context(), "PUSH_NOBODY", filter, 0, time.Time{}); err == nil {
		t.Error("a missing stream answers")
	}
}
