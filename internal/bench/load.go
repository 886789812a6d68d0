package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// register stores n users with one device each, in the background; user i's certificate is
// certificates[i mod len].
func (r *rig) register(ctx context.Context, prefix string, n int, certificates ...string) error {
	one := 1
	return r.populate(ctx, prefix, n, certificates, func(int) hongyan.Presence { return hongyan.Presence{State: hongyan.StateBackground, Unread: &one} })
}

// populate is register with any presence.
func (r *rig) populate(ctx context.Context, prefix string, n int, certificates []string, presence func(i int) hongyan.Presence) error {
	const batch = 4000
	var msgs []dispatch.Outgoing
	for i := range n {
		user, certificate, now := prefix+strconv.Itoa(i), certificates[i%len(certificates)], time.Now().UTC()
		app, vendor := named(certificate)
		device, err := json.Marshal(hongyan.Device{Certificate: certificate, Token: token(vendor, user), Locale: "zh-CN", RegisteredAt: now})
		if err != nil {
			return err
		}
		p := presence(i)
		p.At = now
		state, err := json.Marshal(p)
		if err != nil {
			return err
		}
		msgs = append(msgs, dispatch.Outgoing{Subject: hongyan.Subjects{}.Device(app, user, "phone"), Data: device},
			dispatch.Outgoing{Subject: hongyan.Subjects{}.Presence(app, user, "phone"), Data: state})
		if len(msgs) >= batch || i == n-1 {
			if err := errors.Join(r.bus.Publish(ctx, msgs)...); err != nil {
				return err
			}
			msgs = msgs[:0]
		}
	}
	return nil
}

// message is a chat message as a backend would write it.
func (r *rig) message(id string, recipients ...string) (dispatch.Outgoing, error) {
	return chat(sandbox.DemoApp, id, recipients...)
}

func chat(app, id string, recipients ...string) (dispatch.Outgoing, error) {
	m := event(id, recipients...)
	data, err := json.Marshal(m)
	return dispatch.Outgoing{Subject: hongyan.Subjects{}.Message(app), ID: app + "/" + id, Data: data}, err
}

func event(id string, recipients ...string) hongyan.Message {
	m := hongyan.Message{
		ID: id, SentAt: time.Now().UTC(), Conversation: hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c2c_alice"},
		Sender: hongyan.Sender{ID: "alice", Nickname: "Alice", Device: "iphone-1"}, Recipients: recipients,
		Content:     hongyan.Content{Type: hongyan.ContentText, Text: "晚上八点老地方见，记得带上那本书。See you at eight."},
		OfflinePush: hongyan.OfflinePush{Ext: `{"conversationID":"c2c_alice","id":"` + id + `"}`},
	}
	if len(recipients) == 1 {
		m.Unread = map[string]int{recipients[0]: 5}
	} else {
		m.Conversation = hongyan.Conversation{Type: hongyan.ConversationGroup, ID: "g-1", Name: "大群"}
	}
	return m
}

// call is an invitation to a call.
func call(app, id, recipient string) (dispatch.Outgoing, error) {
	m := event(id, recipient)
	m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: hongyan.CallAudio, Action: hongyan.CallInvite, ID: id}}
	data, err := json.Marshal(m)
	return dispatch.Outgoing{Subject: hongyan.Subjects{}.Urgent(app), ID: app + "/" + id, Data: data}, err
}

// load publishes n messages of the demo's app, each to one of users users.
func (r *rig) load(ctx context.Context, run string, n int, users int) error {
	return r.publish(ctx, n, func(i int) (dispatch.Outgoing, error) {
		return r.message(run+"-"+strconv.Itoa(i), "u"+strconv.Itoa(i%users))
	})
}

// publish publishes n messages as fast as they are stored.
func (r *rig) publish(ctx context.Context, n int, message func(i int) (dispatch.Outgoing, error)) error {
	const batch, most = 2000, 4 << 20
	var msgs []dispatch.Outgoing
	bytes := 0
	for i := range n {
		m, err := message(i)
		if err != nil {
			return err
		}
		msgs, bytes = append(msgs, m), bytes+len(m.Data)
		if len(msgs) == batch || bytes >= most || i == n-1 {
			if err := errors.Join(r.bus.Publish(ctx, msgs)...); err != nil {
				return err
			}
			msgs, bytes = msgs[:0], 0
		}
	}
	return nil
}

// members are users with a prefix.
func members(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = prefix + strconv.Itoa(i)
	}
	return all
}
