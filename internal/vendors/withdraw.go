package vendors

import "context"

// withdrawer is an httpDriver that can take back what it pushed.
type withdrawer struct {
	*httpDriver
	revoker Revoker
}

// Withdraw makes the call, and once more where the access token was too old.
func (d *withdrawer) Withdraw(ctx context.Context, batch Batch) []Result {
	return d.otherCall(ctx, batch, d.revoker.Revoke, d.revoker.Revoked)
}
