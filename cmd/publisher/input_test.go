package main

import (
	"context"
	"io"
	"testing"
)

// A pipe that stays silent keeps no command from ending, and what was done until then is said.
func TestInterruptedWhileAPipeIsSilent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, c := range []struct {
		args            []string
		line, out, want string
	}{
		{[]string{"send", "--app", "demo", "--file", "-", "-o", "json"},
			`{"id":"m-1","conversation":{"type":"c2c","id":"c"},"sender":{"id":"alice"},"recipients":["bob"],"content":{"type":"text","text":"x"}}`,
			`{"app":"demo","sent":1,"duplicates":0,"bad":0}`, "publisher: interrupted: standard input:2\n"},
		{[]string{"device", "import", "-", "--app", "demo"}, "[", "", "publisher: interrupted: standard input\n"},
		{[]string{"import-tencent", "-"}, "[", "", "publisher: interrupted: standard input, after body 0"},
	} {
		in, pipe := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan result, 1)
		go func() { ended <- r.runWith(ctx, in, c.args) }()
		// The second write is over when it was read, so the first one's line was handled.
		for _, text := range []string{c.line + "\n", " "} {
			if _, err := io.WriteString(pipe, text); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		got := <-ended
		if got.code != 1 {
			t.Errorf("%v: exit code %d\n%s", c.args, got.code, got.err)
		}
		says(t, got.out, c.out)
		says(t, got.err, c.want)
		_ = pipe.Close() // ends the read that was left behind
	}
}
