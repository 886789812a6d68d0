package vendors

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// otherCall makes a call that is no push for the devices whose token one can carry, within the
// timeout.
func (d *httpDriver) otherCall(ctx context.Context, batch Batch, write writer, read reader) []Result {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	return d.sendable(batch, func(b Batch) []Result {
		return d.renewed(ctx, parent, b, func(b Batch, token string) []Result { return d.exchange(ctx, parent, b, token, write, read) })
	})
}

// renewed makes a call with the access token, and once more, with a new one, for the devices that
// failed because it was too old.
func (d *httpDriver) renewed(ctx, parent context.Context, batch Batch, call func(b Batch, token string) []Result) []Result {
	token, err := d.token(ctx)
	if err != nil {
		return All(len(batch.Devices), TokenFailure(parent, err))
	}
	return d.resend(call(batch, token), batch, func(r Result) bool { return r.Reason == AuthExpired && d.tokens != nil }, func(b Batch) []Result {
		d.tokens.Invalidate(token)
		fresh, err := d.token(ctx)
		if err != nil {
			return All(len(b.Devices), TokenFailure(parent, err))
		}
		results := call(b, fresh)
		for i := range results {
			if results[i].Reason == AuthExpired {
				// Even a token fetched just now is refused: this one, or the one before, which the
				// source keeps because it was as young.
				results[i].Reason, results[i].Scope = BadCredentials, ScopeCertificate
			}
		}
		return results
	})
}

// token is the access token, empty for a vendor without.
func (d *httpDriver) token(ctx context.Context) (string, error) {
	if d.tokens == nil {
		return "", nil
	}
	return d.tokens.Token(ctx)
}

// call makes the call of a push, after the one that prepares it where there is one.
func (d *httpDriver) call(ctx, parent context.Context, batch Batch, token string) []Result {
	if d.preparer != nil {
		failed := d.exchange(ctx, parent, batch, token, d.preparer.Prepare, func(resp Response, b Batch) []Result {
			var result Result
			if batch.Prepared, result = d.preparer.Prepared(resp, b); result.Reason == Accepted {
				return nil
			}
			return All(len(b.Devices), result)
		})
		if failed != nil {
			return failed
		}
	}
	return d.exchange(ctx, parent, batch, token, d.protocol.Request, d.interpret)
}

// interpret reads the answer to a push.
func (d *httpDriver) interpret(resp Response, batch Batch) []Result {
	results := d.protocol.Interpret(resp, batch)
	note := ""
	if d.noter != nil {
		note = d.noter.Note(batch)
	}
	for i := range results {
		r := &results[i]
		r.Split = r.Split || resp.Status == http.StatusRequestEntityTooLarge && len(results) > 1
		if r.Reason == Accepted && r.Note == "" {
			r.Note = note
		}
	}
	return results
}

// The halves of a call; see [Protocol].
type (
	writer func(ctx context.Context, batch Batch, token string) (*http.Request, error)
	reader func(resp Response, batch Batch) []Result
)

// exchange makes one call and reads the answer. Where there is nothing to write it returns nil.
func (d *httpDriver) exchange(ctx, parent context.Context, batch Batch, token string, write writer, read reader) []Result {
	turn := d.turns.Begin(batch.Large())
	req, err := write(ctx, batch, token)
	turn.End()
	switch {
	case err != nil:
		return All(len(batch.Devices), Result{Reason: BadPayload, Err: err})
	case req == nil:
		return nil
	}
	resp, err := d.do(req)
	if err != nil {
		return All(len(batch.Devices), TransportResult(parent, err))
	}
	turn = d.turns.Begin(batch.Large())
	results := read(resp, batch)
	turn.End()
	for i := range results {
		if r := &results[i]; r.RetryAfter == 0 && r.Reason != Accepted {
			r.RetryAfter = resp.RetryAfter
		}
	}
	return results
}

func (d *httpDriver) fetchToken(ctx context.Context, auth Authenticator, now time.Time) (AccessToken, error) {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	req, err := auth.TokenRequest(ctx, now)
	if err != nil {
		return AccessToken{}, &TokenError{Result{Reason: BadCredentials, Err: err}}
	}
	resp, err := d.do(req)
	if err != nil {
		return AccessToken{}, &TokenError{TransportResult(parent, err)}
	}
	token, result := auth.InterpretToken(resp, now)
	if result.Reason != Accepted {
		if result.RetryAfter == 0 {
			result.RetryAfter = resp.RetryAfter
		}
		return AccessToken{}, &TokenError{result}
	}
	return token, nil
}

func (d *httpDriver) do(req *http.Request) (Response, error) { return Do(d.client, req) }

// Do makes a call and reads the answer, up to [MaxResponse] bytes. Its errors contain neither the
// URL nor any other part of the request.
func Do(client *http.Client, req *http.Request) (Response, error) {
	x := StartExchange(req.Context(), req.Method, req.URL.Scheme, req.URL.Host, req.URL.Path)
	resp, err := client.Do(req)
	if err != nil {
		err = redact(err)
		x.Failed(err)
		return Response{}, err
	}
	x.Answered(resp.StatusCode, resp.Header.Get("Date"))
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxResponse+1))
	if err != nil {
		return Response{}, redact(err)
	}
	if len(body) > MaxResponse {
		return Response{}, fmt.Errorf("answer is longer than %d bytes", MaxResponse)
	}
	return Response{Status: resp.StatusCode, Header: resp.Header, Body: body, RetryAfter: ParseRetryAfter(resp.Header)}, nil
}
