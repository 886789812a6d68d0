package tencent

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// element is one of MsgBody.
type element struct {
	Type    string `json:"MsgType"`
	Content struct {
		Text  string `json:"Text"`
		Desc  string `json:"Desc"`
		Ext   string `json:"Ext"`
		Sound string `json:"Sound"`
	} `json:"MsgContent"`
}

// types are the content types of elements.
var types = map[string]string{
	"TIMTextElem": "text", "TIMLocationElem": "location", "TIMFaceElem": "face", "TIMCustomElem": "custom", "TIMSoundElem": "audio",
	"TIMImageElem": "image", "TIMFileElem": "file", "TIMVideoFileElem": "video", "TIMRelayElem": "merged",
}

// content reads what is said. What OfflinePushInfo says wins over what an element says.
func (c *conversion) content(v jsontext.Value) error {
	if len(v) == 0 || v.Kind() == 'n' {
		return c.withoutBody()
	}
	var elements []element
	if read(v, &elements) != nil || len(elements) == 0 {
		return errors.New("MsgBody is no list of elements")
	}
	if len(elements) > 1 {
		c.note("MsgBody has several elements: their texts are joined, or without a text the first one counts")
	}
	var texts []string
	kind := ""
	for _, e := range elements {
		t, known := types[e.Type]
		if !known {
			c.note("MsgBody has an element of type %s, which counts as custom", e.Type)
			t = "custom"
		}
		if kind == "" {
			kind = t
		}
		switch t {
		case "text":
			texts = append(texts, e.Content.Text)
		case "location", "custom":
			c.own("desc", e.Content.Desc)
			if t == "custom" {
				c.own("ext", e.Content.Ext)
				c.own("ios.sound", e.Content.Sound)
			}
		}
	}
	if len(texts) > 0 {
		kind = "text"
		c.set("content.text", strings.Join(texts, " "))
	}
	c.set("content.type", kind)
	return nil
}

// own sets a field of offline_push to what an element says, unless OfflinePushInfo said it.
func (c *conversion) own(field, text string) {
	if text != "" {
		c.set("offline_push."+field, text)
	}
}

// withoutBody is the content of a push alone: what it shows.
func (c *conversion) withoutBody() error {
	push, _ := c.event["offline_push"].(map[string]any)
	text, ok := push["desc"].(string)
	if !ok {
		text, ok = push["title"].(string)
	}
	if !ok {
		return errors.New("it has neither MsgBody nor a Title or Desc in OfflinePushInfo")
	}
	c.set("content.type", "text")
	c.set("content.text", text)
	return nil
}
