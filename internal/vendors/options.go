package vendors

import (
	"maps"

	"github.com/hongyan-im/hongyan"
)

// Options are what a message asks of one vendor: those fields of its offline_push that the vendor's
// driver reads, and no others, since a job that waits carries them. A field that is set wins over
// the certificate's default.
type Options struct {
	IOS     hongyan.IOS     `json:"ios,omitzero"`
	Android hongyan.Android `json:"android,omitzero"`
	Harmony hongyan.Harmony `json:"harmony,omitzero"`
}

// MaxText bounds what a notification carries of a text; no vendor shows or takes more. Drivers
// shorten to the vendor's own limit.
var MaxText = TextLimit{Max: 8 << 10, Measure: Bytes}

// FitParams returns the parameters of a template with each value bounded by [MaxText]. It does not
// change params, and returns nil where there are none.
func FitParams(params map[string]string) map[string]string {
	if len(params) == 0 {
		return nil
	}
	fitted := make(map[string]string, len(params))
	for name, value := range params {
		fitted[name] = MaxText.Fit(value)
	}
	return fitted
}

// Hide takes out of a notification's options what says something of the message, for a reader who
// shall not see it: titles, images, and the values of template parameters, each of which becomes
// the given words, because a vendor refuses a template that lacks one. It changes no map that the
// options had.
func (o *Options) Hide(words string) {
	o.IOS.Title, o.IOS.Subtitle, o.IOS.Image = "", "", ""
	o.Android.Image, o.Harmony.Image = "", ""
	for _, params := range []*map[string]string{&o.Android.XiaomiTemplateParams, &o.Android.OPPOTitleParams, &o.Android.OPPOContentParams} {
		if len(*params) == 0 {
			continue
		}
		hidden := make(map[string]string, len(*params))
		for name := range *params {
			hidden[name] = words
		}
		*params = hidden
	}
}

// HasImage says whether the message asks for an image.
func (o *Options) HasImage() bool { return o.IOS.Image+o.Android.Image+o.Harmony.Image != "" }

// Params are the values of a template's variables that the message gives, whichever vendor's; nil
// where it gives none.
func (o *Options) Params() map[string]string {
	var all map[string]string
	for _, params := range []map[string]string{o.Android.XiaomiTemplateParams, o.Android.OPPOTitleParams, o.Android.OPPOContentParams} {
		if all == nil && len(params) > 0 {
			all = map[string]string{}
		}
		maps.Copy(all, params)
	}
	return all
}
