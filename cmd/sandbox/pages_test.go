package main

import (
	"testing"

	"github.com/hongyan-im/hongyan/internal/docstest"
)

// What the pages tell to type, the program takes.
func TestCommandsOfPages(t *testing.T) {
	t.Parallel()
	docstest.Commands(t, "../..", command())
}
