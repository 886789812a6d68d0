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

// refreshTTL is how long a refresh is kept, in seconds: Huawei keeps 120 messages of an app for a
// phone that is off, of which none shall go for a number.
const refreshTTL = 10

// refreshing is the body of a badge refresh: the badge alone, without title, body and category.
type refreshing struct {
	Payload struct {
		Notification struct {
			Badge badge `json:"badge"`
		} `json:"notification"`
	} `json:"payload"`
	Target      target  `json:"target"`
	PushOptions options `json:"pushOptions"`
}

var errNumbers = errors.New("a badge refresh is for one number")

// RefreshRequest writes a badge refresh, which takes the right for the category IM.
func (p *protocol) RefreshRequest(ctx context.Context, batch vendors.Batch, token string) (*http.Request, error) {
	set := vendors.SharedBadge(batch.Devices)
	if set == nil {
		return nil, errNumbers
	}
	var r refreshing
	r.Payload.Notification.Badge.SetNum = set
	r.Target.Token = pushkit.Tokens(batch.Devices)
	r.PushOptions = options{TestMessage: p.c.TestMode, TTL: refreshTTL}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.send, bytes.NewReader(vendors.JSON(r)))
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("push-type", strconv.Itoa(typeAlert))
	return req, nil
}
