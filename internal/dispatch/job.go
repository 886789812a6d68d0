package dispatch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/jsonerror"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// JobVersion is the form in which jobs are stored. A worker leaves what a newer one wrote to the
// newer ones.
const JobVersion = 3

// ErrNewerJob is a job that a newer worker stored, in a form that this one does not know.
var ErrNewerJob = errors.New("a newer worker wrote it")

// Job is one notification for those devices of one certificate and one partition of users that get
// the same content. Devices with one token are one phone and get one push: they stand together, and
// the first of them says of what content and partition. A job that has to wait is stored in
// PUSH_JOBS; a dead letter holds one.
type Job struct {
	Version int `json:"v"`
	// ID names the job after its message, partition, certificate and variant: a message that is
	// planned again makes the same jobs, whatever changed in between. Name gives it.
	ID          string `json:"id"`
	App         string `json:"app"`
	Vendor      string `json:"vendor"`
	Certificate string `json:"certificate"`
	Lane        string `json:"lane"`
	// Variant tells the contents of a message for one certificate apart.
	Variant string `json:"variant,omitempty"`
	// Bulk says that the job comes from a message to so many users that it must not hold up those
	// to few.
	Bulk bool `json:"bulk,omitzero"`
	// Published is when the message reached the stream; latencies count from it.
	Published time.Time `json:"published"`
	// SentAt is when the message was sent.
	SentAt time.Time `json:"sent_at,omitzero"`
	// Decided is when it was decided last that the devices are pushed to. What waits for long since
	// then is decided again.
	Decided time.Time `json:"decided,omitzero"`
	// IgnoreMute says that the message is pushed whatever the users muted.
	IgnoreMute bool `json:"ignore_mute,omitzero"`
	// Withdraws says that the job takes back, or overwrites, what was accepted of the message under
	// the notification's ReplaceKey. Its devices end as withdrawn, whatever becomes of it.
	Withdraws bool `json:"withdraws,omitzero"`
	// NotBefore is when a job that waits may be tried; zero for at once.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Attempts that counted, and the times of the first and last one.
	Attempts     int       `json:"attempts,omitzero"`
	FirstAttempt time.Time `json:"first_attempt,omitzero"`
	LastAttempt  time.Time `json:"last_attempt,omitzero"`

	// StoredAs names this storing of the job, Turn counts those of its devices up to this one. The
	// waiting records of its devices carry [Job.WaitName], which is made of both, in HeaderJob.
	StoredAs string `json:"stored_as,omitzero"`
	Turn     int    `json:"turn,omitzero"`
	// Trace is the trace context of the message; it travels in a header.
	Trace string `json:"-"`

	Notification *vendors.Notification `json:"notification"`
	Targets      []Target              `json:"targets"`
}

// Target is one device of a job.
type Target struct {
	User   string `json:"user"`
	Device string `json:"device"`
	Token  string `json:"token"`
	Region string `json:"region,omitempty"`
	// Revision is the registration's, as it was read; a dead token is removed only if it is still
	// that.
	Revision     uint64    `json:"revision,omitzero"`
	RegisteredAt time.Time `json:"registered_at,omitzero"`
	Badge        *int      `json:"badge,omitempty"`
	// Alert, with a push over VoIP, is where an alert goes if that is refused.
	Alert *Alert `json:"alert,omitempty"`
	// Mentioned says that the message mentions the user.
	Mentioned bool `json:"mentioned,omitzero"`
	// TakenBack, of a job that withdraws, says that the vendor has taken back the push to the
	// device; what overwrites it where a phone shows it already is still to be pushed.
	TakenBack bool `json:"taken_back,omitzero"`
}

// Decided is what a second decision says of a target of a job that waited.
type Decided struct {
	// Suppressed says why the device is not pushed to any more; empty where it is.
	Suppressed hongyan.Reason
	// Target is the target as the directory has it now, where it is pushed to.
	Target Target
}

// Alert is where an alert reaches a device that a job pushes to over VoIP.
type Alert struct {
	Vendor      string `json:"vendor"`
	Certificate string `json:"certificate"`
	Token       string `json:"token"`
}

