package fcm

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// relay is the RoundTripper that the SDK uses. It makes the real call, keeps the result in the
// push's [exchange], and always answers the SDK with an empty success. The reason is that the SDK
// repeats a 503 and every network error up to four times, the first time at once, and this cannot
// be switched off.
type relay struct {
	client *http.Client // over the transport
	tokens vendors.TokenSource
	reader reader
}

// exchange receives the result of one push. It is in the request's context.
type exchange struct {
	parent context.Context // the caller's, without the call's own deadline
	done   bool
	result vendors.Result
}

type exchangeKey struct{}

// RoundTrip never fails for a request of a push.
func (r *relay) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	x, ok := req.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return nil, errors.New("fcm: a request that belongs to no push")
	}
	x.result, x.done = r.push(req, x.parent), true
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), ContentLength: 2, Request: req,
	}, nil
}

// push makes the call. If FCM refuses the access token, a new one is fetched and the request is
// sent once more. FCM had answered without accepting the push, so no phone can show it twice.
func (r *relay) push(req *http.Request, parent context.Context) vendors.Result {
	ctx := req.Context()
	token, err := r.tokens.Token(ctx)
	if err != nil {
		return vendors.TokenFailure(parent, err)
	}
	result := r.call(req, parent, token)
	if result.Reason != vendors.AuthExpired {
		return result
	}
	r.tokens.Invalidate(token)
	fresh, err := r.tokens.Token(ctx)
	if err != nil {
		return vendors.TokenFailure(parent, err)
	}
	if fresh != token { // else it was fetched a moment ago, and asking again would only use up quota
		result = r.call(req, parent, fresh)
	}
	if result.Reason == vendors.AuthExpired {
		result.Reason = vendors.BadCredentials // even a token fetched just now is refused
	}
	return result
}

func (r *relay) call(req *http.Request, parent context.Context, token string) vendors.Result {
	out := req.Clone(req.Context())
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return vendors.Result{Reason: vendors.BadPayload, Err: err}
		}
		out.Body = body
	}
	out.Header.Set("Authorization", "Bearer "+token)
	resp, err := vendors.Do(r.client, out)
	if err != nil {
		return vendors.TransportResult(parent, err)
	}
	return r.reader.interpret(resp)
}
