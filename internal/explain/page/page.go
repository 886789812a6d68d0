// Package page serves what package trail finds out over HTTP, for people whose task is not the
// terminal: /explain is a page in English and Chinese, /api/explain the same as JSON.
//
// It only reads, and only for those who show that they may ask: with a password, or with the
// header by which an authenticating proxy names them. It has no JavaScript and loads nothing from
// elsewhere, and its policy forbids both. Tokens are never whole, texts are left out unless the
// configuration shows them, and each question is logged with who asked. Two questions are answered
// at once, each within a bounded time; others wait a moment or are asked to come again.
package page

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/trail"
)

const (
	// atOnce is how many questions are answered at once: the worker has pushes to make.
	atOnce = 2
	// patience is how long a question waits for its turn, answerIn how long it may take then.
	patience = 3 * time.Second
	answerIn = 20 * time.Second
	// maxQuery bounds a question, in bytes; a user, a message and a header's value may have
	// maxName.
	maxQuery = 4096
	maxName  = 256
	// mostDecisions is how many decisions are shown of a user, unless fewer are asked for.
	mostDecisions = 100
	// daysKept is how far back anything can be read.
	daysKept = 30 * 24 * time.Hour
)

// Options say who may ask, and what they see.
type Options struct {
	// Password, where it is set, is asked for by HTTP's basic authentication, whatever the name.
	// Else TrustedHeader is the header that names who asks.
	Password, TrustedHeader string
	// ShowText shows what notifications say.
	ShowText bool
	// Phones say how each vendor's phone shows a notification, and PhoneCSS is their style sheet.
	Phones   []Phone
	PhoneCSS string
	Log      *slog.Logger
	Now      func() time.Time
}

// Phone is how a vendor's phone shows notifications.
type Phone struct {
	Vendor string
	// Name is the vendor's, System that of its phones.
	Name   explain.Text
	System string
	// Heading and Calls are the style sheet's data-heading and data-calls.
	Heading, Calls string
}

// Page answers questions. It may be used by many goroutines at once.
type Page struct {
	o        Options
	password [sha256.Size]byte
	streams  atomic.Pointer[bus.Bus]
	turns    chan struct{}
	refused  atomic.Int64 // when a refusal was last logged
}

// New returns a page, which has nothing to read until Open is called.
func New(o Options) *Page {
	return &Page{o: o, password: sha256.Sum256([]byte(o.Password)), turns: make(chan struct{}, atOnce)}
}

// Open gives the page the streams to read, or nil when they are to be read no more.
func (p *Page) Open(b *bus.Bus) { p.streams.Store(b) }

//go:embed files
var files embed.FS

// Handler serves /explain and /api/explain.
func (p *Page) Handler() http.Handler {
	mux := http.NewServeMux()
	style, err := files.ReadFile("files/style.css")
	if err != nil {
		panic(err) // it is compiled in
	}
	style = append(style, p.o.PhoneCSS...)
	mux.HandleFunc("GET /explain/style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(style) // the client may have left
	})
	mux.HandleFunc("GET /explain", p.page)
	mux.HandleFunc("GET /api/explain", p.api)
	return p.guard(mux)
}

// guard lets in who may ask, and sets what holds for every answer.
func (p *Page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		h.Set("Vary", "Accept-Language")
		if len(r.URL.RawQuery) > maxQuery {
			http.Error(w, "the question is too long", http.StatusRequestURITooLong)
			return
		}
		by, ok := p.allowed(r)
		if !ok {
			p.refuse(w, r)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), askedBy{}, by)))
	})
}

// askedBy is the context's key of who asks.
type askedBy struct{}

// allowed says whether a request comes from somebody who may ask, and from whom as far as is known.
func (p *Page) allowed(r *http.Request) (by string, ok bool) {
	if p.o.Password == "" {
		// more than one value means that the client wrote one and the proxy added its own
		values := r.Header.Values(p.o.TrustedHeader)
		if p.o.TrustedHeader == "" || len(values) != 1 || values[0] == "" || len(values[0]) > maxName {
			return "", false
		}
		return values[0], true
	}
	name, password, given := r.BasicAuth()
	sum := sha256.Sum256([]byte(password))
	if !given || subtle.ConstantTimeCompare(sum[:], p.password[:]) != 1 {
		return "", false
	}
	return name, true
}

