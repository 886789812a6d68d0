package harmony

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// messages:revoke has rules of its own: the app's client id in the path, both fields, and a
// notifyId that was pushed.
func TestRevoke(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, path, pushType, body string
		code                       string
		account                    func(*Account)
	}{
		{name: "good", code: "80000000"},
		{name: "voice_broadcast", pushType: "2", code: "80000000"},
		{name: "project_in_path", path: "/v1/388421840000000001/messages:revoke", code: "80300002"},
		{name: "no_client", account: func(a *Account) { a.ClientID = "" }, code: "80300002"},
		{name: "push_type", pushType: "10", code: "80100003"},
		{name: "no_notify_id", body: `{"token":["tokA"]}`, code: "80300032"},
		{name: "no_token", body: `{"notifyId":70077,"token":[]}`, code: "80300032"},
		{name: "other_notify_id", body: `{"notifyId":70078,"token":["tokA"]}`, code: "80300032"},
		{name: "negative", body: `{"notifyId":-1,"token":["tokA"]}`, code: "80100003"},
		{name: "one_token_as_text", body: `{"notifyId":70077,"token":"tokA"}`, code: "80100003"},
		{name: "unknown_field", body: `{"notifyId":70077,"token":["tokA"],"tag":"x"}`, code: "80100003"},
		{name: "too_many", body: `{"notifyId":70077,"token":["tokA"` + strings.Repeat(`,"tokA"`, 1000) + `]}`, code: "80300010"},
		{name: "not_json", body: `notifyId=70077`, code: "80100003"},
	} {
		t.Run(c.name, func(t *testing.T) {
			account := testAccount()
			account.ClientID = "6917530001"
			if c.account != nil {
				c.account(&account)
			}
			r := newRig(t, account)
			r.push(good)
			path, pushType, body := c.path, c.pushType, c.body
			if path == "" {
				path = "/v1/6917530001/messages:revoke"
			}
			if pushType == "" {
				pushType = "0"
			}
			if body == "" {
				body = `{"notifyId":70077,"token":["tokA"]}`
			}
			req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
			req.Header.Set("Authorization", "Bearer "+r.jwt(nil))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("push-type", pushType)
			rec := httptest.NewRecorder()
			r.Handler().ServeHTTP(rec, req)
			if !strings.Contains(rec.Body.String(), `"code":"`+c.code+`"`) {
				t.Errorf("HTTP %d %s, want code %s", rec.Code, rec.Body, c.code)
			}
			if broken := len(r.Violations()); (broken == 0) != (c.code == "80000000") {
				t.Errorf("%d broken rules", broken)
			}
			if n := r.Counts()["harmony"].Withdrawn; (n == 1) != (c.code == "80000000") {
				t.Errorf("%d devices withdrawn from", n)
			}
		})
	}
}
