package main

import (
	"reflect"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
)

// tokens makes the source of a certificate's access token, shared with the other workers.
func (s *service) tokens(settings vendors.Config, name string, fetch vendors.TokenFetch) *accesstoken.Source {
	var options accesstoken.Options
	if share, err := s.bus.TokenShare(name, secretsOf(settings)); err != nil {
		// Only a cipher that this build lacks; each worker then fetches its own.
		s.log.Error("access tokens are not shared", "certificate", name, "error", err)
	} else {
		options.Share = share
	}
	return accesstoken.New(fetch, options)
}

// secretsOf joins everything secret in a certificate's settings.
func secretsOf(settings vendors.Config) []byte {
	var all []byte
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				walk(v.Field(i))
			}
			return
		}
		if v.Type() == reflect.TypeFor[vendors.Secret]() {
			all = append(append(all, v.String()...), 0)
		}
	}
	walk(reflect.ValueOf(settings).Elem())
	return all
}
