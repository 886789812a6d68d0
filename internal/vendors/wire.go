package vendors

import (
	"context"
	"net/http"
	"time"
)

// Wire is an HTTP vendor as two pure halves. Both must be safe for concurrent use.
type Wire interface {
	// Limits as in [Driver].
	Limits() Limits
	// Request writes the call for a batch. It must be deterministic: the same batch and token give
	// the same bytes. token is empty for a vendor that is neither [Authenticator] nor [Signer]. An
	// error means BadPayload for the whole batch.
	Request(ctx context.Context, batch Batch, token string) (*http.Request, error)
	// Interpret reads the answer and returns a result for each device, in order. It must not panic
	// on any answer.
	Interpret(resp Response, batch Batch) []Result
}

// Preparer is a Wire whose list push stores the content first (vivo's saveListPayload).
type Preparer interface {
	// Prepare writes the first call; nil means that this batch needs none.
	Prepare(ctx context.Context, batch Batch, token string) (*http.Request, error)
	// Prepared reads its answer: a handle for Batch.Prepared, or the result that every device gets.
	Prepared(resp Response) (handle string, result Result)
}

// Authenticator is a Wire whose calls carry an access token that a call of its own fetches.
type Authenticator interface {
	// TokenRequest writes the call that fetches a token.
	TokenRequest(ctx context.Context, now time.Time) (*http.Request, error)
	// InterpretToken reads its answer. The result's reason is Accepted exactly when the token may
	// be used.
	InterpretToken(resp Response, now time.Time) (AccessToken, Result)
}

// Signer is a Wire whose calls carry a token that is signed here, without a call: a JWT of a
// service account. It must be no [Authenticator].
type Signer interface {
	// Sign makes a token that holds from now on. An error is BadCredentials.
	Sign(now time.Time) (AccessToken, error)
}

// AccessToken is a bearer token and the time from which it must not be used.
type AccessToken struct {
	Value   string
	Expires time.Time
}

// TokenSource hands out a certificate's access token. [Invalidate] must be safe to call for a token
// that is no longer the current one.
type TokenSource interface {
	// Token returns the current token, fetching one if needed. An error that is a *[TokenError]
	// carries the reason.
	Token(ctx context.Context) (string, error)
	// Invalidate says that the vendor no longer takes this token.
	Invalidate(token string)
}

// TokenError is a token that could not be fetched.
type TokenError struct{ Result Result }

func (e *TokenError) Error() string {
	if e.Result.Err != nil {
		return "fetch access token: " + e.Result.Err.Error()
	}
	return "fetch access token: " + e.Result.Reason.String() + " " + e.Result.Code
}

// Unwrap returns the cause.
func (e *TokenError) Unwrap() error { return e.Result.Err }

// Response is an HTTP answer, read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// RetryAfter is the parsed Retry-After header, 0 without one.
	RetryAfter time.Duration
}

// MaxResponse is how much of an answer is read; a longer one is Unavailable. The longest legitimate
// one lists a thousand tokens.
const MaxResponse = 1 << 20
