package hongyan_test

import (
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
)

func TestSubjects(t *testing.T) {
	t.Parallel()
	plain, own := hongyan.Subjects{}, hongyan.Subjects{Prefix: "im.eu"}
	for _, c := range []struct{ got, want string }{
		{plain.Message("demo"), "push.message.demo"},
		{plain.Urgent("demo"), "push.urgent.demo"},
		{own.Signal("demo"), "im.eu.signal.demo"},
		{plain.Device("demo", "alice@example.com", "ph/one"), "push.user.demo.alice%40example%2Ecom.device.ph%2Fone"},
		{plain.Presence("demo", "😀", "d"), "push.user.demo.%F0%9F%98%80.presence.d"},
		{plain.Settings("demo", "a*b>c d"), "push.user.demo.a%2Ab%3Ec%20d.settings"},
		{plain.User("demo", "bob"), "push.user.demo.bob.>"},
		{plain.Gateway("demo", "gw.7"), "push.gateway.demo.gw%2E7"},
		{plain.Job("oppo", "35001", hongyan.LaneUrgent), "push.job.oppo.35001.urgent"},
		{plain.Dead("", "", hongyan.Malformed), "push.dead.none.none.malformed"},
		{plain.Outcome("demo", hongyan.StatusAccepted, hongyan.Partition("bob")), "push.outcome.demo.accepted.0"},
		{plain.OutcomesOf("demo", "bob"), "push.outcome.demo.*.0"},
		{plain.OutcomesOf("demo", ""), "push.outcome.demo.*.*"},
		{plain.Piece("demo", 15), "push.piece.demo.15"},
		{own.All(hongyan.KindPiece), "im.eu.piece.*.*"},
		{plain.RecallMark("demo", "m-1"), "push.mark.demo.recall.a461b472cb41a9ec3dee5c90cf8e4a78"},
		{plain.ReadMark("demo", "bob", "c"), "push.mark.demo.read.81b637d8fcd2c6da6359e6963113a117.2e7d2c03a9507ae265ecf5b5356885a5"},
		{plain.ReadMarksOf("demo", "bob"), "push.mark.demo.read.81b637d8fcd2c6da6359e6963113a117.*"},
		{plain.CallMarksOf("demo", "c"), "push.mark.demo.call.2e7d2c03a9507ae265ecf5b5356885a5.*"},
		{plain.CallMark("demo", "c", "bob"), "push.mark.demo.call.2e7d2c03a9507ae265ecf5b5356885a5.81b637d8fcd2c6da6359e6963113a117"},
		{own.MarksOf("demo"), "im.eu.mark.demo.>"},
		{own.All(hongyan.KindMark), "im.eu.mark.>"},
		{own.All(hongyan.KindDevice), "im.eu.user.*.*.device.*"},
		{plain.All(hongyan.KindGateway), "push.gateway.*.*"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}

// A name in lower-case hex is no subject: whoever looks for the user would never find it.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	s := hongyan.Subjects{}
	for _, bad := range []string{
		"", "push", "push.", "push.message", "push.message.", "push.message.a.b", "push.message.a b", "push.message.*", "push.message.>", "pull.message.demo",
		"push.message." + strings.Repeat("a", 65), "push.user.demo", "push.user.demo.bob", "push.user.demo.bob.device", "push.user.demo.bob.device.", "push.user.demo..device.d",
		"push.user.demo.bob.device.d.e", "push.user.demo.bob.settings.x", "push.user.demo.bob.tattoo.d", "push.user.demo.zoe%40example%2ecom.device.d",
		"push.user.demo.zoe.device.ph%2fone", "push.user.demo.%41lice.settings", "push.user.demo.a%4.settings", "push.user.demo.a%.settings", "push.user.demo.a@b.settings",
		"push.gateway.demo", "push.gateway.demo.a.b", "push.job.oppo.1", "push.job.oppo.1.slow", "push.job..1.normal", "push.job.oppo.1.normal.x", "push.dead.none.none",
		"push.outcome.demo.accepted", "push.outcome.demo.lost.1", "push.outcome.demo.accepted.16", "push.outcome.demo.accepted.01", "push.outcome.demo.accepted.-1",
		"push.outcome.demo.accepted.+1", "push.piece.demo", "push.piece.demo.16", "push.piece.demo.01", "push.piece.demo.1.2", "push.piece..1", "push.mark.demo", "push.mark.demo.recall", "push.mark.demo.recall.a.b", "push.mark.demo.read.a", "push.mark.demo.call.a.b.c", "push.mark.demo.love.a", "push.mark.:probe", "push.note.limits.x", "push.user.demo.b\x00b.settings", "push.a.b.c.d.e.f.g.h",
	} {
		if x, err := s.Parse(bad); !errors.Is(err, hongyan.ErrSubject) || x != (hongyan.Subject{}) {
			t.Errorf("%q: %+v, %v; want ErrSubject", bad, x, err)
		}
	}
}

// Parse is the inverse of Build: what it takes is built again to the letter.
func FuzzSubjects(f *testing.F) {
	for _, seed := range []string{
		"push.message.demo", "push.urgent.demo", "push.signal.demo", "push.user.demo.alice%40example%2Ecom.device.ph%2Fone", "push.user.demo.bob.presence.d",
		"push.user.demo.bob.settings", "push.gateway.demo.gw-7", "push.job.oppo.35001.urgent", "push.dead.none.none.malformed", "push.dead.fcm.30002.bad_token",
		"push.outcome.demo.waiting.15", "push.piece.demo.15", "push.mark.demo.recall.ab", "push.mark.demo.call.ab.cd", "push.user.demo.zoe%40example%2ecom.device.d", "push..", "push.dead...",
	} {
		f.Add(seed, "")
		f.Add(strings.Replace(seed, "push", "im.eu", 1), "im.eu")
	}
	f.Fuzz(func(t *testing.T, subject, prefix string) {
		s := hongyan.Subjects{Prefix: prefix}
		x, err := s.Parse(subject)
		if err != nil {
			return
		}
		if built := s.Build(x); built != subject {
			t.Fatalf("%q is %+v, which is built as %q", subject, x, built)
		}
	})
}

// Whatever the names, a subject that is built is taken apart into them.
func FuzzBuild(f *testing.F) {
	f.Add("alice@example.com", "ph/one", "gw.7")
	f.Add("*", ">", " ")
	f.Add("\x00", "😀", "%41")
	f.Fuzz(func(t *testing.T, user, device, gateway string) {
		if user == "" || device == "" || gateway == "" {
			return
		}
		s := hongyan.Subjects{}
		for _, x := range []hongyan.Subject{
			{Kind: hongyan.KindDevice, App: "demo", User: user, Device: device},
			{Kind: hongyan.KindPresence, App: "demo", User: user, Device: device},
			{Kind: hongyan.KindSettings, App: "demo", User: user},
			{Kind: hongyan.KindGateway, App: "demo", Gateway: gateway},
			{Kind: hongyan.KindOutcome, App: "demo", Status: hongyan.StatusDead, Partition: hongyan.Partition(user)},
			{Kind: hongyan.KindPiece, App: "demo", Partition: hongyan.Partition(user)},
		} {
			if got, err := s.Parse(s.Build(x)); got != x || err != nil {
				t.Fatalf("%q became %+v, %v; want %+v", s.Build(x), got, err, x)
			}
		}
	})
}

// The closed lists name every word once.
func TestReasons(t *testing.T) {
	t.Parallel()
	seen := map[hongyan.Reason]int{}
	for _, r := range hongyan.Suppressions {
		seen[r]++
		if !r.Suppresses() || !r.Known() {
			t.Errorf("%s is no suppression", r)
		}
	}
	for _, r := range hongyan.Results {
		if seen[r]++; !r.Known() {
			t.Errorf("%s is not known", r)
		}
	}
	for r, n := range seen {
		// These two end a push as well as suppressing it.
		if both := r == hongyan.Expired || r == hongyan.UnknownCertificate; n > 2 || n == 2 && !both {
			t.Errorf("%s stands %d times", r, n)
		}
	}
	if hongyan.Reason("").String() != "unknown" || hongyan.Reason("loved").Known() {
		t.Error("a word that is none is known")
	}
}

// Partition is the CRC-32 that hash/crc32 and everybody else computes.
func TestPartition(t *testing.T) {
	for _, user := range []string{"", "bob", "alice@example.com", "鸿雁", strings.Repeat("x", 256), "\x00\xff"} {
		if got, want := hongyan.Partition(user), int(crc32.ChecksumIEEE([]byte(user))%hongyan.Partitions); got != want {
			t.Errorf("%q: %d, want %d", user, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { hongyan.Partition("somebody with a long name") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
