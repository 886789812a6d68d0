package vivo

import (
	"bytes"
	"context"
	"crypto/md5" // vivo's signature is MD5
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// login is the body of /message/auth.
type login struct {
	AppID     int64  `json:"appId"`
	AppKey    string `json:"appKey"`
	Timestamp int64  `json:"timestamp"` // milliseconds, within ten minutes of vivo's clock
	Sign      string `json:"sign"`
}

// message is the body of /message/send, and without the device that of /message/saveListPayload.
// Zeros mean something here, so nothing but what may be absent is left out.
type message struct {
	AppID           int64             `json:"appId"`
	RegID           string            `json:"regId,omitempty"`
	NotifyType      int               `json:"notifyType"`
	Title           string            `json:"title"`
	Content         string            `json:"content"`
	TimeToLive      int64             `json:"timeToLive"` // seconds
	SkipType        int               `json:"skipType"`
	SkipContent     string            `json:"skipContent,omitempty"`
	NetworkType     int               `json:"networkType"`
	Classification  int               `json:"classification"`
	Category        string            `json:"category"`
	RequestID       string            `json:"requestId"`
	PushMode        int               `json:"pushMode"`
	ForegroundShow  bool              `json:"foregroundShow"`
	NotifyID        int               `json:"notifyId"`
	SendOnline      bool              `json:"sendOnline,omitempty"`
	Extra           map[string]string `json:"extra,omitempty"`
	ClientCustomMap map[string]string `json:"clientCustomMap,omitempty"`
}

// list is the body of /message/pushToList.
type list struct {
	AppID     int64    `json:"appId"`
	RegIDs    []string `json:"regIds"`
	TaskID    string   `json:"taskId"`
	RequestID string   `json:"requestId"`
	PushMode  int      `json:"pushMode"`
}

// What a tap opens.
const (
	skipApp  = 1
	skipURL  = 2
	skipPage = 4 // 3 is dead: SDK 3.0 removed what it called
)

const anyNetwork = -1

// TokenRequest writes the login. vivo takes ten of them a second.
func (p *protocol) TokenRequest(ctx context.Context, now time.Time) (*http.Request, error) {
	key, ms := strings.TrimSpace(string(p.c.AppKey)), now.UnixMilli()
	return p.post(ctx, "/message/auth", "", login{
		AppID: p.appID, AppKey: key, Timestamp: ms,
		Sign: sign(strconv.FormatInt(p.appID, 10), key, strconv.FormatInt(ms, 10), strings.TrimSpace(string(p.c.AppSecret))),
	})
}

// sign is the lower-case hex of the MD5 of app id, app key, timestamp and app secret, one after the
// other.
func sign(appID, appKey, timestamp, appSecret string) string {
	sum := md5.Sum([]byte(appID + appKey + timestamp + appSecret))
	return hex.EncodeToString(sum[:])
}

// Prepare stores the content of a list push; a push to one device needs none.
func (p *protocol) Prepare(ctx context.Context, batch vendors.Batch, token string) (*http.Request, error) {
	if len(batch.Devices) < 2 {
		return nil, nil
	}
	return p.post(ctx, "/message/saveListPayload", token, p.message(batch))
}

// Request writes the push: to the device, or to the list with the stored content.
func (p *protocol) Request(ctx context.Context, batch vendors.Batch, token string) (*http.Request, error) {
	switch {
	case len(batch.Devices) == 0:
		return nil, errors.New("a batch without devices")
	case len(batch.Devices) == 1:
		return p.post(ctx, "/message/send", token, p.message(batch))
	}
	to := list{AppID: p.appID, TaskID: batch.Prepared, RequestID: listID(batch, ""), PushMode: p.pushMode()}
	for _, d := range batch.Devices {
		to.RegIDs = append(to.RegIDs, d.Token)
	}
	return p.post(ctx, "/message/pushToList", token, to)
}

func (p *protocol) message(batch vendors.Batch) message {
	first := batch.Devices[0]
	n := first.Notification
	m := message{
		AppID: p.appID, NotifyType: p.c.notifyType(n), NetworkType: anyNetwork, PushMode: p.pushMode(),
		// The app in the foreground has the message already.
		ForegroundShow: false,
		// By message, not by device, so that a single push replaces what a list push has shown.
		NotifyID: vendors.NotifyID(n.Replaces()), ClientCustomMap: custom(n),
	}
	if r := p.c.Receipts; r != nil {
		m.Extra = map[string]string{"callback.id": r.ID, "callback.param": vendors.ReceiptKey(n)}
	}
	m.Title, m.Content = p.words(n, batch.Generic)
	m.Classification, m.Category = p.c.resolve(n)
	m.SkipType, m.SkipContent = p.skip(n)
	if len(batch.Devices) == 1 {
		m.RegID, m.RequestID = first.Token, singleID(batch)
		m.TimeToLive = p.ttl(n, batch.Now, minTTL)
		m.SendOnline = ringsShorter(n, batch.Now, minTTL)
		return m
	}
	// Storing a content twice shows nothing twice, while an answer to an old requestId might name a
	// content that has expired: hence the time in this one.
	m.RequestID = listID(batch, strconv.FormatInt(batch.Now.Unix(), 10))
	m.TimeToLive = p.ttl(n, batch.Now, minListTTL)
	m.SendOnline = ringsShorter(n, batch.Now, minListTTL)
	return m
}

// ringsShorter says whether an incoming call ends before the shortest time for which vivo keeps a
// push. Such a push goes to phones that are online, and is not kept for the others.
func ringsShorter(n *vendors.Notification, now time.Time, shortest time.Duration) bool {
	return n.Urgent && n.TTL(now, 0, shortest) < shortest
}

func (p *protocol) ttl(n *vendors.Notification, now time.Time, shortest time.Duration) int64 {
	longest := maxTTL
	if p.c.TTL > 0 && p.c.TTL < longest {
		longest = max(p.c.TTL, shortest)
	}
	return int64(n.TTL(now, shortest, longest) / time.Second)
}

func (p *protocol) pushMode() int {
	if p.c.TestMode {
		return 1
	}
	return 0
}

// skip is what a tap opens. A target that the ext or the conversation makes too long is opened
// without the ext, or else the app is.
func (p *protocol) skip(n *vendors.Notification) (kind int, content string) {
	kind, target, limit := skipPage, p.c.Click.Intent, maxIntent
	if target == "" {
		kind, target, limit = skipURL, p.c.Click.URL, maxURL
	}
	if target == "" {
		return skipApp, ""
	}
	short := *n
	short.Ext = ""
	for _, n := range []*vendors.Notification{n, &short} {
		if content := vendors.Expand(target, n, vendors.URLEscape); vendors.UTF16(content) <= limit {
			return kind, content
		}
	}
	return skipApp, ""
}

// custom carries the ext to the app, or where it is too long the names by which the app finds the
// message.
func custom(n *vendors.Notification) map[string]string {
	if n.Ext == "" {
		return nil
	}
	conversation, message := n.IDs()
	for _, m := range []map[string]string{
		{"ext": n.Ext}, {"conversation": conversation, "message": message}, {"message": message},
	} {
		size := 0
		for k, v := range m {
			size += vendors.UTF16(k) + vendors.UTF16(v)
		}
		if size <= maxCustom {
			return m
		}
	}
	return nil
}

// Note says when the ext does not fit.
func (p *protocol) Note(batch vendors.Batch) string {
	n := batch.Devices[0].Notification
	if m := custom(n); n.Ext != "" && m["ext"] == "" {
		return vendors.NoteExtDropped
	}
	return ""
}

// singleID is the same for each attempt at a device, so that vivo drops a repeat.
func singleID(batch vendors.Batch) string {
	d := batch.Devices[0]
	if len(d.Key) > 56 { // never ours, but vivo takes 64
		return digest([]string{d.Key}) + form(batch)
	}
	return d.Key + form(batch)
}

// listID is the same for each attempt at the same devices, in whatever order.
func listID(batch vendors.Batch, salt string) string {
	keys := make([]string, len(batch.Devices))
	for i, d := range batch.Devices {
		keys[i] = d.Key
	}
	slices.Sort(keys)
	return digest(append(keys, batch.Devices[0].Notification.Key, salt)) + form(batch)
}

func digest(parts []string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// form tells the generic text from the message's own: vivo would take the second call for a repeat
// of the refused one.
func form(batch vendors.Batch) string {
	if batch.Generic {
		return "-generic"
	}
	return ""
}

func (p *protocol) post(ctx context.Context, path, token string, body any) (*http.Request, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, errors.New("the request does not marshal")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+path, bytes.NewReader(data))
	if err != nil {
		return nil, errors.New("endpoint is no address")
	}
	req.Header.Set("Content-Type", "application/json;charset=UTF-8")
	if token != "" {
		req.Header.Set("authToken", token)
	}
	return req, nil
}
