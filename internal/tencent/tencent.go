// Package tencent turns the bodies of Tencent IM's REST calls into message events: sendmsg,
// batchsendmsg, send_group_msg, and those of its push, timpush/push and timpush/batch.
//
// Most fields of OfflinePushInfo have one of the same meaning here; fields.txt is the list. What
// has no counterpart is named, never dropped in silence. A body of which no message can be made is
// an error.
package tencent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan/internal/jsonerror"
)

// Options of Convert. The zero value is useful.
type Options struct {
	// Members are the users of a group, none where it is not known.
	Members func(group string) []string
}

// Administrator is who sends where a body names nobody, as with Tencent IM.
const Administrator = "administrator"

// Convert turns a body into the JSON of a message event, which is still to be judged as any other.
// notes are sentences that name the fields without a counterpart, and what else a person should
// know; they are the same for all bodies of which the same is to be said.
func Convert(body []byte, opts Options) (event []byte, notes []string, err error) {
	c := &conversion{opts: opts, event: map[string]any{}}
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\ufffd"))
		c.note("bytes that are no UTF-8 become U+FFFD")
	}
	if err := read(body, &c.body); err != nil {
		return nil, nil, jsonerror.Describe(err, "the body")
	}
	if err := c.convert(body); err != nil {
		return nil, nil, err
	}
	event, err = json.Marshal(c.event, json.Deterministic(true))
	return event, c.notes, err
}

// read reads JSON in which a half of a surrogate pair may stand alone; it becomes U+FFFD.
func read(data []byte, into any) error {
	return json.Unmarshal(data, into, jsontext.AllowInvalidUTF8(true))
}

// conversion is a body on its way.
type conversion struct {
	opts  Options
	body  map[string]jsontext.Value // what was not looked at yet
	event map[string]any
	notes []string
}

func (c *conversion) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(c.notes, n) {
		c.notes = append(c.notes, n)
	}
}

// lacks notes a field without a counterpart.
func (c *conversion) lacks(field string) { c.note("%s has no counterpart and is left out", field) }

// take takes a field of the body.
func (c *conversion) take(name string) jsontext.Value {
	v := c.body[name]
	delete(c.body, name)
	return v
}

// set sets a field of the event, unless it is set.
func (c *conversion) set(to string, v any) (done bool) {
	at := c.event
	names := strings.Split(to, ".")
	for _, name := range names[:len(names)-1] {
		next, ok := at[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[name] = next
		}
		at = next
	}
	last := names[len(names)-1]
	if before, there := at[last]; there {
		return fmt.Sprint(before) == fmt.Sprint(v)
	}
	at[last] = v
	return true
}

func (c *conversion) convert(body []byte) error {
	to, err := c.place()
	if err != nil {
		return err
	}
	c.identity(body, to)
	if err := c.controls(); err != nil {
		return err
	}
	elements := c.take("MsgBody")
	if err := c.fields("", c.body); err != nil {
		return err
	}
	return c.content(elements)
}

// place finds out who says it to whom, and where. to are the accounts that the body names.
func (c *conversion) place() (to []string, err error) {
	from := plain(c.take("From_Account"))
	if from == "" {
		from = Administrator
	}
	c.set("sender.id", from)
	to, err = accounts("To_Account", c.take("To_Account"))
	if err != nil {
		return nil, err
	}
	recipients := to
	if group := plain(c.take("GroupId")); group != "" {
		c.set("conversation.type", "group")
		c.set("conversation.id", group)
		if len(to) == 0 && c.opts.Members != nil {
			recipients = c.opts.Members(group)
		}
		if len(recipients) == 0 {
			return nil, errors.New("GroupId: the members of the group are not known, and a message event names its recipients; --members FILE says them")
		}
	} else {
		c.set("conversation.type", "c2c")
		c.set("conversation.id", "c2c_"+from)
	}
	if len(recipients) == 0 {
		return nil, errors.New("it goes to everybody, or to all with a tag or attribute, whom Hongyan does not know; a message event names its recipients (To_Account)")
	}
	c.set("recipients", recipients)
	return to, nil
}

