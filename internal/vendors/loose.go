package vendors

import "encoding/json"

// Loose is a JSON string, number or boolean as text, for fields whose type a vendor's documents,
// samples and servers do not agree on. Null, objects and arrays are empty.
type Loose string

// UnmarshalJSON reads any value and fails on none.
func (l *Loose) UnmarshalJSON(data []byte) error {
	*l = ""
	var text string
	if json.Unmarshal(data, &text) == nil {
		*l = Loose(text)
		return nil
	}
	if len(data) > 0 && data[0] != '{' && data[0] != '[' && string(data) != "null" {
		*l = Loose(data)
	}
	return nil
}
