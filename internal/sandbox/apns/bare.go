package apns

//lint:file-ignore SA1019 the yardstick is apns2 on the transport that it brings

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sideshow/apns2"
	content "github.com/sideshow/apns2/payload"
	jwt "github.com/sideshow/apns2/token"
	"golang.org/x/net/http2"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// bare pushes n notifications like the worker's through apns2 alone, a hundred at a time over two
// connections: no queue, no lookup, no retry. It is the yardstick.
func bare(url, dir string, n int) error {
	key, err := jwt.AuthKeyFromFile(filepath.Join(dir, demoFile))
	if err != nil {
		return fmt.Errorf("read the demo's APNs key: %w", err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return fmt.Errorf("read the demo's root certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	bearer := &jwt.Token{AuthKey: key, KeyID: demoKey, TeamID: demoTeam}
	clients := make([]*apns2.Client, 2)
	for i := range clients {
		c := apns2.NewTokenClient(bearer)
		c.Host = url
		c.HTTPClient.Transport.(*http2.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
		clients[i] = c
	}
	push := func(i int) error {
		id := strconv.Itoa(i)
		p := content.NewPayload().AlertTitle("Alice").AlertBody("晚上八点老地方见，记得带上那本书。See you at eight.").Badge(5).Sound("default").
			ThreadID("c2c_alice").Custom("ext", `{"conversationID":"c2c_alice","id":"`+id+`"}`)
		resp, err := clients[i%len(clients)].Push(&apns2.Notification{
			ApnsID: fmt.Sprintf("00000000-0000-4000-8000-%012x", i), CollapseID: fmt.Sprintf("%032x", i), DeviceToken: demoToken("u" + strconv.Itoa(i%5000)),
			Topic: sandbox.DemoPackage, Expiration: time.Now().Add(24 * time.Hour), Priority: 10, Payload: p, PushType: apns2.PushTypeAlert,
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
