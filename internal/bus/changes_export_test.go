package bus

import "context"

// DropRepublish changes the directory's stream so that it says nothing of its changes.
func (b *Bus) DropRepublish(ctx context.Context) error {
	stream, err := b.js.Stream(ctx, b.topology.Directory())
	if err != nil {
		return err
	}
	conf := stream.CachedInfo().Config
	conf.RePublish = nil
	_, err = b.js.UpdateStream(ctx, conf)
	return err
}
