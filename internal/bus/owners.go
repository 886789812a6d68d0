package bus

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/hongyan-im/hongyan/internal/directory"
)

// ownersPerRead is how many owners are read with one request; an answer holds at most 1,024.
const ownersPerRead = 500

// Owners reads the last values of subjects of PUSH_TOKENS, in any order. It implements owner.Store.
func (b *Bus) Owners(ctx context.Context, subjects []string) ([]directory.Value, error) {
	parts := make([][]directory.Value, (len(subjects)+ownersPerRead-1)/ownersPerRead)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce / 2)
	for i := range parts {
		some := subjects[i*ownersPerRead : min((i+1)*ownersPerRead, len(subjects))]
		g.Go(func() error {
			for m, err := range b.lastOf(ctx, b.topology.Tokens(), some...) {
				if err != nil {
					return storeError("read the tokens' owners", err)
				}
				parts[i] = append(parts[i], directory.Value{Subject: m.Subject, Data: m.Data, Revision: m.Sequence, Time: m.Time})
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var all []directory.Value
	for _, p := range parts {
		all = append(all, p...)
	}
	return all, nil
}
