package erase

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// Fate is what becomes of a dead letter.
type Fate int

const (
	// Keep leaves it: it is not about the user.
	Keep Fate = iota
	// Drop removes it: it is about nobody else.
	Drop
	// Split stores what it says of others, and removes it then.
	Split
)

// Letter says what becomes of a dead letter when a user of an app is erased, and what is stored of
// it before. created is when the letters' stream was made. It is pure.
//
// Of a job the user's targets go. Of a message that could not be planned, or a piece of one, the
// user is no recipient any more, and one that the user sent goes whole. One that cannot be read
// goes whole where the user's name stands in it: nobody can send it.
func Letter(l *dispatch.Letter, app, user string, created time.Time) (Fate, *dispatch.Outgoing, error) {
	if l.Header[dispatch.HeaderApp] != app {
		return Keep, nil, nil
	}
	id := fmt.Sprintf(":erase/%d/%d", created.UnixNano(), l.Sequence)
	if l.Original() {
		return message(l, user, id)
	}
	job, err := l.Job()
	if err != nil {
		return unreadable(l.Data, user), nil, nil
	}
	rest := slices.DeleteFunc(slices.Clone(job.Targets), func(t dispatch.Target) bool { return t.User == user })
	switch len(rest) {
	case len(job.Targets):
		return Keep, nil, nil
	case 0:
		return Drop, nil, nil
	}
	data, err := job.Part(rest).Encode()
	if err != nil {
		return Keep, nil, fmt.Errorf("write what stays of dead letter %d: %w", l.Sequence, err)
	}
	return Split, &dispatch.Outgoing{Subject: l.Subject, ID: id, Data: data, Header: l.Header}, nil
}

// message is Letter for a message's own bytes.
func message(l *dispatch.Letter, user, id string) (Fate, *dispatch.Outgoing, error) {
	m, write, err := original(l)
	if err != nil {
		return unreadable(l.Data, user), nil, nil
	}
	switch {
	case m.Sender.ID == user:
		return Drop, nil, nil
	case !about(m, user):
		return Keep, nil, nil
	}
	narrow(m, func(u string) bool { return u != user })
	if len(m.Recipients) == 0 {
		return Drop, nil, nil
	}
	data, err := write()
	if err != nil {
		return Keep, nil, fmt.Errorf("write what stays of dead letter %d: %w", l.Sequence, err)
	}
	return Split, &dispatch.Outgoing{Subject: l.Subject, ID: id, Data: data, Header: l.Header}, nil
}

// original reads the message in a letter that holds one, or a piece of one. write is the letter's
// data with what the message is by then.
func original(l *dispatch.Letter) (m *hongyan.Message, write func() ([]byte, error), err error) {
	m, _, err = hongyan.ParseMessage(l.Data, l.Stored)
	if err == nil {
		return m, func() ([]byte, error) { return json.Marshal(m) }, nil
	}
	p, notPiece := dispatch.ReadPiece(l.Data)
	if notPiece != nil || len(p.Message) == 0 {
		return nil, nil, err
	}
	if m, _, err = hongyan.ParseMessage(p.Message, p.Published); err != nil {
		return nil, nil, err
	}
	return m, func() ([]byte, error) {
		message, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		p.Message = message
		return json.Marshal(p)
	}, nil
}

// about says whether a message names a user who did not send it.
func about(m *hongyan.Message, user string) bool {
	_, counted := m.Unread[user]
	return counted || slices.Contains(m.Recipients, user) || slices.Contains(m.Mentions, user)
}

// narrow leaves of those whom a message names, beside its sender, the ones who stay.
func narrow(m *hongyan.Message, stays func(user string) bool) {
	goes := func(u string) bool { return !stays(u) }
	m.Recipients, m.Mentions = slices.DeleteFunc(m.Recipients, goes), slices.DeleteFunc(m.Mentions, goes)
	maps.DeleteFunc(m.Unread, func(u string, _ int) bool { return goes(u) })
}

// Part is a dead letter with what it says of a user alone, for one that is about the user as
// [Letter] has it: of a job the user's targets, of a message or a piece of one what names nobody
// else but its sender. A message that the user sent is the user's whole. Of bytes that are neither
// job nor message nobody knows whom else they name: the letter is empty. It is pure.
func Part(l *dispatch.Letter, user string) (*dispatch.Letter, error) {
	part := *l
	part.Data = nil
	var err error
	if l.Original() {
		m, write, unreadable := original(l)
		switch {
		case unreadable != nil:
		case m.Sender.ID == user:
			part.Data = l.Data
		default:
			narrow(m, func(u string) bool { return u == user })
			part.Data, err = write()
		}
	} else if job, unreadable := l.Job(); unreadable == nil {
		part.Data, err = job.Part(slices.DeleteFunc(slices.Clone(job.Targets), func(t dispatch.Target) bool { return t.User != user })).Encode()
	}
	if err != nil {
		return nil, fmt.Errorf("write the part of dead letter %d: %w", l.Sequence, err)
	}
	return &part, nil
}

// unreadable is the fate of bytes that are neither job nor message.
func unreadable(data []byte, user string) Fate {
	quoted, err := jsontext.AppendQuote(nil, user)
	if err == nil && bytes.Contains(data, quoted) {
		return Drop
	}
	return Keep
}
