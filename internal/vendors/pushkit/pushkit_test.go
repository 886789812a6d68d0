package pushkit

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

func TestRead(t *testing.T) {
	t.Parallel()
	codes := map[string]vendors.Code{
		CodeSuccess: {Code: CodeSuccess, Reason: vendors.Accepted, Meaning: vendors.Both("accepted", "已受理")},
		CodePartial: {Code: CodePartial, Reason: vendors.BadToken, Meaning: vendors.Both("some", "部分")},
	}
	statuses := vendors.Index(StatusCodes("http", vendors.Both("endpoint", "endpoint")), "http")
	for name, c := range map[string]struct {
		status   int
		body     string
		reason   vendors.Reason
		code     string
		known    bool
		accepted vendors.Reason
		details  string
	}{
		"success":           {200, `{"code":"80000000","msg":"Success","requestId":"r1"}`, vendors.Accepted, CodeSuccess, true, vendors.Accepted, "Success"},
		"number":            {200, `{"code":80000000}`, vendors.Accepted, CodeSuccess, true, vendors.Accepted, ""},
		"under_http_error":  {400, `{"code":"80000000"}`, vendors.Accepted, CodeSuccess, true, vendors.Unknown, ""},
		"details_as_text":   {200, `{"code":"80100000","msg":"{\"x\":1}"}`, vendors.BadToken, CodePartial, true, vendors.Accepted, `{"x":1}`},
		"details_as_object": {200, `{"code":"80100000","msg":{"x":1}}`, vendors.BadToken, CodePartial, true, vendors.Accepted, `{"x":1}`},
		"unknown":           {200, `{"code":"80999999"}`, vendors.Unknown, "80999999", false, vendors.Unknown, ""},
		"unknown_and_500":   {500, `{"code":"80999999"}`, vendors.Unavailable, "80999999", false, vendors.Unknown, ""},
		"no_code":           {200, `{"code":"so so"}`, vendors.Unavailable, "HTTP 200", false, vendors.Unknown, ""},
		"page_of_a_proxy":   {404, `<html>`, vendors.Unavailable, "HTTP 404", false, vendors.Unknown, ""},
		"flow_control":      {503, `{"code":"80000000"}`, vendors.RateLimited, "HTTP 503", false, vendors.Unknown, ""},
	} {
		got := Read(vendors.Response{Status: c.status, Body: []byte(c.body)}, codes, statuses)
		if got.Result.Reason != c.reason || got.Result.Code != c.code || got.Known != c.known || got.Known && got.Accepted.Reason != c.accepted {
			t.Errorf("%s: got %+v", name, got)
		}
		if got.Known && string(got.Details) != c.details {
			t.Errorf("%s: details %s, want %s", name, got.Details, c.details)
		}
		if !got.Known && got.Result.Err == nil {
			t.Errorf("%s: nothing says why", name)
		}
	}
}

func TestTokensAreSentOnce(t *testing.T) {
	t.Parallel()
	if got := Tokens([]vendors.Device{{Token: "a"}, {Token: "b"}, {Token: "a"}}); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q", got)
	}
}

func TestCategories(t *testing.T) {
	t.Parallel()
	own := map[string]string{"a": "", "b": "IM", "c": "im", "d": PlayVoice, "e": Marketing, "f": "NEW"}
	var is vendors.Checks
	CheckCategories(&is, own, "broadcasts")
	var keys []string
	for _, p := range is.Problems() {
		keys = append(keys, p.Key)
	}
	if diff := cmp.Diff([]string{"c", "d"}, keys); diff != "" {
		t.Error(diff)
	}
	advice := CategoryAdvice(own, []string{"IM"}, "refused")
	if len(advice) != 2 || advice[0][0] != 'e' || advice[1][0] != 'f' {
		t.Errorf("advice %q", advice)
	}
}
