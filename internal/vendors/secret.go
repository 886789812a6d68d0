package vendors

import "log/slog"

// Secret is a value that must not be printed: it shows as "<secret>" in fmt, JSON, YAML and slog.
// Its bytes are string(s).
type Secret string

// String hides the secret.
func (s Secret) String() string { return "<secret>" }

// GoString hides the secret.
func (s Secret) GoString() string { return "<secret>" }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte("<secret>"), nil }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue("<secret>") }
