package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hongyan-im/hongyan"
)

// watchRights returns a context for a command that ends when the server says that the NATS user
// lacks a right which the command needs. refusal puts that in the place of the error that came of
// it.
func (t *tool) watchRights(ctx context.Context) (_ context.Context, refusal func(error) error) {
	ctx, cancel := context.WithCancelCause(ctx)
	t.refused = func(lacks *hongyan.PermissionError) { cancel(lacks) }
	return ctx, func(err error) error {
		defer cancel(nil)
		if cause := context.Cause(ctx); err != nil && isRefused(cause) {
			return cause
		}
		return err
	}
}

func isRefused(err error) bool {
	var lacks *hongyan.PermissionError
	return errors.As(err, &lacks)
}

// rightsText says what a person can do about a missing right.
func rightsText(err error) string {
	var lacks *hongyan.PermissionError
	errors.As(err, &lacks) // isRefused looked
	return fmt.Sprintf("%v\nAllow it in the NATS server's configuration, in permissions.%s of the user or its account, or connect as another user.", err, lacks.Right)
}
