package trail

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Decision is what a record says of one device, with what it means.
type Decision struct {
	MessageID   string         `json:"message_id"`
	App         string         `json:"app"`
	Vendor      string         `json:"vendor"`
	Certificate string         `json:"certificate"`
	Status      hongyan.Status `json:"status"`
	At          time.Time      `json:"at"`
	hongyan.DeviceOutcome
	// Over says of a push that was stored to be sent later that something came of it since: another
	// try, or an end.
	Over bool `json:"over,omitzero"`
	// Rule is the place of the rule that suppressed the push in the order in which they apply, from
	// 1; 0 where none did.
	Rule int `json:"rule,omitzero"`
	// Error is what the dead letter says, where there is one, and Letter its number.
	Error  string `json:"error,omitempty"`
	Letter uint64 `json:"letter,omitzero"`
	// Meaning is what the vendor means by its code, where that is known.
	Meaning string `json:"meaning,omitempty"`
	Advice  string `json:"advice"`

	job    string    // of a waiting one, the hash of the job's name
	stored time.Time // when the record was stored
}

// Waiting is a job that waits.
type Waiting struct {
	Vendor      string    `json:"vendor"`
	Certificate string    `json:"certificate"`
	Device      string    `json:"device"`
	Lane        string    `json:"lane"`
	Attempts    int       `json:"attempts"`
	NotBefore   time.Time `json:"not_before,omitzero"`
	Deadline    time.Time `json:"deadline"`
	// Reason and Code say why it waits, and Since since when, where a record tells: none tells of a
	// job that a replay brought back.
	Reason hongyan.Reason `json:"reason,omitempty"`
	Code   string         `json:"code,omitempty"`
	Since  time.Time      `json:"since,omitzero"`
}

