package bus_test

import (
	"context"
	"testing"

	"github.com/hongyan-im/hongyan"
)

func hongyanSubjects(prefix string) hongyan.Subjects { return hongyan.Subjects{Prefix: prefix} }

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx, cancel
}
