package harmony

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// An image is shown only after Huawei has checked it, and under the address that the check gives:
// POST /v2/{project}/images:verify with {"imageUrl": "…"} answers {"code": "83010000",
// "downloadUrl": "…", "expireTime": "<seconds>"}. An app may ask 60 times a minute.
const (
	codeChecked = "83010000"
	checkCodes  = "8301" // begin the codes of a check
)

const (
	// recheck is how long before its end the word of a check is no longer used.
	recheck = time.Minute
	// refusedFor is how long an image that was refused, or could not be checked, is left out.
	refusedFor = 10 * time.Minute
	// maxLife is the longest that a word is believed. A number from firstUnix on is no length but a
	// time; which of the two expireTime is, the documentation leaves open.
	maxLife   = 24 * time.Hour
	firstUnix = 1_000_000_000
	// maxImages bounds what is remembered; a busy app has fewer in an hour.
	maxImages = 4096
)

// images remembers what Huawei said of images, by their addresses. It may be used by many
// goroutines.
type images struct {
	mu    sync.Mutex
	known map[string]checkedImage
}

// checkedImage is the address to send, empty for an image that must be left out, and until when
// that holds.
type checkedImage struct {
	download string
	until    time.Time
}

func newImages() *images { return &images{known: map[string]checkedImage{}} }

// find says what is known of an image.
func (m *images) find(image string, now time.Time) (checkedImage, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, known := m.known[image]
	return c, known && now.Before(c.until)
}

// checked is the address under which an image can be sent in a batch, empty for none. What the
// batch was prepared with is remembered for those that follow.
func (m *images) checked(image string, batch vendors.Batch) string {
	if batch.Prepared == "" {
		c, _ := m.find(image, batch.Now)
		return c.download
	}
	life, download, _ := strings.Cut(batch.Prepared, " ")
	secs, _ := strconv.ParseInt(life, 10, 64) // Prepared wrote it
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known) >= maxImages {
		clear(m.known)
	}
	until := batch.Now.Add(time.Duration(min(secs, int64(maxLife/time.Second))) * time.Second)
	if secs > firstUnix {
		until = time.Unix(secs, 0)
	}
	m.known[image] = checkedImage{download: download, until: until.Add(-recheck)}
	return download
}

func isImage(address string) bool { return strings.HasPrefix(address, "https://") }

// Prepare asks for the check of the batch's image, unless its answer is known.
func (p *protocol) Prepare(ctx context.Context, batch vendors.Batch, token string) (*http.Request, error) {
	note := batch.Devices[0].Notification
	if !isImage(note.Harmony.Image) || batch.Generic || p.c.inAppCall(note) {
		return nil, nil
	}
	if _, known := p.images.find(note.Harmony.Image, batch.Now); known {
		return nil, nil
	}
	body := vendors.JSON(struct {
		ImageURL string `json:"imageUrl"`
	}{note.Harmony.Image})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.verify, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("push-type", strconv.Itoa(typeAlert))
	return req, nil
}

// Prepared reads the answer: how many seconds it holds, and the address to send. Whatever is wrong
// with an image or its check, the push goes without it.
func (p *protocol) Prepared(resp vendors.Response, _ vendors.Batch) (handle string, result vendors.Result) {
	var a struct {
		Code        vendors.Loose `json:"code"`
		DownloadURL string        `json:"downloadUrl"`
		ExpireTime  vendors.Loose `json:"expireTime"`
	}
	accepted := vendors.Result{Reason: vendors.Accepted}
	if json.Unmarshal(resp.Body, &a) != nil || !strings.HasPrefix(string(a.Code), checkCodes) {
		return "", accepted // no word about the image
	}
	secs, err := strconv.ParseInt(string(a.ExpireTime), 10, 64)
	if a.Code != codeChecked || err != nil || !isImage(a.DownloadURL) || strings.Contains(a.DownloadURL, " ") {
		return strconv.Itoa(int((refusedFor+recheck)/time.Second)) + " ", accepted
	}
	return strconv.FormatInt(secs, 10) + " " + a.DownloadURL, accepted
}
