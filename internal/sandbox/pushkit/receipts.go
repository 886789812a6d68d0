package pushkit

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ReceiptTarget is where an account wants its delivery receipts; an empty URL wants none.
type ReceiptTarget struct {
	URL, User, Key string
	// V2 is set for the format of HarmonyOS, and not for that of HMS.
	V2 bool
}

// Receipt is one device's.
type Receipt struct {
	BITag, App, token, RequestID string
	PushType, status             int
	at                           time.Time
}

// receipts posts delivery receipts behind the answers, as Push Kit does: in batches, signed, in
// order. A batch that nobody takes is dropped.
type receipts struct {
	now    func() time.Time
	client *http.Client

	mu      sync.Mutex
	waiting map[ReceiptTarget][]Receipt
	posting sync.WaitGroup
}

const receiptBatch = 100

func newReceipts(now func() time.Time) *receipts {
	return &receipts{now: now, client: &http.Client{Timeout: 5 * time.Second}, waiting: map[ReceiptTarget][]Receipt{}}
}

// add queues a receipt. The first one for a target starts a goroutine that ends when the queue is
// empty.
func (r *receipts) add(to ReceiptTarget, one Receipt) {
	if to.URL == "" {
		return
	}
	one.at = r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	queue, busy := r.waiting[to]
	r.waiting[to] = append(queue, one)
	if !busy {
		r.posting.Go(func() { r.post(to) })
	}
}

// Wait returns when everything that was added has been posted.
func (r *receipts) Wait() { r.posting.Wait() }

func (r *receipts) post(to ReceiptTarget) {
	for {
		r.mu.Lock()
		queue := r.waiting[to]
		if len(queue) == 0 {
			delete(r.waiting, to)
			r.mu.Unlock()
			return
		}
		batch := queue[:min(len(queue), receiptBatch)]
		r.waiting[to] = queue[len(batch):]
		r.mu.Unlock()
		req, err := http.NewRequest(http.MethodPost, to.URL, bytes.NewReader(receiptBody(to, batch)))
		if err != nil {
			continue
		}
		req.Header.Set("Content-Type", "application/json")
		if to.User != "" && to.Key != "" {
			nonce := rand.Text()
			stamp := fmt.Sprint(r.now().UnixMilli())
			req.Header.Set("X-HUAWEI-CALLBACK-ID", "timestamp="+stamp+"; nonce="+nonce+"; value="+receiptSignature(to, stamp, nonce))
		}
		if resp, err := r.client.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}
}

// receiptSignature is the value that a receiver checks. Keys of the newer console are base64 and
// are decoded first; older ones are text.
func receiptSignature(to ReceiptTarget, timestamp, nonce string) string {
	key, err := base64.StdEncoding.DecodeString(to.Key)
	if err != nil {
		key = []byte(to.Key)
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(timestamp + nonce + to.User)) // a hash never fails
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func receiptBody(to ReceiptTarget, batch []Receipt) []byte {
	statuses := make([]map[string]any, len(batch))
	for i, r := range batch {
		s := map[string]any{"biTag": r.BITag, "token": r.token, "requestId": r.RequestID}
		if to.V2 {
			s["pushType"], s["appPackageName"] = r.PushType, r.App
			s["deliveryStatus"] = map[string]any{"result": r.status, "timestamp": r.at.UnixMilli()}
		} else {
			s["appid"], s["status"], s["timestamp"] = r.App, r.status, r.at.UnixMilli()
		}
		statuses[i] = s
	}
	// strings and numbers always marshal
	body, _ := json.Marshal(map[string]any{"statuses": statuses})
	return body
}
