package dispatch

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Piece is what a stored piece of a large message holds: the message for the users of one
// partition.
type Piece struct {
	Version int `json:"v"`
	// Published is when the whole message was stored.
	Published time.Time `json:"published"`
	// Recipients is how many the whole message has.
	Recipients int            `json:"recipients"`
	Message    jsontext.Value `json:"message"`
}

// PieceVersion is the form in which pieces are stored.
const PieceVersion = 1

// ReadPiece reads a piece, but for the message in it.
func ReadPiece(data []byte) (p Piece, err error) {
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("read a piece of a message: %w", err)
	}
	if p.Version > PieceVersion {
		return p, fmt.Errorf("read a piece of form %d: %w", p.Version, ErrNewerJob)
	}
	return p, nil
}
