package vendors

import "context"

// withdrawer is an httpDriver that can take back what it pushed.
type withdrawer struct {
	*httpDriver
	revoker Revoker
}

// Withdraw makes the call, and once more where the access token was too old.
func (d *withdrawer) Withdraw(ctx context.Context, batch Batch) []Result {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	return d.sendable(batch, func(b Batch) []Result {
		results, token := d.revoke(ctx, parent, b)
		return d.resend(results, b, func(r Result) bool { return r.Reason == AuthExpired && d.tokens != nil }, func(b Batch) []Result {
			d.tokens.Invalidate(token)
			again, _ := d.revoke(ctx, parent, b)
			return again
		})
	})
}

// revoke makes one call, and returns the access token that it used.
func (d *withdrawer) revoke(ctx, parent context.Context, batch Batch) ([]Result, string) {
	n := len(batch.Devices)
	var token string
	if d.tokens != nil {
		var err error
		if token, err = d.tokens.Token(ctx); err != nil {
			return All(n, TokenFailure(parent, err)), ""
		}
	}
	req, err := d.revoker.Revoke(ctx, batch, token)
	if err != nil {
		return All(n, Result{Reason: BadPayload, Err: err}), token
	}
	resp, err := d.do(req)
	if err != nil {
		return All(n, TransportResult(parent, err)), token
	}
	return d.revoker.Revoked(resp, batch), token
}
