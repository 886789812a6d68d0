package badge

import "context"

// Ref names a user of an app.
type Ref struct{ App, User string }

// Store keeps a record for each user.
type Store interface {
	// ReadBadges reads the records of users, of those who have one, in any order. The answer takes
	// the stream's changes up to upTo into account; zero where nobody knows. An error says nothing
	// of anybody.
	ReadBadges(ctx context.Context, refs []Ref) (stored []Stored, upTo uint64, err error)
	// WriteBadges writes each record, all at once, unless it changed since its revision.
	WriteBadges(ctx context.Context, records []Stored) []Written
}

// Stored is a record as it is stored. Revision is 0 for one that is not.
type Stored struct {
	Ref
	Data     []byte
	Revision uint64
}

// Written says what became of a record that was to be written.
type Written struct {
	// Revision is the record's from now on.
	Revision uint64
	// Changed says that it was not written, because it changed since it was read.
	Changed bool
	// Err says that nobody knows whether it was written.
	Err error
}
