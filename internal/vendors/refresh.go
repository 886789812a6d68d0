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

// Refresh makes the call, and once more at once where the access token was too old.
func (d *refresher) Refresh(ctx context.Context, batch Batch) []Result {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	for i := range batch.Devices {
		if err := CheckToken(batch.Devices[i].Token); err != nil {
			return All(len(batch.Devices), Result{Reason: BadPayload, Err: err})
		}
	}
	results, token := d.refresh(ctx, parent, batch)
	if d.tokens == nil {
		return results
	}
	return d.resend(results, batch, func(r Result) bool { return r.Reason == AuthExpired }, func(b Batch) []Result {
		d.tokens.Invalidate(token)
		rs, _ := d.refresh(ctx, parent, b)
		return rs
	})
}

func (d *refresher) refresh(ctx, parent context.Context, batch Batch) ([]Result, string) {
	n := len(batch.Devices)
	var token string
	if d.tokens != nil {
		var err error
		if token, err = d.tokens.Token(ctx); err != nil {
			return All(n, TokenFailure(parent, err)), ""
		}
	}
	req, err := d.protocol.RefreshRequest(ctx, batch, token)
	if err != nil {
		return All(n, Result{Reason: BadPayload, Err: err}), token
	}
	resp, err := d.do(req)
	if err != nil {
		return All(n, TransportResult(parent, err)), token
	}
	return d.protocol.Interpret(resp, batch), token
}
