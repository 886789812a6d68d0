package standing

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/parking"
)

// Held says who holds a certificate, or an app with all its certificates.
type Held struct {
	// App is set where the whole app is held, Certificate where it is one certificate.
	App         string    `json:"app,omitempty"`
	Certificate string    `json:"certificate,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	By          string    `json:"by,omitempty"`
	At          time.Time `json:"at"`
}

// heldBy is a hold of the room as it is shown.
func heldBy(key string, h parking.Hold) *Held {
	held := &Held{Reason: h.Reason, By: h.By, At: h.At}
	if app, ok := strings.CutPrefix(key, parking.HeldApp("")); ok {
		held.App = app
	} else {
		held.Certificate = strings.TrimPrefix(key, parking.HeldCertificate(""))
	}
	return held
}

// allHeld are all holds, by what they are about.
func allHeld(holds parking.Holds) []Held {
	all := []Held{}
	for key, h := range holds {
		all = append(all, *heldBy(key, h))
	}
	slices.SortFunc(all, func(a, b Held) int { return strings.Compare(a.What(), b.What()) })
	return all
}

// What names what is held.
func (h *Held) What() string {
	if h.App != "" {
		return "app " + h.App
	}
	return "certificate " + h.Certificate
}

// Release is the command that ends the hold.
func (h *Held) Release() string {
	if h.App != "" {
		return "publisher limits release --app " + h.App
	}
	return "publisher limits release " + h.Certificate
}

// Holds reads what is held by hand.
func Holds(ctx context.Context, b *bus.Bus) (parking.Holds, error) {
	notes, err := b.Notes(parking.HoldRoom).List(ctx)
	if err != nil {
		return nil, err
	}
	return parking.ReadHolds(notes), nil
}

// Shows says whether a hold is one of a certificate in the view.
func (v *View) Shows(h *Held) bool {
	return slices.ContainsFunc(v.Certificates, func(c Certificate) bool { return c.Held != nil && *c.Held == *h })
}
