package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reserved are the header names that are ours or the transport's, in lower case; reservedPrefixes
// the families.
var (
	reserved = []string{
		"idempotency-key", "user-agent", "content-type", "content-length", "content-encoding", "host", "connection",
		"transfer-encoding", "trailer", "upgrade", "te", "keep-alive", "expect", "accept-encoding",
	}
	reservedPrefixes = []string{"x-webhook-", "webhook-", "proxy-"}
)

// CheckHeader says in a sentence why a custom header cannot be sent, or nil. The sentence never
// holds the value, nor a name that is none: what stands there may be a value in the wrong place.
func CheckHeader(name, value string) error {
	if name == "" {
		return fmt.Errorf("a header has no name: write it as Name: value")
	}
	for _, r := range name {
		if !isTokenChar(r) {
			return fmt.Errorf("a header's name holds %q: letters, digits and !#$%%&'*+-.^_`|~ may stand there, nothing else", r)
		}
	}
	if isReserved(name) {
		return fmt.Errorf("header %s is set by waoutbox or by the connection and cannot be changed: leave it out, or choose another name", name)
	}
	switch {
	case value == "":
		return fmt.Errorf("header %s has no value: give it one, or leave the header out", name)
	case strings.TrimSpace(value) != value:
		return fmt.Errorf("the value of header %s begins or ends with white space, which does not arrive: take it off", name)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("the value of header %s holds line ends, control characters or invalid UTF-8: use printable text", name)
	}
	return nil
}

// isTokenChar is tchar of RFC 9110, section 5.6.2.
func isTokenChar(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		r < utf8.RuneSelf && strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// isReserved takes _ for -, as receivers do that pass headers on as variables (CGI, WSGI).
func isReserved(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	return slices.Contains(reserved, name) ||
		slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// parseHeaders reads opened custom headers: a JSON object, name → value. Names keep their spelling.
// Ours always win: a reserved one, which no registration lets in, is left out. One that would break
// the request is an error, which holds no value.
func parseHeaders(plain []byte) (http.Header, error) {
	var all map[string]string
	if json.Unmarshal(plain, &all) != nil {
		return nil, fmt.Errorf("they are no JSON object of strings")
	}
	h := make(http.Header, len(all))
	for name, value := range all {
		switch {
		case isReserved(name):
		case name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isTokenChar(r) }) || !isHeaderText(value):
			return nil, fmt.Errorf("they hold a name or a value that no request may hold")
		default:
			h[name] = []string{value}
		}
	}
	return h, nil
}
