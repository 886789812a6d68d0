package sandbox

import (
	"embed"
	"io/fs"
	"net/http"
)

// Server is a sandbox with the accounts it knows.
type Server struct {
	*Core
	accounts Accounts
	mux      *http.ServeMux
}

// Accounts are the vendor accounts that the sandbox knows; a vendor without one answers as it would
// to a stranger. [Demo] is a complete set.
type Accounts struct {
	APNs    []APNsAccount
	FCM     []FCMAccount
	Huawei  []HuaweiAccount
	Harmony []HarmonyAccount
	Honor   []HonorAccount
	Xiaomi  []XiaomiAccount
	OPPO    []OPPOAccount
	Vivo    []VivoAccount
	Meizu   []MeizuAccount
}

// New returns a sandbox that knows the accounts. Serve its Handler over TLS with HTTP/2 for APNs;
// the other vendors also take plain HTTP.
func New(accounts Accounts, opts Options) *Server {
	s := &Server{Core: NewCore(opts), accounts: accounts, mux: http.NewServeMux()}
	for vendor, f := range map[string]fake{
		"apns":    newAPNs(s.Core, accounts.APNs),
		"fcm":     newFCM(s.Core, accounts.FCM),
		"huawei":  newHuawei(s.Core, accounts.Huawei),
		"harmony": newHarmony(s.Core, accounts.Harmony),
		"honor":   newHonor(s.Core, accounts.Honor),
		"xiaomi":  newXiaomi(s.Core, accounts.Xiaomi),
		"oppo":    newOPPO(s.Core, accounts.OPPO),
		"vivo":    newVivo(s.Core, accounts.Vivo),
		"meizu":   newMeizu(s.Core, accounts.Meizu),
	} {
		for pattern, handler := range f.pushes() {
			s.mux.Handle(pattern, s.general(vendor, handler))
		}
		for pattern, handler := range f.logins() {
			s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
				s.Login(vendor)
				handler(w, r)
			})
		}
	}
	s.control()
	return s
}

// fake is one vendor's API, by http.ServeMux patterns. A pattern names no method where the vendor
// itself answers a wrong one.
type fake interface {
	// pushes are the send calls; the general faults strike them.
	pushes() map[string]http.HandlerFunc
	// logins are the calls that fetch access tokens.
	logins() map[string]http.HandlerFunc
}

// Handler serves the vendors' APIs, the control API and the page.
func (s *Server) Handler() http.Handler { return s.mux }

//go:embed page
var pageFiles embed.FS

// page serves the live view. It loads nothing from elsewhere, and the policy forbids it to: what a
// hostile title smuggles in cannot run, and a picture's address in a push is shown, never fetched.
func page() http.Handler {
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
		server.ServeHTTP(w, r)
	})
}
