package route

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

const (
	// maxWhole and maxWholeBytes are the most recipients and bytes of a message that is planned as
	// a whole. A larger one is divided by the partitions of its users, so that several workers
	// share it and nothing waits behind it.
	maxWhole      = 500
	maxWholeBytes = 256 << 10
)

// divided says whether a message must be divided. Calls never are: their way must be short.
func divided(m *hongyan.Message, size int) bool {
	return !m.Rings() && (len(m.Recipients) > maxWhole || size > maxWholeBytes)
}

// parts divides a message by the partitions of its recipients; a part without any is nil.
func parts(m *hongyan.Message) (all [hongyan.Partitions]*hongyan.Message) {
	part := func(user string) *hongyan.Message { return all[hongyan.Partition(user)] }
	for _, u := range m.Recipients {
		p := part(u)
		if p == nil {
			copied := *m
			p = &copied
			p.Recipients, p.Mentions = nil, nil
			if m.Unread != nil {
				p.Unread = map[string]int{}
			}
			all[hongyan.Partition(u)] = p
		}
		p.Recipients = append(p.Recipients, u)
		if count, ok := m.Unread[u]; ok {
			p.Unread[u] = count
		}
	}
	for _, u := range m.Mentions {
		if p := part(u); p != nil {
			p.Mentions = append(p.Mentions, u)
		}
	}
	return all
}

// divide stores the pieces of a message, whose duty is done when all are. A piece for which there
// is no room is planned here.
func (r *routing) divide(m *routed) {
	var debts []*store.Debt
	for _, piece := range r.pieces(m) {
		p := *m
		p.message = piece.message
		if piece.err != nil {
			// A message that was read can be written; planned here it needs not be.
			r.Log.Error("a piece of a message cannot be written, it is planned as it is", "app", m.app, "message_id", m.message.ID, "error", piece.err)
			m.duty.Add(1)
			m.duty.Done(r.inPlace(&p))
			continue
		}
		m.duty.Add(1)
		debts = append(debts, &store.Debt{Msgs: []dispatch.Outgoing{piece.stored}, Duty: m.duty, Instead: func(dispatch.Outgoing) bool { return r.inPlace(&p) }})
	}
	r.Recorder.Store(debts...)
	if r.Stored != nil {
		r.Stored(hongyan.Subject{Kind: hongyan.KindPiece, App: m.app})
	}
	r.Metrics.Message(m.app, "divided")
	m.duty.Done(true)
}

// piece is the part of a message for the users of a partition.
type piece struct {
	message *hongyan.Message
	stored  dispatch.Outgoing
	err     error // that it cannot be stored
}

// pieces writes the pieces of a message, with its texts cut.
func (r *routing) pieces(m *routed) (all []piece) {
	defer r.Turns.Begin(true).End()
	short := *m.message
	short.MapTexts(vendors.MaxText.Fit)
	for n, part := range parts(&short) {
		if part != nil {
			stored, err := m.piece(r.Subjects, part, n)
			all = append(all, piece{part, stored, err})
		}
	}
	return all
}

// piece is what is stored of a message for the users of a partition.
func (m *routed) piece(subjects hongyan.Subjects, part *hongyan.Message, n int) (dispatch.Outgoing, error) {
	body, err := json.Marshal(part, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return dispatch.Outgoing{}, err
	}
	data, err := json.Marshal(dispatch.Piece{Version: dispatch.PieceVersion, Published: m.stored.UTC(), Recipients: m.size, Message: body})
	if err != nil {
		return dispatch.Outgoing{}, err
	}
	o := dispatch.Outgoing{Subject: subjects.Piece(m.app, n), ID: ":piece/" + m.app + "/" + m.duty.Claim.Name() + "/" + strconv.Itoa(n), Data: data}
	if m.trace != "" || m.duty.Claim.Again {
		o.Header = map[string]string{}
		if m.trace != "" {
			o.Header[dispatch.HeaderTrace] = m.trace
		}
		if m.duty.Claim.Again {
			o.Header[dispatch.HeaderLook] = m.stored.UTC().Format(time.RFC3339Nano)
		}
	}
	return o, nil
}
