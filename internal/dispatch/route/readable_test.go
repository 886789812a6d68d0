package route

import "testing"

func TestIDOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"id":"m-1","recipients":7}`:                      "m-1",
		`{"recipients":7,"content":{"id":"x"},"id":"m-1"}`: "m-1",
		`{"id":"m-1","content":{"type":`:                   "m-1",
		`{"id":1001}`:                                      "1001",
		"{\"sender\":\"\xff\",\"id\":\"m-1\"}":             "m-1",
		`{"content":{"type":"text"`:                        "",
		`{"id":{}}`:                                        "",
		`["id","m-1"]`:                                     "",
		`not JSON`:                                         "",
		``:                                                 "",
	} {
		if got := idIn([]byte(body)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}
