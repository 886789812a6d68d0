package main

//lint:file-ignore SA1019 the yardstick is apns2 on the transport that it brings

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sideshow/apns2"
	"github.com/sideshow/apns2/payload"
	"github.com/sideshow/apns2/token"
	"golang.org/x/net/http2"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// bare runs the bare loop in a process of its own and returns its CPU per push.
func (r *rig) bare(ctx context.Context, n int) (time.Duration, error) {
	run := func(n int) (time.Duration, error) {
		cmd := exec.CommandContext(ctx, r.opts.Bare[0], append(r.opts.Bare[1:], r.place.URL, r.place.Dir, strconv.Itoa(n))...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return 0, fmt.Errorf("bare apns2 loop: %w", err)
		}
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
	}
	// Two lengths, so that the process's start and the warm-up fall out.
	short, err := run(500)
	if err != nil {
		return 0, err
	}
	long, err := run(500 + n)
	if err != nil {
		return 0, err
	}
	return (long - short) / time.Duration(n), nil
}

// bareLoop pushes n notifications like the worker's through apns2 alone, a hundred at a time over two
// connections: no queue, no lookup, no retry. It is the yardstick.
func bareLoop(url, dir string, n int) error {
	key, err := token.AuthKeyFromFile(filepath.Join(dir, "apns.p8"))
	if err != nil {
		return fmt.Errorf("read the demo's APNs key: %w", err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return fmt.Errorf("read the demo's root certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	team, keyID, topic := sandbox.DemoAPNs()
	bearer := &token.Token{AuthKey: key, KeyID: keyID, TeamID: team}
	clients := make([]*apns2.Client, 2)
	for i := range clients {
		c := apns2.NewTokenClient(bearer)
		c.Host = url
		c.HTTPClient.Transport.(*http2.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
		clients[i] = c
	}
	push := func(i int) error {
		id := strconv.Itoa(i)
		p := payload.NewPayload().AlertTitle("Alice").AlertBody("晚上八点老地方见，记得带上那本书。See you at eight.").Badge(5).Sound("default").
			ThreadID("c2c_alice").Custom("ext", `{"conversationID":"c2c_alice","id":"`+id+`"}`)
		resp, err := clients[i%len(clients)].Push(&apns2.Notification{
			ApnsID: fmt.Sprintf("00000000-0000-4000-8000-%012x", i), CollapseID: fmt.Sprintf("%032x", i), DeviceToken: sandbox.DemoToken("apns", "u"+strconv.Itoa(i%5000)),
			Topic: topic, Expiration: time.Now().Add(24 * time.Hour), Priority: 10, Payload: p, PushType: apns2.PushTypeAlert,
		})
		if err != nil {
			return err
		}
		if !resp.Sent() {
			return errors.New("refused: " + resp.Reason)
		}
		return nil
	}
	for i := range clients { // each connection begins with one push alone
		if err := push(i); err != nil {
			return err
		}
	}
	var next atomic.Int64
	var first atomic.Value
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if err := push(int(i)); err != nil {
					first.CompareAndSwap(nil, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err, ok := first.Load().(error); ok {
		return err
	}
	return nil
}
