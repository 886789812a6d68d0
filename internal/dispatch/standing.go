package dispatch

import (
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
)

// WorkerRoom is the name of the room of notes that holds a WorkerNote for each live worker, by its
// name.
const WorkerRoom = "worker"

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
