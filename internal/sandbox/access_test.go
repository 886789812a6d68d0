package sandbox

import "testing"

// A sandbox knows its own access tokens again after a restart, and nothing else for one.
func TestIssuedAccess(t *testing.T) {
	t.Parallel()
	token := NewAccess("a")
	if token == NewAccess("a") {
		t.Error("the same token twice")
	}
	if !IssuedAccess("a", token) {
		t.Errorf("%s is not known again", token)
	}
	for _, strange := range []string{"", "x", token[1:], token + "A", token[:len(token)-1], NewAccess("b")} {
		if IssuedAccess("a", strange) {
			t.Errorf("%q passes for a token of this vendor", strange)
		}
	}
}
