package vendors

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChecks(t *testing.T) {
	t.Parallel()
	targets := ClickTargets{
		Vendor: "Acme", Known: []string{"intent", "url"}, Instead: "use an intent", MaxBytes: map[string]int{"intent": 10}, Schemes: []string{"https://"},
	}
	for name, c := range map[string]struct {
		check func(*Checks)
		want  []string // key and text of each problem
	}{
		"nothing":          {func(*Checks) {}, nil},
		"in_order_of_keys": {func(c *Checks) { c.Add("b", "1", "x"); c.Add("a", "2", "x"); c.Add("b", "3", "x") }, []string{"a 2", "b 1", "b 3"}},
		"required":         {func(c *Checks) { c.Required("id", "", "console"); c.Required("key", "k", "console") }, []string{"id is required"}},
		"endpoint_own":     {func(c *Checks) { c.Endpoint("endpoint", "") }, nil},
		"endpoint":         {func(c *Checks) { c.Endpoint("endpoint", "https://x:1/path") }, nil},
		"endpoint_wrong":   {func(c *Checks) { c.Endpoint("endpoint", "example.com") }, []string{"endpoint is no http or https address"}},
		"between": {func(c *Checks) {
			c.Between("n", 0, 2, 5, "3")
			c.Between("n", 2, 2, 5, "3")
			c.Between("n", 5, 2, 5, "3")
		}, nil},
		"between_not":       {func(c *Checks) { c.Between("n", 1, 2, 5, "3"); c.Between("m", -1, 2, 5, "3") }, []string{"m is not between 2 and 5", "n is not between 2 and 5"}},
		"negative":          {func(c *Checks) { c.NotNegative("n", -1, "3"); c.NotNegative("m", 0, "3") }, []string{"n is negative"}},
		"classes":           {func(c *Checks) { c.Classes(&Common{DailyQuota: map[string]Quota{"all": 1}}, "Acme", "all") }, nil},
		"classes_unknown":   {func(c *Checks) { c.Classes(&Common{DeviceCap: map[string]Quota{"x": 1, "y": 2}}, "Acme", "all") }, []string{"device_cap names a class that Acme does not have"}},
		"click_none":        {func(c *Checks) { c.Click(Click{}, targets) }, nil},
		"click_known":       {func(c *Checks) { c.Click(Click{URL: "https://x"}, targets) }, nil},
		"click_unknown":     {func(c *Checks) { c.Click(Click{Activity: "a", URL: "x"}, targets) }, []string{"click names an activity, which Acme does not know"}},
		"click_two":         {func(c *Checks) { c.Click(Click{Intent: "a", URL: "https://x"}, targets) }, []string{"click has more than one target"}},
		"click_long":        {func(c *Checks) { c.Click(Click{Intent: strings.Repeat("x", 11)}, targets) }, []string{"click intent is longer than 10 bytes"}},
		"click_scheme":      {func(c *Checks) { c.Click(Click{URL: "http://x"}, targets) }, []string{"click url does not begin with https://"}},
		"click_any_address": {func(c *Checks) { c.Click(Click{URL: "app:x"}, ClickTargets{Known: []string{"url"}}) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var is Checks
			c.check(&is)
			var got []string
			for _, p := range is.Problems() {
				got = append(got, p.Key+" "+p.Text)
				if p.Remedy == "" {
					t.Errorf("%s: no remedy", p.Key)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReceiptsCheck(t *testing.T) {
	t.Parallel()
	url := &Receipts{URL: "https://im.example.com/receipts"}
	for name, c := range map[string]struct {
		given *Receipts
		needs string
		wrong int
	}{
		"none":           {nil, "url", 0},
		"url":            {url, "url", 0},
		"url_missing":    {&Receipts{}, "url", 1},
		"url_not_one":    {&Receipts{URL: "im.example.com"}, "url", 1},
		"url_for_id":     {url, "id", 2},
		"id":             {&Receipts{ID: "7"}, "id", 0},
		"nothing":        {&Receipts{}, "", 0},
		"id_for_nothing": {&Receipts{ID: "7"}, "", 1},
	} {
		var is Checks
		is.Receipts(&Common{Receipts: c.given}, "Vendor", c.needs, "look there")
		if got := len(is.Problems()); got != c.wrong {
			t.Errorf("%s: %d problems, want %d", name, got, c.wrong)
		}
	}
}

// Additions to a code table win, and what cannot be one is told.
func TestCodesOfTheConfiguration(t *testing.T) {
	t.Parallel()
	common := Common{Codes: map[string]Reason{"7": QuotaSpent, "8": Refused}}
	table := common.Table([]Code{{Code: "7", Reason: BadPayload, Doubtful: true}, {Code: "9", Reason: Unavailable}}, "")
	for code, want := range map[string]Reason{"7": QuotaSpent, "8": Refused, "9": Unavailable} {
		if got := table[code].Result(); got.Reason != want || got.Doubtful || got.Code != code || got.Err == nil {
			t.Errorf("code %s: %+v, want %v", code, got, want)
		}
	}
	for code, reason := range map[string]Reason{"": Refused, "a b": Refused, "1": Accepted, "2": Interrupted, "3": Expired, "4": "nonsense"} {
		var is Checks
		is.Codes(&Common{Codes: map[string]Reason{code: reason}})
		if len(is.Problems()) != 1 {
			t.Errorf("code %q with reason %q is taken", code, reason)
		}
	}
}

func TestReplaces(t *testing.T) {
	t.Parallel()
	n := Notification{Key: "a"}
	if n.Replaces() != "a" {
		t.Error("a message replaces its own repeat")
	}
	if n.ReplaceKey = "b"; n.Replaces() != "b" {
		t.Error("the replace key wins")
	}
}
