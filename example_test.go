package hongyan_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/natsd"
)

// Example shows the life of an IM backend: a user's phone registers, goes to the background, and
// somebody writes.
func Example() {
	address, stop := demo()
	defer stop()

	client, err := hongyan.Connect(address, hongyan.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()

	// The app got this token from OPPO's SDK; 35001 is the certificate of that name in the worker's
	// configuration.
	err = client.SetDevice(ctx, "demo", "bob", "phone", hongyan.Device{Certificate: "35001", Token: "CN_8f2c", Platform: "android", Locale: "zh-CN"})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.SetPresence(ctx, "demo", "bob", "phone", hongyan.Presence{State: hongyan.StateBackground}); err != nil {
		log.Fatal(err)
	}
	receipt, err := client.Send(ctx, "demo", &hongyan.Message{
		ID:           "m-1001",
		Conversation: hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c2c_alice"},
		Sender:       hongyan.Sender{ID: "alice", Nickname: "Alice"},
		Recipients:   []string{"bob"},
		Content:      hongyan.Content{Type: hongyan.ContentText, Text: "See you at eight"},
		OfflinePush:  hongyan.OfflinePush{Ext: `{"conversationID":"c2c_alice"}`},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("stored:", receipt.Sequence > 0)
	// Output: stored: true
}

// A backend that does not know whether a message was stored sends it again: the id keeps it from
// being stored twice.
func ExampleClient_Send_again() {
	address, stop := demo()
	defer stop()
	client, err := hongyan.Connect(address, hongyan.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	message := &hongyan.Message{
		ID:           "m-1002",
		Conversation: hongyan.Conversation{Type: hongyan.ConversationGroup, ID: "g-7", Name: "Book club"},
		Sender:       hongyan.Sender{ID: "alice", Nickname: "Alice"},
		Recipients:   []string{"bob", "carol"},
		Content:      hongyan.Content{Type: hongyan.ContentImage},
	}
	for range 2 {
		receipt, err := client.Send(context.Background(), "demo", message)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("was there before:", receipt.Duplicate)
	}
	// Output:
	// was there before: false
	// was there before: true
}

// Everything that is wrong with a message is said at once, before it is published.
func ExampleMessage_Validate() {
	m := hongyan.Message{ID: "m-1", Sender: hongyan.Sender{ID: "alice"}, Conversation: hongyan.Conversation{Type: "channel"}}
	fmt.Println(m.Validate())
	// Output: invalid message: conversation.type is none of c2c, group; recipients is missing or empty; content.type is missing
}

// An IM gateway keeps one lease for all its users instead of a presence that each of them has to
// renew.
func ExampleClient_KeepGateway() {
	address, stop := demo()
	defer stop()
	client, err := hongyan.Connect(address, hongyan.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// the gateway's life
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := client.SetPresence(ctx, "demo", "bob", "phone", hongyan.Presence{State: hongyan.StateForeground, Gateway: "gw-7"}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.KeepGateway(ctx, "demo", "gw-7", 15*time.Second))
	// Output: <nil>
}

// A backend hears what became of its messages while it runs.
func ExampleClient_Outcomes() {
	address, stop := demo()
	defer stop()
	client, err := hongyan.Connect(address, hongyan.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	outcomes, err := client.Outcomes(ctx, "demo")
	if err != nil {
		log.Fatal(err)
	}
	for o, err := range outcomes {
		switch {
		case errors.Is(err, hongyan.ErrMissed):
			fmt.Println("look at PUSH_OUTCOMES:", err)
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(o.MessageID, o.Status, o.Devices[0].User, o.Devices[0].Reason)
		}
	}
	// Output:
}

// demo stands in for a NATS server that a worker has prepared.
func demo() (address string, stop func()) {
	dir, err := os.MkdirTemp("", "hongyan")
	if err != nil {
		log.Fatal(err)
	}
	srv, err := natsd.Start(natsd.Options{Dir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	b, err := bus.Connect(context.Background(), bus.Options{URL: srv.URL(), Once: true})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	if err := b.Ensure(context.Background(), nil); err != nil {
		log.Fatal(err)
	}
	return srv.URL(), func() {
		_ = srv.Close()
		_ = os.RemoveAll(dir)
	}
}
