package replay

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

var comebackNow = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// deadLetter is a letter for some devices, which died an hour ago of the reason.
func deadLetter(t *testing.T, reason string, change func(*dispatch.Job), users ...string) (*dispatch.Letter, *dispatch.Job) {
	t.Helper()
	job := &dispatch.Job{
		ID: "demo/m-1/35001/x", App: "demo", Vendor: "oppo", Certificate: "35001", Lane: hongyan.LaneNormal, Published: comebackNow.Add(-2 * time.Hour),
		NotBefore: comebackNow, Attempts: 8, FirstAttempt: comebackNow.Add(-2 * time.Hour), LastAttempt: comebackNow.Add(-time.Hour),
		Notification: &vendors.Notification{Key: "k", MessageID: "m-1", Title: "t", Body: "b", Deadline: comebackNow.Add(time.Hour)},
	}
	for _, u := range users {
		job.Targets = append(job.Targets, dispatch.Target{User: u, Device: "phone", Token: "old-" + u, Revision: 1})
	}
	if change != nil {
		change(job)
	}
	data, err := job.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return &dispatch.Letter{Sequence: 7, Stored: comebackNow.Add(-time.Hour), Subject: "push.dead.oppo.35001." + reason, Vendor: "oppo", Certificate: "35001", Reason: hongyan.Reason(reason), Data: data,
		Header: map[string]string{dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: "m-1", dispatch.HeaderReason: reason}}, job
}

func registered(reg hongyan.Device, revision uint64) *directory.User {
	return &directory.User{Devices: []directory.Device{{ID: "phone", Registration: reg, Revision: revision}}}
}

