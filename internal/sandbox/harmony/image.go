package harmony

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// imageLife is how long a checked image may be sent.
const imageLife = time.Hour

// checkedImages are the addresses that images:verify gave out, and until when they are good.
type checkedImages struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (c *checkedImages) add(download string, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until == nil || len(c.until) > 100_000 { // a fake that runs for ever must not grow for ever
		c.until = map[string]time.Time{}
	}
	c.until[download] = until
}

func (c *checkedImages) valid(download string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Before(c.until[download])
}

// verify is images:verify. An address whose path holds "refused" is refused.
func (f *fake) verify(w http.ResponseWriter, r *http.Request) {
	answer := func(code, msg string, more map[string]string) {
		body := map[string]string{"code": code, "msg": msg, "requestId": f.RequestID()}
		for k, v := range more {
			body[k] = v
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	}
	if r.Method != http.MethodPost {
		f.Core.Violate("harmony", "HTTP 405", "images:verify takes POST only")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if _, broken := f.authorized(r); broken != nil {
		f.Broken(w, broken.Code, codeText(broken.Code), broken.Tip)
		return
	}
	var in struct {
		ImageURL string `json:"imageUrl"`
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || kind != "application/json" || in.ImageURL == "" {
		f.Core.Violate("harmony", "83010003", "images:verify needs imageUrl in JSON")
		answer("83010003", "Request body is empty.", nil)
		return
	}
	if t := r.Header.Get("push-type"); t != "0" && t != "1" && t != "2" {
		f.Core.Violate("harmony", "83010004", "the push-type of images:verify must be 0, 1 or 2")
		answer("83010004", "Push type not supported.", nil)
		return
	}
	switch {
	case !strings.HasPrefix(in.ImageURL, "https://"):
		answer("83010005", "Image download failed.", nil)
	case strings.Contains(in.ImageURL, "refused"):
		answer("83010001", "Image verify failed.", nil)
	default:
		download := in.ImageURL + "?checked=1"
		f.images.add(download, f.Core.Now().Add(imageLife))
		answer("83010000", "Success", map[string]string{"downloadUrl": download, "expireTime": strconv.Itoa(int(imageLife / time.Second))})
	}
}
