package sleep

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestFor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		ends   time.Duration // of the context
		d      time.Duration
		want   bool
		waited time.Duration
	}{
		{"over", time.Hour, time.Minute, true, time.Minute},
		{"ended_before", time.Minute, time.Hour, false, time.Minute},
		{"ended_already", 0, time.Hour, false, 0},
		// Both are so at once: the end counts, in every run.
		{"ended_already_and_nothing_to_wait_for", 0, 0, false, 0},
		{"nothing_to_wait_for", time.Hour, 0, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), tt.ends)
				defer cancel()
				got := For(ctx, tt.d)
				if waited := time.Since(began); got != tt.want || waited != tt.waited {
					t.Errorf("got %v after %v, want %v after %v", got, waited, tt.want, tt.waited)
				}
			})
		})
	}
}
