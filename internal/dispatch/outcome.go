package dispatch

import "github.com/hongyan-im/hongyan"

// Ended is what became of a message on one device: an outcome, and one of its devices.
type Ended struct {
	hongyan.Outcome
	hongyan.DeviceOutcome
}

// ParseEnded reads the body of a message on push.outcome.>, device by device. What could be read
// comes with the error.
func ParseEnded(data []byte) ([]Ended, error) {
	outcomes, err := hongyan.ParseOutcomes(data)
	var ends []Ended
	for _, o := range outcomes {
		for _, d := range o.Devices {
			ends = append(ends, Ended{o, d})
		}
	}
	return ends, err
}
