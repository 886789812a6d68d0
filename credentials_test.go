package hongyan_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// Options that somebody logs tell no secret.
func TestCredentialsDoNotPrint(t *testing.T) {
	t.Parallel()
	o := hongyan.Options{Credentials: hongyan.Credentials{User: "hongyan", Password: "hunter2"}}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("connect", "options", o, "credentials", o.Credentials)
	for _, text := range []string{fmt.Sprint(o), fmt.Sprintf("%+v", o), fmt.Sprintf("%#v", o), log.String()} {
		if strings.Contains(text, "hunter2") || !strings.Contains(text, "<credentials>") {
			t.Errorf("it prints as %s", text)
		}
	}
}
