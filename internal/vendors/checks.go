package vendors

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Checks collects what is wrong with a certificate's keys, for [Config.Problems]. The zero value is
// ready.
type Checks struct{ found []Problem }

// Problems returns what was found, in the order of the keys, nil for nothing.
func (c *Checks) Problems() []Problem {
	slices.SortStableFunc(c.found, func(a, b Problem) int { return strings.Compare(a.Key, b.Key) })
	return c.found
}

// Add adds a problem: what is wrong with a key, and what to do about it.
func (c *Checks) Add(key, text, remedy string) {
	c.found = append(c.found, Problem{Key: key, Text: text, Remedy: remedy})
}

// Wrong adds a problem if a key is wrong.
func (c *Checks) Wrong(is bool, key, text, remedy string) {
	if is {
		c.Add(key, text, remedy)
	}
}

// Required finds a value that is missing; where says where its owner finds it. It reports whether
// there is a value.
func (c *Checks) Required(key, value, where string) bool {
	if value == "" {
		c.Add(key, "is required", where)
	}
	return value != ""
}

// Endpoint finds an address that is no http or https address. An empty one stands for the vendor's
// own.
func (c *Checks) Endpoint(key, value string) {
	if value == "" {
		return
	}
	if _, err := Address(value, "/"); err != nil {
		c.Add(key, err.Error(), "write it like https://host:port")
	}
}

// Between finds a number outside of low to high. usual is what it is where the key is left out,
// which 0 stands for.
func (c *Checks) Between(key string, n, low, high int, usual string) {
	if n != 0 && (n < low || n > high) {
		c.Add(key, fmt.Sprintf("is not between %d and %d", low, high), "leave it out for "+usual)
	}
}

// NotNegative finds a number below 0. usual is what it is where the key is left out.
func (c *Checks) NotNegative(key string, n int, usual string) {
	c.Wrong(n < 0, key, "is negative", "leave it out for "+usual)
}

// Classes finds a class in daily_quota and device_cap that the vendor does not have.
func (c *Checks) Classes(common *Common, vendor string, classes ...string) {
	for _, key := range []struct {
		name   string
		quotas map[string]Quota
	}{{"daily_quota", common.DailyQuota}, {"device_cap", common.DeviceCap}} {
		for class := range key.quotas {
			if !slices.Contains(classes, class) {
				c.Add(key.name, "names a class that "+vendor+" does not have", "use "+strings.Join(classes, " and "))
				break
			}
		}
	}
}

// Receipts finds a receipts key that the vendor has no use for. needs is what the vendor wants to
// be told: "url", "id", or "" for nothing. where says how its owner registers the address with the
// vendor.
func (c *Checks) Receipts(common *Common, vendor, needs, where string) {
	r := common.Receipts
	if r == nil {
		return
	}
	for _, given := range []clickTarget{{"url", r.URL}, {"id", r.ID}} {
		switch {
		case given.value != "" && given.key != needs:
			c.Add("receipts", "gives "+article(given.key)+", which "+vendor+" does not take", where)
		case given.value == "" && given.key == needs:
			c.Add("receipts", "gives no "+needs, where)
		}
	}
	if r.URL != "" && needs == "url" {
		if u, err := url.Parse(r.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			c.Add("receipts", "url is no http or https address", where)
		}
	}
}

// NoReceipts finds a receipts key where the vendor has no reports.
func (c *Checks) NoReceipts(common *Common, vendor string) {
	c.Wrong(common.Receipts != nil, "receipts", vendor+" reports no deliveries", "leave it out")
}

var codeForm = regexp.MustCompile(`^[!-~]{1,64}$`)

// Codes finds an addition to the code table that is none.
func (c *Checks) Codes(common *Common) {
	for _, code := range slices.Sorted(maps.Keys(common.Codes)) {
		switch reason := common.Codes[code]; {
		case !codeForm.MatchString(code):
			c.Add("codes", "holds what is no code", `write it like {"80100003": bad_payload}`)
		case !CanSay(reason) || reason == Accepted || reason == Interrupted:
			c.Add("codes", "holds a reason that no code can be given", "use one of unknown, bad_token, not_displayed, bad_payload, refused, "+
				"bad_credentials, auth_expired, rate_limited, quota_spent, device_capped, unavailable, timeout")
		default:
			continue
		}
		return
	}
}

// ClickTargets are the targets of a tap that a vendor knows.
type ClickTargets struct {
	// Vendor is its name in a sentence.
	Vendor string
	// Known are the keys of [Click] that it knows.
	Known []string
	// Instead is what to use in the place of one that it does not know.
	Instead string
	// MaxBytes is the longest target by its key, 0 for any.
	MaxBytes map[string]int
	// Schemes are what a url may begin with, such as "https://"; none takes any.
	Schemes []string
}

// Click finds a target of a tap that the vendor does not take, one problem at most.
func (c *Checks) Click(click Click, takes ClickTargets) {
	add := func(text, remedy string) { c.Add("click", text, remedy) }
	targets := click.byKey()
	for _, t := range targets {
		if !slices.Contains(takes.Known, t.key) {
			add("names "+article(t.key)+", which "+takes.Vendor+" does not know", takes.Instead)
			return
		}
	}
	if len(targets) > 1 {
		add("has more than one target", "keep one of "+list(takes.Known))
		return
	}
	for _, t := range targets {
		if most := takes.MaxBytes[t.key]; most > 0 && len(t.value) > most {
			add(fmt.Sprintf("%s is longer than %d bytes", t.key, most), "use a shorter one")
			return
		}
	}
	begins := func(scheme string) bool { return strings.HasPrefix(click.URL, scheme) }
	if click.URL != "" && len(takes.Schemes) > 0 && !slices.ContainsFunc(takes.Schemes, begins) {
		add("url does not begin with "+strings.Join(takes.Schemes, " or "), "use such an address, or another target")
	}
}

func article(key string) string {
	if strings.ContainsRune("aeiou", rune(key[0])) && key != "url" {
		return "an " + key
	}
	return "a " + key
}

// list is "a", "a and b" or "a, b and c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
