package sandbox

import (
	"embed"
	"io"
	"io/fs"
	"net/http"
	"strings"
)

// Server is a sandbox.
type Server struct {
	*Core
	fakes []Fake
	mux   *http.ServeMux
}

// New returns a sandbox that plays the vendors of the fakes, in the order of its page. Serve its
// Handler over TLS with HTTP/2 for the vendors that are TLSOnly; the others also take plain HTTP.
func New(opts Options, fakes ...Fake) *Server {
	s := &Server{Core: NewCore(opts), fakes: fakes, mux: http.NewServeMux()}
	for _, f := range fakes {
		if f.New == nil {
			continue
		}
		api := f.New(s.Core)
		for pattern, handler := range api.Pushes() {
			s.mux.Handle(pattern, s.general(f.Vendor, handler))
		}
		for pattern, handler := range api.Logins() {
			s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
				s.Login(f.Vendor)
				handler(w, r)
			})
		}
	}
	s.control()
	return s
}

// vendors are the names of the vendors that the sandbox plays.
func (s *Server) vendors() []string {
	names := make([]string, len(s.fakes))
	for i, f := range s.fakes {
		names[i] = f.Vendor
	}
	return names
}

// Handler serves the vendors' APIs, the control API and the page.
func (s *Server) Handler() http.Handler { return s.mux }

//go:embed page
var pageFiles embed.FS

// card is what the page knows of a vendor beside its CSS.
type card struct {
	Vendor  string  `json:"vendor"`
	Name    string  `json:"name"`
	NameZH  string  `json:"name_zh"`
	System  string  `json:"system"`
	Heading Heading `json:"heading"`
	Calls   Calls   `json:"calls"`
}

func (s *Server) cards() []card {
	cards := make([]card, len(s.fakes))
	for i, f := range s.fakes {
		cards[i] = card{f.Vendor, f.Name, f.NameZH, f.System, f.Heading, f.Calls}
	}
	return cards
}

// looks is the style sheet of all phones.
func looks(fakes []Fake) string {
	var css strings.Builder
	css.WriteString("/* Drawings of our own, near enough that each phone is known at a glance; none is a vendor's artwork. */\n")
	for _, f := range fakes {
		css.WriteString("\n" + f.Look)
	}
	return css.String()
}

// PhoneCSS is the style sheet of a notification on the phones of the fakes, for other pages that
// draw one as the sandbox's does.
func PhoneCSS(fakes []Fake) string {
	var css strings.Builder
	for _, name := range []string{"page/card.css", "page/calls.css"} {
		part, err := pageFiles.ReadFile(name)
		if err != nil {
			panic(err) // it is compiled in
		}
		css.Write(part)
	}
	return css.String() + looks(fakes)
}

// page serves the live view, with the style sheet of the phones. It loads nothing from elsewhere,
// and the policy forbids it to: what a hostile title smuggles in cannot run, and a picture's
// address in a push is shown, never fetched.
func page(looks string) http.Handler {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	server := http.StripPrefix("/sandbox/", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-cache")
		if r.URL.Path == "/sandbox/looks.css" {
			header.Set("Content-Type", "text/css; charset=utf-8")
			_, _ = io.WriteString(w, looks) // the client may have left
			return
		}
		server.ServeHTTP(w, r)
	})
}
