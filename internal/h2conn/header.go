package h2conn

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// Field is one field of a header. Names are in lower case.
type Field = hpack.HeaderField

// Preset is what the headers of many requests have in common: the method, and fields whose values
// do not change from one request to the next. They are put into the table that both ends of a
// connection keep, and take one or two bytes each from then on. A program should have a handful of
// Presets and keep them, because each connection keeps the encoding of every Preset that it has
// met.
type Preset struct{ fields []Field }

// NewPreset makes a Preset. The scheme and the authority are the Transport's.
func NewPreset(method string, fields ...Field) (*Preset, error) {
	if !httpguts.ValidHeaderFieldName(method) {
		return nil, errors.New("h2conn: invalid method")
	}
	for _, f := range fields {
		if err := check(f); err != nil {
			return nil, err
		}
	}
	return &Preset{fields: append([]Field{{Name: ":method", Value: method}}, fields...)}, nil
}

// Literal is a field whose encoding is made once and used for many requests, but which never enters
// the table: an access token, which is too large for it and, as a secret, does not belong there.
type Literal struct {
	block []byte
	size  uint32
}

// NewLiteral encodes a field.
func NewLiteral(name, value string) (*Literal, error) {
	f := Field{Name: name, Value: value}
	if err := check(f); err != nil {
		return nil, err
	}
	return &Literal{block: appendLiteral(nil, withoutIndexing, staticNames[name], f), size: f.Size()}, nil
}

func check(f Field) error {
	if !httpguts.ValidHeaderFieldName(f.Name) || strings.ToLower(f.Name) != f.Name {
		return fmt.Errorf("h2conn: invalid field name %q", f.Name)
	}
	if !httpguts.ValidHeaderFieldValue(f.Value) {
		return fmt.Errorf("h2conn: invalid value of the field %s", f.Name)
	}
	return nil
}

// The three ways of writing a field that is not in the table (RFC 7541, 6.2).
const (
	incremental     = 0x40 // and put it into the table
	withoutIndexing = 0x00
	neverIndexed    = 0x10 // nor may any proxy put it into a table
)

// staticNames are the numbers of names in the table that every connection has from the beginning
// (RFC 7541, appendix A): of those that requests have.
var staticNames = map[string]uint64{
	":authority": 1, ":method": 2, ":path": 4, ":scheme": 6, "accept": 19, "accept-encoding": 16, "accept-language": 17,
	"authorization": 23, "cache-control": 24, "content-encoding": 26, "content-length": 28, "content-type": 31, "cookie": 32,
	"date": 33, "proxy-authorization": 49, "user-agent": 58,
}

// staticFields are whole fields there.
var staticFields = map[Field]uint64{
	{Name: ":method", Value: "GET"}: 2, {Name: ":method", Value: "POST"}: 3, {Name: ":scheme", Value: "http"}: 6,
	{Name: ":scheme", Value: "https"}: 7,
}

const (
	staticLen = 61
	// tableMax is the size of our table, the size that every peer begins with. A peer that allows
	// more gets no more.
	tableMax = 4096
	// maxValues is how many values of one name the table takes. A name that has had as many does
	// not repeat itself.
	maxValues = 4
	// maxNamed is the largest field that enters the table for its name's sake.
	maxNamed = 256
)

// encoder writes the headers of one connection's requests. It differs from hpack.Encoder, which
// puts every field into the table, in that nothing ever leaves the table: a field enters it while
// there is room, and a field whose value changes each time enters it once, for its name. The order
// in which blocks are written is the order in which the peer must read them.
type encoder struct {
	literals map[string]bool // names whose values are not worth keeping
	max      uint32
	resized  bool // the peer must be told max before the next block

	entries int // how many entered the table
	size    uint32
	fields  map[Field]int // by the order in which they entered, from 0
	names   map[string]known
	presets map[*Preset]block

	secret  Field // the last secret of a request without a Preset
	written []byte
}

type known struct{ at, values int }

// block is the encoding of a Preset, which is right as long as nothing enters the table.
type block struct {
	bytes   []byte
	entries int
}

// maxPresets bounds the encodings that are kept, for a caller that makes a Preset per request.
const maxPresets = 64

func newEncoder(literals map[string]bool) *encoder {
	return &encoder{
		literals: literals, max: tableMax, fields: map[Field]int{}, names: map[string]known{}, presets: map[*Preset]block{},
	}
}

// resize obeys the peer's SETTINGS_HEADER_TABLE_SIZE (RFC 7541, 4.2).
func (e *encoder) resize(limit uint32) {
	limit = min(limit, tableMax)
	if limit == e.max {
		return
	}
	e.max, e.resized = limit, true
	e.entries, e.size = 0, 0
	clear(e.fields)
	clear(e.names)
	clear(e.presets)
}

