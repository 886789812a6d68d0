package send

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

func situation(change func(*Situation)) Situation {
	s := Situation{Deadline: noon.Add(24 * time.Hour), Now: noon, Midnight: noon.Add(12 * time.Hour), After: 15 * time.Second, Random: 0.5}
	if change != nil {
		change(&s)
	}
	return s
}

// Every reason has a row, and the rows say what the contract's table says.
func TestDecideIsTotal(t *testing.T) {
	t.Parallel()
	want := map[vendors.Reason]Verdict{
		vendors.Unknown:            {Act: Retry, Reason: vendors.Unknown, Counts: true, Delay: time.Second},
		vendors.Accepted:           {Act: Done, Reason: vendors.Accepted},
		vendors.BadToken:           {Act: Die, Reason: vendors.BadToken, Counts: true, Drop: true},
		vendors.NotDisplayed:       {Act: Die, Reason: vendors.NotDisplayed, Counts: true},
		vendors.BadPayload:         {Act: Die, Reason: vendors.BadPayload, Counts: true},
		vendors.Refused:            {Act: Die, Reason: vendors.Refused, Counts: true},
		vendors.BadCredentials:     {Act: Retry, Reason: vendors.BadCredentials, Delay: 1500 * time.Millisecond},
		vendors.AuthExpired:        {Act: Retry, Reason: vendors.AuthExpired, Delay: 1500 * time.Millisecond},
		vendors.RateLimited:        {Act: Retry, Reason: vendors.RateLimited, Delay: 1500 * time.Millisecond},
		vendors.QuotaSpent:         {Act: Retry, Reason: vendors.QuotaSpent, Delay: 12*time.Hour + 15*time.Second},
		vendors.DeviceCapped:       {Act: Die, Reason: vendors.DeviceCapped},
		vendors.Unavailable:        {Act: Retry, Reason: vendors.Unavailable, Counts: true, Delay: time.Second},
		vendors.Timeout:            {Act: Retry, Reason: vendors.Timeout, Counts: true, Delay: time.Second},
		vendors.Interrupted:        {Act: Retry, Reason: vendors.Interrupted},
		vendors.Expired:            {Act: Die, Reason: vendors.Expired},
		vendors.AttemptsExhausted:  {Act: Die, Reason: vendors.AttemptsExhausted},
		vendors.Malformed:          {Act: Die, Reason: vendors.Malformed},
		hongyan.UnknownCertificate: {Act: Die, Reason: hongyan.UnknownCertificate},
	}
	for _, r := range hongyan.Results {
		got := Decide(vendors.Result{Reason: r}, situation(nil))
		if w, ok := want[r]; !ok || got != w {
			t.Errorf("%v: got %+v, want %+v (in the table: %v)", r, got, w, ok)
		}
		if _, ok := rules[r]; !ok {
			t.Errorf("%v has no rule", r)
		}
	}
}

// No reason at any attempt waits past the deadline, loops without an end, or goes on after it.
func TestDecideAlwaysEnds(t *testing.T) {
	t.Parallel()
	for _, r := range hongyan.Results {
		for _, left := range []time.Duration{-time.Second, 0, time.Millisecond, time.Second, time.Minute, time.Hour} {
			for attempts := range 10 {
				for _, after := range []time.Duration{0, time.Second, 2 * time.Hour} {
					for _, random := range []float64{0, 0.5, 0.999999} {
						v := Decide(vendors.Result{Reason: r, RetryAfter: after}, situation(func(s *Situation) {
							s.Attempts, s.Deadline, s.Random = attempts, noon.Add(left), random
						}))
						if v.Act == Retry && (left <= 0 || v.Delay >= left) {
							t.Fatalf("%v after %d attempts with %v left waits %v", r, attempts, left, v.Delay)
						}
						if v.Act == Retry && v.Counts && attempts+1 >= 8 {
							t.Fatalf("%v goes on after %d attempts", r, attempts+1)
						}
					}
				}
			}
		}
	}
}

