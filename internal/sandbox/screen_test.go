package sandbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// onScreen is what a phone shows, by title.
func onScreen(c *Core, token string) []string {
	var titles []string
	for _, p := range c.Screen("crane", token) {
		titles = append(titles, p.Title)
	}
	return titles
}

// A push that clears takes away all that its app shows on its phone, and nothing else.
func TestScreenCleared(t *testing.T) {
	t.Parallel()
	c := NewCore(Options{})
	for _, p := range []Push{
		{App: "im", Token: "t1", Key: "k1", Title: "first"},
		{App: "im", Token: "t1", Title: "second"},
		{App: "im", Token: "t1", Key: "k1", Title: "first, again"},
		{App: "mail", Token: "t1", Key: "k1", Title: "a mail"},
		{App: "im", Token: "t2", Key: "k1", Title: "elsewhere"},
	} {
		p.Vendor = "crane"
		c.Accept(p)
	}
	clearing := Push{Vendor: "crane", App: "im", Token: "t1", OnlyBadge: true, Badge: new(0), Clears: true}
	if diff := cmp.Diff([]int64{2, 3}, c.Accept(clearing).Gone); diff != "" {
		t.Errorf("gone (-want +got):\n%s", diff)
	}
	if again := c.Accept(clearing); again.Gone != nil {
		t.Errorf("nothing was left, and %v are gone", again.Gone)
	}
	c.Accept(Push{Vendor: "crane", App: "im", Token: "t1", Title: "later"})
	if diff := cmp.Diff([]string{"a mail", "later"}, onScreen(c, "t1")); diff != "" {
		t.Errorf("on the screen (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"elsewhere"}, onScreen(c, "t2")); diff != "" {
		t.Errorf("on another screen (-want +got):\n%s", diff)
	}
}

// What tells a phone that a call is over ends the call screen of that phone.
func TestScreenOfCall(t *testing.T) {
	t.Parallel()
	ring := func(token string) Push {
		return Push{Vendor: "crane", App: "im.voip", Token: token, Key: "c1", Title: token + " rings", Call: true, CallID: "c1"}
	}
	over := Push{Vendor: "crane", App: "im", Token: "alert-1", Key: "c1", Title: "answered", CallID: "c1", EndsCall: true}
	for _, test := range []struct {
		name   string
		phones map[string]string
		before []Push
		want   []int64 // that are gone
	}{
		{name: "its_own", phones: map[string]string{"voip-1": "one", "alert-1": "one", "voip-2": "two"}, before: []Push{ring("voip-2"), ring("voip-1")}, want: []int64{2}},
		{name: "another_phone_only", phones: map[string]string{"alert-1": "one", "voip-2": "two"}, before: []Push{ring("voip-2")}},
		{name: "the_only_one", before: []Push{ring("voip-1")}, want: []int64{1}},
		{name: "the_only_one_without_a_name", phones: map[string]string{"alert-1": "one", "voip-2": "two"}, before: []Push{ring("voip-2"), ring("voip-3")}, want: []int64{2}},
		{name: "nobody_knows_which", before: []Push{ring("voip-1"), ring("voip-2")}},
		{name: "ended_before", before: []Push{ring("voip-1"), {Vendor: "crane", Token: "alert-2", CallID: "c1", EndsCall: true}}},
		{name: "in_the_place_of_its_own_ring", before: []Push{ring("voip-1"), {Vendor: "crane", App: "im", Token: "alert-1", Key: "c1", CallID: "c1"}}},
		{name: "another_call", before: []Push{{Vendor: "crane", Token: "voip-1", Call: true, CallID: "c2"}}},
		{name: "no_call_screen", before: []Push{{Vendor: "crane", Token: "voip-1", CallID: "c1"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := NewCore(Options{})
			for token, name := range test.phones {
				c.NamePhone("crane", token, name)
			}
			for _, p := range test.before {
				c.Accept(p)
			}
			if diff := cmp.Diff(test.want, c.Accept(over).Gone); diff != "" {
				t.Errorf("gone (-want +got):\n%s", diff)
			}
			if got := onScreen(c, "alert-1"); len(got) != 1 || got[0] != "answered" {
				t.Errorf("the phone shows %q", got)
			}
		})
	}
}
