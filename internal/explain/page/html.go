package page

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/terminal"
	"github.com/hongyan-im/hongyan/internal/trail"
)

// sheet is what the template shows.
type sheet struct {
	page     *Page
	Language explain.Language
	now      time.Time
	// App, User, Message and Since are as they were asked for.
	App, User, Message, Since string
	Error                     string
	Of                        *trail.Explanation
	To                        *trail.Recipients

	said map[string]bool // which advice was given
}

// page answers in HTML; without a question it is the form alone.
func (p *Page) page(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	s := &sheet{page: p, said: map[string]bool{}, Language: language(r), now: p.o.Now(), App: v.Get("app"), User: v.Get("user"), Message: v.Get("message"), Since: v.Get("since")}
	status := http.StatusOK
	if v.Has("user") || v.Has("message") {
		q, err := p.ask(r)
		s.App, s.Message = q.App, q.Message
		var a answer
		if err == nil {
			a, err = p.find(r, q, s.Language)
		}
		s.Of, s.To = a.of, a.to
		if err != nil {
			var f *failure
			errors.As(err, &f)
			status, s.Error = f.status, f.text.Format(s.Language, f.about...)
		}
	}
	var html strings.Builder
	if err := pageTemplate.Execute(&html, s); err != nil {
		p.o.Log.Error("the page of explain cannot be written", "error", err)
		http.Error(w, "the page cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(html.String())) // the client may have left
}

var pageTemplate = template.Must(template.New("page.html").Funcs(template.FuncMap{
	// line makes what others wrote one line that turns nothing around it.
	"line": func(v any) string { return terminal.Line(fmt.Sprint(v)) },
}).ParseFS(files, "files/page.html"))

// Say is a word of the page.
func (s *sheet) Say(key string) (string, error) {
	text, ok := words[key]
	if !ok {
		return "", fmt.Errorf("no word %q", key)
	}
	return text.In(s.Language), nil
}

// Tag is the page's language as HTML names it.
func (s *sheet) Tag() string {
	if s.Language == explain.Chinese {
		return "zh-CN"
	}
	return "en"
}

// Other is the address of this page in the other language.
func (s *sheet) Other() string {
	l := explain.Chinese
	if s.Language == explain.Chinese {
		l = explain.English
	}
	return s.address(s.User, s.Message, l)
}

// Address asks about a user, a message, or both, from the same time on.
func (s *sheet) Address(user, message string) string { return s.address(user, message, s.Language) }

func (s *sheet) address(user, message string, l explain.Language) string {
	v := url.Values{"lang": {string(l)}}
	for key, value := range map[string]string{"app": s.App, "user": user, "message": message, "since": s.Since} {
		if value != "" {
			v.Set(key, value)
		}
	}
	return "/explain?" + v.Encode()
}

// Ago says roughly how long a time is past or ahead.
func (s *sheet) Ago(at time.Time) string { return explain.Ago(s.now, at, s.Language) }

// Time is a time exactly, in the worker's zone.
func (s *sheet) Time(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Local().Format("2006-01-02 15:04:05.000-07:00")
}

// Word is a status in a word; one of a newer worker is shown as it is.
func (s *sheet) Word(status hongyan.Status) string {
	if !status.Known() {
		return terminal.Line(string(status))
	}
	return words[string(status)].In(s.Language)
}

// Status is what became of a push, in a word.
func (s *sheet) Status(d trail.Decision) string {
	if d.Over {
		return words["waited"].In(s.Language)
	}
	return s.Word(d.Status)
}

// Decisions are those of a message as they came, and of a user the newest first.
func (s *sheet) Decisions() []trail.Decision {
	list := slices.Clone(s.Of.Decisions)
	if s.Of.Message == "" {
		slices.Reverse(list)
	}
	return list
}

// Advice is what to do about a decision, once for all that are alike. What a push waited for once
// needs none any more.
func (s *sheet) Advice(d trail.Decision) string {
	key := string(d.Status) + " " + string(d.Reason)
	if d.Over || s.said[key] {
		return ""
	}
	s.said[key] = true
	return d.Advice
}

// Rule names the rule of a suppression.
func (s *sheet) Rule(d trail.Decision) string {
	if d.Rule == 0 {
		return ""
	}
	return textRule.Format(s.Language, d.Rule, len(hongyan.Suppressions))
}

var textRule = explain.Say("rule %d of %d, the first that applied", "第 %d 条规则（共 %d 条），第一条适用的")

// Latency is how long the vendor took, where it took the push.
func (s *sheet) Latency(d trail.Decision) string {
	if d.Status != hongyan.StatusAccepted {
		return ""
	}
	return (time.Duration(d.LatencyMS) * time.Millisecond).String()
}

// Quiet is a user's quiet hours.
func (s *sheet) Quiet() string {
	q := s.Of.Settings.QuietHours
	if q == nil {
		return ""
	}
	zone := q.Timezone
	if zone == "" {
		zone = hongyan.DefaultTimezone
	}
	return q.From + " – " + q.To + ", " + zone
}

// Phone is how a vendor's phone shows a notification.
func (s *sheet) Phone(vendor string) Phone {
	for _, phone := range s.page.o.Phones {
		if phone.Vendor == vendor {
			return phone
		}
	}
	return Phone{Vendor: vendor, Name: explain.Say(vendor, vendor)}
}

// Name is a phone's vendor in the page's language.
func (s *sheet) Name(p Phone) string { return p.Name.In(s.Language) }

// Notes are those of the answer.
func (s *sheet) Notes() []string {
	switch {
	case s.Of != nil:
		return s.Of.Notes
	case s.To != nil:
		return s.To.Notes
	}
	return nil
}

// Trace is the id of the message's trace.
func (s *sheet) Trace() string {
	switch {
	case s.Of != nil:
		return s.Of.Trace
	case s.To != nil:
		return s.To.Trace
	}
	return ""
}

// JSON is the address of the same answer as JSON.
func (s *sheet) JSON() string { return "/api" + s.Address(s.User, s.Message) }

// shown is a notification on a phone.
type shown struct {
	trail.Preview
	sheet *sheet
	Phone Phone
}

// Shown puts a preview on its vendor's phone.
func (s *sheet) Shown(p trail.Preview) shown { return shown{p, s, s.Phone(p.Vendor)} }

// App is the name above the notification; the app's own name is known to the phone alone.
func (s shown) App() string { return s.sheet.App }

// Vendor is the vendor's name for people.
func (s shown) Vendor() string { return s.sheet.Name(s.Phone) }

// Say is as in sheet.
func (s shown) Say(key string) (string, error) { return s.sheet.Say(key) }

// Word is the status in a word.
func (s shown) Word() string { return s.sheet.Word(s.Preview.Status) }

// Clock is the phone's.
func (s shown) Clock() string { return s.sheet.now.Local().Format("15:04") }
