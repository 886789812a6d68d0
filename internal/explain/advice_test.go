package explain

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/hongyan-im/hongyan"
)

func TestAdviceIsTotal(t *testing.T) {
	t.Parallel()
	unknown := Suppression("no such suppression")
	var seen []string
	check := func(what string, said Text) {
		advice := said.EN
		if said.ZH == unknown.ZH || !strings.ContainsFunc(said.ZH, func(r rune) bool { return unicode.Is(unicode.Han, r) }) || !strings.HasSuffix(said.ZH, "。") && !strings.HasSuffix(said.ZH, "？") {
			t.Errorf("%s: %q is no advice", what, said.ZH)
		}
		if slices.Contains(seen, said.ZH) {
			t.Errorf("%s: the advice in Chinese is another's", what)
		}
		seen = append(seen, said.ZH)
		if advice == unknown.EN || len(advice) < 20 || !strings.HasSuffix(advice, ".") && !strings.HasSuffix(advice, "?") {
			t.Errorf("%s: %q is no advice", what, advice)
		}
		if slices.Contains(seen, advice) {
			t.Errorf("%s: the advice is another's", what)
		}
		seen = append(seen, advice)
	}
	unsure := func(said Text) {
		if !strings.Contains(said.EN, "does not know") || !strings.Contains(said.ZH, "不知道") {
			t.Errorf("of a reason that a newer version may know it says %q", said)
		}
	}
	for _, s := range hongyan.Suppressions {
		check(string(s), Suppression(s))
	}
	for _, reason := range hongyan.Results {
		check(reason.String(), Result(reason))
	}
	unsure(Result("no such reason"))
	// What a driver may say and is tried again, and what a job waits for beside that.
	for _, reason := range []hongyan.Reason{hongyan.Busy, hongyan.Parked, hongyan.RateLimited, hongyan.QuotaSpent, hongyan.BadCredentials, hongyan.AuthExpired,
		hongyan.Unavailable, hongyan.Timeout, hongyan.Interrupted, hongyan.Unknown} {
		check("waiting "+reason.String(), Waiting(reason))
	}
	unsure(Waiting("no such reason"))
	for _, reason := range []hongyan.Reason{hongyan.Withdrawn, hongyan.Overwritten, hongyan.NotPossible} {
		check(reason.String(), Withdrawal(reason))
	}
	unsure(Withdrawal("no such reason"))
}

// Each vendor has codes, in both languages. Where one stands in several places, the reason tells
// which is meant.
func TestMeaning(t *testing.T) {
	t.Parallel()
	of := map[string]int{}
	for key, list := range codes() {
		for _, c := range list {
			if of[key[0]]++; !c.Reason.Known() || c.EN == "" || c.ZH == "" {
				t.Errorf("%v: %+v", key, c)
			}
		}
	}
	for _, v := range hongyan.Vendors {
		if of[v] < 5 {
			t.Errorf("%s has %d codes", v, of[v])
		}
	}
	token, _ := Meaning("fcm", "INVALID_ARGUMENT", hongyan.BadToken)
	payload, _ := Meaning("fcm", "INVALID_ARGUMENT", hongyan.BadPayload)
	other, known := Meaning("fcm", "INVALID_ARGUMENT", hongyan.NotDisplayed)
	if token == payload || other != token || !known {
		t.Errorf("%+v, %+v, %+v", token, payload, other)
	}
	if c, known := Meaning("fcm", "nobody's", hongyan.Unknown); known {
		t.Errorf("a code that nobody knows means %+v", c)
	}
}

func TestRule(t *testing.T) {
	t.Parallel()
	if n, of := Rule(hongyan.Suppressions[3]); n != 4 || of != len(hongyan.Suppressions) {
		t.Errorf("rule %d of %d", n, of)
	}
	if n, _ := Rule(hongyan.Accepted); n != 0 {
		t.Errorf("accepted is rule %d", n)
	}
}

