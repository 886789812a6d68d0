package apns

import (
	"context"
	"math"
	"strconv"

	"github.com/sideshow/apns2"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Refresh sets the number on the icon of the batch's one device. A push of type background must
// hold no badge, and such pushes are few an hour, so it is an alert that shows nothing: a badge
// alone, with the low priority. Its expiration of 0 keeps it from taking the place of a
// notification that waits for the phone, since APNs keeps one for each app, and without a collapse
// id it replaces none on the screen.
func (d *driver) Refresh(ctx context.Context, batch vendors.Batch) []vendors.Result {
	results := make([]vendors.Result, len(batch.Devices))
	for i := range batch.Devices {
		results[i] = d.refresh(ctx, &batch.Devices[i])
	}
	return results
}

func (d *driver) refresh(ctx context.Context, dev *vendors.Device) vendors.Result {
	if err := vendors.CheckToken(dev.Token); err != nil || !isHex(dev.Token) {
		return vendors.Result{Reason: vendors.BadToken, Code: apns2.ReasonBadDeviceToken, Err: errWrongToken}
	}
	x := exchanges.Get().(*exchange)
	defer x.free()
	body := append([]byte(`{"aps":{"badge":`), strconv.Itoa(min(max(*dev.Badge, 0), math.MaxInt32))...)
	d.request(x, &apns2.Notification{
		ApnsID: uuid(dev.Key), DeviceToken: dev.Token, Topic: d.config.Topic, PushType: apns2.PushTypeAlert, Priority: apns2.PriorityLow,
	}, "0", append(body, "}}"...))
	r, _ := d.send(ctx, x)
	return r
}
