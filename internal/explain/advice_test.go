package explain

import (
	"slices"
	"strings"
	"testing"
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