// begin starts a block.
func (e *encoder) begin(dst []byte) []byte {
	if e.resized {
		e.resized = false
		// Through zero, so that the peer's table is as empty as ours.
		dst = append(dst, 0x20)
		dst = appendInt(dst, 0x20, 5, uint64(e.max))
	}
	return dst
}

// preset appends the pseudo fields, save the path, and the fields of a Preset.
func (e *encoder) preset(dst []byte, p *Preset, scheme, authority string) []byte {
	b, ok := e.presets[p]
	if ok && b.entries == e.entries {
		return append(dst, b.bytes...)
	}
	before, entries := len(dst), e.entries
	dst = e.append(dst, p.fields[0])
	dst = e.append(dst, Field{Name: ":scheme", Value: scheme})
	dst = e.append(dst, Field{Name: ":authority", Value: authority})
	for _, f := range p.fields[1:] {
		dst = e.append(dst, f)
	}
	if e.entries == entries && (ok || len(e.presets) < maxPresets) { // the same bytes next time
		e.presets[p] = block{bytes: append([]byte(nil), dst[before:]...), entries: entries}
	}
	return dst
}

// append appends a field that is likely to come again.
func (e *encoder) append(dst []byte, f Field) []byte {
	if f.Sensitive {
		return e.literal(dst, f)
	}
	if i, ok := staticFields[f]; ok {
		return appendInt(dst, 0x80, 7, i)
	}
	if at, ok := e.fields[f]; ok {
		return appendInt(dst, 0x80, 7, e.number(at))
	}
	if e.literals[f.Name] || e.names[f.Name].values >= maxValues || e.size+f.Size() > e.max {
		return e.literal(dst, f)
	}
	return e.enter(dst, f)
}

// literal appends a field that will not come again, or that is secret.
func (e *encoder) literal(dst []byte, f Field) []byte {
	if i, ok := staticNames[f.Name]; ok {
		return appendLiteral(dst, form(f), i, f)
	}
	if n, ok := e.names[f.Name]; ok {
		return appendLiteral(dst, form(f), e.number(n.at), f)
	}
	if !f.Sensitive && f.Size() <= maxNamed && e.size+f.Size() <= e.max {
		return e.enter(dst, f)
	}
	return appendLiteral(dst, form(f), 0, f)
}

// repeated appends a secret that is the same in many requests without encoding it each time.
func (e *encoder) repeated(dst []byte, f Field) []byte {
	if e.secret != f {
		e.secret, e.written = f, appendLiteral(e.written[:0], withoutIndexing, staticNames[f.Name], f)
	}
	return append(dst, e.written...)
}

// enter appends a field and puts it into the table.
func (e *encoder) enter(dst []byte, f Field) []byte {
	n, known := e.names[f.Name]
	i, ok := staticNames[f.Name]
	if !ok && known {
		i = e.number(n.at)
	}
	dst = appendLiteral(dst, incremental, i, f)
	n.at = e.entries
	n.values++
	e.names[f.Name], e.fields[f] = n, e.entries
	e.entries++
	e.size += f.Size()
	return dst
}

// number is the index of an entry: the newest has the lowest (RFC 7541, 2.3.3).
func (e *encoder) number(at int) uint64 { return uint64(staticLen + e.entries - at) }

func form(f Field) byte {
	if f.Sensitive {
		return neverIndexed
	}
	return withoutIndexing
}

// appendLiteral appends a field whose name has an index, or is written out if the index is 0.
func appendLiteral(dst []byte, form byte, name uint64, f Field) []byte {
	bits := uint(4)
	if form == incremental {
		bits = 6
	}
	dst = appendInt(dst, form, bits, name)
	if name == 0 {
		dst = appendString(dst, f.Name)
	}
	return appendString(dst, f.Value)
}

// appendInt appends a number in the low bits of a byte and as many further ones as it needs (RFC
// 7541, 5.1).
func appendInt(dst []byte, high byte, bits uint, n uint64) []byte {
	limit := uint64(1)<<bits - 1
	if n < limit {
		return append(dst, high|byte(n))
	}
	dst = append(dst, high|byte(limit))
	for n -= limit; n >= 128; n >>= 7 {
		dst = append(dst, byte(n)|128)
	}
	return append(dst, byte(n))
}

// appendString appends a string, in Huffman's code if that is shorter (RFC 7541, 5.2).
func appendString(dst []byte, s string) []byte {
	if n := hpack.HuffmanEncodeLength(s); n < uint64(len(s)) {
		return hpack.AppendHuffmanString(appendInt(dst, 0x80, 7, n), s)
	}
	return append(appendInt(dst, 0, 7, uint64(len(s))), s...)
}
