package telemetry

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Of a warning that repeats itself ten lines a minute are written, and how many were left out; that
// of another certificate, and errors, are written all the same.
func TestWarningsAreSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log, err := Logger(&out, "debug", "text")
		if err != nil {
			t.Fatal(err)
		}
		count := func(what string) int { return strings.Count(out.String(), what) }
		for range 100 {
			log.With("n", 1).Warn("cannot store", "certificate", "a")
			log.Error("somebody must act")
		}
		log.Warn("cannot store", "certificate", "b")
		if count("certificate=a") != sampleFirst || count("certificate=b") != 1 || count("somebody") != 100 {
			t.Errorf("it wrote\n%s", out.String())
		}
		time.Sleep(sampleEvery)
		log.Warn("cannot store", "certificate", "a")
		if count("certificate=a not_logged_before=90") != 1 {
			t.Errorf("it does not say how many were left out:\n%s", out.String())
		}
		for i := range 2 * maxSampled { // as many as there may be are told apart
			log.Warn("strange", "certificate", time.Duration(i).String())
		}
		if count("strange") != 2*maxSampled || !log.Enabled(context.Background(), slog.LevelDebug) {
			t.Errorf("%d strange lines", count("strange"))
		}
		time.Sleep(sampleEvery) // those are over, and leave their room to new ones
		for range 100 {
			log.Warn("cannot ack", "certificate", "a")
		}
		if got := count("cannot ack"); got != sampleFirst {
			t.Errorf("%d lines of a warning that came when there had been many others, want %d", got, sampleFirst)
		}
	})
}
