package view

import (
	"net/http"
	"strconv"
	"strings"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// maxLine is how much of a text of others a list shows, in characters.
const maxLine = 120

// Line is a text of others in a list: cleaned, on one line, cut.
func Line(s string) string { return term.Clean(term.Short(s, maxLine)) }

// Reason renders why deliveries died: a status with its meaning, a class in words.
func Reason(reason string) string {
	switch reason {
	case "timeout":
		return "No answer within 10 s"
	case "refused":
		return "Connection refused"
	case "reset":
		return "Connection reset"
	case "dns":
		return "Name does not resolve"
	case "tls":
		return "TLS failed"
	case "redirect":
		return "Redirect, never followed"
	case "internal":
		return "Internal error"
	case api.ReasonUnregistered:
		return "Webhook removed"
	case api.ReasonSkipped:
		return "Skipped when resumed"
	case api.ReasonExpired:
		return "Expired, body gone"
	case api.ReasonCorrupt:
		return "Stored bytes damaged"
	}
	if status, err := strconv.Atoi(reason); err == nil {
		return Status(status)
	}
	return Line(reason)
}

// Hint says in a few words what to do about a reason, "" where that depends.
func Hint(reason, url string) string {
	switch {
	case reason == "404" && AddressOf(url).Middle == "/webhook-test/":
		return "a test URL of n8n works only while its editor listens"
	case reason == "404" && isN8N(url):
		return "n8n returns 404 while the workflow is not active"
	case reason == "404":
		return "nothing is served at this path"
	case reason == "413":
		return "raise the receiver’s body limit to 2 MB"
	case reason == "410":
		return "means: do not call again"
	case reason == "401" || reason == "403":
		return "if it checks signatures, give both sides the same secret"
	case reason == "refused":
		return "nothing listens there"
	case reason == "reset" && strings.HasPrefix(url, "http://"):
		return "if it speaks TLS at this port, its URL begins with https://"
	case reason == "timeout":
		return "let the receiver answer first and work afterwards"
	}
	return ""
}

// isN8N guesses from the path that n8n uses.
func isN8N(url string) bool {
	a := AddressOf(url)
	return a.Middle == "/webhook/" || a.Middle == "/webhook-test/"
}

// Status is "503 Service Unavailable".
func Status(status int) string {
	text := http.StatusText(status)
	if status == http.StatusRequestEntityTooLarge {
		text = "Payload Too Large"
	}
	if text == "" {
		return strconv.Itoa(status)
	}
	return strconv.Itoa(status) + " " + text
}

// LastError renders how the last attempt ended.
func LastError(l api.LastError) string {
	if l.Status > 0 {
		return Status(l.Status)
	}
	return Reason(l.Class)
}

// Attempt renders how an attempt ended.
func Attempt(a api.RecentAttempt) string {
	return LastError(api.LastError{Class: a.Class, Status: a.Status, Message: a.Message})
}
