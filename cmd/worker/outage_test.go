package main

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
)

// NATS goes away in the middle: nothing is sent beyond what was leased, and everything goes on when
// it is back.
func TestQuotaHoldsWithoutNATS(t *testing.T) {
	if testing.Short() {
		t.Skip("stops NATS for a while")
	}
	t.Parallel()
	const quota, messages = 3000, 5000
	r := newRig(t, "")
	zone := noon()
	r.env = []string{zoned(t, zone)}
	r.configure("demo-apns", "daily_quota: {all: "+itoa(quota)+"}", "timezone: Test/Vendor", "rate: {devices_per_second: 500}")
	r.registerAll(100, "apns")
	for range 3 {
		r.start()
	}
	r.flood(messages, 100, func(int) int { return day })
	r.until(time.Minute, "in the middle", func() bool { return r.count("apns") >= quota/4 })
	if err := r.nats.Close(); err != nil {
		t.Fatal(err)
	}
	// The same streams on an address that no worker knows, to read how much was leased.
	aside := startNATS(t, r.natsDir(), "127.0.0.1:0")
	leased := counter(t, aside.URL, "quota.demo-apns.all.normal."+zone.Add(-12*time.Hour).In(vendorZone(zone)).Format("20060102"))
	time.Sleep(4 * time.Second) // the outage
	during := r.count("apns")
	t.Logf("%d were leased, %d were accepted during the outage", leased, during)
	if leased == 0 || int64(during) > leased {
		t.Errorf("%d were accepted, %d were leased", during, leased)
	}
	if err := aside.Close(); err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	r.nats = startNATS(t, r.natsDir(), at.Host)
	r.until(time.Minute, "connected again", r.bus.Connected)
	r.settled(3*time.Minute, "apns")
	p := r.quota("demo-apns")
	accepted, different := r.count("apns"), unique(r.box.Pushes())
	t.Logf("%d accepted, %d different ones; %+v; ends %v, %d wait", accepted, different, p, r.ends(), r.waiting("apns"))
	if accepted > quota {
		t.Errorf("APNs accepted %d, the quota is %d", accepted, quota)
	}
	if used := int64(accepted) + p.Lost; used < quota*95/100 {
		t.Errorf("only %d of %d were used or lost", used, quota)
	}
	if got := r.ends()["accepted accepted"] + r.waiting("apns"); got < messages {
		t.Errorf("%d messages were accepted or wait, %d were sent", got, messages)
	}
	r.noViolations()
}

func counter(t *testing.T, address, key string) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b, err := bus.Connect(ctx, bus.Options{URL: address, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	values, err := b.LimitStore().Load(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	return values[0]
}
