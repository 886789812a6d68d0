package natsaddr_test

import (
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/natsaddr"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"nothing_to_hide":        {"nats://127.0.0.1:4222", "nats://127.0.0.1:4222"},
		"name_alone":             {"nats-1", "nats-1"},
		"ipv6":                   {"nats://[::1]:4222", "nats://[::1]:4222"},
		"several":                {"nats://n1:4222, tls://n2:4222", "nats://n1:4222,tls://n2:4222"},
		"password":               {"nats://user:s3cret@n1:4222", "nats://n1:4222"},
		"token":                  {"nats://s3cret@n1:4222", "nats://n1:4222"},
		"token_without_scheme":   {"s3cret@n1:4222", "n1:4222"},
		"without_scheme":         {"user:s3cret@n1", "n1"},
		"broken_escape":          {"nats://user:s3%zzcret@n1", "nats://n1"},
		"at_in_the_password":     {"nats://user:s3@cret@n1", "nats://n1"},
		"slash_in_the_password":  {"nats://user:s3/cret@n1:4222", "nats://n1:4222"},
		"hash_in_the_password":   {"nats://user:s3#cret@n1", "nats://n1"},
		"space_in_the_password":  {" user:s3 cret@n1 ", "n1"},
		"comma_in_the_password":  {"nats://user:12,s3cret@n1", "nats://n1"},
		"commas_in_the_password": {"nats://user:12,34,s3cret@n1,nats://n2", "nats://n1,nats://n2"},
		"each_of_several":        {"nats://a:s3cret@n1,nats://b:s3cret@n2,tls://s3cret@n3", "nats://n1,nats://n2,tls://n3"},
		"comma_and_at":           {"nats://user:s3@c,ret@n1", "nats://n1"},
		"without_any_scheme":     {"n0,s3cret@n1:4222,s3cret@n2:4222,n3", "n2:4222,n3"},
		"scheme_inside_a_token":  {"s3://cret@n1", "n1"},
		"unknown_scheme":         {"http://n1", "http://n1"},
		"no_port_but_a_secret":   {"nats://user:s3cret", "nats://(unreadable)"},
		"websocket_path":         {"wss://user:s3cret@n1/nats", "wss://n1/nats"},
		"line_break":             {"s3cr\net@n1\n", "n1"},
		"empty":                  {"", "(unreadable)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := natsaddr.Redact(c.in); got != c.want {
				t.Errorf("Redact(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"n1", "nats://n1:4222", "tls://user:pass%2Fword@n1", "token@n1:4222", "n1, n2:4222,", "ws://n1/nats", "nats://[::1]:4222", "NATS://n1"} {
		if err := natsaddr.Check(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, says := range map[string]string{
		"":                            "no address",
		" , ":                         "no address",
		"http://n1":                   "scheme",
		"n0,nats://user:s3%zzcret@n1": "address 2 is no NATS address",
		"nats://user:s3/cret@n1":      "address 1 is no NATS address",
		"nats://user:s3 cret@n1":      "address 1 is no NATS address",
		"nats://user:s3cret":          "address 1 is no NATS address",
		"nats://":                     "address 1 is no NATS address",
	} {
		err := natsaddr.Check(bad)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", bad, err, says)
		}
		if err != nil && (strings.Contains(err.Error(), "s3") || strings.Contains(err.Error(), "zz") || strings.Contains(err.Error(), "cret")) {
			t.Errorf("%q: the error repeats the secret: %v", bad, err)
		}
	}
}

// FuzzRedact: whatever stands before the last @ of an element is never shown.
func FuzzRedact(f *testing.F) {
	for _, seed := range []string{"user:pass", "tok", "u:p%zz", "u:p@ss", "u:1,2", "u:p,nats://x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, secret string) {
		if strings.Contains(secret, "://") {
			return // it can be read as the address of another server
		}
		if got := natsaddr.Redact("nats://" + secret + "@n1:4222"); got != "nats://n1:4222" {
			t.Errorf("%q gives %q", secret, got)
		}
	})
}
