package h2conn

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(serveEnv) != "" { // the server of the benchmarks
		serveBench()
		return
	}
	goleak.VerifyTestMain(m)
}
