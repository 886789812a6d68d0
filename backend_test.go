package hongyan_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

// Example_backend is all that an IM backend says, in the order of docs/backend.md.
func Example_backend() {
	address, stop := demo()
	defer stop()
	ctx := context.Background()
	now := time.Now()
	must := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}

	client, err := hongyan.Connect(address, hongyan.Options{})
	must(err)
	defer client.Close()

	must(client.SetDevice(ctx, "demo", "bob", "phone", hongyan.Device{
		Certificate: "demo-huawei", Token: "my-huawei-token-0001", Platform: "android", Locale: "zh-CN",
		Model: "Mate 60", AppVersion: "5.2.1",
	}))

	must(client.SetPresence(ctx, "demo", "bob", "phone", hongyan.Presence{State: hongyan.StateForeground, Gateway: "gw-7"}))
	unread := 3
	must(client.SetPresence(ctx, "demo", "bob", "phone", hongyan.Presence{State: hongyan.StateBackground, Unread: &unread}))

	must(client.RenewGateway(ctx, "demo", "gw-7", hongyan.Lease{Since: now}, 30*time.Second))

	receipt, err := client.Send(ctx, "demo", &hongyan.Message{
		ID: "m-1", SentAt: now,
		Conversation: hongyan.Conversation{Type: hongyan.ConversationGroup, ID: "g-7", Name: "Book club"},
		Sender:       hongyan.Sender{ID: "alice", Nickname: "Alice", Device: "iphone-1"},
		Recipients:   []string{"bob", "carol"},
		Content:      hongyan.Content{Type: hongyan.ContentText, Text: "@Bob chapter 3 by Friday?"},
		Mentions:     []string{"bob"},
		OfflinePush:  hongyan.OfflinePush{Ext: `{"conversationID":"g-7"}`},
	})
	must(err)
	fmt.Println("stored twice:", receipt.Duplicate)

	ring := &hongyan.Message{
		ID: "m-2", SentAt: now,
		Conversation: hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c2c_alice"},
		Sender:       hongyan.Sender{ID: "alice", Nickname: "Alice"},
		Recipients:   []string{"bob"},
		Content: hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{
			Media: hongyan.CallVideo, Action: hongyan.CallInvite, ID: "call-1",
		}},
	}
	_, err = client.Send(ctx, "demo", ring)
	must(err)
	answer := *ring
	answer.ID, answer.Sender = "m-3", hongyan.Sender{ID: "bob", Device: "pad"}
	answer.Content.Call = &hongyan.Call{Media: hongyan.CallVideo, Action: hongyan.CallAnswer, ID: "call-1"}
	_, err = client.Send(ctx, "demo", &answer)
	must(err)

	must(client.Signal(ctx, "demo", hongyan.Signal{Type: hongyan.SignalRecall, MessageID: "m-1", Conversation: "g-7", SentAt: now}))

	must(client.Signal(ctx, "demo", hongyan.Signal{Type: hongyan.SignalRead, User: "bob", Conversation: "c2c_alice", At: now, Unread: &unread}))

	must(client.SetSettings(ctx, "demo", "bob", hongyan.Settings{
		QuietHours:    &hongyan.QuietWindow{From: "22:00", To: "08:00", Timezone: "Asia/Shanghai"},
		Conversations: map[string]hongyan.Mute{"g-7": hongyan.MuteButMentions},
	}))

	must(client.RemoveDevice(ctx, "demo", "bob", "phone"))

	following, end := context.WithTimeout(ctx, 200*time.Millisecond)
	defer end()
	outcomes, err := client.Outcomes(following, "demo")
	must(err)
	for o, err := range outcomes {
		if err != nil {
			fmt.Println("some may be missing:", err)
			continue
		}
		for _, d := range o.Devices {
			fmt.Println(o.MessageID, o.Status, d.User, d.Device, d.Reason)
		}
	}

	_, err = client.Send(ctx, "demo", &hongyan.Message{ID: "m-4"})
	switch {
	case errors.Is(err, hongyan.ErrInvalid):
		fmt.Println("never publish it again: it says what is wrong")
	case errors.Is(err, hongyan.ErrFull), errors.Is(err, hongyan.ErrNoStream):
		fmt.Println("nothing was stored: publish it later, with the same id")
	case err != nil:
		fmt.Println("nobody knows: publish it again, with the same id")
	}
	// Output:
	// stored twice: false
	// never publish it again: it says what is wrong
}

// The guide's Go is that of the example, which runs.
func TestBackendGuide(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	flat := func(code string) string {
		var lines []string
		for line := range strings.Lines(code) {
			lines = append(lines, strings.TrimSpace(line))
		}
		return strings.TrimSpace(strings.Join(lines, "\n"))
	}
	example := flat(read("backend_test.go"))
	for _, page := range []string{"docs/backend.md", "docs/backend.zh-CN.md"} {
		blocks := regexp.MustCompile("(?ms)^```go\n(.*?)^```").FindAllStringSubmatch(read(page), -1)
		if len(blocks) < 10 {
			t.Errorf("%s shows %d pieces of Go, want at least 10", page, len(blocks))
		}
		for _, b := range blocks {
			if !strings.Contains(example, flat(b[1])) {
				t.Errorf("%s: this is not part of Example_backend:\n%s", page, b[1])
			}
		}
	}
}
