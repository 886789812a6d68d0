package natsd_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/natsd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Two servers on one directory would destroy it.
func TestStartLocksItsFolder(t *testing.T) {
	dir := t.TempDir()
	one, err := natsd.Start(natsd.Options{Dir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := natsd.Start(natsd.Options{Dir: dir, Listen: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "in use by another worker") {
		t.Errorf("a second server: %v", err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := natsd.Start(natsd.Options{Dir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStartSaysThatItsPortIsTaken(t *testing.T) {
	one, err := natsd.Start(natsd.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = one.Close() }()
	taken := strings.TrimPrefix(one.URL(), "nats://")
	if _, err := natsd.Start(natsd.Options{Dir: t.TempDir(), Listen: taken}); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}
