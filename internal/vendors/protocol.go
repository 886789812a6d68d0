package vendors

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Protocol is the HTTP API of a vendor as two pure functions: one writes the request, the other
// reads the answer. Both must be safe for concurrent use.
type Protocol interface {
	// Limits are those of [Driver].
	Limits() Limits
	// Request writes the call for a batch. It must be deterministic: the same batch and token give
	// the same bytes. token is empty for a vendor that is neither [Authenticator] nor [Signer]. An
	// error means BadPayload for the whole batch.
	Request(ctx context.Context, batch Batch, token string) (*http.Request, error)
	// Interpret reads the answer and returns a result for each device, in order. It must not panic
	// on any answer.
	Interpret(resp Response, batch Batch) []Result
}

// Preparer is a Protocol that must store the content with the vendor before it can be pushed to a
// list of devices (vivo's saveListPayload).
type Preparer interface {
	// Prepare writes the first call; nil means that this batch needs none.
	Prepare(ctx context.Context, batch Batch, token string) (*http.Request, error)
	// Prepared reads the answer. It returns the handle for Batch.Prepared, or the result of every
	// device when its reason is not Accepted.
	Prepared(resp Response, batch Batch) (handle string, result Result)
}

// Revoker is a Protocol whose vendor takes back pushes that phones did not show yet; its driver is
// a [Withdrawer].
type Revoker interface {
	// Revoke writes the call that takes back what was pushed to the devices of the batch.
	Revoke(ctx context.Context, batch Batch, token string) (*http.Request, error)
	// Revoked reads the answer and returns a result for each device, in order.
	Revoked(resp Response, batch Batch) []Result
}

// Noter is a Protocol that may leave something out of a push that does not fit.
type Noter interface {
	// Note names what the request for this batch lacks, for [Result.Note]; empty for nothing. It
	// must be quick for what fits anyway.
	Note(batch Batch) string
}

// Authenticator is a Protocol whose requests carry an access token, which another call fetches.
type Authenticator interface {
	// TokenRequest writes the call that fetches a token.
	TokenRequest(ctx context.Context, now time.Time) (*http.Request, error)
	// InterpretToken reads the answer. The reason of the result is Accepted if and only if the
	// token can be used.
	InterpretToken(resp Response, now time.Time) (AccessToken, Result)
}

// Signer is a Protocol whose requests carry a token that is signed here, without a call: the JWT of
// a service account. It must not be an [Authenticator] as well.
type Signer interface {
	// Sign makes a token that is valid from now on. An error means BadCredentials.
	Sign(now time.Time) (AccessToken, error)
}

// AccessToken is a bearer token, with the time from which it must no longer be used.
type AccessToken struct {
	Value   string
	Expires time.Time
}

// TokenSource provides the access token of a certificate.
type TokenSource interface {
	// Token returns the current token and fetches one if needed. If the error is a *[TokenError],
	// it contains the reason.
	Token(ctx context.Context) (string, error)
	// Invalidate reports that the vendor refuses this token. It has no effect when the token is no
	// longer the current one.
	Invalidate(token string)
}

// TokenError says that the access token could not be fetched, and why.
type TokenError struct{ Result Result }

func (e *TokenError) Error() string {
	if e.Result.Err != nil {
		return "fetch access token: " + e.Result.Err.Error()
	}
	return "fetch access token: " + e.Result.Reason.String() + " " + e.Result.Code
}

// Unwrap returns the cause.
func (e *TokenError) Unwrap() error { return e.Result.Err }

// Response is an HTTP answer whose body was read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// RetryAfter is the parsed Retry-After header, or 0 without one.
	RetryAfter time.Duration
}

// MaxResponse is the longest answer that is read, in bytes; a longer one gives Unavailable. The
// longest legitimate answer lists a thousand tokens.
const MaxResponse = 1 << 20

// Loose is the text of a JSON string, number or boolean. It is for fields about whose type a
// vendor's documents, samples and servers disagree. Null, objects and arrays become "".
type Loose string

// UnmarshalJSON takes any value and never fails.
func (l *Loose) UnmarshalJSON(data []byte) error {
	*l = ""
	var text string
	if json.Unmarshal(data, &text) == nil {
		*l = Loose(text)
		return nil
	}
	if len(data) > 0 && data[0] != '{' && data[0] != '[' && string(data) != "null" {
		*l = Loose(data)
	}
	return nil
}
