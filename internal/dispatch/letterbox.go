package dispatch

import (
	"cmp"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Letter is a dead letter as it is stored: a job's targets that share a fate, or the bytes of what
// was published; see [Letter.Original].
type Letter struct {
	Sequence uint64
	Stored   time.Time
	Subject  string
	// Vendor and Certificate are empty where there is none; Reason is why the letter is dead.
	Vendor, Certificate string
	Reason              hongyan.Reason
	Header              map[string]string // those that begin with "Push-"
	Data                []byte
}

// Original says that the letter holds what was published, as it was, rather than a job, which is
// one of a vendor: it could not be read, or was taken too often without an end.
func (l *Letter) Original() bool {
	return l.Reason == vendors.Malformed || l.Vendor == "" && l.Header[HeaderSubject] != ""
}

// Truncated says that the letter holds a part of what it is about: the whole did not fit.
func (l *Letter) Truncated() bool { return l.Header[HeaderTruncated] != "" }

// Job reads the job that the letter holds.
func (l *Letter) Job() (*Job, error) { return DecodeJob(l.Data) }

// LetterFilter says which dead letters are meant. An empty field leaves them all in; the others
// must all fit.
type LetterFilter struct {
	Vendor, Certificate string
	Reason              hongyan.Reason
	App, User, Message  string
	// Since and Until bound when the letter was stored, the first included and the last not.
	Since, Until time.Time
}

// Empty says that every letter is meant.
func (f *LetterFilter) Empty() bool { return *f == LetterFilter{} }

// BySubject says that [LetterFilter.Subject] tells all of the filter.
func (f *LetterFilter) BySubject() bool {
	return f.App == "" && f.User == "" && f.Message == "" && f.Since.IsZero() && f.Until.IsZero()
}

// Subject is the narrowest subject filter that covers all letters meant.
func (f *LetterFilter) Subject(s hongyan.Subjects) string {
	return s.Dead(cmp.Or(f.Vendor, "*"), cmp.Or(f.Certificate, "*"), cmp.Or(f.Reason, "*"))
}

// Match says whether a letter is meant. A user is looked for among the job's targets, so an
// original message fits no user.
func (f *LetterFilter) Match(l *Letter) bool {
	switch {
	case f.Vendor != "" && f.Vendor != cmp.Or(l.Vendor, "none"), f.Certificate != "" && f.Certificate != cmp.Or(l.Certificate, "none"), f.Reason != "" && f.Reason != l.Reason,
		f.App != "" && f.App != l.Header[HeaderApp],
		f.Message != "" && HeaderValue(f.Message) != l.Header[HeaderMessageID],
		l.Stored.Before(f.Since), f.Past(l):
		return false
	case f.User == "":
		return true
	case l.Original():
		return false
	}
	job, err := l.Job()
	if err != nil {
		return false
	}
	for i := range job.Targets {
		if f.Wants(&job.Targets[i]) {
			return true
		}
	}
	return false
}

// Past says that the letter and all after it are too late.
func (f *LetterFilter) Past(l *Letter) bool { return !f.Until.IsZero() && !l.Stored.Before(f.Until) }

// Wants says whether one target of a job is meant.
func (f *LetterFilter) Wants(t *Target) bool { return f.User == "" || t.User == f.User }

// Mark is a mark as it is stored.
type Mark struct {
	ID     uint64
	Stored time.Time
	Data   []byte
}

// Waiting is a message that waits to be consumed.
type Waiting struct {
	ID     string // its Nats-Msg-Id
	Data   []byte
	Stored time.Time
}
