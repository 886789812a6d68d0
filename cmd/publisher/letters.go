package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/trail"
)

// letterView is a dead letter in answers. Job and Body are given by show and export only.
type letterView struct {
	Sequence     uint64         `json:"sequence"`
	Died         time.Time      `json:"died"`
	Vendor       string         `json:"vendor"`
	Certificate  string         `json:"certificate"`
	Reason       string         `json:"reason"`
	Code         string         `json:"code,omitempty"`
	Error        string         `json:"error,omitempty"`
	App          string         `json:"app,omitempty"`
	Message      string         `json:"message,omitempty"`
	Attempts     int            `json:"attempts"`
	FirstAttempt string         `json:"first_attempt,omitempty"`
	LastAttempt  string         `json:"last_attempt,omitempty"`
	Devices      int            `json:"devices"`
	Deadline     time.Time      `json:"deadline,omitzero"`
	Subject      string         `json:"subject,omitempty"`
	Job          jsontext.Value `json:"job,omitempty"`
	Body         []byte         `json:"body,omitempty"` // of an original message, base64
}

func viewLetter(l *dispatch.Letter, whole, showTokens bool) letterView {
	v := letterView{Sequence: l.Sequence, Died: l.Stored, Code: l.Header[dispatch.HeaderVendorCode], Error: l.Header[dispatch.HeaderError],
		App: l.Header[dispatch.HeaderApp], Message: l.Header[dispatch.HeaderMessageID], FirstAttempt: l.Header[dispatch.HeaderFirstAttempt],
		LastAttempt: l.Header[dispatch.HeaderLastAttempt], Subject: l.Header[dispatch.HeaderSubject]}
	v.Vendor, v.Certificate, v.Reason = cmp.Or(l.Vendor, "none"), cmp.Or(l.Certificate, "none"), l.Reason.String()
	v.Attempts, _ = strconv.Atoi(l.Header[dispatch.HeaderAttempts]) // 0 where it is absent
	job, err := l.Job()
	if l.Original() || err != nil {
		if whole {
			v.Body = l.Data
		}
		return v
	}
	v.Devices, v.Deadline = len(job.Targets), job.Notification.Deadline
	if whole {
		for i := range job.Targets {
			job.Targets[i].Token = trail.Token(job.Targets[i].Token, showTokens)
		}
		if v.Job, err = job.Encode(); err != nil {
			v.Body = l.Data // what was read can be written; else show it as it is
		}
	}
	return v
}

// letters opens the dead letters.
func (t *tool) letters(ctx context.Context) (*bus.Bus, *bus.LetterBox, error) {
	b, err := t.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	step, cancel := t.step(ctx)
	defer cancel()
	box, err := b.LetterBox(step)
	if err != nil {
		b.Close()
		return nil, nil, err
	}
	return b, box, nil
}

// eachLetter calls each with the letters that exist now and are meant, oldest first, until it
// returns an error.
func (t *tool) eachLetter(ctx context.Context, box *bus.LetterBox, filter *dispatch.LetterFilter, each func(*dispatch.Letter) error) error {
	step, cancel := t.step(ctx)
	last, _, err := box.Bounds(step)
	cancel()
	if err != nil {
		return err
	}
	subject := filter.Subject(t.topology().Subjects)
	from, since := uint64(0), filter.Since
	for {
		step, cancel := t.step(ctx)
		letters, err := box.Letters(step, subject, from, since, 1000)
		cancel()
		if err != nil {
			return err
		}
		if len(letters) == 0 {
			return nil
		}
		for i := range letters {
			l := &letters[i]
			if l.Sequence > last || !filter.Until.IsZero() && !l.Stored.Before(filter.Until) {
				return nil
			}
			if filter.Match(l) {
				if err := each(l); err != nil {
					return err
				}
			}
		}
		from = letters[len(letters)-1].Sequence + 1
	}
}

func sequences(args []string) ([]uint64, error) {
	seqs := make([]uint64, len(args))
	for i, a := range args {
		n, err := strconv.ParseUint(a, 10, 64)
		if err != nil || n == 0 {
			return nil, cli.UsageError(fmt.Errorf("%q is no letter's number; \"publisher dead list\" shows them in its first column", a))
		}
		seqs[i] = n
	}
	return seqs, nil
}

// letter reads one letter by its number.
func (t *tool) letter(ctx context.Context, box *bus.LetterBox, seq uint64) (*dispatch.Letter, error) {
	ctx, cancel := t.step(ctx)
	defer cancel()
	every := dispatch.LetterFilter{}
	letters, err := box.Letters(ctx, every.Subject(t.topology().Subjects), seq, time.Time{}, 1)
	if err != nil {
		return nil, err
	}
	if len(letters) == 0 || letters[0].Sequence != seq {
		return nil, fmt.Errorf("there is no dead letter %d: it was replayed, purged or erased, or is older than dead letters are kept", seq)
	}
	return &letters[0], nil
}
