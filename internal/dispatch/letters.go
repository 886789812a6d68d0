package dispatch

import (
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

const (
	// HeaderJob of waiting records names, by a [Job.WaitName] for each line, the stored job that
	// its devices wait in; of a job that comes later it is the id under which it is stored then.
	HeaderJob = "Push-Job"
	// HeaderShown of accepted records says, by a [Shown] for each line, how the push stands on the
	// screens; absent where all are plain.
	HeaderShown = "Push-Shown"
	// HeaderLook of a job or piece says that it was stored from a message or job that had been
	// taken before, and since when, in RFC 3339, the records of its devices must be looked at
	// before they are pushed to.
	HeaderLook = "Push-Look"
)

// Headers of a dead letter.
const (
	HeaderReason       = "Push-Reason"
	HeaderVendorCode   = "Push-Vendor-Code"
	HeaderError        = "Push-Error"
	HeaderAttempts     = "Push-Attempts"
	HeaderFirstAttempt = "Push-First-Attempt"
	HeaderLastAttempt  = "Push-Last-Attempt"
	HeaderMessageID    = "Push-Message-Id"
	HeaderApp          = "Push-App"
	// HeaderSubject of an original message says where it was published.
	HeaderSubject = "Push-Subject"
	// HeaderTruncated says how many bytes there were before the letter was cut to what fits.
	HeaderTruncated = "Push-Truncated"
)

// DeadJob is the dead letter of a job's targets that share a fate.
func DeadJob(subjects hongyan.Subjects, job *Job, reason vendors.Reason, last vendors.Result, id string) (Outgoing, error) {
	data, err := job.Encode()
	if err != nil {
		return Outgoing{}, err
	}
	h := map[string]string{
		HeaderReason: reason.String(), HeaderAttempts: strconv.Itoa(job.Attempts),
		HeaderMessageID: HeaderValue(job.Notification.MessageID), HeaderApp: job.App,
	}
	put(h, HeaderVendorCode, last.Code)
	put(h, HeaderError, why(reason, last))
	if !job.FirstAttempt.IsZero() {
		h[HeaderFirstAttempt] = job.FirstAttempt.UTC().Format(time.RFC3339Nano)
		h[HeaderLastAttempt] = job.LastAttempt.UTC().Format(time.RFC3339Nano)
	}
	return Outgoing{Subject: subjects.Dead(job.Vendor, job.Certificate, reason), ID: id, Data: data, Header: h}, nil
}

// why explains to a person why a job is dead: in the driver's words, or where it gave none, in
// ours.
func why(reason vendors.Reason, last vendors.Result) string {
	said := ""
	switch {
	case last.Err != nil:
		said = last.Err.Error()
	case last.Reason == vendors.Expired:
		said = "the deadline passed while it waited"
	case last.Reason == vendors.DeviceCapped:
		said = "the device had its share of the day"
	case last.Reason == vendors.QuotaSpent:
		said = "the day's quota is used up, and the next day comes too late"
	case last.Code != "":
		said = "the vendor answered " + last.Code + " and no more"
	default:
		said = "the vendor gave no reason"
	}
	if reason != last.Reason {
		return last.Reason.String() + ": " + said
	}
	return said
}

// DeadMessage is the dead letter of a message that could not be read: its own bytes. It is
// malformed unless the caller gives another reason.
func DeadMessage(subjects hongyan.Subjects, d Delivery, app, messageID string, cause error, id string) Outgoing {
	_, stored, _ := d.Meta()
	h := map[string]string{
		HeaderReason: vendors.Malformed.String(), HeaderAttempts: "0", HeaderSubject: HeaderValue(d.Subject()),
		HeaderFirstAttempt: stored.UTC().Format(time.RFC3339Nano), HeaderLastAttempt: stored.UTC().Format(time.RFC3339Nano),
	}
	put(h, HeaderError, cause.Error())
	put(h, HeaderApp, app)
	put(h, HeaderMessageID, messageID)
	return Outgoing{Subject: subjects.Dead("", "", vendors.Malformed), ID: id, Data: d.Data(), Header: h}
}

func put(h map[string]string, key, value string) {
	if value != "" {
		h[key] = HeaderValue(value)
	}
}

// HeaderValue makes any text fit into one header line.
func HeaderValue(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return vendors.TextLimit{Max: 1024, Measure: vendors.Bytes}.Fit(s)
}
