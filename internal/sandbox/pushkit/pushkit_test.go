package pushkit

import "testing"

func TestReceiptSignature(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, Key, want string }{
		{"new_key_is_base64", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "0gi5BPk+TLrBasiOVk3HZ0DRm2oKTId+5KOAwWrj+CM="},
		{"old_key_is_text", "plain-text-secret", "AMWNXTLtjvS420b9KDx1N1+Dw3ySpKd6QgXZiSYla8o="},
	} {
		to := ReceiptTarget{User: "imreceipt", Key: c.Key}
		if got := receiptSignature(to, "1700000000000", "11111111-2222-4333-8444-555555555555"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
