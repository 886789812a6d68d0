package harmony

import (
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/pushkit"
)

// revocation is the body of messages:revoke.
type revocation struct {
	NotifyID *int32   `json:"notifyId"`
	Token    []string `json:"token"`
}

// revoke is messages:revoke, an API of version 1 under the app's own client id. It takes back what
// no phone shows yet; the phones here are on and show everything at once, so that it changes
// nothing on them.
func (f *fake) revoke(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		f.Core.Violate("harmony", "HTTP 405", "messages:revoke takes POST only")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	account, broken := f.signed(r)
	if broken == nil {
		broken = f.revocable(r, account)
	}
	var body revocation
	if broken == nil {
		body, broken = f.readRevocation(r.Body, account)
	}
	if broken != nil {
		f.Broken(w, broken.Code, codeText(broken.Code), broken.Tip)
		return
	}
	if fault, struck := f.Strike(body.Token, sandbox.FaultExpiredAuth, sandbox.FaultThrottle, sandbox.FaultCode); struck {
		f.trouble(w, body.Token, fault)
		return
	}
	bad := map[string][]string{}
	good := 0
	for _, t := range body.Token {
		if f.Illegal(t) {
			bad["tokenFormatError"] = append(bad["tokenFormatError"], t)
			continue
		}
		f.Core.Withdraw("harmony")
		good++
	}
	if len(bad) == 0 {
		f.Answer(w, f.RequestID(), "80000000", "Success")
		return
	}
	f.partly(w, f.RequestID(), "80100020", good, bad)
}

// revocable checks what stands outside of the body.
func (f *fake) revocable(r *http.Request, account *Account) *pushkit.BrokenRule {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return pushkit.Rule("80100001", "Content-Type must be application/json")
	}
	if push := r.Header.Get("push-type"); push != "0" && push != "2" {
		return pushkit.Rule("80100003", "the header push-type of messages:revoke must be 0 or 2")
	}
	if account.ClientID == "" || r.PathValue("client") != account.ClientID {
		return pushkit.Rule("80300002", "the path of messages:revoke names the client id of the app, not that of the project")
	}
	return nil
}

func (f *fake) readRevocation(r io.Reader, account *Account) (b revocation, broken *pushkit.BrokenRule) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return b, pushkit.Rule("80100001", "the body cannot be read")
	}
	if err := json.Unmarshal(raw, &b, json.RejectUnknownMembers(true)); err != nil {
		return b, pushkit.Rule("80100003", pushkit.Misread(raw, err).Tip)
	}
	switch {
	case b.NotifyID == nil || len(b.Token) == 0:
		return b, pushkit.Rule("80300032", "notifyId and token are both required")
	case *b.NotifyID < 0:
		return b, pushkit.Rule("80100003", "notifyId must be from 0 to 2147483647")
	case len(b.Token) > maxTokens:
		return b, pushkit.Rule("80300010", "token count must be from 1 to 1000")
	case !slices.ContainsFunc(b.Token, func(t string) bool {
		return f.Core.Seen("harmony", account.ProjectID, t, strconv.Itoa(int(*b.NotifyID)))
	}):
		return b, pushkit.Rule("80300032", "nothing was pushed to these tokens under this notifyId")
	}
	return b, nil
}
