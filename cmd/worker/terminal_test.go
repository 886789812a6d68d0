package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/terminal"
)

const attack = "x\x1b]52;c;cm0=\x07\u009b2J\u202e\u2028\x7f\r\nforged"

// A push that others sent is one line of `worker dev`, and acts on nothing.
func TestPushesActOnNoTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	d := &show{out: &out, owners: map[string]string{"t": "Bob"}}
	d.print(sandbox.Push{Vendor: "oppo", Token: "t", Title: attack, Body: attack})
	if got, want := out.String(), "  🔔 oppo     Bob    x]52;c;cm0=2J  forged │ x]52;c;cm0=2J  forged\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Nothing that the program prints acts on a terminal: names in a configuration are others' too.
func TestCheckActsOnNoTerminal(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run([]string{"check", "--config", "/does/not/exist/" + attack}, &out, &errs); code == 0 {
		t.Fatal("it passes")
	}
	if got := strings.ReplaceAll(errs.String(), "\n", ""); terminal.Line(got) != got || !strings.Contains(got, "x]52;c;cm0=2J") {
		t.Errorf("%q", errs.String())
	}
}