// Fallback is the job that shows an alert on a device whose VoIP token a vendor does not take. The
// target must have an Alert.
func (j *Job) Fallback(i int) *Job {
	t := j.Targets[i]
	next, note := *j, *j.Notification
	note.VoIP, note.Fallback = false, true
	next.ID, next.Vendor, next.Certificate, next.Variant = "", t.Alert.Vendor, t.Alert.Certificate, j.Variant+"-fallback"
	next.Attempts, next.FirstAttempt, next.LastAttempt, next.NotBefore = 0, time.Time{}, time.Time{}, time.Time{}
	t.Token, t.Alert = t.Alert.Token, nil
	next.Notification, next.Targets = &note, []Target{t}
	return &next
}

// Encode writes the job as JSON.
func (j *Job) Encode() ([]byte, error) {
	j.Version, j.ID = JobVersion, j.Name()
	return json.Marshal(j)
}

// DecodeJob reads a job. The error is ErrNewerJob where the job is none of ours to read.
func DecodeJob(data []byte) (*Job, error) {
	j := new(Job)
	if err := json.Unmarshal(data, j); err != nil {
		return nil, fmt.Errorf("read job: %w", jsonerror.Describe(err, "the job"))
	}
	switch {
	case j.Version > JobVersion:
		return nil, fmt.Errorf("read job of form %d: %w", j.Version, ErrNewerJob)
	case j.Version < JobVersion:
		return nil, fmt.Errorf("read job: it has form %d, which only an earlier edition wrote", j.Version)
	case j.Notification == nil, len(j.Targets) == 0, j.App == "", j.Vendor == "", j.Certificate == "":
		return nil, errors.New("read job: it lacks a notification, targets, app, vendor or certificate")
	case j.Lane != hongyan.LaneUrgent && j.Lane != hongyan.LaneNormal:
		return nil, fmt.Errorf("read job: lane %q is neither urgent nor normal", strings.ToValidUTF8(j.Lane, "?"))
	}
	return j, nil
}

// Name is the job's ID.
func (j *Job) Name() string {
	if j.ID == "" {
		j.ID = j.App + "/" + j.Notification.MessageID + "/" + strconv.FormatInt(j.Published.UnixNano(), 36) + "/" +
			strconv.Itoa(hongyan.Partition(j.Targets[0].User)) + "/" + j.Certificate + "/" + j.Variant
	}
	return j.ID
}

// Sent is when the job's message was sent, as far as is known.
func (j *Job) Sent() time.Time {
	if j.SentAt.IsZero() {
		return j.Published
	}
	return j.SentAt
}

// Part is a copy of the job for some of its targets.
func (j *Job) Part(targets []Target) *Job {
	p := *j
	p.Targets = targets
	return &p
}

// Device is what a driver gets for a target.
func (j *Job) Device(i int) vendors.Device {
	t := &j.Targets[i]
	d := vendors.Device{
		Token: t.Token, Region: t.Region, RegisteredAt: t.RegisteredAt, Badge: t.Badge, Notification: j.Notification,
	}
	if j.Withdraws {
		d.Key = Key(j.App, j.Notification.MessageID, t.User, t.Device, withdrawal)
	} else {
		d.Key = Key(j.App, j.Notification.MessageID, t.User, t.Device)
	}
	return d
}

// withdrawal tells the keys of what overwrites a message from the message's own.
const withdrawal = "withdrawal"

// WithdrawalKey is the [vendors.Notification.Key] of what overwrites a message.
func WithdrawalKey(app, messageID string) string { return Key(app, messageID, withdrawal) }

// Key is 32 lower-case hex digits, stable for its parts.
func Key(parts ...string) string {
	buf := make([]byte, 0, 160)
	for _, p := range parts {
		buf = append(append(buf, p...), 0)
	}
	sum := sha256.Sum256(buf)
	var digits [32]byte
	hex.Encode(digits[:], sum[:16])
	return string(digits[:])
}

// DeviceHash names a device of a user in a short word, for ids.
func DeviceHash(user, device string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(user)) // a hash never fails
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(device))
	return strconv.FormatUint(h.Sum64(), 36)
}

// TokenHash names a token in logs and answers without telling it.
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:4])
}

// WaitName is how HeaderJob names the stored job. Of the jobs in which a device waits one after the
// other, the later one has the greater name, whenever the records that name them are stored.
func (j *Job) WaitName() string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(j.StoredAs)) // a hash never fails
	return fmt.Sprintf("%08d.%s", j.Turn, strconv.FormatUint(h.Sum64(), 36))
}
