package natsd_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan/internal/natsd"
)

const (
	canary = "a canary that nobody shall find"
	key    = "0123456789abcdef0123456789abcdef"
)

// sing stores the canary in a stream, as a subject, a header and a body, and a consumer's state.
func sing(t *testing.T, srv *natsd.Server) {
	t.Helper()
	nc, err := nats.Connect(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "BIRDS", Subjects: []string{"bird.>"}, Description: canary})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		m := &nats.Msg{Subject: "bird." + strings.ReplaceAll(canary, " ", "-"), Data: []byte(canary), Header: nats.Header{"Bird": {canary}}}
		if _, err := js.PublishMsg(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: "cat", Description: canary}); err != nil {
		t.Fatal(err)
	}
}

// heard is how many canaries the stream holds.
func heard(t *testing.T, srv *natsd.Server) uint64 {
	t.Helper()
	nc, err := nats.Connect(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "BIRDS")
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// found are the files below a folder in which the canary stands.
func found(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(canary)) || bytes.Contains(data, []byte(strings.ReplaceAll(canary, " ", "-"))) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func start(t *testing.T, dir, cipher, key string) *natsd.Server {
	t.Helper()
	srv, err := natsd.Start(natsd.Options{Dir: dir, Listen: "127.0.0.1:0", Cipher: cipher, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

func stop(t *testing.T, srv *natsd.Server) {
	t.Helper()
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
}

// With a cipher nothing of what is stored can be read in the files, and the key brings it back.
func TestCipher(t *testing.T) {
	for _, cipher := range []string{"chacha", "aes"} {
		t.Run(cipher, func(t *testing.T) {
			dir := t.TempDir()
			srv := start(t, dir, cipher, key)
			sing(t, srv)
			stop(t, srv)
			if files := found(t, dir); len(files) > 0 {
				t.Errorf("the canary stands in %q", files)
			}
			srv = start(t, dir, cipher, key)
			if n := heard(t, srv); n != 100 {
				t.Errorf("%d of 100 came back", n)
			}
			stop(t, srv)
			other := map[string]string{"chacha": "aes", "aes": "chacha"}[cipher]
			for _, wrong := range []struct{ cipher, key, want string }{
				{cipher, "another key of 24 letters", "another key"}, {"", "", "are encrypted"}, {other, key, "encrypted with " + cipher},
			} {
				if _, err := natsd.Start(natsd.Options{Dir: dir, Listen: "127.0.0.1:0", Cipher: wrong.cipher, Key: wrong.key}); err == nil || !strings.Contains(err.Error(), wrong.want) {
					t.Errorf("with cipher %q and key %q: %v", wrong.cipher, wrong.key, err)
				} else if strings.Contains(err.Error(), wrong.key) && wrong.key != "" {
					t.Errorf("the key is told: %v", err)
				}
			}
		})
	}
}

// Streams that were there before the cipher are readable with it, and what is in them is encrypted
// by the time the server has started.
func TestCipherComesLater(t *testing.T) {
	dir := t.TempDir()
	srv := start(t, dir, "", "")
	sing(t, srv)
	stop(t, srv)
	if len(found(t, dir)) == 0 {
		t.Fatal("the test finds no canary where one is")
	}
	srv = start(t, dir, "chacha", key)
	sing(t, srv)
	if n := heard(t, srv); n != 200 {
		t.Errorf("%d of 200 are there", n)
	}
	stop(t, srv)
	if files := found(t, dir); len(files) > 0 {
		t.Errorf("the canary stands in %q", files)
	}
}
