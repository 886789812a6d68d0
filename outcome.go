package hongyan

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

// Outcome is what became of a message on some devices that share certificate and status.
type Outcome struct {
	MessageID string `json:"message_id"`
	App       string `json:"app"`
	// Vendor and Certificate are empty where there is none.
	Vendor      string          `json:"vendor"`
	Certificate string          `json:"certificate"`
	Status      Status          `json:"status"`
	At          time.Time       `json:"at"`
	Devices     []DeviceOutcome `json:"devices"`
}

// DeviceOutcome is what became of a message on one device of one user.
type DeviceOutcome struct {
	User string `json:"user"`
	// Device is empty where the outcome is about a user without devices.
	Device string `json:"device"`
	Reason Reason `json:"reason"`
	// VendorCode is the vendor's own code, and VendorID its id of the push.
	VendorCode string `json:"vendor_code"`
	VendorID   string `json:"vendor_id"`
	// Attempt counts from 1; 0 where nothing was attempted.
	Attempt   int   `json:"attempt"`
	LatencyMS int64 `json:"latency_ms"`
	// Note names what was different about the push, such as "ext_dropped"; mostly empty.
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
