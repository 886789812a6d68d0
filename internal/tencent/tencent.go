// Package tencent turns the bodies of Tencent IM's REST calls into message events: sendmsg,
// batchsendmsg, send_group_msg, and those of its push, timpush/push and timpush/batch.
//
// Most fields of OfflinePushInfo have one of the same meaning here; fields.txt is the list. What
// has no counterpart is named, never dropped in silence. A body of which no message can be made is
// an error.
package tencent

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Options of Convert. The zero value is useful.
type Options struct {
	// Members are the users of a group, none where it is not known.
	Members func(group string) []string
}

// Administrator is who sends where a body names nobody, as with Tencent IM.
const Administrator = "administrator"

// Convert turns a body into the JSON of a message event, which is still to be judged as any other.
// notes name the fields that have no counterpart, and what else a person should know; they are the
// same for all bodies that lack the same.
func Convert(body []byte, opts Options) (event []byte, notes []string, err error) {
	c := &conversion{opts: opts, event: map[string]any{}}
	if err := json.Unmarshal(body, &c.body, jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, nil, errors.New("it is no JSON object")
	}
	if err := c.convert(body); err != nil {
		return nil, nil, err
	}
	event, err = json.Marshal(c.event, json.Deterministic(true))
	return event, c.notes, err
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
	if err := c.place(); err != nil {
		return err
	}
	c.identity(body)
	if err := c.controls(); err != nil {
		return err
	}
	elements := c.take("MsgBody")
	if err := c.fields("", c.body); err != nil {
		return err
	}
	return c.content(elements)
}

// place finds out who says it to whom, and where.
func (c *conversion) place() error {
	from := plain(c.take("From_Account"))
	if from == "" {
		from = Administrator
	}
	c.set("sender.id", from)
	to, err := accounts("To_Account", c.take("To_Account"))
	if err != nil {
		return err
	}
	if group := plain(c.take("GroupId")); group != "" {
		c.set("conversation.type", "group")
		c.set("conversation.id", group)
		if len(to) == 0 && c.opts.Members != nil {
			to = c.opts.Members(group)
		}
		if len(to) == 0 {
			return fmt.Errorf("GroupId: the members of the group are not known, and a message event names its recipients; --members FILE says them")
		}
	} else {
		c.set("conversation.type", "c2c")
		c.set("conversation.id", "c2c_"+from)
	}
	if len(to) == 0 {
		return errors.New("it goes to everybody, or to all with a tag or attribute, whom Hongyan does not know; a message event names its recipients (To_Account)")
	}
	c.set("recipients", to)
	return nil
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
	if json.Unmarshal(v, &all) != nil {
		return nil, fmt.Errorf("%s is neither an account nor a list of them", name)
	}
	return all, nil
}

// identity makes the message's id of what makes one of it at Tencent IM, or of the whole body.
func (c *conversion) identity(body []byte) {
	var parts []string
	for _, name := range []string{"DataId", "MsgSeq", "MsgRandom", "Random"} {
		if part := plain(c.take(name)); part != "" && part != "0" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		canonical := jsontext.Value(slices.Clone(body))
		_ = canonical.Canonicalize() // it was read before
		sum := sha256.Sum256(canonical)
		parts = []string{hex.EncodeToString(sum[:8])}
	}
	c.set("id", "tim-"+strings.Join(parts, "-"))
}

// controls reads how the message is sent, and whom its text names.
func (c *conversion) controls() error {
	var controls []string
	if v := c.take("SendMsgControl"); len(v) > 0 && json.Unmarshal(v, &controls) != nil {
		return errors.New("SendMsgControl is no list of words")
	}
	for _, word := range controls {
		if word == "WithMuteNotifications" {
			c.set("offline_push.ignore_mute", true)
		} else {
			c.note("SendMsgControl %s", word)
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
	if v := c.take("GroupAtInfo"); len(v) > 0 && json.Unmarshal(v, &named) != nil {
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
				c.note("%s, because another field is %s already", from, f.To)
			}
		case within(from) && v.Kind() == '{':
			var inner map[string]jsontext.Value
			if err := json.Unmarshal(v, &inner); err != nil {
				return fmt.Errorf("%s cannot be read", from)
			}
			if err := c.fields(from+".", inner); err != nil {
				return err
			}
		case plain(v) != "":
			c.note("%s", from)
		}
	}
	return nil
}
