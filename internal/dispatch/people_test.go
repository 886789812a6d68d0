package dispatch_test

import (
	"context"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
)

// people is a directory in which every user has a device of each certificate.
type people struct{}

func (people) Lookup(_ context.Context, refs []directory.Ref) ([]*directory.User, error) {
	var known []*directory.User
	for _, ref := range refs {
		registered := func(id, certificate string) directory.Device {
			return directory.Device{ID: id, Registration: hongyan.Device{Certificate: certificate, Token: "token-" + ref.User + id}, Heard: time.Now()}
		}
		known = append(known, &directory.User{Devices: []directory.Device{registered("d", "c"), registered("e", "h")}})
	}
	return known, nil
}

func (people) MustConfirm() bool { return false }

func (p people) Confirm(ctx context.Context, refs []directory.Ref) ([]*directory.User, error) {
	return p.Lookup(ctx, refs)
}

func (people) DropAll(_ context.Context, dead []directory.Dead) []directory.Dropped {
	return make([]directory.Dropped, len(dead))
}
