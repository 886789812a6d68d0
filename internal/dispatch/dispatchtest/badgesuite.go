package dispatchtest

import (
	"fmt"
	"testing"

	"github.com/hongyan-im/hongyan/internal/badge"
)

// RunBadges holds a store to what package badge says of one. Each call of open gives an empty one,
// with what removes a record from it.
func RunBadges(t *testing.T, open func(t *testing.T) (s badge.Store, erase func(badge.Ref))) {
	t.Helper()
	ref := func(i int) badge.Ref { return badge.Ref{App: "demo", User: fmt.Sprintf("u.%d@x", i)} }
	read := func(t *testing.T, s badge.Store, refs ...badge.Ref) (map[badge.Ref]badge.Stored, uint64) {
		t.Helper()
		all, upTo, err := s.ReadBadges(t.Context(), refs)
		if err != nil {
			t.Fatal(err)
		}
		found := map[badge.Ref]badge.Stored{}
		for _, x := range all {
			found[x.Ref] = x
		}
		if len(found) != len(all) {
			t.Fatalf("%d records of %d users", len(all), len(found))
		}
		return found, upTo
	}
	write := func(t *testing.T, s badge.Store, records ...badge.Stored) []badge.Written {
		t.Helper()
		all := s.WriteBadges(t.Context(), records)
		if len(all) != len(records) {
			t.Fatalf("%d answers for %d records", len(all), len(records))
		}
		for _, w := range all {
			if w.Err != nil {
				t.Fatal(w.Err)
			}
		}
		return all
	}
	t.Run("unless_changed", func(t *testing.T) {
		s, erase := open(t)
		if found, _ := read(t, s, ref(1)); len(found) > 0 {
			t.Fatalf("an empty store holds %v", found)
		}
		first := write(t, s, badge.Stored{Ref: ref(1), Data: []byte("a")})[0]
		if first.Changed || first.Revision == 0 {
			t.Fatalf("the first record: %+v", first)
		}
		if w := write(t, s, badge.Stored{Ref: ref(1), Data: []byte("b")})[0]; !w.Changed {
			t.Error("a record that is there was taken for a new one")
		}
		second := write(t, s, badge.Stored{Ref: ref(1), Data: []byte("c"), Revision: first.Revision})[0]
		if second.Changed || second.Revision <= first.Revision {
			t.Fatalf("the second record: %+v after %+v", second, first)
		}
		if w := write(t, s, badge.Stored{Ref: ref(1), Data: []byte("d"), Revision: first.Revision})[0]; !w.Changed {
			t.Error("a record that changed was overwritten")
		}
		found, upTo := read(t, s, ref(1), ref(2))
		if x := found[ref(1)]; len(found) != 1 || string(x.Data) != "c" || x.Revision != second.Revision || upTo < x.Revision {
			t.Errorf("there is %v, up to %d", found, upTo)
		}
		erase(ref(1))
		if found, _ := read(t, s, ref(1)); len(found) > 0 {
			t.Errorf("after it was erased there is %v", found)
		}
		if w := write(t, s, badge.Stored{Ref: ref(1), Data: []byte("e"), Revision: second.Revision})[0]; !w.Changed {
			t.Error("a record that was erased was written as if it were there")
		}
		if w := write(t, s, badge.Stored{Ref: ref(1), Data: []byte("e")})[0]; w.Changed {
			t.Error("after a record was erased no new one was taken")
		}
	})
	t.Run("many", func(t *testing.T) {
		s, _ := open(t)
		const users = 3000
		var records []badge.Stored
		var refs []badge.Ref
		for i := range users {
			records = append(records, badge.Stored{Ref: ref(i), Data: []byte(ref(i).User)})
			refs = append(refs, ref(i))
		}
		write(t, s, records...)
		found, _ := read(t, s, append(refs, ref(users))...)
		if len(found) != users {
			t.Fatalf("%d records of %d", len(found), users)
		}
		for i := range users {
			if string(found[ref(i)].Data) != ref(i).User {
				t.Fatalf("the record of %s is %q", ref(i).User, found[ref(i)].Data)
			}
		}
		for i := range records { // every other one changed meanwhile
			if records[i].Revision = found[ref(i)].Revision; i%2 == 0 {
				records[i].Revision--
			}
		}
		for i, w := range write(t, s, records...) {
			if w.Changed != (i%2 == 0) {
				t.Fatalf("record %d: %+v", i, w)
			}
		}
	})
	t.Run("large", func(t *testing.T) {
		s, _ := open(t)
		const users, size = 400, 20_000
		var records []badge.Stored
		var refs []badge.Ref
		for i := range users {
			records = append(records, badge.Stored{Ref: ref(i), Data: make([]byte, size)})
			refs = append(refs, ref(i))
		}
		write(t, s, records...)
		if found, _ := read(t, s, refs...); len(found) != users || len(found[ref(1)].Data) != size {
			t.Errorf("%d records of %d", len(found), users)
		}
	})
}
