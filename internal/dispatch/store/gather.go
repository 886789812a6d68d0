package store

import (
	"bytes"
	"encoding/hex"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// Line is what became of a message on a device of one certificate: an end, or that it waits.
type Line struct {
	// Outcome is without devices; all users of a line belong to one partition.
	hongyan.Outcome
	Device hongyan.DeviceOutcome
	// Shown of an accepted line is how the push stands on the screen.
	Shown dispatch.Shown
	// Job of a waiting line is [dispatch.Job.WaitName] of the job that the device waits in.
	Job string
	// Duty is what the line belongs to.
	Duty *Duty
}

const (
	// gatherFor is how long a line waits for others that belong into the same message.
	gatherFor = 5 * time.Millisecond
	// gatherBytes is about how long such a message becomes at most.
	gatherBytes = 60 << 10
	// lineBytes and deviceBytes are about what the names of the fields need.
	lineBytes, deviceBytes = 180, 130
	// recentRecords is how many records of a message are searched for one that a device fits into.
	recentRecords = 8
)

// sheet names a subject on which records are published.
type sheet struct {
	app       string
	status    hongyan.Status
	partition int
}

// gathering is a message of records that is being filled.
type gathering struct {
	sheet
	records []hongyan.Outcome
	jobs    []string         // for each record
	shown   []dispatch.Shown // for each record
	duties  []*Duty          // each holds a share
	bytes   int
	since   time.Time // of the first of them
}

// Record records what became of devices, with what else ends within a few milliseconds. Each line's
// duty gets a share that ends when the line is stored. It does not wait.
func (r *Recorder) Record(lines ...Line) {
	if len(lines) == 0 {
		return
	}
	var full []*gathering
	r.gatherMu.Lock()
	for k := range lines {
		if g := r.gather(&lines[k]); g != nil {
			full = append(full, g)
		}
	}
	if !r.gatherTimer && len(r.gathered) > 0 {
		r.gatherTimer = true
		r.storing.Go(r.flushSoon)
	}
	r.gatherMu.Unlock()
	if len(full) > 0 {
		r.storing.Go(func() { r.flush(full) })
	}
}

// gather adds a line, and returns the message that it filled, if it did. The lock is held.
func (r *Recorder) gather(l *Line) (full *gathering) {
	at := sheet{l.App, l.Status, hongyan.Partition(l.Device.User)}
	g := r.gathered[at]
	if g == nil {
		g = &gathering{sheet: at, since: r.Now()}
		r.gathered[at] = g
	}
	i := len(g.records) - 1
	for first := max(0, len(g.records)-recentRecords); i >= first; i-- {
		o := &g.records[i]
		if o.MessageID == l.MessageID && o.Certificate == l.Certificate && g.jobs[i] == l.Job && g.shown[i] == l.Shown {
			break
		}
	}
	if i < max(0, len(g.records)-recentRecords) || i < 0 {
		i = len(g.records)
		g.records, g.jobs, g.shown = append(g.records, l.Outcome), append(g.jobs, l.Job), append(g.shown, l.Shown)
		g.bytes += lineBytes + len(l.MessageID) + len(l.Shown)
	}
	g.records[i].Devices = append(g.records[i].Devices, l.Device)
	g.bytes += deviceBytes + len(l.Device.User) + len(l.Device.Device) + len(l.Device.VendorID) + len(l.Device.VendorCode)
	if l.Duty != nil && (len(g.duties) == 0 || g.duties[len(g.duties)-1] != l.Duty) {
		l.Duty.Add(1)
		g.duties = append(g.duties, l.Duty)
	}
	if g.bytes < gatherBytes {
		return nil
	}
	delete(r.gathered, at)
	return g
}

func (r *Recorder) flushSoon() {
	sleep.For(r.hard, gatherFor) // what was gathered is tried once even at the end
	r.gatherMu.Lock()
	all := make([]*gathering, 0, len(r.gathered))
	for _, g := range r.gathered {
		all = append(all, g)
	}
	clear(r.gathered)
	r.gatherTimer = false
	r.gatherMu.Unlock()
	r.flush(all)
}

// flush stores messages of records.
func (r *Recorder) flush(all []*gathering) {
	debts := make([]*debt, 0, len(all))
	for _, g := range all {
		msg, err := g.message(r.Subjects)
		if err != nil {
			// Every text may be written, so only a time out of range can be wrong: its records are
			// lost with a word, rather than the delivery for ever held.
			r.Log.Error("records cannot be written", "app", g.app, "status", string(g.status), "error", err)
			g.end(true)
			continue
		}
		size := 0
		for _, d := range g.duties {
			size += d.Size
		}
		debts = append(debts, &debt{msgs: []dispatch.Outgoing{msg}, size: size, keep: g.keep, done: func(stored bool) {
			if stored {
				r.Metrics.Stage(dispatch.StageStored, r.Now().Sub(g.since))
			}
			g.end(stored)
		}})
	}
	r.store(debts)
}

func (g *gathering) keep() {
	for _, d := range g.duties {
		d.Keep()
	}
}

func (g *gathering) end(stored bool) {
	for _, d := range g.duties {
		d.Done(stored)
	}
}

// message writes the records, one a line. Its id is a hash of the devices and their attempts: a
// repeat of the same records is stored once.
func (g *gathering) message(subjects hongyan.Subjects) (dispatch.Outgoing, error) {
	lines := bytes.NewBuffer(make([]byte, 0, g.bytes+g.bytes/4))
	enc := jsontext.NewEncoder(lines, jsontext.AllowInvalidUTF8(true))
	h := fnv.New128a()
	var number []byte
	text := func(s string) { // a hash never fails
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	for i := range g.records {
		o := &g.records[i]
		if err := json.MarshalEncode(enc, o); err != nil {
			return dispatch.Outgoing{}, err
		}
		text(o.MessageID)
		text(o.Certificate)
		text(g.jobs[i])
		for k := range o.Devices {
			d := &o.Devices[k]
			text(d.User)
			text(d.Device)
			text(string(d.Reason))
			number = strconv.AppendInt(number[:0], int64(d.Attempt), 10)
			_, _ = h.Write(append(number, 0))
		}
		number = strconv.AppendInt(number[:0], o.At.UnixNano(), 36)
		_, _ = h.Write(append(number, 0))
	}
	data := bytes.TrimSuffix(lines.Bytes(), []byte("\n")) // the encoder ends each line
	m := dispatch.Outgoing{Subject: subjects.Outcome(g.app, g.status, g.partition), ID: ":o/" + hex.EncodeToString(h.Sum(nil)), Data: data}
	if words := shownWords(g.shown); words != "" {
		m.Header = map[string]string{dispatch.HeaderShown: words}
	}
	if g.status == hongyan.StatusWaiting {
		m.Header = map[string]string{dispatch.HeaderJob: strings.Join(g.jobs, " ")}
	}
	return m, nil
}

// shownWords writes a word for each record; nothing where all are plain.
func shownWords(shown []dispatch.Shown) string {
	plain := true
	for _, s := range shown {
		plain = plain && s == ""
	}
	if plain {
		return ""
	}
	words := make([]string, len(shown))
	for i, s := range shown {
		if words[i] = string(s); s == "" {
			words[i] = dispatch.PlainShown
		}
	}
	return strings.Join(words, " ")
}
