package trail

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
)

// listLimit bounds how many devices of a message's recipients are listed.
const listLimit = 500

// Recipients is what became of a message on the devices of all its recipients.
type Recipients struct {
	App     string `json:"app"`
	Message string `json:"message"`
	Trace   string `json:"trace"`
	// Counts are the devices by what was last decided of them, the most frequent first.
	Counts []Count `json:"counts"`
	// Devices are the first of them, with what was last decided, by user and device.
	Devices []Recipient `json:"devices"`
	Notes   []string    `json:"notes"`
}

// Count is how many devices came to the same.
type Count struct {
	Status  hongyan.Status `json:"status"`
	Reason  hongyan.Reason `json:"reason"`
	Devices int            `json:"devices"`
	Advice  string         `json:"advice"`
}

// Recipient is what was last decided of a device.
type Recipient struct {
	User        string         `json:"user"`
	Device      string         `json:"device"`
	Vendor      string         `json:"vendor"`
	Certificate string         `json:"certificate"`
	Status      hongyan.Status `json:"status"`
	Reason      hongyan.Reason `json:"reason"`
	VendorCode  string         `json:"vendor_code,omitempty"`
	At          time.Time      `json:"at"`
}

// Recipients answers a question about a message, whoever its recipients are. It reads the records
// of all partitions.
func (r *Reader) Recipients(ctx context.Context, q Question) (*Recipients, error) {
	a := &Recipients{App: q.App, Message: q.Message, Trace: hongyan.TraceID(q.App, q.Message)}
	last, left := map[[2]string]Recipient{}, false
	for partition := range hongyan.Partitions {
		err := r.Bus.Records(ctx, q.App, partition, q.Since, func(record dispatch.Record) bool {
			r.one()
			if record.MessageID != q.Message || record.Status == hongyan.StatusWithdrawn {
				return true
			}
			for _, d := range record.Devices {
				key := [2]string{d.User, d.Device}
				if old, has := last[key]; has && (record.At.Before(old.At) || old.Status.End() && !record.Status.End()) {
					continue
				}
				if _, has := last[key]; !has && len(last) == lookLimit {
					left = true
					continue
				}
				last[key] = Recipient{d.User, d.Device, record.Vendor, record.Certificate, record.Status, d.Reason, d.VendorCode, record.At}
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	for _, d := range last {
		a.Devices = append(a.Devices, d)
		i := slices.IndexFunc(a.Counts, func(c Count) bool { return c.Status == d.Status && c.Reason == d.Reason })
		if i < 0 {
			i = len(a.Counts)
			a.Counts = append(a.Counts, Count{Status: d.Status, Reason: d.Reason, Advice: explain.Advice(d.Status, d.Reason).In(r.Language)})
		}
		a.Counts[i].Devices++
	}
	slices.SortFunc(a.Counts, func(a, b Count) int {
		if a.Devices != b.Devices {
			return b.Devices - a.Devices
		}
		return strings.Compare(string(a.Status)+string(a.Reason), string(b.Status)+string(b.Reason))
	})
	slices.SortFunc(a.Devices, func(a, b Recipient) int {
		return strings.Compare(a.User+"\x00"+a.Device, b.User+"\x00"+b.Device)
	})
	if more := len(a.Devices) - listLimit; more > 0 {
		a.Devices = a.Devices[:listLimit]
		a.Notes = append(a.Notes, textMoreRecipients.Format(r.Language, more))
	}
	if left {
		a.Notes = append(a.Notes, textTooMany.Format(r.Language, lookLimit))
	}
	if len(last) > 0 {
		return a, nil
	}
	x := &explainer{Reader: r, q: q, e: Explanation{App: q.App, Message: q.Message}}
	if err := x.nowhere(ctx); err != nil {
		return nil, err
	}
	a.Notes = x.e.Notes
	return a, nil
}
