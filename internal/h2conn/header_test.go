package h2conn

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// decode reads a block as the peer does.
func decode(t testing.TB, d *hpack.Decoder, block []byte) []Field {
	t.Helper()
	fields, err := d.DecodeFull(block)
	if err != nil {
		t.Fatalf("% x: %v", block, err)
	}
	return fields
}

func encodeOn(c *conn, req *Request) []byte { return slices.Clone(c.encode(req)) }

func headerConn() *conn {
	return &conn{t: &Transport{scheme: "https", authority: "api.push.apple.com"}, enc: newEncoder(map[string]bool{"apns-id": true, "content-length": true})}
}

// TestStaticTable: our part of the static table is right.
func TestStaticTable(t *testing.T) {
	t.Parallel()
	d := hpack.NewDecoder(4096, nil)
	for name, i := range staticNames {
		got := decode(t, d, appendLiteral(nil, withoutIndexing, i, Field{Name: name, Value: "v"}))
		if got[0].Name != name {
			t.Errorf("%d is %s, not %s", i, got[0].Name, name)
		}
	}
	for f, i := range staticFields {
		if got := decode(t, d, appendInt(nil, 0x80, 7, i)); got[0] != f {
			t.Errorf("%d is %v, not %v", i, got[0], f)
		}
	}
}

// TestHeaderOfPushes: the second push has nothing but indexes and what is its own; the path and the
// token never enter the table, the ids by their names only, and the table is the same after ten
// thousand pushes.
func TestHeaderOfPushes(t *testing.T) {
	t.Parallel()
	c, d := headerConn(), hpack.NewDecoder(4096, nil)
	alert, err := NewPreset("POST", Field{Name: "apns-topic", Value: "com.example.im"}, Field{Name: "apns-push-type", Value: "alert"}, Field{Name: "apns-priority", Value: "10"})
	if err != nil {
		t.Fatal(err)
	}
	voip, err := NewPreset("POST", Field{Name: "apns-topic", Value: "com.example.im.voip"}, Field{Name: "apns-push-type", Value: "voip"}, Field{Name: "apns-priority", Value: "10"})
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Repeat("Ab1_", 46)
	auth, err := NewLiteral("authorization", "bearer "+secret)
	if err != nil {
		t.Fatal(err)
	}
	var size uint32
	var entries int
	for i := range 10_000 {
		preset, own := alert, 0
		if i%3 == 2 {
			preset = voip
		}
		id := fmt.Sprintf("%032x", i*7919)
		req := &Request{Preset: preset, Path: "/3/device/" + id + id, Literal: auth, Fields: []Field{
			{Name: "apns-id", Value: id}, {Name: "apns-expiration", Value: fmt.Sprint(1795737600 + i)}, {Name: "apns-collapse-id", Value: id},
		}}
		block := encodeOn(c, req)
		got := decode(t, d, block)
		want := []Field{{Name: ":path", Value: req.Path}, {Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "api.push.apple.com"}}
		want = append(want, preset.fields[1:]...)
		want = append(want, Field{Name: "authorization", Value: "bearer " + secret})
		want = append(want, req.Fields...)
		if !slices.Equal(got, want) {
			t.Fatalf("push %d: %v", i, got)
		}
		own = 1 + len(appendString(nil, req.Path)) + len(auth.block)
		for _, f := range req.Fields {
			own += 2 + len(appendString(nil, f.Value))
		}
		if i == 20 {
			size, entries = c.enc.size, c.enc.entries
		}
		if i > 20 {
			if shared := len(block) - own; shared > 8 || c.enc.size != size || c.enc.entries != entries {
				t.Fatalf("push %d: %d bytes beside its own, %d entries of %d bytes", i, shared, c.enc.entries, c.enc.size)
			}
		}
	}
	for f := range c.enc.fields {
		if strings.Contains(f.Value, secret) || f.Name == ":path" {
			t.Errorf("%s is in the table", f.Name)
		}
	}
	if size > 1000 {
		t.Errorf("the table has %d bytes", size)
	}
}

// TestHeaderOfRoundTrip: without a Preset too, what repeats itself is indexed; a name that does not
// repeat itself stops being put into the table, and nothing leaves it.
func TestHeaderOfRoundTrip(t *testing.T) {
	t.Parallel()
	c, d := headerConn(), hpack.NewDecoder(4096, nil)
	get, _ := NewPreset("GET")
	for i := range 1000 {
		req := &Request{Preset: get, Path: fmt.Sprintf("/%d", i), plain: true, Fields: []Field{
			{Name: "user-agent", Value: "x"}, {Name: "authorization", Value: fmt.Sprintf("bearer %d", i/10)},
			{Name: "trace", Value: fmt.Sprint(i)}, {Name: "long", Value: strings.Repeat("y", i)}, {Name: "apns-id", Value: fmt.Sprint(i)},
			{Name: "cookie", Value: "secret", Sensitive: true}, {Name: fmt.Sprintf("name-%d", i), Value: "z"},
		}}
		got := decode(t, d, encodeOn(c, req))
		want := append([]Field{{Name: ":path", Value: req.Path}, {Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "api.push.apple.com"}}, req.Fields...)
		if !slices.Equal(got, want) {
			t.Fatalf("%d: %v", i, got)
		}
		if c.enc.size > tableMax {
			t.Fatalf("the table has %d bytes", c.enc.size)
		}
	}
	values := map[string]int{}
	for f := range c.enc.fields {
		values[f.Name]++
	}
	if values["authorization"]+values["cookie"]+values[":path"] > 0 || values["trace"] != maxValues || values["apns-id"] != 1 || values["user-agent"] != 1 {
		t.Errorf("in the table: %v", values)
	}
}