// Whatever explain may name stands below a symptom, and each symptom says where to look.
func TestSymptomsAreTotal(t *testing.T) {
	t.Parallel()
	named := map[Cause]bool{}
	for _, s := range Symptoms() {
		if s.Sees.EN == "" || s.Sees.ZH == "" || len(s.Look) == 0 || len(s.Causes) == 0 {
			t.Errorf("%+v says too little", s)
		}
		for _, c := range s.Causes {
			named[c] = true
			if strings.Contains(Advice(c.Status, c.Reason).EN, "does not know") {
				t.Errorf("%s: %+v has no advice", s.Sees.EN, c)
			}
		}
	}
	for _, r := range hongyan.Suppressions {
		if !named[Cause{hongyan.StatusSuppressed, r}] {
			t.Errorf("no symptom leads to suppressed %s", r)
		}
	}
	for _, r := range hongyan.Results {
		if c := (Cause{hongyan.StatusDead, r}); r != hongyan.Accepted && !named[c] {
			t.Errorf("no symptom leads to dead %s", r)
		}
	}
	for _, r := range []hongyan.Reason{hongyan.Busy, hongyan.Parked, hongyan.RateLimited, hongyan.QuotaSpent, hongyan.BadCredentials, hongyan.AuthExpired,
		hongyan.Unavailable, hongyan.Timeout, hongyan.Interrupted, hongyan.Unknown} {
		if !named[Cause{hongyan.StatusWaiting, r}] {
			t.Errorf("no symptom leads to waiting %s", r)
		}
	}
}

func TestAgo(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		at     time.Time
		en, zh string
	}{
		{time.Time{}, "-", "-"}, {now, "now", "刚才"}, {now.Add(-90 * time.Second), "90s ago", "90 秒前"}, {now.Add(-3 * time.Minute), "3m ago", "3 分钟前"},
		{now.Add(5*time.Hour + time.Second), "in 5h", "5 小时后"}, {now.Add(-72 * time.Hour), "3d ago", "3 天前"},
	} {
		if en, zh := Ago(now, c.at, English), Ago(now, c.at, Chinese); en != c.en || zh != c.zh {
			t.Errorf("%v: %q, %q; want %q, %q", now.Sub(c.at), en, zh, c.en, c.zh)
		}
	}
}

func TestMoment(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Time{"": {}, "90m": now.Add(-90 * time.Minute), "3d": now.Add(-72 * time.Hour), "2026-11-23T08:00:00Z": now.AddDate(0, 0, -4)} {
		if at, ok := Moment(s, now); !ok || !at.Equal(want) {
			t.Errorf("%q: %v, %v", s, at, ok)
		}
	}
	for _, s := range []string{"yesterday", "-1h", "-1d", "1e300d", "d"} {
		if at, ok := Moment(s, now); ok {
			t.Errorf("%q is %v", s, at)
		}
	}
}

// The two languages of a format take the same values in the same way, wherever they are written,
// and Chinese quotes come in pairs.
func TestFormatsAgree(t *testing.T) {
	t.Parallel()
	said := regexp.MustCompile(`(?s)\bSay\(("(?:[^"\\]|\\.)*"(?:\s*\+\s*(?:"(?:[^"\\]|\\.)*"|\w+))*),\s*("(?:[^"\\]|\\.)*"(?:\s*\+\s*(?:"(?:[^"\\]|\\.)*"|\w+))*)\)`)
	verb := regexp.MustCompile(`%(?:\[(\d+)\])?([a-z])`)
	paired := regexp.MustCompile("^(?:[^「」`]|「[^「」`]*」|`[^「」`]*`)*$")
	clock := regexp.MustCompile(`\d：\d`)
	takes := func(format string) []string {
		var list []string
		for i, m := range verb.FindAllStringSubmatch(format, -1) {
			n := m[1]
			if n == "" {
				n = strconv.Itoa(i + 1)
			}
			list = append(list, n+m[2])
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	found := 0
	for _, pattern := range []string{"*.go", "page/*.go", "../standing/*.go", "../trail/*.go"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range said.FindAllStringSubmatch(string(text), -1) {
				found++
				if en, zh := takes(m[1]), takes(m[2]); !slices.Equal(en, zh) {
					t.Errorf("%s: %s takes %v, and %s takes %v", path, m[1], en, m[2], zh)
				}
				if !paired.MatchString(m[2]) || clock.MatchString(m[2]) {
					t.Errorf("%s: %s has a quote alone, or a time that nobody can type", path, m[2])
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("%d texts found, so they are looked for in the wrong place", found)
	}
}
