package trail

import (
	"cmp"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Preview is a notification as the phone shows it. What a vendor leaves out or shortens is not in
// it: that is the driver's part.
type Preview struct {
	Device      string         `json:"device"`
	Vendor      string         `json:"vendor"`
	Certificate string         `json:"certificate"`
	Status      hongyan.Status `json:"status"`
	// Title, Subtitle and Body are what is shown, and Params the values of a template's variables;
	// where Hidden is set they are left out.
	Title    string            `json:"title,omitempty"`
	Subtitle string            `json:"subtitle,omitempty"`
	Body     string            `json:"body,omitempty"`
	Params   map[string]string `json:"params,omitempty"`
	Hidden   bool              `json:"hidden,omitzero"`
	// Kind is c2c, group, call or mention; Rings says that it is a call that rings.
	Kind  vendors.Kind `json:"kind,omitempty"`
	Rings bool         `json:"rings,omitzero"`
	// Image says that there is one, Quiet that it makes no sound.
	Image bool `json:"image,omitzero"`
	Quiet bool `json:"quiet,omitzero"`
}

// preview adds what a device is shown of a job.
func (x *explainer) preview(job *dispatch.Job, device string, status hongyan.Status) {
	if job.Notification == nil || job.Withdraws {
		return
	}
	p := previewOf(job, device, x.q.Texts)
	p.Status = status
	same := func(other Preview) bool { return other.Device == device && other.Certificate == p.Certificate }
	if !slices.ContainsFunc(x.e.Previews, same) {
		x.e.Previews = append(x.e.Previews, p)
	}
}

// previewOf is a job's notification on a device, with its texts or without.
func previewOf(job *dispatch.Job, device string, texts bool) Preview {
	n := job.Notification
	p := Preview{Device: device, Vendor: job.Vendor, Certificate: job.Certificate, Kind: n.Kind, Rings: n.Urgent, Quiet: n.Quiet, Image: n.HasImage()}
	if !texts {
		p.Hidden = true
		return p
	}
	p.Title, p.Subtitle, p.Body, p.Params = cmp.Or(n.IOS.Title, n.Title), n.IOS.Subtitle, n.Body, n.Params()
	return p
}
