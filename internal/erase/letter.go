package erase

import (
	"bytes"
	"fmt"
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
// Of a job the user's targets go. Of a message that could not be planned the user is no recipient
// any more, and one that the user sent goes whole. One that cannot be read goes whole where the
// user's name stands in it: nobody can send it.
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
	m, _, err := hongyan.ParseMessage(l.Data, l.Stored)
	if err != nil {
		return unreadable(l.Data, user), nil, nil
	}
	is := func(u string) bool { return u == user }
	_, counted := m.Unread[user]
	switch {
	case m.Sender.ID == user:
		return Drop, nil, nil
	case !slices.ContainsFunc(m.Recipients, is) && !slices.ContainsFunc(m.Mentions, is) && !counted:
		return Keep, nil, nil
	}
	m.Recipients, m.Mentions = slices.DeleteFunc(m.Recipients, is), slices.DeleteFunc(m.Mentions, is)
	delete(m.Unread, user)
	if len(m.Recipients) == 0 {
		return Drop, nil, nil
	}
	data, err := json.Marshal(m)
	if err != nil {
		return Keep, nil, fmt.Errorf("write what stays of dead letter %d: %w", l.Sequence, err)
	}
	return Split, &dispatch.Outgoing{Subject: l.Subject, ID: id, Data: data, Header: l.Header}, nil
}

// unreadable is the fate of bytes that are neither job nor message.
func unreadable(data []byte, user string) Fate {
	quoted, err := jsontext.AppendQuote(nil, user)
	if err == nil && bytes.Contains(data, quoted) {
		return Drop
	}
	return Keep
}