func TestComeBack(t *testing.T) {
	t.Parallel()
	created := time.Unix(0, 5)
	nobody := func(directory.Ref) *directory.User { return nil }
	anew := func(directory.Ref) *directory.User {
		return registered(hongyan.Device{Certificate: "35001", Token: "new", Region: "eu"}, 9)
	}
	elsewhere := func(directory.Ref) *directory.User {
		return registered(hongyan.Device{Certificate: "35002", Token: "new"}, 9)
	}
	onlyBob := func(r directory.Ref) *directory.User {
		if r.User == "bob" {
			return anew(r)
		}
		return nil
	}
	for _, c := range []struct {
		name   string
		reason string
		change func(*dispatch.Job)
		users  func(directory.Ref) *directory.User
		filter dispatch.LetterFilter
		old    bool // include expired
		kind   comebackKind
		tokens []string
		rest   []string // users that stay
		until  time.Time
		served Served
	}{
		{name: "served", reason: "unavailable", users: nobody, tokens: []string{"old-bob", "old-carol"}, served: func(app, vendor, certificate string) bool {
			return app == "demo" && vendor == "oppo" && certificate == "35001"
		}},
		{name: "unserved", reason: "unavailable", users: anew, kind: unserved, served: func(_, _, certificate string) bool { return certificate != "35001" }},
		{name: "unserved-and-expired", reason: "expired", users: nobody, change: func(j *dispatch.Job) { j.Notification.Deadline = comebackNow }, kind: unserved,
			served: func(string, string, string) bool { return false }},
		{name: "as-it-was", reason: "attempts_exhausted", users: nobody, tokens: []string{"old-bob", "old-carol"}},
		{name: "new-token", reason: "attempts_exhausted", users: anew, tokens: []string{"new", "new"}},
		// Another certificate cannot be reached by this job.
		{name: "other-certificate-keeps-the-old-token", reason: "unavailable", users: elsewhere, tokens: []string{"old-bob", "old-carol"}},
		{name: "bad-token-registered-anew", reason: "bad_token", users: anew, tokens: []string{"new", "new"}},
		{name: "bad-token-gone", reason: "bad_token", users: nobody, kind: noRegistration},
		{name: "bad-token-other-certificate", reason: "bad_token", users: elsewhere, kind: noRegistration},
		{name: "bad-token-one-of-two", reason: "bad_token", users: onlyBob, tokens: []string{"new"}, rest: []string{"carol"}},
		{name: "one-user-of-two", reason: "unavailable", users: nobody, filter: dispatch.LetterFilter{User: "carol"}, tokens: []string{"old-carol"}, rest: []string{"bob"}},
		{name: "expired", reason: "expired", users: nobody, change: func(j *dispatch.Job) { j.Notification.Deadline = comebackNow }, kind: tooLate},
		// Three hours from publication to the deadline give three hours from now.
		{name: "expired-included", reason: "expired", users: nobody, old: true, tokens: []string{"old-bob", "old-carol"}, until: comebackNow.Add(90 * time.Minute),
			change: func(j *dispatch.Job) { j.Notification.Deadline = j.Published.Add(90 * time.Minute) }},
		{name: "expired-before-it-arrived", reason: "expired", users: nobody, old: true, tokens: []string{"old-bob", "old-carol"}, until: comebackNow.Add(hongyan.DefaultTTL),
			change: func(j *dispatch.Job) { j.Notification.Deadline = j.Published.Add(-time.Minute) }},
		{name: "expired-call", reason: "expired", users: nobody, old: true, tokens: []string{"old-bob", "old-carol"}, until: comebackNow.Add(hongyan.DefaultInviteTTL),
			change: func(j *dispatch.Job) {
				j.Notification.Urgent, j.Published = true, time.Time{}
				j.Notification.Deadline = comebackNow.Add(-time.Hour)
			}},
		// A call goes to the PushKit token or not at all.
		{name: "voip-has-no-plain-token", reason: "bad_token", users: anew, change: func(j *dispatch.Job) { j.Notification.VoIP = true }, kind: noRegistration},
		{name: "voip", reason: "bad_token", change: func(j *dispatch.Job) { j.Notification.VoIP = true }, tokens: []string{"call", "call"},
			users: func(directory.Ref) *directory.User {
				return registered(hongyan.Device{Certificate: "1", Token: "plain", VoIP: &hongyan.VoIP{Certificate: "35001", Token: "call"}}, 2)
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, job := deadLetter(t, c.reason, c.change, "bob", "carol")
			before, _ := job.Encode()
			got, err := comeBack(l, job, c.users, comebackOptions{filter: &c.filter, created: created, includeExpired: c.old, served: c.served}, comebackNow)
			if err != nil {
				t.Fatal(err)
			}
			if after, _ := job.Encode(); string(after) != string(before) {
				t.Error("the letter's job was changed")
			}
			if got.kind != c.kind {
				t.Fatalf("kind %d, want %d", got.kind, c.kind)
			}
			if c.kind != bringBack {
				return
			}
			if got.out.Subject != "push.job.oppo.35001.normal" || got.out.ID != ":replay/5/7" {
				t.Errorf("it goes to %s as %s", got.out.Subject, got.out.ID)
			}
			next, err := dispatch.DecodeJob(got.out.Data)
			if err != nil {
				t.Fatal(err)
			}
			var tokens []string
			for _, target := range next.Targets {
				tokens = append(tokens, target.Token)
			}
			if diff := cmp.Diff(c.tokens, tokens); diff != "" {
				t.Errorf("tokens (-want +got):\n%s", diff)
			}
			if next.Attempts != 0 || !next.NotBefore.IsZero() || !next.FirstAttempt.IsZero() || !next.LastAttempt.IsZero() {
				t.Errorf("its attempts are not forgotten: %+v", next)
			}
			if !c.until.IsZero() && !next.Notification.Deadline.Equal(c.until) {
				t.Errorf("deadline %v, want %v", next.Notification.Deadline, c.until)
			}
			var rest []string
			if got.rest != nil {
				letter, err := dispatch.DecodeJob(got.rest.Data)
				if err != nil {
					t.Fatal(err)
				}
				for _, target := range letter.Targets {
					rest = append(rest, target.User)
				}
				if got.rest.Subject != l.Subject || letter.Attempts != 8 {
					t.Errorf("the rest is on %s with %d attempts, want it as it was", got.rest.Subject, letter.Attempts)
				}
			}
			if diff := cmp.Diff(c.rest, rest); diff != "" {
				t.Errorf("users that stay (-want +got):\n%s", diff)
			}
		})
	}
}

