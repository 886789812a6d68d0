package dispatch

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/jsonerror"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Job is one notification for the devices of one certificate that get the same content. It is what
// waits in PUSH_JOBS and what a dead letter holds.
type Job struct {
	// ID names the job after its message, certificate and devices.
	ID          string `json:"id"`
	App         string `json:"app"`
	Vendor      string `json:"vendor"`
	Certificate string `json:"certificate"`
	Lane        string `json:"lane"`
	// Published is when the message reached the stream; latencies count from it.
	Published time.Time `json:"published"`
	// NotBefore is when a job that waits may be tried; zero for at once.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Attempts that counted, and the times of the first and last one.
	Attempts     int       `json:"attempts,omitzero"`
	FirstAttempt time.Time `json:"first_attempt,omitzero"`
	LastAttempt  time.Time `json:"last_attempt,omitzero"`

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
}

// Encode writes the job as JSON.
func (j *Job) Encode() ([]byte, error) { return json.Marshal(j) }

// DecodeJob reads a job.
func DecodeJob(data []byte) (*Job, error) {
	j := new(Job)
	if err := json.Unmarshal(data, j); err != nil {
		return nil, fmt.Errorf("read job: %w", jsonerror.Describe(err, "the job"))
	}
	switch {
	case j.Notification == nil, len(j.Targets) == 0, j.App == "", j.Vendor == "", j.Certificate == "":
		return nil, fmt.Errorf("read job: it lacks a notification, targets, app, vendor or certificate")
	case j.Lane != hongyan.LaneUrgent && j.Lane != hongyan.LaneNormal:
		return nil, fmt.Errorf("read job: lane %q is neither urgent nor normal", strings.ToValidUTF8(j.Lane, "?"))
	}
	return j, nil
}

// part is a copy of the job for some of its targets.
func (j *Job) part(targets []Target) *Job {
	p := *j
	p.Targets = targets
	p.ID = jobID(&p)
	return &p
}

// device is what a driver gets for a target.
func (j *Job) device(i int) vendors.Device {
	t := &j.Targets[i]
	return vendors.Device{
		Token: t.Token, Region: t.Region, Key: key(j.App, j.Notification.MessageID, t.User, t.Device), RegisteredAt: t.RegisteredAt,
		Badge: t.Badge, Notification: j.Notification,
	}
}
