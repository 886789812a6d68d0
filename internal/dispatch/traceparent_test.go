package dispatch

import (
	"strings"
	"testing"
)

func TestTraceOf(t *testing.T) {
	t.Parallel()
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for value, want := range map[string]string{
		"": "", good: good, strings.ToUpper(good): "", good + "-x": "", "00-x": "", strings.Repeat("a", 65_459): "", good[:54]: "", good + "\n": "",
	} {
		got, dropped := TraceOf(value)
		if got != want || dropped != (value != want) {
			t.Errorf("%.80q: %q, dropped %v", value, got, dropped)
		}
	}
}
