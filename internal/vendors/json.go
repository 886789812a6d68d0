package vendors

import (
	"bytes"
	"encoding/json"
)

// JSON writes JSON without escaping <, > and &, which would make it longer for nothing. It panics
// on a value that does not marshal: what drivers write are structs and maps of texts and numbers,
// so that is a mistake in the program.
func JSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("vendors: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
