package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Longest waits that a fault may ask for, in seconds: longer ones are slips of the pen.
const (
	maxDelay      = 3600
	maxRetryAfter = 7 * 86400
)

// problems says everything that is wrong with a fault that came from outside, a sentence each.
func (f Fault) problems() []error {
	var errs []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if err := checkVendor(f.Vendor); err != nil {
		errs = append(errs, err)
	}
	if !slices.Contains(FaultKinds, f.Kind) {
		errs = append(errs, fmt.Errorf("kind %q is unknown: use one of %s", f.Kind, strings.Join(FaultKinds, ", ")))
		return errs // the rest depends on the kind
	}
	wrong(f.ID != 0, "id is the sandbox's to give: leave it out")
	wrong(f.Times < 0, "times is %d: it must be how often the fault strikes, or 0 for until it is cleared", f.Times)
	wrong(f.RetryAfter < 0 || f.RetryAfter > maxRetryAfter, "retry_after is %g: it must be seconds from 0 to %d", f.RetryAfter, maxRetryAfter)
	wrong(f.RetryAfter != 0 && f.Kind != FaultThrottle && f.Kind != FaultServerError, "retry_after means nothing to kind %s: it goes with throttle and server_error", f.Kind)
	wrong(f.Delay < 0 || f.Delay > maxDelay, "delay is %g: it must be seconds from 0 to %d", f.Delay, maxDelay)
	if f.Kind == FaultSlow {
		wrong(f.Delay == 0, "delay is required for kind slow: the seconds that each call waits")
	} else {
		wrong(f.Delay != 0, "delay means nothing to kind %s: it goes with slow", f.Kind)
	}
	if f.Kind == FaultServerError {
		wrong(f.Status != 0 && (f.Status < 400 || f.Status > 599), "status is %d: it must be an HTTP status from 400 to 599, or 0 for 500", f.Status)
	} else {
		wrong(f.Status != 0, "status means nothing to kind %s: it goes with server_error", f.Kind)
	}
	if f.Kind == FaultCode {
		wrong(f.Code == "", "code is required for kind code: the vendor's own code, such as 80300007")
	} else {
		wrong(f.Code != "", "code means nothing to kind %s: it goes with code", f.Kind)
	}
	if f.Kind == FaultPartial && f.Token == "" && f.Times == 0 {
		errs = append(errs, errors.New("kind partial needs a token, or times: without both every device fails, which is kind dead_token"))
	}
	return errs
}
