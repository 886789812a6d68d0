package main

import (
	"testing"
	"time"
)

// What the others serve is asked by app and certificate, and of jobs by vendor and certificate: an
// id may be another vendor's by now. What other versions of the worker say more or less of
// themselves is no trouble, and this worker's own note and one that cannot be read say nothing.
func TestColleagues(t *testing.T) {
	c := &colleagues{asked: time.Now().Add(time.Hour), served: servedBy(map[string][]byte{
		"self":  []byte(`{"certificates":[{"app":"own","vendor":"apns","limits":{"ID":"own"}}]}`),
		"newer": []byte(`{"since":"2026-11-23T08:00:00Z","moods":[1],"certificates":[{"app":"demo","vendor":"fcm","limits":{"ID":"reused","Mood":1},"more":{}}]}`),
		"older": []byte(`{"certificates":[{"app":"demo","limits":{"ID":"bare"}}]}`),
		"other": []byte(`{"certificates":"of another form"}`),
	}, "self")}
	for _, x := range []struct {
		of, certificate string
		serve           func(of, certificate string) bool
		want            bool
	}{
		{"demo", "reused", c.serve, true},
		{"demo", "", c.serve, true},
		{"demo", "own", c.serve, false},
		{"own", "", c.serve, false},
		{"fcm", "reused", c.serveJobs, true},
		{"apns", "reused", c.serveJobs, false},
		{"apns", "bare", c.serveJobs, true},
		{"apns", "own", c.serveJobs, false},
	} {
		if got := x.serve(x.of, x.certificate); got != x.want {
			t.Errorf("%s of %s is served: %v, want %v", x.certificate, x.of, got, x.want)
		}
	}
}
