package ratelimit

import (
	"testing"
	"time"
)

func TestDayRangeOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, zone, at, day, start, end string
	}{
		{"shanghai", "Asia/Shanghai", "2026-11-23T16:00:00Z", "20261124", "2026-11-23T16:00:00Z", "2026-11-24T16:00:00Z"},
		{"shanghai-last-moment", "Asia/Shanghai", "2026-11-23T15:59:59.999999999Z", "20261123", "2026-11-22T16:00:00Z", "2026-11-23T16:00:00Z"},
		{"a-day-of-23-hours", "Europe/Berlin", "2026-03-29T10:00:00Z", "20260329", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"a-day-of-25-hours", "Europe/Berlin", "2026-10-25T10:00:00Z", "20261025", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339Nano, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			s := dayRangeOf(at, zone)
			if got := [3]string{s.name, s.start.UTC().Format(time.RFC3339), s.end.UTC().Format(time.RFC3339)}; got != [3]string{tt.day, tt.start, tt.end} {
				t.Errorf("got %v, want %v", got, [3]string{tt.day, tt.start, tt.end})
			}
		})
	}
}

// TestDayWithoutMidnight: Cairo's summer time begins at midnight, so that one day has none. Every
// moment must still lie in its day.
func TestDayWithoutMidnight(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Africa/Cairo")
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 4, 22, 0, 0, 0, 0, time.UTC)
	for at := from; at.Before(from.AddDate(0, 0, 4)); at = at.Add(time.Minute) {
		s := dayRangeOf(at, zone)
		if at.Before(s.start) || !at.Before(s.end) || s.name != at.In(zone).Format("20060102") || s.end.Sub(s.start) > 25*time.Hour {
			t.Fatalf("%v: %+v", at.In(zone), s)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(int64(0), int64(10), int64(100))
	f.Add(int64(95), int64(10), int64(100))
	f.Add(int64(100), int64(1), int64(100))
	f.Fuzz(func(t *testing.T, before, ask, limit int64) {
		const most = 1 << 60
		if before < 0 || before > most || ask <= 0 || ask > most || limit < 0 || limit > most {
			t.Skip()
		}
		got, back := split(before+ask, ask, limit)
		if got < 0 || back < 0 || got+back != ask || before <= limit && before+got > limit || before > limit && got > 0 {
			t.Errorf("split(%d, %d, %d) = %d, %d", before+ask, ask, limit, got, back)
		}
		if before < limit && got == 0 {
			t.Errorf("split(%d, %d, %d) gives nothing though there was something left", before+ask, ask, limit)
		}
	})
}