// decisions reads the user's records and, of the dead devices, what the letters say.
func (x *explainer) decisions(ctx context.Context) error {
	var all []Decision
	dropped := 0
	keep := x.q.Limit
	if x.e.Message != "" {
		keep = 0
	}
	trim := func(above int) {
		if n := len(all) - keep; keep > 0 && len(all) > above {
			all = slices.Delete(all, 0, n)
			dropped += n
		}
	}
	err := x.Bus.Records(ctx, x.e.App, hongyan.Partition(x.e.User), x.q.Since, func(r dispatch.Record) bool {
		x.one()
		if x.e.Message != "" && r.MessageID != x.e.Message {
			return true
		}
		for i := range r.Devices {
			if r.Devices[i].User == x.e.User {
				all = append(all, decided(&r, i, x.Language))
			}
		}
		trim(2 * keep)
		return true
	})
	if err != nil {
		return err
	}
	trim(keep)
	if dropped > 0 {
		x.note(textOlder, dropped)
	}
	order(all)
	x.e.Decisions = all
	box, err := x.Bus.LetterBox(ctx)
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Status == hongyan.StatusDead {
			if err = x.lastWords(ctx, box, &all[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// decided is what a record says of its i-th device, with what it means.
func decided(r *dispatch.Record, i int, l explain.Language) Decision {
	d := Decision{MessageID: r.MessageID, App: r.App, Vendor: r.Vendor, Certificate: r.Certificate, Status: r.Status, At: r.At, DeviceOutcome: r.Devices[i],
		Advice: explain.Advice(r.Status, r.Devices[i].Reason).In(l), job: r.Job, stored: r.Stored}
	if d.Status == hongyan.StatusSuppressed {
		d.Rule, _ = explain.Rule(d.Reason)
	}
	if d.VendorCode != "" && d.Status != hongyan.StatusAccepted {
		meaning, _ := explain.Meaning(d.Vendor, d.VendorCode, d.Reason)
		d.Meaning = meaning.In(l)
	}
	return d
}

// order puts decisions in the order in which they were taken, which is not always that in which
// they were stored, and marks those that waited and of which something came later.
func order(all []Decision) {
	slices.SortStableFunc(all, func(a, b Decision) int { return a.At.Compare(b.At) })
	type push struct{ message, device string }
	later := map[push]bool{}
	for i := len(all) - 1; i >= 0; i-- {
		d := &all[i]
		if d.Status == hongyan.StatusWaiting {
			// a record without a device is about all of the user's
			d.Over = later[push{d.MessageID, d.Device}] || later[push{d.MessageID, ""}]
		}
		if d.Status == hongyan.StatusWaiting || d.Status.End() {
			later[push{d.MessageID, d.Device}] = true
		}
	}
}

// lastWords finds the error in a dead device's letter; there is none when the letter is gone.
func (x *explainer) lastWords(ctx context.Context, box *bus.LetterBox, o *Decision) error {
	filter := dispatch.LetterFilter{Vendor: cmp.Or(o.Vendor, "none"), Certificate: cmp.Or(o.Certificate, "none"), Reason: o.Reason, App: o.App, User: o.User,
		Message: o.MessageID, Since: o.At.Add(-time.Minute), Until: o.stored.Add(time.Minute)}
	if o.Vendor == "" {
		filter.User = "" // the letter is the message itself
	}
	return x.letters(ctx, box, &filter, func(l *dispatch.Letter) {
		o.Error, o.Letter = l.Header[dispatch.HeaderError], l.Sequence
		if job, err := dispatch.DecodeJob(l.Data); err == nil && x.e.Message != "" {
			x.preview(job, o.Device, o.Status)
		}
	})
}

// letters calls each with the letters that fit, up to lookLimit of those that have to be read.
func (x *explainer) letters(ctx context.Context, box *bus.LetterBox, filter *dispatch.LetterFilter, each func(*dispatch.Letter)) error {
	from, since := uint64(0), filter.Since
	for read := 0; read < lookLimit; {
		letters, err := box.Letters(ctx, filter.Subject(x.Bus.Topology().Subjects), from, since, 1000)
		if err != nil || len(letters) == 0 {
			return err
		}
		for i := range letters {
			x.one()
			if filter.Past(&letters[i]) {
				return nil
			}
			if filter.Match(&letters[i]) {
				each(&letters[i])
			}
		}
		from = letters[len(letters)-1].Sequence + 1
		read += len(letters)
	}
	return nil
}

// message says what waits of a message, and looks for it where no record speaks of it yet.
func (x *explainer) message(ctx context.Context) error {
	if err := x.waiting(ctx); err != nil {
		return err
	}
	has := map[string]bool{} // devices with a job that waits
	for _, w := range x.e.Waiting {
		has[w.Device] = true
		next := textIsNext.In(x.Language)
		if w.NotBefore.After(x.Now()) {
			next = textNextTry.Format(x.Language, x.ago(w.NotBefore))
		}
		x.note(textJobWaits, w.Device, w.Vendor, w.Certificate, w.Attempts, next, x.ago(w.Deadline))
		if w.Reason != "" {
			x.note(textStored, x.ago(w.Since), w.Reason)
		}
	}
	for i := range x.e.Decisions {
		if d := &x.e.Decisions[i]; d.Status == hongyan.StatusWaiting && !d.Over && !has[d.Device] {
			x.note(textJobIsGone, d.Device)
		}
	}
	if len(x.e.Decisions)+len(x.e.Waiting) > 0 {
		return x.undecided(ctx, has)
	}
	return x.nowhere(ctx)
}

// undecided says on which of the user's devices a worker is at the message this moment, beside
// those of which something is known. waits are the devices with a job that waits.
func (x *explainer) undecided(ctx context.Context, waits map[string]bool) error {
	known := maps.Clone(waits)
	for i := range x.e.Decisions {
		known[x.e.Decisions[i].Device] = true
	}
	var open []string
	for i := range x.e.Devices {
		if d := x.e.Devices[i].Device; !known[d] && !known[""] { // a record without a device is about all
			open = append(open, d)
		}
	}
	if len(open) == 0 {
		return nil
	}
	unrouted, err := x.unrouted(ctx)
	if unrouted {
		x.note(textUndecided, strings.Join(open, ", "))
	}
	return err
}

// nowhere looks for a message that nothing was decided of: among those that no worker has read, and
// among those that none could read.
func (x *explainer) nowhere(ctx context.Context) error {
	unrouted, err := x.unrouted(ctx)
	if err != nil {
		return err
	}
	if unrouted {
		x.note(textUnrouted)
		return nil
	}
	return x.malformed(ctx)
}

// waiting looks for the message's jobs under the certificates of the user's devices, and those that
// its records name.
func (x *explainer) waiting(ctx context.Context) error {
	certificates := map[string]bool{}
	for _, d := range x.e.Devices {
		certificates[d.Certificate] = true
		certificates[d.VoIPCertificate] = true
	}
	for i := range x.e.Decisions {
		certificates[x.e.Decisions[i].Certificate] = true
	}
	delete(certificates, "")
	seen := map[string]bool{}
	for certificate := range certificates {
		for _, vendor := range hongyan.Vendors {
			read := 0
			where := hongyan.Subject{Kind: hongyan.KindJob, Vendor: vendor, Certificate: certificate, Lane: "*"}
			err := x.Bus.Waiting(ctx, where, x.q.Since, func(w dispatch.Waiting) bool {
				x.one()
				read++
				job, err := dispatch.DecodeJob(w.Data)
				if err != nil || job.App != x.e.App || job.Notification.MessageID != x.e.Message {
					return read < lookLimit
				}
				for _, target := range job.Targets {
					if target.User != x.e.User || seen[target.Device+"\x00"+certificate] {
						continue
					}
					seen[target.Device+"\x00"+certificate] = true
					x.e.Waiting = append(x.e.Waiting, x.view(job, target.Device))
					x.preview(job, target.Device, hongyan.StatusWaiting)
				}
				return read < lookLimit
			})
			if err != nil {
				return err
			}
			if read >= lookLimit {
				x.note(textMany, lookLimit, vendor, certificate)
			}
		}
	}
	slices.SortFunc(x.e.Waiting, func(a, b Waiting) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Certificate, b.Certificate))
	})
	return nil
}

// view is a job of a device, with what the records say of why it waits: the one that names the job,
// or else the device's last.
func (x *explainer) view(job *dispatch.Job, device string) Waiting {
	v := Waiting{Vendor: job.Vendor, Certificate: job.Certificate, Device: device, Lane: job.Lane, Attempts: job.Attempts, NotBefore: job.NotBefore,
		Deadline: job.Notification.Deadline}
	name := job.WaitName()
	for i := range x.e.Decisions {
		if d := &x.e.Decisions[i]; d.Status == hongyan.StatusWaiting && d.Device == device && (!d.Over || d.job == name) {
			v.Reason, v.Code, v.Since = d.Reason, d.VendorCode, d.At
			if d.job == name {
				break
			}
		}
	}
	return v
}

// unrouted says whether the message, or a piece of it that may name the user, waits for a worker to
// read it, or to be done with it.
func (x *explainer) unrouted(ctx context.Context) (found bool, err error) {
	places := []hongyan.Subject{{Kind: hongyan.KindUrgent, App: x.e.App}, {Kind: hongyan.KindMessage, App: x.e.App}}
	for partition := range hongyan.Partitions {
		if x.e.User == "" || partition == hongyan.Partition(x.e.User) {
			places = append(places, hongyan.Subject{Kind: hongyan.KindPiece, App: x.e.App, Partition: partition})
		}
	}
	for _, where := range places {
		read := 0
		err = x.Bus.Waiting(ctx, where, x.q.Since, func(w dispatch.Waiting) bool {
			x.one()
			read++
			if found = w.ID == x.e.App+"/"+x.e.Message; !found {
				data := w.Data
				if where.Kind == hongyan.KindPiece {
					data = messageOf(data)
				}
				m, _, err := hongyan.ParseMessage(data, w.Stored)
				found = err == nil && m.ID == x.e.Message
			}
			return !found && read < lookLimit
		})
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// messageOf is the message in a piece; nothing where it cannot be read.
func messageOf(piece []byte) []byte {
	var p struct {
		Message jsontext.Value `json:"message"`
	}
	if json.Unmarshal(piece, &p) != nil {
		return nil
	}
	return p.Message
}

// malformed looks for the message among those that could not be read.
func (x *explainer) malformed(ctx context.Context) error {
	box, err := x.Bus.LetterBox(ctx)
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	filter := dispatch.LetterFilter{Reason: vendors.Malformed, App: x.e.App, Message: x.e.Message, Since: x.q.Since}
	found := false
	err = x.letters(ctx, box, &filter, func(l *dispatch.Letter) {
		found = true
		x.note(textMalformed, l.Header[dispatch.HeaderError], l.Sequence, explain.Result(vendors.Malformed).In(x.Language))
	})
	switch {
	case err != nil || found:
	case x.e.User == "":
		x.note(textNothingOf, x.e.Message, explain.When(x.q.Since), x.e.App)
	default:
		x.note(textNothingOfUser, x.e.Message, x.e.User, explain.When(x.q.Since), x.e.App)
	}
	return err
}
