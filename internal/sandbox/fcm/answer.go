package fcm

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// failure is an error as FCM writes it.
type failure struct {
	status  int
	rpc     string // google.rpc.Code
	code    string // of the FcmError, empty for none
	message string
	// violations are those of a google.rpc.BadRequest; quota says that a google.rpc.QuotaFailure
	// goes with it.
	violations []violation
	badRequest bool
	quota      string
	retryAfter time.Duration
	html       bool
	// rule is the broken rule in words; empty where none was broken.
	rule string
}

type violation struct {
	Field       string `json:"field,omitempty"`
	Description string `json:"description"`
}

const typePrefix = "type.googleapis.com/"

func (a failure) write(w http.ResponseWriter) {
	if a.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(a.retryAfter.Seconds()))))
	}
	if a.html {
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.WriteHeader(a.status)
		_, _ = fmt.Fprintf(w, "<!DOCTYPE html><html><title>Error %d (%s)!!1</title></html>", a.status, http.StatusText(a.status))
		return
	}
	var details []any
	if a.badRequest || a.violations != nil {
		details = append(details, struct {
			Type       string      `json:"@type"`
			Violations []violation `json:"fieldViolations,omitempty"`
		}{typePrefix + "google.rpc.BadRequest", a.violations})
	}
	if a.quota != "" {
		details = append(details, map[string]any{
			"@type": typePrefix + "google.rpc.QuotaFailure", "violations": []any{map[string]string{"subject": a.quota, "description": "Message rate exceeded."}},
		})
	}
	if a.code != "" {
		details = append(details, map[string]string{"@type": typePrefix + "google.firebase.fcm.v1.FcmError", "errorCode": a.code})
	}
	body := map[string]any{"code": a.status, "message": a.message, "status": a.rpc}
	if details != nil {
		body["details"] = details
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": body})
}

var (
	unauthenticated = failure{status: 401, rpc: "UNAUTHENTICATED", message: "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential."}
	missingAuth     = failure{status: 401, rpc: "UNAUTHENTICATED", message: "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential."}
	unregistered    = failure{status: 404, rpc: "NOT_FOUND", code: "UNREGISTERED", message: "Requested entity was not found."}
	badToken        = failure{status: 400, rpc: "INVALID_ARGUMENT", code: "INVALID_ARGUMENT", message: "The registration token is not a valid FCM registration token"}
	denied          = failure{status: 403, rpc: "PERMISSION_DENIED", message: "Permission 'cloudmessaging.messages.create' denied on resource '//cloudresourcemanager.googleapis.com/projects/-' (or it may not exist)."}
	quota           = failure{status: 429, rpc: "RESOURCE_EXHAUSTED", code: "QUOTA_EXCEEDED", message: "Quota exceeded.", quota: "project"}
)

// named is the answer that FCM gives with an errorCode, with "token" for INVALID_ARGUMENT about
// the token, or with a bare HTTP status.
func named(code string) failure {
	switch code {
	case "UNREGISTERED":
		return unregistered
	case "INVALID_ARGUMENT":
		return failure{status: 400, rpc: code, code: code, message: "Request contains an invalid argument."}
	case "token":
		return badToken
	case "message.token":
		return failure{status: 400, rpc: "INVALID_ARGUMENT", code: "INVALID_ARGUMENT", message: "Request contains an invalid argument.", violations: []violation{{"message.token", "Invalid registration token"}}}
	case "SENDER_ID_MISMATCH":
		return failure{status: 403, rpc: "PERMISSION_DENIED", code: code, message: "SenderId mismatch"}
	case "QUOTA_EXCEEDED":
		a := quota
		a.quota = "device"
		return a
	case "project":
		return quota
	case "UNAVAILABLE":
		return failure{status: 503, rpc: code, code: code, message: "The service is currently unavailable."}
	case "INTERNAL":
		return failure{status: 500, rpc: code, code: code, message: "Internal error encountered."}
	case "THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR":
		return failure{status: 401, rpc: "UNAUTHENTICATED", code: code, message: "Auth error from APNS or Web Push Service"}
	case "401":
		return unauthenticated
	case "403":
		return denied
	}
	if status, err := strconv.Atoi(code); err == nil && status >= 400 && status <= 599 {
		return failure{status: status, html: true}
	}
	return failure{status: 500, rpc: "UNKNOWN", code: code, message: "Unknown error."}
}
