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
