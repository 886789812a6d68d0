package hongyan_test

import (
	"testing"

	"github.com/hongyan-im/hongyan"
)

// The id is what a shell computes: printf %s demo/m-1001 | sha256sum | cut -c1-32
func TestTraceID(t *testing.T) {
	t.Parallel()
	if got, want := hongyan.TraceID("demo", "m-1001"), "b0dab7b97f63c65feb602a1be4fa5b28"; got != want {
		t.Errorf("the trace of demo/m-1001 is %s, want %s", got, want)
	}
}
