package recall

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// stored are records in memory, by status.
type stored map[hongyan.Status][]dispatch.Records

func (s stored) Outcomes(_ context.Context, _ string, status hongyan.Status, since time.Time, each func(dispatch.Records) bool) error {
	for _, r := range s[status] {
		if !r.Stored.Before(since) && !each(r) {
			return nil
		}
	}
	return nil
}

// line is a record as workers write it.
func line(message, user string) string {
	return fmt.Sprintf(`{"message_id":%q,"app":"demo","vendor":"apns","certificate":"c","status":"accepted","at":"2026-11-23T12:00:00Z","devices":[{"user":%q,"device":"d","reason":"accepted"}]}`,
		message, user)
}

func asking(messages ...string) []*question {
	var all []*question
	for _, m := range messages {
		all = append(all, &question{asked: asked{"demo", m}, window: window{noon, noon.Add(time.Hour)}})
	}
	return all
}

// users are those on whose devices something was found, with a "-" where it was displaced.
func (q *question) users() []string {
	var all []string
	for d, p := range q.pushes {
		if p.displaced {
			d.user = "-" + d.user
		}
		all = append(all, d.user)
	}
	slices.Sort(all)
	return all
}

func TestFind(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	accepted := func(minutes int, shown, data string) dispatch.Records {
		return dispatch.Records{Data: []byte(data), Shown: shown, Stored: at(minutes)}
	}
	for name, c := range map[string]struct {
		accepted, withdrawn []dispatch.Records
		message             string
		want                []string
	}{
		"several_lines": {accepted: []dispatch.Records{accepted(1, "", line("m-0", "ann")+"\n"+line("m-1", "bob")+"\n"+line("m-1", "carol"))}, message: "m-1", want: []string{"bob", "carol"}},
		"before":        {accepted: []dispatch.Records{accepted(-1, "", line("m-1", "bob"))}, message: "m-1"},
		"after":         {accepted: []dispatch.Records{accepted(61, "", line("m-1", "bob"))}, message: "m-1"},
		"unreadable":    {accepted: []dispatch.Records{accepted(1, "", "{\"message_id\":\"m-1\",\n"+line("m-1", "bob"))}, message: "m-1", want: []string{"bob"}},
		"escaped_id":    {accepted: []dispatch.Records{accepted(1, "", line(`m"\1`, "bob"))}, message: `m"\1`, want: []string{"bob"}},
		"other_order":   {accepted: []dispatch.Records{accepted(1, "", `{"app":"demo","message_id":"m-1","devices":[{"user":"bob","device":"d"}]}`)}, message: "m-1", want: []string{"bob"}},
		"withdrawn_already": {accepted: []dispatch.Records{accepted(1, "", line("m-1", "bob")+"\n"+line("m-1", "carol"))},
			withdrawn: []dispatch.Records{accepted(2, "", line("m-1", "bob")), accepted(2, "", line("m-2", "carol"))}, message: "m-1", want: []string{"carol"}},
		"accepted_again_since": {accepted: []dispatch.Records{accepted(1, "", line("m-1", "bob")), accepted(3, "", line("m-1", "bob"))},
			withdrawn: []dispatch.Records{accepted(2, "", line("m-1", "bob"))}, message: "m-1", want: []string{"bob"}},
		"displaced": {accepted: []dispatch.Records{accepted(1, "/k", line("m-1", "bob")+"\n"+line("m-1", "carol")), accepted(2, "- /k /l", line("m-0", "bob")+"\n"+line("m-2", "bob")+"\n"+line("m-2", "carol"))},
			message: "m-1", want: []string{"-bob", "carol"}},
		"a_repeat_displaces_nothing": {accepted: []dispatch.Records{accepted(1, "/k", line("m-1", "bob")), accepted(2, "/k", line("m-1", "bob"))}, message: "m-1", want: []string{"bob"}},
		"displaced_after_the_window": {accepted: []dispatch.Records{accepted(1, "/k", line("m-1", "bob")), accepted(90, "/k", line("m-2", "bob"))}, message: "m-1", want: []string{"-bob"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			questions := asking(c.message, "unknown")
			f := newFinding("demo", questions, false)
			windows := []window{{noon, noon.Add(2 * time.Hour)}}
			if err := f.find(t.Context(), stored{hongyan.StatusAccepted: c.accepted, hongyan.StatusWithdrawn: c.withdrawn}, windows); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, questions[0].users()); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			if got := questions[1].users(); len(got) > 0 {
				t.Errorf("of an unknown message: %q", got)
			}
		})
	}
}

