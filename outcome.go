package hongyan

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

// Outcome is what became of a message on some devices that share certificate and status.
type Outcome struct {
	// MessageID is the message's id.
	MessageID string `json:"message_id"`
	// App is the message's app.
	App string `json:"app"`
	// Vendor is empty where there is none.
	Vendor string `json:"vendor"`
	// Certificate is empty where there is none.
	Certificate string `json:"certificate"`
	// Status is the kind of the outcome.
	Status Status `json:"status"`
	// At is when it was decided.
	At time.Time `json:"at"`
	// Devices are those that the outcome is about, at least one.
	Devices []DeviceOutcome `json:"devices"`
}

// DeviceOutcome is what became of a message on one device of one user.
type DeviceOutcome struct {
	// User is the recipient.
	User string `json:"user"`
	// Device is empty where the outcome is about a user without devices.
	Device string `json:"device"`
	// Reason says why.
	Reason Reason `json:"reason"`
	// VendorCode is the vendor's own code; empty where it was not asked.
	VendorCode string `json:"vendor_code"`
	// VendorID is the vendor's id of the push; empty where it gave none.
	VendorID string `json:"vendor_id"`
	// Attempt counts from 1; 0 where nothing was attempted.
	Attempt int `json:"attempt"`
	// LatencyMS counts milliseconds from the storage of the message to the vendor's answer; 0 where
	// nothing was attempted.
	LatencyMS int64 `json:"latency_ms"`
	// Note names what was different about the push: "ext_dropped", "image_dropped",
	// "text_replaced" or "voip_fallback", or "held" where it waits because an operator holds it;
	// empty for nothing.
	Note string `json:"note,omitempty"`
}

// ParseOutcomes reads the body of a message on push.outcome.>: one or more outcomes, one a line.
func ParseOutcomes(data []byte) ([]Outcome, error) {
	var outcomes []Outcome
	for line := range bytes.Lines(data) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var o Outcome
		if err := json.Unmarshal(line, &o); err != nil {
			return outcomes, fmt.Errorf("outcome %d: %w", len(outcomes)+1, describe(err, "the outcome"))
		}
		outcomes = append(outcomes, o)
	}
	return outcomes, nil
}