// accounts are one account or several.
func accounts(name string, v jsontext.Value) ([]string, error) {
	switch {
	case len(v) == 0:
		return nil, nil
	case v.Kind() == '"':
		return []string{plain(v)}, nil
	}
	var all []string
	if read(v, &all) != nil {
		return nil, fmt.Errorf("%s is neither an account nor a list of them", name)
	}
	return all, nil
}

// identity makes the message's id of what tells messages apart at Tencent IM: numbers that a
// backend counts or draws at random for each sender and receiver, and who said it to whom, where
// and when. A body without such a number is known by all that it says.
func (c *conversion) identity(body []byte, to []string) {
	named := false
	place := c.event["conversation"].(map[string]any)
	parts := []string{c.event["sender"].(map[string]any)["id"].(string), place["type"].(string), place["id"].(string), plain(c.body["MsgTimeStamp"])}
	for _, name := range []string{"DataId", "MsgSeq", "MsgRandom", "Random"} {
		part := plain(c.take(name))
		if part == "0" {
			part = ""
		}
		named = named || part != ""
		parts = append(parts, part)
	}
	parts = append(parts, slices.Sorted(slices.Values(to))...)
	text, _ := json.Marshal(parts) // lists of text can be written
	if !named {
		text = slices.Clone(body)
		_ = (*jsontext.Value)(&text).Canonicalize() // it was read before
	}
	sum := sha256.Sum256(text)
	c.set("id", "tim-"+hex.EncodeToString(sum[:16]))
}

// controls reads how the message is sent, and whom its text names.
func (c *conversion) controls() error {
	var controls []string
	if v := c.take("SendMsgControl"); len(v) > 0 && read(v, &controls) != nil {
		return errors.New("SendMsgControl is no list of words")
	}
	for _, word := range controls {
		if word == "WithMuteNotifications" {
			c.set("offline_push.ignore_mute", true)
		} else {
			c.lacks("SendMsgControl " + word)
		}
	}
	for _, name := range []string{"OnlineOnlyFlag", "MsgLifeTime"} {
		online := map[string]string{"OnlineOnlyFlag": "1", "MsgLifeTime": "0"}
		if v, ok := c.body[name]; ok && plain(v) == online[name] {
			c.set("offline_push.disable", true)
			delete(c.body, name)
		}
	}
	if v, ok := c.body["OnlineOnlyFlag"]; ok && plain(v) == "0" {
		delete(c.body, "OnlineOnlyFlag")
	}
	var named []struct {
		All     jsontext.Value `json:"GroupAtAllFlag"`
		Account string         `json:"GroupAt_Account"`
	}
	if v := c.take("GroupAtInfo"); len(v) > 0 && read(v, &named) != nil {
		return errors.New("GroupAtInfo cannot be read")
	}
	var mentions []string
	for _, n := range named {
		switch {
		case plain(n.All) == "1":
			c.set("mention_all", true)
		case n.Account != "":
			mentions = append(mentions, n.Account)
		}
	}
	if len(mentions) > 0 {
		c.set("mentions", mentions)
	}
	return nil
}

// fields goes through the fields of an object, by the list.
func (c *conversion) fields(prefix string, object map[string]jsontext.Value) error {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		from, v := prefix+name, object[name]
		f, known := find(from)
		switch {
		case known:
			value, err := f.value(from, v)
			if err != nil {
				return err
			}
			if value != nil && !c.set(f.To, value) {
				c.note("%s is left out, because another field is %s already", from, f.To)
			}
		case within(from) && v.Kind() == '{':
			var inner map[string]jsontext.Value
			if err := read(v, &inner); err != nil {
				return fmt.Errorf("%s: %w", from, jsonerror.Describe(err, from))
			}
			if err := c.fields(from+".", inner); err != nil {
				return err
			}
		case plain(v) != "":
			c.lacks(from)
		}
	}
	return nil
}
