package vendortest

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// configured is the subject with a change of its certificate.
func (s Subject) configured(change func(vendors.Config)) Subject {
	plain := s.Config
	s.Config = func(endpoint, caFile string) vendors.Config {
		c := plain(endpoint, caFile)
		change(c)
		return c
	}
	return s
}

// callEnds holds that what ends a call replaces the ringing notification without being taken for
// its repeat, that a call is not kept beyond its life, and that reports are asked for where they
// are configured.
func callEnds(t *testing.T, s Subject) {
	r := NewRig(t, s.configured(func(c vendors.Config) { c.Base().Receipts = s.Receipts }), nil)
	push(r, r.Batch(1, Corpus()["ascii"])) // the access token is fetched here
	r.Requests.Take()
	warm := len(r.Sandbox.Pushes())
	ringing, missed := Chat(), Chat()
	ringing.Key, ringing.ReplaceKey = strings.Repeat("a", 32), strings.Repeat("c", 32)
	ringing.Urgent, ringing.Kind, ringing.Deadline = true, vendors.KindCall, Now.Add(time.Minute)
	ringing.Call = &hongyan.Call{Media: "audio", Action: hongyan.CallInvite, ID: "call-7"}
	missed.Key, missed.ReplaceKey, missed.Kind = strings.Repeat("b", 32), strings.Repeat("c", 32), vendors.KindCall
	var requests [2]string
	for i, n := range []*vendors.Notification{ringing, missed} {
		b := r.Batch(1, n)
		b.Devices[0].Key = n.Key
		wantAll(t, r, push(r, b), 1, vendors.Accepted)
		requests[i] = strings.Join(r.Requests.Take(), "\n")
	}
	pushes := r.Sandbox.Pushes()[warm:]
	if len(pushes) != 2 || !pushes[1].Repeat {
		t.Errorf("the missed call does not replace the ringing one: %+v", pushes)
	}
	for _, want := range s.Call {
		if want = strings.ReplaceAll(want, "{key}", ringing.Key); !strings.Contains(requests[0], want) {
			t.Errorf("no %q in the request of the call:\n%s", want, requests[0])
		}
	}
}

// badge holds that a vendor which can set the number on the icon sets it, and divides the devices
// of a call by it, and that the others are sent nothing of it.
func badge(t *testing.T, s Subject) {
	if s.Badge != nil {
		s = s.configured(s.Badge)
	}
	if l := NewRig(t, s, nil).Driver.Limits(); l.Badge != (s.Badge != nil) {
		t.Errorf("Limits say that calls carry a number: %v", l.Badge)
	}
	refresh(t, s)
	if s.Badge == nil {
		r := NewRig(t, s, nil)
		push(r, r.Batch(1, Corpus()["ascii"]))
		r.Requests.Take()
		b := r.Batch(1, Chat())
		wantAll(t, r, push(r, b), 1, vendors.Accepted)
		without := r.Requests.Take()
		n := 7
		b.Devices[0].Badge = &n
		wantAll(t, r, push(r, b), 1, vendors.Accepted)
		if diff := cmp.Diff(without, r.Requests.Take()); diff != "" {
			t.Errorf("a number is sent to a vendor that sets none (-without +with):\n%s", diff)
		}
		return
	}
	for _, n := range []int{1, 7, 99} {
		r := NewRig(t, s, nil)
		l := r.Driver.Limits()
		b := r.Batch(min(2, max(l.Batch, l.Mixed)), Chat())
		for i := range b.Devices {
			b.Devices[i].Badge = &n
		}
		wantAll(t, r, push(r, b), len(b.Devices), vendors.Accepted)
		for _, p := range r.Sandbox.Pushes() {
			if p.Badge == nil || *p.Badge != n {
				t.Errorf("the icon shows %v, want %d", p.Badge, n)
			}
		}
	}
	r := NewRig(t, s, nil)
	l := r.Driver.Limits()
	some, more := 3, 4
	a, b := vendors.Device{Token: s.Token(0), Badge: &some}, vendors.Device{Token: s.Token(1), Badge: &more}
	if l.Batch > 1 && l.Mixed <= 1 && (l.Partition == nil || l.Partition(a) == l.Partition(b)) {
		t.Error("devices with different numbers share a call that carries one")
	}
	wantAll(t, r, push(r, r.Batch(1, Chat())), 1, vendors.Accepted)
	if p := r.Sandbox.Pushes()[0]; p.Badge != nil {
		t.Errorf("without a number the icon shows %d", *p.Badge)
	}
}

