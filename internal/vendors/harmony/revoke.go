package harmony

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// revoker is the protocol of a certificate with a client_id: it takes back what phones do not show
// yet, with an API of version 1 that knows the app by its client id.
type revoker struct{ *protocol }

// revocation is the body of messages:revoke.
type revocation struct {
	NotifyID int      `json:"notifyId"`
	Token    []string `json:"token"`
}

// Revoke writes the call. What is taken back is known by the notifyId that it was pushed with.
func (p *revoker) Revoke(ctx context.Context, batch vendors.Batch, token string) (*http.Request, error) {
	body := vendors.JSON(revocation{NotifyID: vendors.NotifyID(batch.Devices[0].Notification.Replaces()), Token: pushkit.Tokens(batch.Devices)})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.revoke, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("push-type", strconv.Itoa(typeAlert))
	return req, nil
}

// Revoked reads the answer. A partial success takes back what it does not name.
func (p *revoker) Revoked(resp vendors.Response, batch vendors.Batch) []vendors.Result {
	n := len(batch.Devices)
	v := pushkit.Read(resp, p.revoked, p.statuses)
	switch {
	case !v.Known:
		return vendors.All(n, v.Result)
	case v.Result.Code == pushkit.CodeSuccess:
		return vendors.All(n, v.Accepted)
	}
	v.Result.Err = errors.New(v.Meaning)
	results := vendors.All(n, v.Result)
	if v.Result.Code != codeRevokedPartly {
		return results
	}
	why := reasons(v.Details)
	for i, d := range batch.Devices {
		if _, failed := why[d.Token]; !failed && len(why) > 0 {
			results[i] = v.Accepted
		}
	}
	return results
}