// What was published goes back to where it was, whatever it died of, unless it was cut.
func TestComeBackOriginal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		subject string
		want    comebackKind
	}{
		{"push.urgent.demo", bringBack},
		{"push.piece.demo.7", bringBack},
		{"push.message.demo", bringBack},
		{"push.signal.demo", bringBack},
		{"push.job.oppo.35001.normal", bringBack},
		{"push.job.oppo.gone.normal", unserved},
		{"push.user.demo.bob.settings", unreadable}, // no worker reads messages there
		{"push.dead.none.none.malformed", unreadable},
		{"other.message.demo", unreadable},
		{"push.message.*", unreadable},
		{"push.message.", unreadable},
		{"push.message", unreadable},
		{"", unreadable},
	} {
		for _, reason := range []hongyan.Reason{hongyan.Malformed, hongyan.AttemptsExhausted} {
			l := &dispatch.Letter{Sequence: 3, Subject: "push.dead.none.none." + string(reason), Reason: reason, Data: []byte("{"), Header: map[string]string{dispatch.HeaderSubject: c.subject}}
			opts := comebackOptions{filter: &dispatch.LetterFilter{}, created: time.Unix(0, 5), served: func(app, vendor, certificate string) bool {
				return app == "" && vendor == "oppo" && certificate == "35001"
			}}
			got, err := comeBack(l, nil, nil, opts, comebackNow)
			if err != nil || got.kind != c.want {
				t.Errorf("%s %q: kind %d, %v; want %d", reason, c.subject, got.kind, err, c.want)
				continue
			}
			if c.want == bringBack && (got.out.Subject != c.subject || string(got.out.Data) != "{" || got.out.ID != ":replay/5/3") {
				t.Errorf("%s %q goes back as %+v", reason, c.subject, got.out)
			}
			l.Header[dispatch.HeaderTruncated] = "70000"
			if got, err := comeBack(l, nil, nil, opts, comebackNow); err != nil || got.kind == bringBack {
				t.Errorf("%s %q goes back although it was cut", reason, c.subject)
			}
		}
	}
}

func TestLetterFilterMatch(t *testing.T) {
	t.Parallel()
	l, _ := deadLetter(t, "bad_token", nil, "bob", "carol")
	for _, c := range []struct {
		name   string
		filter dispatch.LetterFilter
		want   bool
	}{
		{"empty", dispatch.LetterFilter{}, true},
		{"all-of-it", dispatch.LetterFilter{Vendor: "oppo", Certificate: "35001", Reason: "bad_token", App: "demo", User: "carol", Message: "m-1",
			Since: l.Stored, Until: l.Stored.Add(1)}, true},
		{"vendor", dispatch.LetterFilter{Vendor: "vivo"}, false},
		{"certificate", dispatch.LetterFilter{Certificate: "1"}, false},
		{"reason", dispatch.LetterFilter{Reason: "expired"}, false},
		{"app", dispatch.LetterFilter{App: "other"}, false},
		{"user", dispatch.LetterFilter{User: "dave"}, false},
		{"message", dispatch.LetterFilter{Message: "m-2"}, false},
		{"too-old", dispatch.LetterFilter{Since: l.Stored.Add(1)}, false},
		{"too-young", dispatch.LetterFilter{Until: l.Stored}, false},
	} {
		if got := c.filter.Match(l); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	malformed := &dispatch.Letter{Subject: "push.dead.none.none.malformed", Reason: hongyan.Malformed, Data: []byte("{"), Header: map[string]string{dispatch.HeaderApp: "demo"}}
	if f := (dispatch.LetterFilter{User: "bob"}); f.Match(malformed) {
		t.Error("a malformed message fits a user")
	}
	if f := (dispatch.LetterFilter{App: "demo"}); !f.Match(malformed) {
		t.Error("a malformed message does not fit its app")
	}
	if got := (&dispatch.LetterFilter{Vendor: "oppo"}).Subject(hongyan.Subjects{Prefix: "a.b"}); got != "a.b.dead.oppo.*.*" {
		t.Errorf("subject %s", got)
	}
}
