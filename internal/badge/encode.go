package badge

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// version is the form in which records are stored, their first byte.
const version = 1

// ErrNewer is a record that a newer worker wrote, in a form that this one does not know.
var ErrNewer = errors.New("a newer worker wrote it")

// NewerError says whose records only newer workers can read. Its errors.Is is [ErrNewer].
type NewerError struct{ Users []Ref }

// Error says how many they are.
func (e *NewerError) Error() string {
	return fmt.Sprintf("the records of %d user(s): %v", len(e.Users), ErrNewer)
}

// Unwrap returns [ErrNewer].
func (e *NewerError) Unwrap() error { return ErrNewer }

// Newer is the NewerError in the chain of an error, or nil.
func Newer(err error) *NewerError {
	var e *NewerError
	errors.As(err, &e)
	return e
}

var errCut = errors.New("it ends too early or goes on too long")

// encode writes the record: numbers as varints, times as the difference to the one before, hashes
// as they are.
func (r *Record) encode() []byte {
	out := make([]byte, 0, 16+24*len(r.conversations)+20*len(r.known))
	out = append(out, version)
	out = binary.AppendUvarint(out, uint64(r.base))
	out = binary.AppendVarint(out, r.baseAt)
	out = binary.AppendUvarint(out, uint64(len(r.conversations)))
	last := r.baseAt
	for i := range r.conversations {
		c := &r.conversations[i]
		out = binary.BigEndian.AppendUint32(out, c.hash)
		out = binary.AppendVarint(out, c.read)
		out = binary.AppendUvarint(out, uint64(c.folded))
		if c.folded > 0 {
			out = binary.AppendVarint(out, c.sent-last)
			out = binary.AppendVarint(out, c.stored-c.sent)
			last = c.sent
		}
	}
	out = binary.AppendUvarint(out, uint64(len(r.known)))
	for i := range r.known {
		k := &r.known[i]
		out = binary.BigEndian.AppendUint64(out, k.id)
		out = binary.BigEndian.AppendUint32(out, k.conversation)
		out = binary.AppendVarint(out, k.stored-last)
		out = binary.AppendVarint(out, k.stored-k.sent)
		last = k.stored
	}
	return out
}

// reader reads what encode wrote. After the end it reads zeros and says so.
type reader struct {
	data []byte
	cut  bool
}

func (d *reader) take(n int) []byte {
	if len(d.data) < n {
		d.cut, d.data = true, nil
		return make([]byte, n)
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}

// skip goes past a number of n bytes; 0 and below for none that can be read.
func (d *reader) skip(n int) {
	if n <= 0 {
		d.cut, d.data = true, nil
		return
	}
	d.data = d.data[n:]
}

func (d *reader) varint() int64 {
	v, n := binary.Varint(d.data)
	d.skip(n)
	return v
}

// number is one from 0 to most.
func (d *reader) number(most int) int {
	v, n := binary.Uvarint(d.data)
	d.skip(n)
	if v > uint64(most) {
		d.cut = true
		return 0
	}
	return int(v)
}

// StoredNumber is the number that a stored record says. The error is [ErrNewer] where only newer
// workers can read it.
func StoredNumber(data []byte) (int, error) {
	r, err := decode(data)
	if err != nil {
		return 0, err
	}
	return r.Number(), nil
}

// decode reads a record. The error is ErrNewer where it is none of this worker's to read.
func decode(data []byte) (*Record, error) {
	d := &reader{data: data}
	switch v := d.take(1)[0]; {
	case v > version:
		return nil, fmt.Errorf("read a badge's record of form %d: %w", v, ErrNewer)
	case v != version:
		return nil, fmt.Errorf("read a badge's record of form %d: there is none", v)
	}
	r := &Record{base: d.number(Most), baseAt: d.varint()}
	last := r.baseAt
	for range d.number(mostConversations + 1) {
		c := conversation{hash: binary.BigEndian.Uint32(d.take(4)), read: d.varint(), folded: d.number(Most)}
		if c.folded > 0 {
			c.sent = last + d.varint()
			c.stored = c.sent + d.varint()
			last = c.sent
		}
		r.conversations = append(r.conversations, c)
	}
	for range d.number(Most) {
		k := known{id: binary.BigEndian.Uint64(d.take(8)), conversation: binary.BigEndian.Uint32(d.take(4))}
		k.stored = last + d.varint()
		k.sent = k.stored - d.varint()
		last = k.stored
		r.known = append(r.known, k)
	}
	if d.cut || len(d.data) > 0 {
		return nil, fmt.Errorf("read a badge's record: %w", errCut)
	}
	return r, nil
}