// refresh holds that a driver which can change the number on the icon and nothing else does so, for
// as many devices as a call takes.
func refresh(t *testing.T, s Subject) {
	r := NewRig(t, s, nil)
	d, can := r.Driver.(vendors.Refresher)
	if !can {
		return
	}
	for _, n := range []int{0, 5, 999} {
		b := r.Batch(max(d.Limits().Batch, 1), nil)
		for i := range b.Devices {
			b.Devices[i].Badge = &n
		}
		wantAll(t, r, d.Refresh(t.Context(), b), len(b.Devices), vendors.Accepted)
	}
	pushes := r.Sandbox.Pushes()
	if len(pushes) != 3*max(d.Limits().Batch, 1) {
		t.Errorf("%d phones heard of three numbers", len(pushes))
	}
	for _, p := range pushes {
		if !p.OnlyBadge || p.Badge == nil || p.Key != "" || p.Title != "" || p.Body != "" {
			t.Errorf("a refresh is %+v", p)
		}
	}
	if broken := r.Sandbox.Violations(); len(broken) > 0 {
		t.Errorf("broken rules: %v", broken)
	}
	t.Log("a request:\n" + r.Requests.Take()[0])
	var none int
	b := r.Batch(1, nil)
	b.Devices[0].Badge = &none
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	wantAll(t, r, d.Refresh(cancelled, b), 1, vendors.Interrupted)
}

// extFits holds that an ext which fits the vendor's limit by itself arrives whatever the texts, and
// that a longer one is left out and said to be.
func extFits(t *testing.T, s Subject) {
	for name, c := range map[string]struct{ unit, title, body string }{
		"ascii":   {"x", strings.Repeat("A long title. ", 40), strings.Repeat("A long text of a message. ", 400)},
		"chinese": {"字", strings.Repeat("很长的群名", 40), strings.Repeat("这是一条非常长的消息。", 400)},
		"quotes":  {`\"`, strings.Repeat(`"<&>`, 40), strings.Repeat(`"quoted" & <b> `, 400)},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewRig(t, s, nil)
			send := func(n int, title, body string) (vendors.Result, string) {
				note := Chat()
				note.Title, note.Body, note.Ext = title, body, `{"p":"`+strings.Repeat(c.unit, n)+`"}`
				r.sent++
				b, badge := r.Batch(1, note), math.MaxInt32 // room for a number is kept whether there is one
				b.Devices[0].Key, b.Devices[0].Token, b.Devices[0].Badge = fmt.Sprintf("%032x", 0xe000+r.sent), s.Token(r.sent), &badge
				got := push(r, b)
				wantAll(t, r, got, 1, vendors.Accepted)
				pushes := r.Sandbox.Pushes()
				return got[0], pushes[len(pushes)-1].Ext
			}
			fits := func(n int) bool {
				got, _ := send(n, "李", "好")
				return got.Note != vendors.NoteExtDropped
			}
			most := hongyan.MaxExt / len(c.unit)
			low, high := 0, most+1 // fits, does not
			for high-low > 1 {
				if mid := (low + high) / 2; fits(mid) {
					low = mid
				} else {
					high = mid
				}
			}
			if low < 100/len(c.unit) {
				t.Fatalf("no ext longer than %d fits", low)
			}
			_, alone := send(low, "李", "好")
			if strings.Count(alone, c.unit) < low {
				t.Errorf("an ext that fits arrives as %d bytes", len(alone))
			}
			got, ext := send(low, c.title, c.body)
			if ext != alone || got.Note != "" {
				t.Errorf("beside long texts an ext of %d units arrives as %d bytes, noted %q; alone it is %d", low, len(ext), got.Note, len(alone))
			}
			// A text of one letter is shorter than one of one character.
			if beyond := low + 8; beyond < most {
				if got, ext := send(beyond, c.title, c.body); got.Note != vendors.NoteExtDropped || strings.Contains(ext, c.unit) {
					t.Errorf("an ext that does not fit arrives as %d bytes, noted %q", len(ext), got.Note)
				}
			}
			if broken := r.Sandbox.Violations(); len(broken) > 0 {
				t.Errorf("broken rules: %v", broken)
			}
		})
	}
}