// Of an app that counts, those are found as well for whom the message was counted without a push,
// within the recall's window.
func TestFindCounted(t *testing.T) {
	t.Parallel()
	at := func(minutes int, data string) []dispatch.Records {
		return []dispatch.Records{{Data: []byte(data), Stored: noon.Add(time.Duration(minutes) * time.Minute)}}
	}
	from := stored{
		hongyan.StatusAccepted:   at(1, line("m-1", "ann")),
		hongyan.StatusSuppressed: append(at(2, line("m-1", "bob")+"\n"+line("m-2", "carol")), at(90, line("m-1", "late"))...),
		hongyan.StatusWaiting:    at(3, line("m-1", "dave")),
	}
	for _, counts := range []bool{false, true} {
		questions := asking("m-1")
		if err := newFinding("demo", questions, counts).find(t.Context(), from, []window{{noon, noon.Add(2 * time.Hour)}}); err != nil {
			t.Fatal(err)
		}
		var want []string
		if counts {
			want = []string{"bob", "dave"}
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(questions[0].others))); diff != "" {
			t.Errorf("an app that counts: %v; without a push (-want +got):\n%s", counts, diff)
		}
		if diff := cmp.Diff([]string{"ann"}, questions[0].users()); diff != "" {
			t.Errorf("an app that counts: %v; found (-want +got):\n%s", counts, diff)
		}
	}
}

// What has too many pushes for one reading is read in parts, down to one message.
func TestFindTooMuch(t *testing.T) {
	t.Parallel()
	const each = 10_000
	var all []dispatch.Records
	for i := range mostPushes / each {
		var devices []string
		for k := range each {
			devices = append(devices, fmt.Sprintf(`{"user":"u%d","device":"d"}`, i*each+k))
		}
		all = append(all, dispatch.Records{Data: []byte(`{"message_id":"m-1","devices":[` + strings.Join(devices, ",") + `]}`), Stored: noon})
	}
	from := stored{hongyan.StatusAccepted: all}
	windows := []window{{noon, noon}}
	if err := newFinding("demo", asking("m-1", "m-2"), false).find(t.Context(), from, windows); !errors.Is(err, errFull) {
		t.Errorf("two messages: %v", err)
	}
	one := asking("m-1")
	if err := newFinding("demo", one, false).find(t.Context(), from, windows); err != nil || len(one[0].pushes) != mostPushes {
		t.Errorf("one message: %d pushes, %v", len(one[0].pushes), err)
	}
}

// A read that fails is the caller's affair.
func TestFindFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("away")
	err := newFinding("demo", asking("m-1"), false).find(t.Context(), failing{broken}, []window{{noon, noon}})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Outcomes(context.Context, string, hongyan.Status, time.Time, func(dispatch.Records) bool) error {
	return f.err
}

func TestUnion(t *testing.T) {
	t.Parallel()
	w := func(from, to int) window {
		return window{noon.Add(time.Duration(from) * time.Minute), noon.Add(time.Duration(to) * time.Minute)}
	}
	for name, c := range map[string]struct{ windows, want []window }{
		"none":     {nil, nil},
		"empty":    {[]window{w(5, 1)}, nil},
		"apart":    {[]window{w(30, 40), w(0, 10)}, []window{w(0, 10), w(30, 40)}},
		"overlap":  {[]window{w(0, 10), w(5, 20)}, []window{w(0, 20)}},
		"touch":    {[]window{w(0, 10), w(10, 20)}, []window{w(0, 20)}},
		"inside":   {[]window{w(0, 60), w(10, 20), w(70, 80)}, []window{w(0, 60), w(70, 80)}},
		"the_same": {[]window{w(0, 10), w(0, 10)}, []window{w(0, 10)}},
	} {
		if diff := cmp.Diff(c.want, union(c.windows), cmp.AllowUnexported(window{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	// However many recalls ask, what is read is no more than their windows.
	many := map[int]window{}
	for i := range 1000 {
		many[i] = w(i%20, i%20+15)
	}
	if got := union(slices.Collect(maps.Values(many))); len(got) != 1 || got[0] != w(0, 34) {
		t.Errorf("a thousand windows become %v", got)
	}
}