// refuse answers who may not ask. It logs at most one refusal in ten seconds.
func (p *Page) refuse(w http.ResponseWriter, r *http.Request) {
	now, last := p.o.Now().Unix(), p.refused.Load()
	if _, _, tried := r.BasicAuth(); (tried || p.o.Password == "") && now-last >= 10 && p.refused.CompareAndSwap(last, now) {
		p.o.Log.Warn("explain was asked by somebody who may not", "remote", r.RemoteAddr)
	}
	if p.o.Password == "" {
		http.Error(w, "ask through the proxy that knows you: it names you in the header "+p.o.TrustedHeader, http.StatusForbidden)
		return
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="hongyan explain", charset="UTF-8"`)
	http.Error(w, "a password is needed", http.StatusUnauthorized)
}

// failure is an error that the client is told, with its status.
type failure struct {
	status int
	text   explain.Text
	about  []any
}

func (f *failure) Error() string { return f.text.Format(explain.English, f.about...) }

func fail(status int, text explain.Text, about ...any) error { return &failure{status, text, about} }

var (
	textNoSuchApp  = explain.Say("app is no name of an app: letters, digits, _ and -, at most 64", "app 不是应用名：应为字母、数字、_ 和 -，最多 64 个")
	textAskOne     = explain.Say("give a user, a message, or both", "请给出用户、消息，或两者")
	textLongName   = explain.Say("user and message are UTF-8 of at most 256 bytes", "用户和消息应为 UTF-8，最多 256 字节")
	textSinceIs    = explain.Say("since is neither a time such as 2026-11-23T08:00:00Z nor so long ago such as 90m, 8h or 3d", "since 既不是时间（如 2026-11-23T08:00:00Z），也不是多久以前（如 90m、8h、3d）")
	textLimitIs    = explain.Say("limit is no number from 1 to %d", "limit 不是 1 到 %d 的数")
	textNotYet     = explain.Say("the worker is not connected to NATS yet; try again in a moment", "worker 还没有连上 NATS；请稍后再试")
	textBusy       = explain.Say("other questions are being answered; try again in a moment", "正在回答别的问题；请稍后再试")
	textTooLong    = explain.Say("reading took too long; ask with a shorter since", "读取时间太长；请缩短 since")
	textUnreadable = explain.Say("the streams cannot be read: %v", "流无法读取：%v")
)

// ask reads a question from a request's query.
func (p *Page) ask(r *http.Request) (trail.Question, error) {
	v := r.URL.Query()
	q := trail.Question{User: v.Get("user"), Limit: mostDecisions, Texts: p.o.ShowText}
	q.App, q.Message, _ = trail.MessageOfApp(strings.TrimSpace(v.Get("app")), strings.TrimSpace(v.Get("message")))
	switch {
	case q.User == "" && q.Message == "":
		return q, fail(http.StatusBadRequest, textAskOne)
	case hongyan.ValidateNames(q.App, anybody, anybody) != nil:
		return q, fail(http.StatusBadRequest, textNoSuchApp)
	case hongyan.ValidateNames(q.App, cmp.Or(q.User, anybody), anybody) != nil || len(q.Message) > maxName || !utf8.ValidString(q.Message):
		return q, fail(http.StatusBadRequest, textLongName)
	}
	if limit := v.Get("limit"); limit != "" {
		var err error
		if q.Limit, err = strconv.Atoi(limit); err != nil || q.Limit < 1 || q.Limit > mostDecisions {
			return q, fail(http.StatusBadRequest, textLimitIs, mostDecisions)
		}
	}
	now := p.o.Now()
	since, ok := explain.Moment(v.Get("since"), now)
	if !ok {
		return q, fail(http.StatusBadRequest, textSinceIs)
	}
	if q.Since = since; since.IsZero() {
		q.Since = now.Add(-24 * time.Hour)
	}
	if oldest := now.Add(-daysKept); q.Since.Before(oldest) {
		q.Since = oldest
	}
	return q, nil
}

// anybody is a name, in the place of one that is judged elsewhere.
const anybody = "-"

// answer is what was found out: about a user, or where none was named about a message.
type answer struct {
	of *trail.Explanation
	to *trail.Recipients
}

// find answers a question when its turn comes.
func (p *Page) find(r *http.Request, q trail.Question, l explain.Language) (a answer, err error) {
	streams := p.streams.Load()
	if streams == nil {
		return a, fail(http.StatusServiceUnavailable, textNotYet)
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return a, fail(http.StatusServiceUnavailable, textBusy)
	}
	p.o.Log.Info("explain was asked", "by", r.Context().Value(askedBy{}), "app", q.App, "user", q.User, "message", q.Message, "remote", r.RemoteAddr)
	ctx, cancel = context.WithTimeout(r.Context(), answerIn)
	defer cancel()
	reader := &trail.Reader{Bus: streams, Now: p.o.Now, Language: l, Timeout: answerIn}
	if q.User == "" {
		a.to, err = reader.Recipients(ctx, q)
	} else {
		a.of, err = reader.Explain(ctx, q)
	}
	switch {
	case err == nil:
		return a, nil
	case errors.Is(err, context.DeadlineExceeded):
		return answer{}, fail(http.StatusServiceUnavailable, textTooLong)
	}
	return answer{}, fail(http.StatusServiceUnavailable, textUnreadable, err)
}

// language is that of the query, or else what the client likes best.
func language(r *http.Request) explain.Language {
	if l := r.URL.Query().Get("lang"); l != "" {
		return explain.LanguageOf(l)
	}
	first, _, _ := strings.Cut(r.Header.Get("Accept-Language"), ",")
	first, _, _ = strings.Cut(first, ";")
	return explain.LanguageOf(strings.TrimSpace(first))
}

// api answers in JSON.
func (p *Page) api(w http.ResponseWriter, r *http.Request) {
	l := language(r)
	q, err := p.ask(r)
	var a answer
	if err == nil {
		a, err = p.find(r, q, l)
	}
	status := http.StatusOK
	var body any = a.of
	if a.to != nil {
		body = a.to
	}
	if err != nil {
		var f *failure
		errors.As(err, &f)
		status = f.status
		body = map[string]string{"error": f.text.Format(l, f.about...)}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	w.WriteHeader(status)
	_ = json.MarshalWrite(w, body, json.Deterministic(true), json.FormatNilSliceAsNull(false)) // the client may have left
}
