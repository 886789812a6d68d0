package oppo

import (
	"context"
	"io"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// TestSign is the golden vector: sha256sum of demoAppKey00011767225600000demoMasterSecret0001.
func TestSign(t *testing.T) {
	t.Parallel()
	const want = "f8d8ea3bca8fe611d3e900f0e02048b0eb2538d003c100eb302eb3741c055273"
	if got := sign("demoAppKey0001", "1767225600000", "demoMasterSecret0001"); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	req, err := newProtocol(config(), hostChina).TokenRequest(context.Background(), time.UnixMilli(1767225600000))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatal(err)
	}
	if req.URL.String() != hostChina+"/server/v1/auth" || form.Get("sign") != want || form.Get("timestamp") != "1767225600000" || len(form) != 3 {
		t.Errorf("wrong call: %s %v", req.URL, form)
	}
}

func TestInterpretToken(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1767225600000)
	ms := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).UnixMilli(), 10) }
	day := now.Add(24 * time.Hour)
	for _, c := range []struct {
		name    string
		status  int
		body    string
		reason  vendors.Reason
		expires time.Time
	}{
		{"fresh", 200, `{"code":0,"message":"success","data":{"auth_token":"T","create_time":` + ms(0) + `}}`, vendors.Accepted, day},
		// The documentation's sample quotes it.
		{"quoted_time", 200, `{"code":0,"data":{"auth_token":"T","create_time":"` + ms(-time.Hour) + `"}}`, vendors.Accepted, day.Add(-time.Hour)},
		{"no_time", 200, `{"code":0,"data":{"auth_token":"T"}}`, vendors.Accepted, day},
		{"time_ahead_of_our_clock", 200, `{"code":0,"data":{"auth_token":"T","create_time":` + ms(time.Hour) + `}}`, vendors.Accepted, day},
		{"time_of_another_age", 200, `{"code":0,"data":{"auth_token":"T","create_time":5}}`, vendors.Accepted, day},
		{"no_token", 200, `{"code":0,"data":{}}`, vendors.Unavailable, time.Time{}},
		{"no_data", 200, `{"code":0}`, vendors.Unavailable, time.Time{}},
		{"bad_key", 200, `{"code":14,"message":"Invalid App Key"}`, vendors.BadCredentials, time.Time{}},
		{"bad_sign", 200, `{"code":16}`, vendors.BadCredentials, time.Time{}},
		{"clock", 200, `{"code":19}`, vendors.BadCredentials, time.Time{}},
		// There is no older token that could be expired.
		{"token_code", 200, `{"code":11}`, vendors.BadCredentials, time.Time{}},
		{"limited", 200, `{"code":13}`, vendors.RateLimited, time.Time{}},
		{"flow_control", 200, `{"code":-2}`, vendors.RateLimited, time.Time{}},
		{"down", 200, `{"code":-1}`, vendors.Unavailable, time.Time{}},
		{"unknown", 200, `{"code":4711}`, vendors.Unknown, time.Time{}},
		{"unknown_500", 500, `{"code":4711}`, vendors.Unavailable, time.Time{}},
		{"status_401", 401, ``, vendors.BadCredentials, time.Time{}},
		{"status_502", 502, `<html>`, vendors.Unavailable, time.Time{}},
		{"success_under_an_error", 500, `{"code":0,"data":{"auth_token":"T"}}`, vendors.Unavailable, time.Time{}},
		{"garbage", 200, `hello`, vendors.Unavailable, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, result := newProtocol(config(), hostChina).InterpretToken(vendors.Response{Status: c.status, Body: []byte(c.body)}, now)
			if result.Reason != c.reason || !token.Expires.Equal(c.expires) || (token.Value == "T") != (c.reason == vendors.Accepted) {
				t.Errorf("got %v until %v, want %v until %v", result.Reason, token.Expires, c.reason, c.expires)
			}
		})
	}
}
