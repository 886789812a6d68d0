// Package natsaddr prints and checks addresses of NATS servers, which may hold a password or a
// token, without ever repeating either.
//
// The libraries below do not help here: net/url's errors quote the whole address, and its Redacted,
// which nats.go uses for the connected server, hides a password but not a token.
package natsaddr

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Default is where a NATS server listens that was told nothing.
const Default = "nats://127.0.0.1:4222"

var schemes = []string{"nats", "tls", "ws", "wss"}

// Redact is a comma-separated list of addresses as it may be printed: of each, everything before
// the last @ is cut, whatever its form, and what then is no host and port is not shown at all.
//
// A comma in a password divides its address. So an element that has an @ but no scheme may be the
// end of a secret, and what stands before it is cut as well, back to the last scheme.
func Redact(addresses string) string {
	var shown []string
	begin := 0   // where in shown the elements since the last scheme begin
	scheme := "" // that scheme
	for element := range strings.SplitSeq(addresses, ",") {
		own, rest := cutScheme(strings.TrimSpace(element))
		at := strings.LastIndexByte(rest, '@')
		switch {
		case own != "":
			begin, scheme = len(shown), own
		case at >= 0:
			shown, own = shown[:begin], scheme
		}
		if rest = rest[at+1:]; !isHost(rest) {
			rest = "(unreadable)"
		}
		shown = append(shown, own+rest)
	}
	return strings.Join(shown, ",")
}

// HasCredentials says whether one of the addresses holds a user, a password or a token.
func HasCredentials(addresses string) bool { return strings.Contains(addresses, "@") }

// Check says what is wrong with a list of addresses, without repeating any of it but hosts. An
// address may lack its scheme; it is then nats.
func Check(addresses string) error {
	n := 0
	for element := range strings.SplitSeq(addresses, ",") {
		element = strings.TrimSpace(element)
		if element == "" {
			continue
		}
		n++
		scheme, rest := cutScheme(element)
		if scheme == "" {
			if strings.Contains(rest, "://") {
				return fmt.Errorf("address %d is no NATS address: its scheme is none of %s", n, strings.Join(schemes, ", "))
			}
			scheme = "nats://"
		}
		// url.Parse's own error quotes what it could not read.
		if u, err := url.Parse(scheme + rest); err != nil || !isHost(u.Host) {
			return fmt.Errorf("address %d is no NATS address such as nats://host:4222; in a user, password or token before the "+
				"host, write each of %% @ : / ? # [ ], spaces and commas as %%25 %%40 %%3A %%2F %%3F %%23 %%5B %%5D %%20 %%2C", n)
		}
	}
	if n == 0 {
		return errors.New("there is no address")
	}
	return nil
}

// cutScheme divides an address after its scheme, if it has one that NATS knows.
func cutScheme(address string) (scheme, rest string) {
	if s, rest, ok := strings.Cut(address, "://"); ok && slices.Contains(schemes, strings.ToLower(s)) {
		return strings.ToLower(s) + "://", rest
	}
	return "", address
}

// isHost says whether a text is a name or an address with or without a port, and maybe the path of
// a WebSocket.
func isHost(text string) bool {
	text, _, _ = strings.Cut(text, "/")
	if host, port, err := net.SplitHostPort(text); err == nil {
		if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 0 || n > 65535) {
			return false
		}
		text = host
	}
	if inside, ok := strings.CutPrefix(text, "["); ok {
		text = strings.TrimSuffix(inside, "]")
	}
	if net.ParseIP(text) != nil {
		return true
	}
	return text != "" && strings.IndexFunc(text, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_'
	}) < 0
}
