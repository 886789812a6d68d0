package vendors

// MaxBadge is the highest number that Huawei, HarmonyOS and Honor show on an icon.
const MaxBadge = 99

// SharedBadge is the number that one call for many devices can carry: set, from 0 to MaxBadge,
// where all devices ask for the same. Where they differ, one call cannot carry them and each is
// counted up by add, which is 1, instead: the message is one more unread, and the next push of its
// own puts the number right. Both are nil where no device asks for a number.
func SharedBadge(devices []Device) (set, add *int) {
	first, same, known := devices[0].Badge, true, false
	for _, d := range devices {
		known = known || d.Badge != nil
		same = same && (d.Badge == nil) == (first == nil) && (first == nil || *d.Badge == *first)
	}
	switch {
	case !known:
		return nil, nil
	case same:
		n := min(max(*first, 0), MaxBadge)
		return &n, nil
	}
	one := 1
	return nil, &one
}
