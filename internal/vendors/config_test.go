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

// A call carries one number; devices that want different ones are kept apart.
func TestSharedBadge(t *testing.T) {
	t.Parallel()
	number := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		badges []*int
		set    *int
		calls  int
	}{
		"nobody_asks":   {[]*int{nil, nil}, nil, 1},
		"all_the_same":  {[]*int{number(3), number(3)}, number(3), 1},
		"zero_clears":   {[]*int{number(0)}, number(0), 1},
		"too_high":      {[]*int{number(1000), number(99)}, number(99), 1},
		"negative":      {[]*int{number(-1)}, number(0), 1},
		"different":     {[]*int{number(3), number(4)}, nil, 2},
		"one_of_two":    {[]*int{number(3), nil}, nil, 2},
		"second_of_two": {[]*int{nil, number(3)}, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			devices := make([]Device, len(c.badges))
			calls := map[string]bool{}
			for i, b := range c.badges {
				devices[i].Badge = b
				calls[ByBadge(devices[i])] = true
			}
			if set := SharedBadge(devices); !equal(set, c.set) {
				t.Errorf("got %v, want %v", set, c.set)
			}
			if len(calls) != c.calls {
				t.Errorf("%d calls, want %d", len(calls), c.calls)
			}
		})
	}
}

func equal(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }
