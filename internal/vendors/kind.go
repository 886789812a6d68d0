package vendors

// Kind is what a notification is about, for vendors whose channels and templates differ by it.
type Kind string

// The kinds. A message of a group that mentions the user is KindMention there, and every step of a
// call is KindCall.
const (
	KindC2C     Kind = "c2c"
	KindGroup   Kind = "group"
	KindCall    Kind = "call"
	KindMention Kind = "mention"
)

// Kinds are all kinds.
var Kinds = [...]Kind{KindC2C, KindGroup, KindCall, KindMention}

// OfKind returns what is configured for a kind: its own, that of a group for a mention that has
// none, else the default. has says whether a value is one.
func OfKind[T any](k Kind, c2c, group, call, mention, otherwise T, has func(T) bool) T {
	chosen := map[Kind][]T{KindC2C: {c2c}, KindGroup: {group}, KindCall: {call}, KindMention: {mention, group}}
	for _, v := range chosen[k] {
		if has(v) {
			return v
		}
	}
	return otherwise
}
