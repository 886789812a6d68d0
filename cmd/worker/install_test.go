package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/dispatch/send"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/notestest"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
)

// slowRefusal is a driver whose calls are refused for their credentials, once it is let go.
type slowRefusal struct{ let chan struct{} }

func (d slowRefusal) Push(_ context.Context, b vendors.Batch) []vendors.Result {
	<-d.let
	return vendors.All(len(b.Devices), vendors.Result{Reason: vendors.BadCredentials, Err: errors.New("the former key")})
}

func (slowRefusal) Limits() vendors.Limits { return vendors.Limits{Batch: 1} }
func (slowRefusal) Close()                 {}

// While a configuration is put in force, a call under way is refused for the former credentials.
// That says nothing of the new ones: nobody is told that the certificate is parked.
func TestFormerCredentialsParkNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, room, queue := slog.New(slog.DiscardHandler), new(notestest.Room), dispatchtest.New()
		ctx, cancel := context.WithCancel(t.Context())
		recorder := store.NewRecorder(t.Context(), store.Options{Queue: queue, Log: log, Now: time.Now})
		l := &loader{service: &service{log: log, readings: &readings{dates: map[string]*dated{}, tokens: map[string]*accesstoken.Source{}}},
			ctx: ctx, hard: t.Context(), apps: route.NewApps(nil), board: parking.NewBoard(room, "w1", log), holds: parking.NewWatch(room, log)}
		configured := func(d vendors.Driver) *loaded {
			s := &send.Sender{Certificate: send.Certificate{App: "demo", Vendor: "xiaomi", ID: "c", Driver: d}, Recorder: recorder, Log: log, Now: time.Now}
			return &loaded{conf: &config.Config{}, serving: map[string]*serving{"c": {form: form{app: "demo"}, sender: s}}, replace: func() {}}
		}
		former := slowRefusal{make(chan struct{})}
		old, next := configured(former), configured(former)
		old.replace = func() { // in the middle of the reload
			close(former.let)
			synctest.Wait()
		}
		l.install(old)
		var running sync.WaitGroup
		running.Go(func() { l.board.Run(ctx) })
		j := &dispatch.Job{App: "demo", Vendor: "xiaomi", Certificate: "c", Lane: hongyan.LaneNormal, Published: time.Now(), Decided: time.Now(),
			Targets:      []dispatch.Target{{User: "u", Device: "d", Token: "t"}},
			Notification: &vendors.Notification{Key: "k", MessageID: "m", Title: "t", Body: "b", Deadline: time.Now().Add(time.Hour)}}
		data, err := j.Encode()
		if err != nil {
			t.Fatal(err)
		}
		subject := hongyan.Subjects{}.Job("xiaomi", "c", hongyan.LaneNormal)
		if errs := queue.Publish(t.Context(), []dispatch.Outgoing{{Subject: subject, ID: j.Name(), Data: data}}); errs != nil {
			t.Fatal(errs)
		}
		running.Go(func() { old.serving["c"].sender.Serve(ctx, hongyan.LaneNormal, queue.Source(subject, 8)) })
		synctest.Wait()
		l.install(next)
		time.Sleep(10 * time.Second)
		if state, _, _ := old.serving["c"].sender.State(); state != parking.Open {
			t.Error("the former sender's breaker is closed: the call was not refused in time")
		}
		if notes, err := room.List(t.Context()); err != nil || len(notes) > 0 {
			t.Errorf("the other workers are told %q, %v", notes, err)
		}
		cancel()
		l.stop()
		running.Wait()
		recorder.Wait()
	})
}
