package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/dispatch/send"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
)

// loaded is what a configuration makes of a worker. It never changes: a configuration that is
// loaded anew makes another one, which shares the certificates that are the same.
type loaded struct {
	conf    *config.Config
	apps    map[string]route.App
	serving map[string]*serving // by certificate
	// inForce ends, by replace, when another configuration takes its place.
	inForce context.Context
	replace context.CancelFunc
}

// serving is a certificate that is served.
type serving struct {
	form   form
	sender *send.Sender
	token  *accesstoken.Source // nil where the vendor wants none
}

// form is all that a certificate's sender depends on. Its limits are not among it.
type form struct {
	app      string
	settings vendors.Config
	counts   bool
	retries  send.Retries
	roots    [sha256.Size]byte // of ca_file
}

func (f *form) equal(o *form) bool { return reflect.DeepEqual(f, o) }

// formOf is the form of a certificate of an app.
func formOf(conf *config.Config, app *config.App, c vendors.Config) form {
	settings := reflect.New(reflect.TypeOf(c).Elem())
	settings.Elem().Set(reflect.ValueOf(c).Elem())
	f := form{app: app.ID, settings: settings.Interface().(vendors.Config), counts: badges[app.Policy.Badge] == route.BadgeCounted,
		retries: send.Retries{Attempts: conf.Retry.Attempts, Base: conf.Retry.Base, Max: conf.Retry.Max}}
	base := f.settings.Base()
	base.Rate, base.DailyQuota, base.DeviceCap, base.UrgentReserve = vendors.Rate{}, nil, nil, 0
	if base.CAFile != "" {
		if roots, err := os.ReadFile(base.CAFile); err == nil { // the driver says what is wrong with it
			f.roots = sha256.Sum256(roots)
		}
	}
	return f
}

// sender is who sends the jobs of a certificate; nil where nobody does.
func (l *loaded) sender(where hongyan.Subject) *send.Sender {
	if c := l.serving[where.Certificate]; c != nil && c.sender.Certificate.Vendor == where.Vendor {
		return c.sender
	}
	return nil
}

// inForce is the configuration that is in force.
func (s *service) inForce() *config.Config {
	if l := s.loaded.Load(); l != nil {
		return l.conf
	}
	return s.conf
}

// appNames are the apps that are served now.
func (s *service) appNames() []string {
	var names []string
	for _, a := range s.loaded.Load().conf.Apps {
		names = append(names, a.ID)
	}
	return names
}

// badges are the words of policy.badge.
var badges = map[string]route.Badge{"": route.BadgeOfMessage, "message": route.BadgeOfMessage, "counted": route.BadgeCounted, "off": route.BadgeOff}

// load makes what a configuration asks for, and changes nothing of what runs: certificates that are
// the same are served by whoever serves them already, the others get senders that are not started.
func (l *loader) load(conf *config.Config) (next *loaded, err error) {
	old := l.loaded.Load()
	next = &loaded{conf: conf, apps: map[string]route.App{}, serving: map[string]*serving{}}
	next.inForce, next.replace = context.WithCancel(l.ctx)
	defer func() {
		if err != nil {
			next.replace()
			next.closeNew(old)
		}
	}()
	for i := range conf.Apps {
		a := &conf.Apps[i]
		app := route.App{Accounts: map[string]route.Account{}, Texts: conf.Texts(), Policy: route.Policy{
			ForegroundLease: a.Policy.ForegroundLease, StaleAfter: *a.Policy.StaleAfter, MaxPushGroup: a.Policy.MaxPushGroup,
			QuietWhenActiveElsewhere: a.Policy.QuietWhenActiveElsewhere, RecallOverwrite: *a.Policy.RecallOverwrite,
			Preview: hongyan.Preview(a.Policy.Preview), Badge: badges[a.Policy.Badge], Collapse: a.Policy.Collapse == "conversation",
		}}
		for _, c := range a.Certificates {
			base, form := c.Base(), formOf(conf, a, c)
			one := old.same(base.ID, &form)
			if one == nil {
				if one, err = l.make(c, form); err != nil {
					return nil, err
				}
			}
			next.serving[base.ID] = one
			account := route.Account{App: a.ID, Vendor: base.Vendor, Certificate: base.ID, Options: c.Options, Sender: one.sender,
				Badge: one.sender.Certificate.Driver.Limits().Badge}
			if form.counts && one.sender.Refreshes() {
				account.Refreshing = one.sender
			}
			app.Accounts[base.ID] = account
		}
		next.apps[a.ID] = app
	}
	return next, nil
}

// same is the certificate of a name that has the same form; nil where there is none.
func (l *loaded) same(id string, f *form) *serving {
	if l == nil {
		return nil
	}
	if c := l.serving[id]; c != nil && c.form.equal(f) {
		return c
	}
	return nil
}

// closeNew closes the drivers that another configuration does not have.
func (l *loaded) closeNew(other *loaded) {
	for id, c := range l.serving {
		if other == nil || other.serving[id] != c {
			c.sender.Certificate.Driver.Close()
		}
	}
}

// make makes the driver and the sender of a certificate.
func (l *loader) make(c vendors.Config, f form) (*serving, error) {
	base, one := c.Base(), &serving{form: f}
	driver, err := c.Driver(vendors.Env{Turns: l.turns, Tokens: func(name string, fetch vendors.TokenFetch) vendors.TokenSource {
		one.token = l.tokens(c, name, fetch)
		return one.token
	}})
	if err != nil {
		return nil, cli.UsageError(fmt.Errorf("certificate %s: %w", base.ID, err))
	}
	zone, err := time.LoadLocation(cmp.Or(base.Timezone, "Asia/Shanghai"))
	if err != nil {
		driver.Close()
		return nil, fmt.Errorf("certificate %s: timezone: %w", base.ID, err)
	}
	one.sender = l.sender(send.Certificate{
		App: f.app, Vendor: base.Vendor, ID: base.ID, Driver: driver, Class: c.Class, Concurrency: base.Concurrency, Zone: zone,
	}, f.counts, f.retries)
	return one, nil
}

// limitsOf are the limits of all certificates of a configuration.
func limitsOf(conf *config.Config) (limits []ratelimit.Certificate) {
	for _, a := range conf.Apps {
		for _, c := range a.Certificates {
			l := ratelimit.CertificateOf(c.Base(), usualClasses(c)...)
			if own, ok := c.(interface{ CallTimeout() time.Duration }); ok {
				l.Timeout = own.CallTimeout()
			}
			limits = append(limits, l)
		}
	}
	return limits
}

// usualClasses are the classes of a plain chat message and of a call.
func usualClasses(c vendors.Config) []vendors.Class {
	return []vendors.Class{
		c.Class(&vendors.Notification{}),
		c.Class(&vendors.Notification{Urgent: true, Call: &hongyan.Call{Media: "audio", Action: hongyan.CallInvite}}),
	}
}
