package dispatch

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan"
)

// Ended is what became of a message on one device: an outcome, and one of its devices.
type Ended struct {
	hongyan.Outcome
	hongyan.DeviceOutcome
}

// ParseEnded reads the body of a message on push.outcome.>, device by device. What could be read
// comes with the error.
func ParseEnded(data []byte) ([]Ended, error) {
	outcomes, err := hongyan.ParseOutcomes(data)
	var ends []Ended
	for _, o := range outcomes {
		for _, d := range o.Devices {
			ends = append(ends, Ended{o, d})
		}
	}
	return ends, err
}

// outcome is the message that records one end; its ID is left to the caller.
func outcome(subjects hongyan.Subjects, e Ended) (Outgoing, error) {
	o := e.Outcome
	o.Devices = []hongyan.DeviceOutcome{e.DeviceOutcome}
	data, err := json.Marshal(&o, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return Outgoing{}, err
	}
	return Outgoing{Subject: subjects.Outcome(o.App, o.Status, hongyan.Partition(e.User)), Data: data}, nil
}

// recordDevices is how many devices one record of several names at most; they are well below 64
// KiB.
const recordDevices = 200

// waiting are the records that say that devices wait in a job which is stored: one for each
// partition.
func waiting(subjects hongyan.Subjects, job *Job, devices []hongyan.DeviceOutcome, now time.Time) ([]Outgoing, error) {
	parts := map[int][]hongyan.DeviceOutcome{}
	var order []int
	for _, d := range devices {
		p := hongyan.Partition(d.User)
		if parts[p] == nil {
			order = append(order, p)
		}
		parts[p] = append(parts[p], d)
	}
	var msgs []Outgoing
	for _, p := range order {
		for some := range slices.Chunk(parts[p], recordDevices) {
			o := hongyan.Outcome{MessageID: job.Notification.MessageID, App: job.App, Vendor: job.Vendor, Certificate: job.Certificate,
				Status: hongyan.StatusWaiting, At: now.UTC(), Devices: some}
			data, err := json.Marshal(&o, jsontext.AllowInvalidUTF8(true))
			if err != nil {
				return nil, err
			}
			msgs = append(msgs, Outgoing{Subject: subjects.Outcome(o.App, o.Status, p), Data: data,
				ID: fmt.Sprintf(":w%s/%d/%s", job.StoredAs, p, deviceHash(some[0].User, some[0].Device)), Header: map[string]string{HeaderJob: job.StoredAs}})
		}
	}
	return msgs, nil
}

// deviceHash names a device of a user in a short word, for ids.
func deviceHash(user, device string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(user)) // a hash never fails
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(device))
	return strconv.FormatUint(h.Sum64(), 36)
}

// tryID names a try of a delivery: the same for all that comes of it, and however often that is
// published.
func tryID(subject string, c *claim, attempt int) string {
	return subject + "/" + strconv.FormatUint(c.at.sequence, 36) + "/" + strconv.FormatInt(c.at.stored, 36) + "/" + strconv.Itoa(attempt)
}
