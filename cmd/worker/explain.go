package main

import (
	"log/slog"
	"time"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/explain/page"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

// explainPage is the page that says why somebody got a push or none; nil where nobody may ask.
func explainPage(c config.Explain, log *slog.Logger) *page.Page {
	if !c.Open() {
		return nil
	}
	fakes := all.Fakes()
	o := page.Options{Password: string(c.Password), TrustedHeader: c.TrustedHeader, ShowText: c.ShowText, PhoneCSS: sandbox.PhoneCSS(fakes), Log: log, Now: time.Now}
	for _, f := range fakes {
		o.Phones = append(o.Phones, page.Phone{Vendor: f.Vendor, Name: explain.Say(f.Name, f.NameZH), System: f.System, Heading: string(f.Heading), Calls: string(f.Calls)})
	}
	return page.New(o)
}
