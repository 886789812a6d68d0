package cli_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/cli"
)

// TestMain is also the program that TestSignals sends signals to.
func TestMain(m *testing.M) {
	if os.Getenv("CLI_TEST_PROGRAM") == "" {
		os.Exit(m.Run())
	}
	ctx, stop := cli.Signals(os.Stderr, "leaving at once")
	defer stop()
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println("stopping")
	select {} // it would hang here
}

// The first signal ends the context; the second, unless it comes in the same breath, the process.
func TestSignals(t *testing.T) {
	t.Parallel()
	program := exec.Command(os.Args[0])
	program.Env = append(os.Environ(), "CLI_TEST_PROGRAM=1")
	var stderr strings.Builder
	program.Stderr = &stderr
	stdout, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("it says %q, want %q", lines.Text(), want)
		}
	}
	expect("ready")
	if err := program.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expect("stopping")
	// Signals within 100 ms of the first do not count, so they go on until one does.
	ended := make(chan error, 1)
	go func() { ended <- program.Wait() }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 130 || stderr.String() != "leaving at once\n" {
				t.Errorf("it ends with %v and says %q", err, stderr.String())
			}
			return
		case <-tick.C:
			_ = program.Process.Signal(os.Interrupt) // it may have ended meanwhile
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if cli.Version() == "" {
		t.Error("the version is empty")
	}
}
