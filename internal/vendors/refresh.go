package vendors

import (
	"context"
	"net/http"
)

// Refresher is a Driver that can set the number on an app's icon without showing anything. Nothing
// else of the vendors' can be refreshed.
type Refresher interface {
	Driver
	// Refresh makes one call that sets the number of each device of the batch, which keeps to
	// Limits, and returns a result for each, in order. Of a device it needs Token, Badge and Key;
	// there is no notification. The call shows and plays nothing, takes the place of no
	// notification, and is not kept for a phone that is off, where it could displace one that waits
	// there. Time and cancellation are as in Push.
	Refresh(ctx context.Context, batch Batch) []Result
}

// RefreshProtocol is a Protocol whose driver is a [Refresher].
type RefreshProtocol interface {
	Protocol
	// RefreshRequest writes the call of [Refresher]; Interpret reads its answer.
	RefreshRequest(ctx context.Context, batch Batch, token string) (*http.Request, error)
}

// refresher is the driver of a RefreshProtocol.
type refresher struct {
	*httpDriver
	protocol RefreshProtocol
}

// Refresh makes the call, and once more where the access token was too old.
func (d *refresher) Refresh(ctx context.Context, batch Batch) []Result {
	return d.otherCall(ctx, batch, d.protocol.RefreshRequest, d.protocol.Interpret)
}
