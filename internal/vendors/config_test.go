package vendors

import "testing"

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ endpoint, want string }{
		{"https://push.example.com", "https://push.example.com/v1/x"},
		{"https://push.example.com/", "https://push.example.com/v1/x"},
		// A gateway with a path of its own is taken at its word.
		{"http://gateway.local:8080/huawei/send", "http://gateway.local:8080/huawei/send"},
		{"push.example.com", ""},
		{"ftp://push.example.com", ""},
		{"://", ""},
	} {
		got, err := Address(c.endpoint, "/v1/x")
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("Address(%q) = %q, %v; want %q", c.endpoint, got, err, c.want)
		}
	}
}

func TestSharedBadge(t *testing.T) {
	t.Parallel()
	number := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		badges   []*int
		set, add *int
	}{
		"nobody_asks":   {[]*int{nil, nil}, nil, nil},
		"all_the_same":  {[]*int{number(3), number(3)}, number(3), nil},
		"zero_clears":   {[]*int{number(0)}, number(0), nil},
		"too_high":      {[]*int{number(1000)}, number(99), nil},
		"negative":      {[]*int{number(-1)}, number(0), nil},
		"different":     {[]*int{number(3), number(4)}, nil, number(1)},
		"one_of_two":    {[]*int{number(3), nil}, nil, number(1)},
		"second_of_two": {[]*int{nil, number(3)}, nil, number(1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			devices := make([]Device, len(c.badges))
			for i, b := range c.badges {
				devices[i].Badge = b
			}
			set, add := SharedBadge(devices)
			if !equal(set, c.set) || !equal(add, c.add) {
				t.Errorf("got set %v, add %v; want set %v, add %v", set, add, c.set, c.add)
			}
		})
	}
}

func equal(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }
