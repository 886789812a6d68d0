package honor

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func FuzzInterpret(f *testing.F) {
	token := subject(nil).Token
	vendortest.FuzzInterpret(f, wireOf(f, nil), token,
		`{"code":200,"message":"success","data":{"sendResult":true,"requestId":"madeup-1","failTokens":[],"expireTokens":[]}}`,
		`{"code":200,"message":"success","data":{"sendResult":false,"requestId":"madeup-2","failTokens":["`+token(0)+`"],"expireTokens":["`+token(1)+`"]}}`,
		`{"code":401,"message":"access token expired","data":null}`,
		`{"code":"80000000","msg":"Success","requestId":"1"}`,
		`{"code":9,"data":{"sendResult":true}}`,
	)
}

// Every row of the table.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	p := wireOf(t, nil)
	seen := 0
	for _, c := range []struct {
		level, codes string
		want         vendors.Reason
	}{
		{levelCode, "200", vendors.Accepted},
		{levelCode, "0 80000000 12200000 404", vendors.Unknown},
		{levelCode, "400", vendors.BadPayload},
		{levelCode, "401", vendors.AuthExpired},
		{levelCode, "403", vendors.BadCredentials},
		{levelCode, "429 503", vendors.RateLimited},
		{levelCode, "500 502 504", vendors.Unavailable},
		{levelHTTP, "400", vendors.BadPayload},
		{levelHTTP, "401", vendors.AuthExpired},
		{levelHTTP, "403", vendors.BadCredentials},
		{levelHTTP, "429 503", vendors.RateLimited},
		{levelDevice, "expireTokens", vendors.BadToken},
		{levelDevice, "failTokens", vendors.Unknown},
	} {
		for _, code := range strings.Fields(c.codes) {
			seen++
			got, name := vendors.Result{}, code
			switch c.level {
			case levelCode:
				got = p.Interpret(ok(`{"code":`+code+`,"message":"x","data":null}`), batchOf("a"))[0]
			case levelHTTP:
				var status int
				_, _ = fmt.Sscan(code, &status)
				got, name = p.Interpret(vendors.Response{Status: status}, batchOf("a"))[0], "HTTP "+code
			case levelDevice:
				all := p.Interpret(ok(`{"code":200,"data":{"sendResult":true,"requestId":"r-1","`+code+`":["b"]}}`), batchOf("a", "b"))
				if all[0].Reason != vendors.Accepted || all[0].VendorID != "r-1" {
					t.Errorf("%s: the other got %+v", code, all[0])
				}
				got = all[1]
			}
			if got.Reason != c.want || got.Code != name || (got.Err == nil) != (c.want == vendors.Accepted) {
				t.Errorf("%s %s: got %+v, want %v", c.level, code, got, c.want)
			}
		}
	}
	if seen != len(codes()) {
		t.Errorf("%d codes tested, the table has %d", seen, len(codes()))
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	yes, dead, unknown := vendors.Accepted, vendors.BadToken, vendors.Unknown
	for name, c := range map[string]struct {
		resp vendors.Response
		want []vendors.Reason // of devices a and b
	}{
		"success":                {ok(`{"code":200,"data":{"sendResult":true}}`), []vendors.Reason{yes, yes}},
		"success_as_string":      {ok(`{"code":"200","data":{"sendResult":"true"}}`), []vendors.Reason{yes, yes}},
		"success_without_data":   {ok(`{"code":200,"message":"success"}`), []vendors.Reason{yes, yes}},
		"success_with_dead":      {ok(`{"code":200,"data":{"sendResult":false,"expireTokens":["b"]}}`), []vendors.Reason{yes, dead}},
		"failed_and_dead":        {ok(`{"code":200,"data":{"sendResult":false,"failTokens":["a","b"],"expireTokens":["b"]}}`), []vendors.Reason{unknown, dead}},
		"false_naming_nobody":    {ok(`{"code":200,"data":{"sendResult":false,"failTokens":[],"expireTokens":[]}}`), []vendors.Reason{unknown, unknown}},
		"unknown_code_but_sent":  {ok(`{"code":80000000,"data":{"sendResult":true,"failTokens":[],"expireTokens":["b"]}}`), []vendors.Reason{yes, dead}},
		"unknown_code_some_fail": {ok(`{"code":4711,"data":{"sendResult":true,"failTokens":["b"]}}`), []vendors.Reason{unknown, unknown}},
		"no_code_but_sent":       {ok(`{"data":{"sendResult":true}}`), []vendors.Reason{yes, yes}},
		"error_with_dead":        {ok(`{"code":429,"data":{"sendResult":false,"failTokens":["a"],"expireTokens":["b"]}}`), []vendors.Reason{vendors.RateLimited, dead}},
		"error_but_sent":         {ok(`{"code":403,"data":{"sendResult":true}}`), []vendors.Reason{vendors.BadCredentials, vendors.BadCredentials}},
		"unknown_code":           {ok(`{"code":8001001,"message":"?","data":null}`), []vendors.Reason{unknown, unknown}},
		"huawei_success":         {ok(`{"code":"80000000","msg":"Success"}`), []vendors.Reason{unknown, unknown}},
		"says_access_token":      {ok(`{"code":7,"message":"The access token is expired"}`), []vendors.Reason{vendors.AuthExpired, vendors.AuthExpired}},
		// Whose token? A wrong guess would cost registrations or park the certificate.
		"says_token":         {ok(`{"code":7,"message":"invalid token"}`), []vendors.Reason{unknown, unknown}},
		"says_parameter":     {ok(`{"code":7,"message":"Parameter error"}`), []vendors.Reason{vendors.BadPayload, vendors.BadPayload}},
		"says_flow":          {ok(`{"code":7,"message":"flow control"}`), []vendors.Reason{vendors.RateLimited, vendors.RateLimited}},
		"data_is_text":       {ok(`{"code":200,"data":"x"}`), []vendors.Reason{yes, yes}},
		"html":               {ok(`<html>`), []vendors.Reason{vendors.Unavailable, vendors.Unavailable}},
		"empty_object":       {ok(`{}`), []vendors.Reason{vendors.Unavailable, vendors.Unavailable}},
		"http_401_json":      {vendors.Response{Status: 401, Body: []byte(`{"code":401,"message":"x","data":null}`)}, []vendors.Reason{vendors.AuthExpired, vendors.AuthExpired}},
		"http_401_empty":     {vendors.Response{Status: 401}, []vendors.Reason{vendors.AuthExpired, vendors.AuthExpired}},
		"http_503_html":      {vendors.Response{Status: 503, Body: []byte("<html>")}, []vendors.Reason{vendors.RateLimited, vendors.RateLimited}},
		"http_502":           {vendors.Response{Status: 502}, []vendors.Reason{vendors.Unavailable, vendors.Unavailable}},
		"http_404":           {vendors.Response{Status: 404}, []vendors.Reason{vendors.BadCredentials, vendors.BadCredentials}},
		"http_400_knows":     {vendors.Response{Status: 400, Body: []byte(`{"code":429}`)}, []vendors.Reason{vendors.RateLimited, vendors.RateLimited}},
		"http_400_strange":   {vendors.Response{Status: 400, Body: []byte(`{"code":4711}`)}, []vendors.Reason{vendors.BadPayload, vendors.BadPayload}},
		"http_500_success":   {vendors.Response{Status: 500, Body: []byte(`{"code":200,"data":{"sendResult":true}}`)}, []vendors.Reason{vendors.Unavailable, vendors.Unavailable}},
		"http_500_tokens":    {vendors.Response{Status: 500, Body: []byte(`{"code":200,"data":{"expireTokens":["b"]}}`)}, []vendors.Reason{vendors.Unavailable, vendors.Unavailable}},
		"code_is_no_number":  {ok(`{"code":"OK"}`), []vendors.Reason{vendors.Unavailable, vendors.Unavailable}},
		"too_many_under_429": {vendors.Response{Status: 429}, []vendors.Reason{vendors.RateLimited, vendors.RateLimited}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, r := range wireOf(t, nil).Interpret(c.resp, batchOf("a", "b")) {
				if r.Reason != c.want[i] {
					t.Errorf("device %d: got %+v, want %v", i, r, c.want[i])
				}
			}
		})
	}
}

// The table can be changed from the configuration, and a code keeps its number.
func TestCodesOfConfiguration(t *testing.T) {
	t.Parallel()
	var c Config
	err := yaml.Unmarshal([]byte("app_id: 104400001\nclient_id: 2\nclient_secret: s\nsuccess_codes: [80000000, \"0\"]\ncodes: {80100003: bad_payload, \"404\": bad_token}\n"), &c)
	if err != nil {
		t.Fatal(err)
	}
	if found := c.Problems(); len(found) != 0 {
		t.Fatalf("problems: %+v", found)
	}
	p, err := newProtocol(&c)
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]vendors.Reason{
		"80000000": vendors.Accepted, "0": vendors.Accepted, "200": vendors.Unknown, "80100003": vendors.BadPayload, "404": vendors.BadToken,
	} {
		got := p.Interpret(ok(`{"code":`+code+`}`), batchOf("a"))[0]
		if code == "200" {
			// No longer a success, and the table knows it for nothing else.
			want = vendors.Unknown
		}
		if got.Reason != want || got.Code != code {
			t.Errorf("%s: got %+v, want %v", code, got, want)
		}
	}
}

func TestInterpretToken(t *testing.T) {
	t.Parallel()
	p := wireOf(t, nil)
	for name, c := range map[string]struct {
		resp vendors.Response
		want vendors.Reason
		life time.Duration
	}{
		"token":           {ok(`{"access_token":"t","expires_in":3600,"token_type":"Bearer"}`), vendors.Accepted, time.Hour},
		"life_as_string":  {ok(`{"access_token":"t","expires_in":"60"}`), vendors.Accepted, time.Minute},
		"life_absent":     {ok(`{"access_token":"t"}`), vendors.Accepted, time.Hour},
		"life_of_ages":    {ok(`{"access_token":"t","expires_in":9223372036854775807}`), vendors.Accepted, 24 * time.Hour},
		"error_under_200": {ok(`{"error":"invalid_client","error_description":"x"}`), vendors.BadCredentials, 0},
		"error_under_401": {vendors.Response{Status: 401, Body: []byte(`{"error":"unauthorized_client"}`)}, vendors.BadCredentials, 0},
		"error_under_400": {vendors.Response{Status: 400, Body: []byte(`{"error":"invalid_client"}`)}, vendors.BadCredentials, 0},
		"bare_401":        {vendors.Response{Status: 401}, vendors.BadCredentials, 0},
		"crash":           {vendors.Response{Status: 500, Body: []byte(`{"error":"server_error"}`)}, vendors.Unavailable, 0},
		"too_fast":        {vendors.Response{Status: 429, Body: []byte(`{"error":"slow_down"}`)}, vendors.RateLimited, 0},
		"html":            {ok("<html>"), vendors.Unavailable, 0},
	} {
		token, got := p.InterpretToken(c.resp, vendortest.Now)
		if got.Reason != c.want || (got.Err == nil) != (c.want == vendors.Accepted) {
			t.Errorf("%s: got %+v, want %v", name, got, c.want)
		}
		if c.life > 0 && (token.Value != "t" || token.Expires.Sub(vendortest.Now) != c.life) {
			t.Errorf("%s: got %+v, want %v", name, token, c.life)
		}
	}
}

// Tokens that failed are tried again; those that expired are given up.
func TestFailTokens(t *testing.T) {
	t.Parallel()
	s := subject(nil)
	r := vendortest.NewRig(t, s, nil)
	r.Sandbox.Kill("honor", s.Token(2))
	r.Sandbox.Arm(sandbox.Fault{Vendor: "honor", Kind: sandbox.FaultCode, Code: "failTokens", Token: s.Token(1), Times: 1})
	got := r.Driver.Push(context.Background(), r.Batch(4, vendortest.Chat()))
	want := []vendors.Reason{vendors.Accepted, vendors.Unknown, vendors.BadToken, vendors.Accepted}
	for i := range got {
		if got[i].Reason != want[i] {
			t.Errorf("device %d: got %+v, want %v", i, got[i], want[i])
		}
	}
}
