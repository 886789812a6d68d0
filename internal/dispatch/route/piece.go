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

// partition is the message for those of its recipients who belong to a partition; nil for nobody.
func partition(m *hongyan.Message, n int) *hongyan.Message {
	p := *m
	p.Recipients = nil
	for _, u := range m.Recipients {
		if hongyan.Partition(u) == n {
			p.Recipients = append(p.Recipients, u)
		}
	}
	if len(p.Recipients) == 0 {
		return nil
	}
	p.Mentions = nil
	for _, u := range m.Mentions {
		if hongyan.Partition(u) == n {
			p.Mentions = append(p.Mentions, u)
		}
	}
	if m.Unread != nil {
		p.Unread = map[string]int{}
		for _, u := range p.Recipients {
			if count, ok := m.Unread[u]; ok {
				p.Unread[u] = count
			}
		}
	}
	return &p
}

// divide stores the pieces of a message, whose duty is done when all are. A piece for which there
// is no room is planned here.
func (r *routing) divide(m *routed) {
	short := *m.message
	short.MapTexts(vendors.MaxText.Fit)
	var debts []*store.Debt
	for n := range hongyan.Partitions {
		part := partition(&short, n)
		if part == nil {
			continue
		}
		p := *m
		p.message = part
		o, err := m.piece(r.Subjects, part, n)
		if err != nil {
			// A message that was read can be written; planned here it needs not be.
			r.Log.Error("a piece of a message cannot be written, it is planned as it is", "app", m.app, "message_id", m.message.ID, "error", err)
			m.duty.Add(1)
			m.duty.Done(r.inPlace(&p))
			continue
		}
		m.duty.Add(1)
		debts = append(debts, &store.Debt{Msgs: []dispatch.Outgoing{o}, Duty: m.duty, Instead: func(dispatch.Outgoing) bool { return r.inPlace(&p) }})
	}
	r.Recorder.Store(debts...)
	if r.Stored != nil {
		r.Stored(hongyan.Subject{Kind: hongyan.KindPiece, App: m.app})
	}
	r.Metrics.Message(m.app, "divided")
	m.duty.Done(true)
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
