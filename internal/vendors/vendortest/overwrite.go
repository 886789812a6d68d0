package vendortest

import (
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// loud are the vendors that have nothing by which a push asks for silence without changing its
// class.
var loud = []string{"harmony", "honor"}

// untitled are the vendors that need no title, so that a text is not shown twice.
var untitled = []string{"apns", "fcm"}

// Overwrite is a quiet notification in the place of an accepted one.
func Overwrite(of *vendors.Notification) *vendors.Notification {
	return &vendors.Notification{
		Key: "fedcba9876543210fedcba9876543210", ReplaceKey: of.Replaces(), MessageID: of.MessageID, Kind: of.Kind, Quiet: true,
		Title: "消息已撤回", Body: "消息已撤回", NoTitle: true, Deadline: of.Deadline,
	}
}

// overwrite pushes a notification and then a quiet one in its place: nothing but that is on the
// screen then, as quiet as can be and in the class of the first. Where the driver says that it
// withdraws, that is asked for in between. A driver whose pushes do not replace each other need
// not.
func overwrite(t *testing.T, s Subject) {
	for _, kind := range []vendors.Kind{vendors.KindC2C, vendors.KindGroup} {
		t.Run(string(kind), func(t *testing.T) {
			r := NewRig(t, s, nil)
			first := Chat()
			first.Kind = kind
			second := Overwrite(first)
			if !r.Driver.Limits().Replaces {
				return
			}
			n := min(2, max(r.Driver.Limits().Batch, r.Driver.Limits().Mixed))
			before, after := r.Batch(n, first), r.Batch(n, second)
			for i := range after.Devices {
				after.Devices[i].Key = "ff" + after.Devices[i].Key[2:]
			}
			wantAll(t, r, push(r, before), n, vendors.Accepted)
			class := r.Sandbox.Pushes()[0].Class
			if w, ok := r.Driver.(vendors.Withdrawer); ok {
				wantAll(t, r, w.Withdraw(t.Context(), after), n, vendors.Accepted)
				if got := r.Sandbox.Counts()[s.Fake.Vendor].Withdrawn; got != int64(n) {
					t.Errorf("%d devices were withdrawn from, want %d", got, n)
				}
			}
			wantAll(t, r, push(r, after), n, vendors.Accepted)
			for _, d := range after.Devices {
				screen := r.Sandbox.Screen(s.Fake.Vendor, d.Token)
				if len(screen) != 1 || screen[0].Body != second.Body {
					t.Fatalf("the phone shows %+v, want the overwrite alone", screen)
				}
				if got := screen[0]; got.Class != class || got.Badge != nil || got.Ext != "" {
					t.Errorf("the overwrite shows %+v; the first was of class %s", got, class)
				}
				if want := slices.Contains(untitled, s.Fake.Vendor); (screen[0].Title == "") != want {
					t.Errorf("the overwrite has the title %q", screen[0].Title)
				}
				if want := !slices.Contains(loud, s.Fake.Vendor); screen[0].Quiet != want {
					t.Errorf("the overwrite is quiet: %v, want %v", screen[0].Quiet, want)
				}
			}
			if broken := r.Sandbox.Violations(); len(broken) > 0 {
				t.Errorf("broken rules: %v", broken)
			}
		})
	}
}
