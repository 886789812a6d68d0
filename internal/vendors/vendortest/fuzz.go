package vendortest

import (
	"testing"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// FuzzInterpret feeds answers to the reading half of an HTTP vendor: it must never panic, give a
// result for each device, and never take a status other than 2xx for an acceptance. Seeds are
// answers worth mutating.
func FuzzInterpret(f *testing.F, protocol vendors.Protocol, token func(i int) string, seeds ...string) {
	for _, status := range []int{200, 400, 401, 503} {
		for _, s := range append(seeds, "", "{}", "null", "[]", `"x"`, "<html>") {
			f.Add(status, []byte(s), 2)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, n int) {
		n = 1 + (n%3+3)%3
		r := Rig{subject: Subject{Token: token}}
		b := r.Batch(n, Chat())
		got := protocol.Interpret(vendors.Response{Status: status, Body: body}, b)
		if len(got) != n {
			t.Fatalf("%d results for %d devices", len(got), n)
		}
		for _, res := range got {
			if res.Reason == vendors.Accepted && (status < 200 || status > 299) {
				t.Fatalf("HTTP %d was taken for an acceptance", status)
			}
			if !vendors.CanSay(res.Reason) {
				t.Fatalf("%v is not for a driver to say", res.Reason)
			}
			noLeak(t, &r, res)
		}
	})
}
