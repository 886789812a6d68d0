package vivo

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// body is the JSON object of a call, field by field, so that each field's own code can be
// answered.
type body map[string]json.RawMessage

// scalar is a string or number as text. Both are taken where vivo's documents say a number.
func (b body) scalar(key string) string {
	raw := b[key]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return strings.TrimSpace(s)
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

// text is a string, and nothing else.
func (b body) text(key string) string {
	var s string
	_ = json.Unmarshal(b[key], &s) // what is no string is empty
	return s
}

// number is a JSON integer, and nothing else.
func (b body) number(key string) (n int64, given, ok bool) {
	raw, given := b[key]
	if !given || string(raw) == "null" {
		return 0, false, true
	}
	return n, true, json.Unmarshal(raw, &n) == nil
}

// message is what the fake keeps of a message.
type message struct {
	title, content, category, ext, key string
	classification                     int
	test, quiet                        bool
}

func (m message) push(app, token, task string) sandbox.Push {
	class := "operational"
	if m.classification == 1 {
		class = "system"
	}
	if m.category != "" {
		class += "/" + m.category
	}
	return sandbox.Push{
		Vendor: "vivo", App: app, Token: token, VendorID: task, Key: m.key, Title: m.title, Body: m.content, Ext: m.ext, Class: class, Quiet: m.quiet,
	}
}

// classOf is the classification that a category belongs to.
func classOf(category string) (classification int, known bool) {
	if slices.Contains([]string{"IM", "ACCOUNT", "TODO", "DEVICE_REMINDER", "ORDER", "SUBSCRIPTION"}, category) {
		return 1, true
	}
	return 0, slices.Contains([]string{"NEWS", "CONTENT", "MARKETING", "SOCIAL"}, category)
}

// length counts as the old servers do: a Chinese character, or anything as wide, is two.
func length(s string) int {
	n := 0
	for _, r := range s {
		if r > 0xFF {
			n++
		}
		n++
	}
	return n
}

func chars(s string) int {
	n := 0
	for _, r := range s {
		if r > 0xFFFF {
			n++ // Java counts a surrogate pair
		}
		n++
	}
	return n
}

// message checks the fields of a message in the order of vivo's code table, and returns the code
// and the rule of the first that is wrong.
func (b body) message(shortest time.Duration) (m message, code int, rule string) {
	bad := func(code int, rule string) (message, int, string) { return message{}, code, rule }
	m.title, m.content = b.text("title"), b.text("content")
	n, given, ok := b.number("notifyType")
	if !given || !ok || n < 1 || n > 4 {
		return bad(10054, "notifyType must be a number from 1 to 4")
	}
	m.quiet = n == 1
	switch {
	case strings.TrimSpace(m.title) == "":
		return bad(10055, "title is empty")
	case length(m.title) > 40:
		return bad(10056, "title must be at most 40 characters, Chinese ones counting as two")
	case strings.TrimSpace(m.content) == "":
		return bad(10057, "content is empty")
	case length(m.content) > 100:
		return bad(10058, "content must be at most 100 characters, Chinese ones counting as two")
	}
	if n, given, ok := b.number("timeToLive"); !ok || given && (n < int64(shortest/time.Second) || n > 86400) {
		return bad(10059, "timeToLive must be from "+strconv.Itoa(int(shortest/time.Second))+" to 86400 seconds")
	}
	if code, rule := b.skip(); code != 0 {
		return bad(code, rule)
	}
	if raw, given := b["sendOnline"]; given && string(raw) != "true" && string(raw) != "false" {
		return bad(10059, "sendOnline must be true or false")
	}
	if n := b.scalar("networkType"); n != "" && n != "-1" && n != "1" {
		return bad(10065, "networkType must be -1 or 1")
	}
	if code, rule := b.custom(&m); code != 0 {
		return bad(code, rule)
	}
	id, given, ok := b.number("notifyId")
	if !ok || given && (id < 1 || id > 1<<31-1) {
		return bad(10095, "notifyId must be from 1 to 2147483647")
	}
	if code, rule := b.class(&m); code != 0 {
		return bad(code, rule)
	}
	if code, rule := b.extra(); code != 0 {
		return bad(code, rule)
	}
	request := b.text("requestId")
	switch {
	case request == "":
		return bad(10352, "requestId is empty")
	case len(request) > 64:
		return bad(10353, "requestId must be at most 64 characters")
	}
	m.test = b.scalar("pushMode") == "1"
	m.key = "request " + request
	if given {
		m.key = "notify " + strconv.FormatInt(id, 10)
	}
	return m, 0, ""
}

func (b body) skip() (code int, rule string) {
	kind, given, ok := b.number("skipType")
	if !given || !ok || kind < 1 || kind > 4 {
		return 10060, "skipType must be a number from 1 to 4"
	}
	target := b.text("skipContent")
	for _, c := range []struct{ kind, empty, long, most int }{{2, 10061, 10062, 1000}, {3, 10063, 10064, 1024}, {4, 10068, 10069, 1024}} {
		if int(kind) != c.kind {
			continue
		}
		if target == "" {
			return c.empty, "skipContent is empty"
		}
		if chars(target) > c.most {
			return c.long, "skipContent must be at most " + strconv.Itoa(c.most) + " characters"
		}
	}
	return 0, ""
}

func (b body) custom(m *message) (code int, rule string) {
	raw, given := b["clientCustomMap"]
	if !given {
		return 0, ""
	}
	var pairs map[string]string
	if json.Unmarshal(raw, &pairs) != nil {
		return 10067, "clientCustomMap must map strings to strings"
	}
	size := 0
	for k, v := range pairs {
		size += chars(k) + chars(v)
	}
	switch {
	case len(pairs) > 10:
		return 10066, "clientCustomMap must have at most 10 pairs"
	case size > 1024:
		return 10067, "clientCustomMap must have at most 1024 characters"
	}
	m.ext = pairs["ext"]
	if m.ext == "" && len(pairs) > 0 {
		m.ext = string(raw)
	}
	return 0, ""
}

// class checks classification and category. Without either the message is operational, as vivo's
// older documents have it.
func (b body) class(m *message) (code int, rule string) {
	class, given, ok := b.number("classification")
	if !ok || class != 0 && class != 1 {
		return 11000, "classification must be 0 or 1"
	}
	m.classification, m.category = int(class), b.text("category")
	if m.category == "" {
		return 0, ""
	}
	of, known := classOf(m.category)
	switch {
	case !known:
		return 10096, "category must be one of vivo's, in upper case"
	case given && of != m.classification:
		return 10097, "category and classification must agree"
	}
	m.classification = of
	return 0, ""
}

func (b body) extra() (code int, rule string) {
	raw, given := b["extra"]
	if !given {
		return 0, ""
	}
	var pairs map[string]string
	if json.Unmarshal(raw, &pairs) != nil {
		return 10304, "extra must map strings to strings"
	}
	for key, value := range pairs {
		switch {
		case !slices.Contains([]string{"callback", "callback.id", "callback.param"}, key):
			return 10304, "extra knows callback, callback.id and callback.param"
		case key == "callback" && len(value) > 128:
			return 10305, "callback must be at most 128 characters"
		case key == "callback.param" && len(value) > 192:
			return 10306, "callback.param must be at most 192 characters"
		}
	}
	return 0, ""
}
