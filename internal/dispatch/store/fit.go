package store

import (
	"context"
	"errors"
	"strconv"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// letterBytes is what is kept of a dead letter that the server does not take whole.
const letterBytes = 64 << 10

// storeAll is Publish for what must not vanish: a message that the server can never take as it is
// becomes others that it takes. A job is halved, down to one device; what still does not fit, or
// cannot be written at all, becomes a dead letter that is cut and says so. errs is as Publish's,
// and an error means that trying again has a point.
func storeAll(ctx context.Context, q dispatch.Queue, subjects hongyan.Subjects, msgs []dispatch.Outgoing) (errs []error) {
	if len(msgs) == 0 {
		return nil
	}
	errs = q.Publish(ctx, msgs)
	failed := false
	for i, err := range errs {
		if errors.Is(err, dispatch.ErrPermanent) {
			errs[i] = storeInstead(ctx, q, subjects, msgs[i], err)
		}
		failed = failed || errs[i] != nil
	}
	if !failed {
		return nil
	}
	return errs
}

func storeInstead(ctx context.Context, q dispatch.Queue, subjects hongyan.Subjects, o dispatch.Outgoing, cause error) error {
	instead := replace(subjects, o, cause)
	if instead == nil {
		return cause
	}
	return errors.Join(storeAll(ctx, q, subjects, instead)...)
}

// replace gives the messages that stand for one which can never be stored; nil when there are none.
// Each is smaller than the one that it stands for, so that replacing ends.
func replace(subjects hongyan.Subjects, o dispatch.Outgoing, cause error) []dispatch.Outgoing {
	subject, err := subjects.Parse(o.Subject)
	if err == nil && subject.Kind == hongyan.KindDead {
		return cutLetter(o)
	}
	job, err := dispatch.DecodeJob(o.Data)
	if err != nil || subject.Kind != hongyan.KindJob {
		return []dispatch.Outgoing{Stranded(subjects, o, cause)}
	}
	if n := len(job.Targets); n > 1 {
		var halves []dispatch.Outgoing
		for k, targets := range [][]dispatch.Target{job.Targets[:n/2], job.Targets[n/2:]} {
			part := job.Part(targets)
			data, err := part.Encode()
			if err != nil {
				return []dispatch.Outgoing{Stranded(subjects, o, cause)}
			}
			halves = append(halves, dispatch.Outgoing{Subject: o.Subject, ID: o.ID + "/" + strconv.Itoa(k), Data: data, Header: o.Header})
		}
		return halves
	}
	t := &job.Targets[0]
	end := hongyan.Outcome{MessageID: job.Notification.MessageID, App: job.App, Vendor: job.Vendor, Certificate: job.Certificate, Status: hongyan.StatusDead,
		At: job.Published.UTC(), Devices: []hongyan.DeviceOutcome{{User: t.User, Device: t.Device, Reason: vendors.BadPayload, Attempt: job.Attempts}}}
	if job.Withdraws { // its end is a record alone
		end.Status, end.Devices[0].Reason = hongyan.StatusWithdrawn, hongyan.NotPossible
		if record, err := one(end).message(subjects); err == nil {
			return []dispatch.Outgoing{record}
		}
	}
	last := vendors.Result{Reason: vendors.BadPayload, Err: cause}
	letter, err := dispatch.DeadJob(subjects, job, vendors.BadPayload, last, o.ID+"/dead")
	if err != nil {
		return []dispatch.Outgoing{Stranded(subjects, o, cause)}
	}
	record, err := one(end).message(subjects)
	if err != nil {
		return []dispatch.Outgoing{letter}
	}
	return []dispatch.Outgoing{letter, record}
}

// one is the gathering of one record about one device.
func one(o hongyan.Outcome) *gathering {
	return &gathering{sheet: sheet{o.App, o.Status, hongyan.Partition(o.Devices[0].User)}, jobs: []string{""}, shown: []dispatch.Shown{""}, records: []hongyan.Outcome{o}}
}

// Stranded is the dead letter of a message of ours that can be neither stored nor read.
func Stranded(subjects hongyan.Subjects, o dispatch.Outgoing, cause error) dispatch.Outgoing {
	h := map[string]string{dispatch.HeaderReason: vendors.Malformed.String(), dispatch.HeaderAttempts: "0", dispatch.HeaderSubject: dispatch.HeaderValue(o.Subject)}
	h[dispatch.HeaderError] = dispatch.HeaderValue(cause.Error())
	letter := dispatch.Outgoing{Subject: subjects.Dead("", "", vendors.Malformed), Data: o.Data, Header: h}
	if o.ID != "" {
		letter.ID = o.ID + "/dead"
	}
	return letter
}

// cutLetter shortens a dead letter that does not fit; nil when nothing is left to cut.
func cutLetter(o dispatch.Outgoing) []dispatch.Outgoing {
	if len(o.Data) == 0 {
		return nil
	}
	size := strconv.Itoa(len(o.Data))
	if was, cut := o.Header[dispatch.HeaderTruncated]; cut {
		size = was
	}
	h := map[string]string{dispatch.HeaderTruncated: size}
	for k, v := range o.Header {
		if k != dispatch.HeaderTruncated {
			h[k] = v
		}
	}
	o.Header, o.Data = h, o.Data[:min(letterBytes, len(o.Data)/2)]
	return []dispatch.Outgoing{o}
}
