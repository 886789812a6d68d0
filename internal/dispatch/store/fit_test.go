package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// smallQueue stores what is not larger than its limit, as a server with that max_payload does.
type smallQueue struct {
	limit  int
	stored []dispatch.Outgoing
}

func (q *smallQueue) Publish(_ context.Context, msgs []dispatch.Outgoing) (errs []error) {
	errs = make([]error, len(msgs))
	failed := false
	for i, m := range msgs {
		if len(m.Data) > q.limit {
			errs[i], failed = fmt.Errorf("%w: maximum payload exceeded", dispatch.ErrPermanent), true
			continue
		}
		q.stored = append(q.stored, m)
	}
	if !failed {
		return nil
	}
	return errs
}

func (q *smallQueue) Later(o dispatch.Outgoing, _ time.Time) dispatch.Outgoing { return o }

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

// jobFor is a job for n devices whose notification has a text of some size.
func jobFor(t *testing.T, n, text int) dispatch.Outgoing {
	t.Helper()
	j := &dispatch.Job{ID: "demo/m-1/c/x", App: "demo", Vendor: "huawei", Certificate: "c", Lane: hongyan.LaneNormal, Published: noon,
		Notification: &vendors.Notification{Key: "k", MessageID: "m-1", Title: "t", Body: strings.Repeat("b", text), Deadline: noon.Add(time.Hour)}}
	for i := range n {
		j.Targets = append(j.Targets, dispatch.Target{User: fmt.Sprintf("u%d", i), Device: "d", Token: strings.Repeat("t", 100)})
	}
	data, err := j.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return dispatch.Outgoing{Subject: hongyan.Subjects{}.Job("huawei", "c", "normal"), ID: j.ID, Data: data}
}

func kinds(t *testing.T, msgs []dispatch.Outgoing) map[hongyan.Kind][]dispatch.Outgoing {
	t.Helper()
	byKind := map[hongyan.Kind][]dispatch.Outgoing{}
	for _, m := range msgs {
		x, err := hongyan.Subjects{}.Parse(m.Subject)
		if err != nil {
			t.Fatalf("%s: %v", m.Subject, err)
		}
		byKind[x.Kind] = append(byKind[x.Kind], m)
	}
	return byKind
}

// A job that is larger than the server takes is cut: each device is in one of the parts, once.
func TestLargeJobIsCut(t *testing.T) {
	t.Parallel()
	q := &smallQueue{limit: 10_000}
	if errs := storeAll(t.Context(), q, hongyan.Subjects{}, []dispatch.Outgoing{jobFor(t, 1000, 100)}); errs != nil {
		t.Fatal(errs)
	}
	users, ids := map[string]int{}, map[string]bool{}
	for _, m := range kinds(t, q.stored)[hongyan.KindJob] {
		j, err := dispatch.DecodeJob(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range j.Targets {
			users[target.User]++
		}
		if ids[m.ID] {
			t.Errorf("two parts have the id %s", m.ID)
		}
		ids[m.ID] = true
	}
	if len(users) != 1000 || len(q.stored) != len(ids) {
		t.Errorf("%d users in %d jobs of %d messages", len(users), len(ids), len(q.stored))
	}
	for u, n := range users {
		if n != 1 {
			t.Errorf("%s is in %d jobs", u, n)
		}
	}
}

// What does not fit even alone is dead with a reason, and each device has its end.
func TestJobThatNeverFitsIsDead(t *testing.T) {
	t.Parallel()
	q := &smallQueue{limit: 5_000}
	if errs := storeAll(t.Context(), q, hongyan.Subjects{}, []dispatch.Outgoing{jobFor(t, 2, 20_000)}); errs != nil {
		t.Fatal(errs)
	}
	got := kinds(t, q.stored)
	letters, ends := got[hongyan.KindDead], got[hongyan.KindOutcome]
	if len(letters) != 2 || len(ends) != 2 || len(got[hongyan.KindJob]) != 0 {
		t.Fatalf("%d letters, %d outcomes, %d jobs", len(letters), len(ends), len(got[hongyan.KindJob]))
	}
	for _, l := range letters {
		if l.Header[dispatch.HeaderReason] != "bad_payload" || l.Header[dispatch.HeaderTruncated] == "" || !strings.Contains(l.Header[dispatch.HeaderError], "maximum payload") || len(l.Data) == 0 {
			t.Errorf("a letter of %d bytes with %v", len(l.Data), l.Header)
		}
	}
	for _, e := range ends {
		ends, err := dispatch.ParseEnded(e.Data)
		if err != nil || len(ends) != 1 || ends[0].Status != hongyan.StatusDead || ends[0].Reason != vendors.BadPayload {
			t.Errorf("an outcome %s, %v", e.Data, err)
		}
	}
}

// A dead letter that does not fit is cut and says how long it was; one message's trouble is not
// another's.
func TestLargeLetterIsCut(t *testing.T) {
	t.Parallel()
	q := &smallQueue{limit: 100_000}
	letter := dispatch.Outgoing{Subject: hongyan.Subjects{}.Dead("", "", hongyan.Malformed), ID: ":malformed/1", Data: bytes.Repeat([]byte("x"), 8_388_500),
		Header: map[string]string{dispatch.HeaderReason: "malformed"}}
	other := dispatch.Outgoing{Subject: hongyan.Subjects{}.Outcome("demo", hongyan.StatusAccepted, 1), Data: []byte("{}")}
	if errs := storeAll(t.Context(), q, hongyan.Subjects{}, []dispatch.Outgoing{letter, other}); errs != nil {
		t.Fatal(errs)
	}
	if len(q.stored) != 2 {
		t.Fatalf("%d are stored", len(q.stored))
	}
	if got := q.stored[1]; got.Header[dispatch.HeaderTruncated] != "8388500" || got.Header[dispatch.HeaderReason] != "malformed" || len(got.Data) != letterBytes {
		t.Errorf("a letter of %d bytes with %v", len(got.Data), got.Header)
	}
}

// An outcome that cannot be stored, for whatever reason, is a dead letter.
func TestOutcomeThatNeverFits(t *testing.T) {
	t.Parallel()
	q := &smallQueue{limit: 100}
	o := dispatch.Outgoing{Subject: hongyan.Subjects{}.Outcome("demo", hongyan.StatusAccepted, 1), Data: bytes.Repeat([]byte("x"), 1000)}
	if errs := storeAll(t.Context(), q, hongyan.Subjects{}, []dispatch.Outgoing{o}); errs != nil {
		t.Fatal(errs)
	}
	if got := q.stored[0]; got.Header[dispatch.HeaderReason] != "malformed" || got.Header[dispatch.HeaderSubject] != o.Subject || got.Header[dispatch.HeaderTruncated] != "1000" {
		t.Errorf("stored %+v", got)
	}
}

// A failure that passes is the caller's to try again, and only that of its message.
func TestPassingFailureIsReturned(t *testing.T) {
	t.Parallel()
	away := errors.New("no answer")
	errs := storeAll(t.Context(), failingQueue{away}, hongyan.Subjects{}, []dispatch.Outgoing{jobFor(t, 1, 1)})
	if len(errs) != 1 || !errors.Is(errs[0], away) {
		t.Errorf("got %v", errs)
	}
}

type failingQueue struct{ err error }

func (q failingQueue) Publish(_ context.Context, msgs []dispatch.Outgoing) []error {
	errs := make([]error, len(msgs))
	for i := range errs {
		errs[i] = q.err
	}
	return errs
}

func (q failingQueue) Later(o dispatch.Outgoing, _ time.Time) dispatch.Outgoing { return o }