func TestDecideSituations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		result vendors.Result
		change func(*Situation)
		want   Verdict
	}{
		"an_outage_burns_no_attempt":    {vendors.Result{Reason: vendors.Timeout}, func(s *Situation) { s.Sick = true; s.Attempts = 7 }, Verdict{Act: Retry, Reason: vendors.Timeout, Delay: 64 * time.Second}},
		"the_last_attempt":              {vendors.Result{Reason: vendors.Unavailable}, func(s *Situation) { s.Attempts = 7 }, Verdict{Act: Die, Reason: vendors.AttemptsExhausted, Counts: true}},
		"an_unknown_code_is_tried_less": {vendors.Result{Reason: vendors.Unknown}, func(s *Situation) { s.Attempts = 2 }, Verdict{Act: Die, Reason: vendors.AttemptsExhausted, Counts: true}},
		"too_late":                      {vendors.Result{Reason: vendors.RateLimited}, func(s *Situation) { s.Deadline = noon }, Verdict{Act: Die, Reason: vendors.Expired}},
		"retry_after_is_obeyed":         {vendors.Result{Reason: vendors.RateLimited, RetryAfter: time.Minute}, nil, Verdict{Act: Retry, Reason: vendors.RateLimited, Delay: 65 * time.Second}},
		"retry_after_past_the_deadline": {vendors.Result{Reason: vendors.RateLimited, RetryAfter: time.Hour}, func(s *Situation) { s.Deadline = noon.Add(time.Minute) }, Verdict{Act: Die, Reason: vendors.Expired}},
		"quota_with_midnight_too_far":   {vendors.Result{Reason: vendors.QuotaSpent}, func(s *Situation) { s.Deadline = noon.Add(time.Hour) }, Verdict{Act: Die, Reason: vendors.QuotaSpent}},
		"one_device_s_credentials":      {vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeDevice}, func(s *Situation) { s.Attempts = 2 }, Verdict{Act: Retry, Reason: vendors.BadCredentials, Counts: true, Delay: 4 * time.Second}},
		"which_end":                     {vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeDevice}, func(s *Situation) { s.Attempts = 7 }, Verdict{Act: Die, Reason: vendors.Refused, Counts: true}},
		"one_kind_s_template":           {vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeKind}, func(s *Situation) { s.Sick, s.Attempts, s.Published = true, 7, s.Now }, Verdict{Act: Retry, Reason: vendors.BadCredentials, Delay: 22500 * time.Millisecond}},
		"one_kind_for_a_minute":         {vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeKind}, func(s *Situation) { s.Sick, s.Published = true, s.Now.Add(-time.Minute) }, Verdict{Act: Retry, Reason: vendors.BadCredentials, Delay: 45 * time.Second}},
		"one_kind_for_hours":            {vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeKind}, func(s *Situation) { s.Sick, s.Published = true, s.Now.Add(-9*time.Hour) }, Verdict{Act: Retry, Reason: vendors.BadCredentials, Delay: 3 * time.Minute}},
		"one_text_of_a_kind":            {vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeKind}, func(s *Situation) { s.Published = s.Now }, Verdict{Act: Retry, Reason: vendors.BadCredentials, Counts: true, Delay: 22500 * time.Millisecond}},
		"which_ends":                    {vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeKind}, func(s *Situation) { s.Attempts = 7 }, Verdict{Act: Die, Reason: vendors.Refused, Counts: true}},
		"one_device_too_often":          {vendors.Result{Reason: vendors.RateLimited, Scope: vendors.ScopeDevice}, nil, Verdict{Act: Retry, Reason: vendors.RateLimited, Delay: 15 * time.Second}},
		"in_the_last_moment":            {vendors.Result{Reason: vendors.RateLimited, Scope: vendors.ScopeDevice}, func(s *Situation) { s.Deadline = noon.Add(10 * time.Second) }, Verdict{Act: Retry, Reason: vendors.RateLimited, Delay: 5 * time.Second}},
		"all_devices_credentials":       {vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeDevice}, func(s *Situation) { s.Sick = true; s.Attempts = 7 }, Verdict{Act: Retry, Reason: vendors.BadCredentials, Delay: 64 * time.Second}},
		"our_own_delay_is_halved":       {vendors.Result{Reason: vendors.Unavailable}, func(s *Situation) { s.Deadline = noon.Add(100 * time.Millisecond) }, Verdict{Act: Retry, Reason: vendors.Unavailable, Counts: true, Delay: 50 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Decide(c.result, situation(c.change)); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// The mean doubles with each attempt up to the maximum, and the draw is between 0 and twice the
// mean.
func TestFullJitter(t *testing.T) {
	t.Parallel()
	r := Retries{}.withDefaults()
	for n, mean := range []time.Duration{1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		mean *= time.Second
		if lo, mid, hi := fullJitter(r, n, 0), fullJitter(r, n, 0.5), fullJitter(r, n, 1); lo != 0 || mid != mean || hi != 2*mean {
			t.Errorf("after %d attempts: %v, %v, %v; want 0, %v, %v", n, lo, mid, hi, mean, 2*mean)
		}
	}
}

func TestMidnight(t *testing.T) {
	t.Parallel()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Midnight(noon, shanghai), time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
