package dispatch

import (
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
)

// Rooms are the names of the rooms of notes in which workers say how they stand, to each other and
// to the operators' tools.
const (
	// ParkedRoom holds a Parked for each parked certificate, by its id.
	ParkedRoom = "park"
	// WorkerRoom holds a WorkerNote for each live worker, by its name.
	WorkerRoom = "worker"
)

// Parked is what the workers tell each other of a certificate whose vendor is in trouble.
type Parked struct {
	// Reason is the result's, Code and Error are the vendor's own words.
	Reason string    `json:"reason"`
	Code   string    `json:"code,omitempty"`
	Error  string    `json:"error,omitempty"`
	Since  time.Time `json:"since"`
	// Worker is the one that found it out.
	Worker string `json:"worker"`
}

// WorkerNote is what a worker says of itself. It holds what a tool must know to show the limits, so
// that no tool needs the configuration, and nothing secret.
type WorkerNote struct {
	Host         string            `json:"host,omitempty"`
	PID          int               `json:"pid,omitempty"`
	Version      string            `json:"version,omitempty"`
	Since        time.Time         `json:"since"`
	Certificates []CertificateNote `json:"certificates"`
}

// CertificateNote is a certificate as a worker is configured to use it.
type CertificateNote struct {
	App    string                `json:"app"`
	Vendor string                `json:"vendor"`
	Limits ratelimit.Certificate `json:"limits"`
}
