package bus

import (
	"context"

	"github.com/hongyan-im/hongyan/internal/directory"
)

// tokenProbe is to PUSH_TOKENS what probe is to PUSH_DIRECTORY; no app has its name.
func (t Topology) tokenProbe() string { return t.Subjects.Own("token.:probe") }

// Owners reads the last values of subjects of PUSH_TOKENS, in any order. It implements owner.Store.
func (b *Bus) Owners(ctx context.Context, subjects []string) ([]directory.Value, error) {
	read, err := b.tokens.values(ctx, subjects)
	return read.Values, err
}
