package main

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory/directorytest"
	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// The page of `worker dev` knows each phone by the user and device of its registration, both tokens
// of an iPhone as one phone's, whether it was registered before or while it looks.
func TestPhoneNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, box, subjects := directorytest.New(), sandbox.New(sandbox.Options{}), hongyan.Subjects{}
		store.Put(subjects.Device("demo", "bob", "iphone"), `{"certificate":"a","token":"t1","voip":{"certificate":"b","token":"t2"}}`)
		store.Put(subjects.Presence("demo", "bob", "iphone"), `{"state":"background"}`)
		store.Put(subjects.Device("demo", "eve", "phone"), `not a registration`)
		names := &phoneNames{store: store, subjects: subjects, vendors: map[string]string{"a": "acme", "b": "acme", "c": "bolt"}, box: box}
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() {
			defer close(over)
			names.run(ctx, store)
		}()
		want := func(vendor, token, name string) {
			t.Helper()
			synctest.Wait()
			if got := box.Accept(sandbox.Push{Vendor: vendor, Token: token}).Phone; got != name {
				t.Errorf("the phone with %s of %s is %q, want %q", token, vendor, got, name)
			}
		}
		want("acme", "t1", "bob/iphone")
		want("acme", "t2", "bob/iphone")
		store.Put(subjects.Device("other", "al ice", "pad"), `{"certificate":"c","token":"t1"}`)
		want("bolt", "t1", "other/al ice/pad")
		store.Put(subjects.Device("demo", "carol", "phone"), `{"certificate":"a","token":"t1"}`)
		want("acme", "t1", "carol/phone")
		stop()
		<-over
	})
}
