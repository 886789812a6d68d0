package route

import (
	"sync/atomic"

	"github.com/hongyan-im/hongyan/internal/texts"
)

// App is what is known of an app. It never changes: a configuration that is loaded anew makes
// another one, and a message is planned by the one that was in force when it was read.
type App struct {
	Policy Policy
	// Accounts by certificate.
	Accounts map[string]Account
	// Texts are the words of notifications; nil for the built-in ones.
	Texts *texts.Catalogue
}

// Apps are the apps that are served, by the configuration in force. It may be used by many
// goroutines.
type Apps struct {
	now atomic.Pointer[map[string]App]
}

// NewApps serves apps by their names. Nobody may change them any more.
func NewApps(apps map[string]App) *Apps {
	a := new(Apps)
	a.Set(apps)
	return a
}

// Set replaces all apps at once. Nobody may change them any more.
func (a *Apps) Set(apps map[string]App) { a.now.Store(&apps) }

// Of is the app of a name, and whether there is one.
func (a *Apps) Of(name string) (App, bool) {
	app, ok := (*a.now.Load())[name]
	return app, ok
}

// policy is the policy of an app; the zero value where there is none.
func (a *Apps) policy(name string) Policy {
	app, _ := a.Of(name)
	return app.Policy
}
