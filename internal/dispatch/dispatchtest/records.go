package dispatchtest

import (
	"encoding/json"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// All records stored before the call are read: of the app and partition, since the time, in order,
// until the reader has enough. Those on the line of a job name it.
func testRecords(k *taker) {
	put := func(app string, partition int, status hongyan.Status, jobs string, messages ...string) {
		var data []byte
		for i, id := range messages {
			line, err := json.Marshal(hongyan.Outcome{MessageID: id, App: app, Status: status, At: time.Now().UTC(), Devices: []hongyan.DeviceOutcome{{User: "u", Device: "d"}}})
			if err != nil {
				k.t.Fatal(err)
			}
			if i > 0 {
				data = append(data, '\n')
			}
			data = append(data, line...)
		}
		o := dispatch.Outgoing{Subject: hongyan.Subjects{}.Outcome(app, status, partition), Data: data}
		if jobs != "" {
			o.Header = map[string]string{dispatch.HeaderJob: jobs}
		}
		k.publish(o)
	}
	put("demo", 3, hongyan.StatusAccepted, "", "old")
	time.Sleep(20 * time.Millisecond)
	since := time.Now()
	time.Sleep(20 * time.Millisecond)
	put("demo", 3, hongyan.StatusWaiting, "j1 j2", "a", "b")
	put("demo", 4, hongyan.StatusAccepted, "", "other partition")
	put("other", 3, hongyan.StatusAccepted, "", "other app")
	put("demo", 3, hongyan.StatusDead, "", "c")
	read := func(limit int) (got string) {
		err := k.q.Records(k.t.Context(), "demo", 3, since, func(r dispatch.Record) bool {
			if len(r.Devices) != 1 || r.Stored.Before(since) {
				k.t.Errorf("record: %+v", r)
			}
			got += r.MessageID + ":" + string(r.Status) + ":" + r.Job + " "
			limit--
			return limit > 0
		})
		if err != nil {
			k.t.Fatal(err)
		}
		return got
	}
	if got, want := read(100), "a:waiting:j1 b:waiting:j2 c:dead: "; got != want {
		k.t.Errorf("records %q, want %q", got, want)
	}
	if got, want := read(1), "a:waiting:j1 "; got != want {
		k.t.Errorf("records %q, want %q", got, want)
	}
}

// The records of a status come as they are stored, of all partitions, since a time.
func testOutcomes(k *taker) {
	put := func(app string, partition int, status hongyan.Status, shown, data string) {
		o := dispatch.Outgoing{Subject: hongyan.Subjects{}.Outcome(app, status, partition), Data: []byte(data)}
		if shown != "" {
			o.Header = map[string]string{dispatch.HeaderShown: shown}
		}
		k.publish(o)
	}
	put("demo", 3, hongyan.StatusAccepted, "", "old")
	time.Sleep(20 * time.Millisecond)
	since := time.Now()
	time.Sleep(20 * time.Millisecond)
	put("demo", 3, hongyan.StatusAccepted, "- group/k", "a\nb")
	put("demo", 4, hongyan.StatusAccepted, "", "c")
	put("other", 3, hongyan.StatusAccepted, "", "other app")
	put("demo", 3, hongyan.StatusWithdrawn, "", "d")
	read := func(status hongyan.Status, limit int) (got string) {
		err := k.q.Outcomes(k.t.Context(), "demo", status, since, func(r dispatch.Records) bool {
			if r.Stored.Before(since) {
				k.t.Errorf("stored %v, before %v", r.Stored, since)
			}
			got += string(r.Data) + ":" + r.Shown + ";"
			limit--
			return limit > 0
		})
		if err != nil {
			k.t.Fatal(err)
		}
		return got
	}
	if got, want := read(hongyan.StatusAccepted, 100), "a\nb:- group/k;c:;"; got != want {
		k.t.Errorf("outcomes %q, want %q", got, want)
	}
	if got, want := read(hongyan.StatusAccepted, 1), "a\nb:- group/k;"; got != want {
		k.t.Errorf("outcomes %q, want %q", got, want)
	}
	if got, want := read(hongyan.StatusWithdrawn, 100), "d:;"; got != want {
		k.t.Errorf("outcomes %q, want %q", got, want)
	}
}