// TestTableSize: the peer may want a smaller table, or none, at any time.
func TestTableSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{}
		sizes := []uint32{0, 100, 4096, 1 << 30, 64, 0, 4096}
		p.request = func(c *peerConn, r *request) {
			if c.seen%3 == 0 && c.seen/3 <= len(sizes) {
				c.announce(http2.Setting{ID: http2.SettingHeaderTableSize, Val: sizes[c.seen/3-1]})
			}
			if r.get("apns-topic") != "com.example.im" {
				t.Errorf("got %v", r.fields)
			}
			c.answer(r, "200", "")
		}
		tr := transport(t, p, nil)
		for range 30 {
			wantOK(t, tr)
		}
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if e := tr.conns[0].enc; e.max != 4096 || e.entries == 0 {
			t.Errorf("a table of %d with %d entries", e.max, e.entries)
		}
	})
}

// TestLongHeader: one that does not fit in a frame goes on in CONTINUATION frames; one above the
// peer's limit is not sent.
func TestLongHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("~", 60_000)
		p := &peer{settings: []http2.Setting{{ID: http2.SettingMaxHeaderListSize, Val: 100_000}}}
		p.request = func(c *peerConn, r *request) {
			if r.get(":path") == "/long" && r.get("long") != long {
				t.Error("the long field has changed")
			}
			c.answer(r, "200", "")
		}
		tr := transport(t, p, nil)
		wantOK(t, tr)
		req := &Request{Preset: post, Path: "/long", Fields: []Field{{Name: "long", Value: long}}, Body: []byte("{}")}
		var resp Response
		if err := tr.Do(t.Context(), req, &resp); err != nil {
			t.Error(err)
		}
		req.Fields = append(req.Fields, req.Fields[0])
		if err := tr.Do(t.Context(), req, &resp); !as(ErrHeaderTooLarge)(err) {
			t.Errorf("got %v", err)
		}
		wantOK(t, tr)
	})
}

// TestInvalidRequests are not tried.
func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	tr, err := New("http://push.example", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for _, req := range []*Request{
		{Preset: post, Path: ""}, {Preset: post, Path: "x"}, {Preset: post, Path: "/a b"}, {Preset: post, Path: "/\n"}, {Preset: post, Path: "/ü"},
		{Preset: post, Path: "/", Fields: []Field{{Name: "Name", Value: "x"}}}, {Preset: post, Path: "/", Fields: []Field{{Name: "name", Value: "x\r\n"}}},
		{Preset: post, Path: "/", Fields: []Field{{Name: ":status", Value: "200"}}},
	} {
		if err := tr.Do(t.Context(), req, &Response{}); err == nil {
			t.Errorf("%+v was tried", req)
		}
	}
	if _, err := NewPreset("PO ST"); err == nil {
		t.Error("a method with a space")
	}
	if _, err := NewPreset("POST", Field{Name: "A", Value: "x"}); err == nil {
		t.Error("an upper-case name")
	}
	if _, err := NewLiteral("authorization", "secret\n"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a line feed: %v", err)
	}
	for _, base := range []string{"", "push.example", "ftp://push.example", "https://", ":"} {
		if _, err := New(base, Options{}); err == nil {
			t.Errorf("New took %q", base)
		}
	}
}

// FuzzEncoder: whatever is encoded, the decoder of another implementation reads the same, with a
// table that changes its size in between.
func FuzzEncoder(f *testing.F) {
	f.Add([]byte("apns-id\x00123\x00apns-topic\x00com.example\x00apns-id\x00124"), uint16(4096))
	f.Add(bytes.Repeat([]byte("a\x00b\x00"), 300), uint16(50))
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		c, d := headerConn(), hpack.NewDecoder(4096, nil)
		parts := strings.Split(string(data), "\x00")
		for i := 0; i+1 < len(parts); i += 2 {
			field := Field{Name: strings.ToLower(parts[i]), Value: parts[i+1], Sensitive: len(parts[i])%7 == 3}
			if check(field) != nil {
				continue
			}
			req := &Request{Preset: post, Path: "/" + fmt.Sprint(i), Fields: []Field{field, field}, plain: i%4 == 0}
			got := decode(t, d, encodeOn(c, req))
			n := len(got)
			for _, g := range got[n-2:] {
				if g.Name != field.Name || g.Value != field.Value {
					t.Fatalf("%v became %v", field, g)
				}
			}
			if i%10 == 8 {
				c.enc.resize(uint32(size) % 5000)
			}
		}
	})
}
