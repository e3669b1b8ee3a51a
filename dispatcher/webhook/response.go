package webhook

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"waoutbox/dispatcher"
	"waoutbox/dispatcher/webhook/http1"
	"waoutbox/outbox"
)

const (
	// maxResponse bounds how much of a response's body is read from the connection, in bytes; a
	// longer body costs the connection.
	maxResponse = 64 << 10
	// maxResponseHeader bounds a response's header, informational responses before it included,
	// in bytes.
	maxResponseHeader = 64 << 10
	// bodyTime bounds the reading after a 2xx: the delivery is made, and its chat waits.
	bodyTime = 250 * time.Millisecond
)

// result reads what is kept of the body; read to its end, it leaves the connection for use. The
// status decides; an error while reading the body changes nothing.
func (c *client) result(x *http1.Exchange, cred *credentials, sent signatures) dispatcher.Result {
	code := x.Status
	out := dispatcher.Result{Class: outbox.ClassHTTP, Status: code}
	if code == http.StatusSwitchingProtocols {
		// The connection would be the caller's now: it is closed unread.
		out.Message = statusText(code) + ": webhooks are plain HTTP; the endpoint must respond with a 2xx"
		return out
	}
	ok := code >= 200 && code <= 299
	if x.Body != nil {
		if ok && !x.Arrived {
			x.Hurry(bodyTime)
		}
		out.Excerpt = excerpt(x, cred.hide, sent)
	}
	switch {
	case ok && startingUp(out.Excerpt):
		out.Message = statusText(code) + ", but n8n is still starting up and has not taken the event"
	case ok:
		out.Class = outbox.ClassOK
		return out
	case code >= 300 && code <= 399:
		out.Class = outbox.ClassRedirect
		// the one message in which the endpoint has a word
		out.Message = c.shown(statusText(code)+": "+redirect(c.url, x.Header.Get("Location")), cred, sent)
	case code == http.StatusBadRequest && c.url.Scheme == "http" && wantsTLS(out.Excerpt):
		out.Message = statusText(code) + ": the endpoint expects TLS at this port: use https:// in the URL"
	case code == http.StatusRequestEntityTooLarge:
		out.Message = statusText(code) + ": raise the body limit of the receiver to 2 MB, events have up to 1 MiB"
	case code == http.StatusUnauthorized && wantsPassword(x.Header):
		out.Message = statusText(code) + ": the endpoint wants a user and a password, in a header Authorization: Basic"
	default:
		out.Message = statusText(code)
	}
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		out.RetryAfter = retryAfter(x.Header.Get("Retry-After"), time.Now())
	}
	return out
}

// excerpt reads the body and returns its start without the secrets of the request.
func excerpt(x *http1.Exchange, hide *redactor, sent signatures) []byte {
	encoding := strings.Join(x.Header["Content-Encoding"], ",")
	// A secret that the cut would divide is read to its end, so that it is found.
	enough := outbox.MaxExcerpt + hide.longest()
	// However the reading ends, what arrived until then is what there is.
	text, err := io.ReadAll(io.LimitReader(decoded(encoding, x.Body), int64(enough)))
	whole := err == nil && len(text) < enough
	if !whole || encoding != "" {
		// Read to its end the body leaves its connection for use; what is cut off here only costs
		// it.
		_, _ = io.Copy(io.Discard, x.Body)
	}
	text = hide.redact(text, sent, whole)
	if len(text) > outbox.MaxExcerpt {
		text = text[:outbox.MaxExcerpt]
	}
	return bytes.Clone(text) // not the whole buffer: excerpts are stored and held
}

// decoded undoes the one encoding that the request accepts. A body in another one is not kept:
// nobody could read it, nor find a secret in it. One that is no gzip although it says so is taken
// as it stands.
func decoded(encoding string, raw io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return raw
	case "gzip", "x-gzip":
	default:
		return strings.NewReader("")
	}
	in := bufio.NewReader(raw)
	if magic, err := in.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return in
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return strings.NewReader("")
	}
	return z
}

// redirect says where a redirect points, at its end, since it may be long. It shows neither
// credentials nor a query: an endpoint's redirect often repeats ours, which may hold a token.
func redirect(from *url.URL, location string) string {
	const never = "redirects are never followed; register "
	to, err := from.Parse(location)
	if err != nil || location == "" || to.Host == "" {
		return never + "the final URL (this one says nowhere to go)"
	}
	// what is no text in a host, or cannot be seen, stands there as it was sent
	host := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, to.Host)
	shown := to.Scheme + "://" + host + to.EscapedPath()
	if to.RawQuery != "" {
		shown += "?…"
	}
	return never + "the URL it points to: " + shown
}

// startingUp reports whether a body is, to the letter, the one that n8n gives with a 200 to every
// request while it starts: its workflows do not see them. Taken for deliveries, the events of each
// of its restarts would be lost.
func startingUp(body []byte) bool {
	return string(body) == "n8n is starting up. Please wait"
}

// wantsPassword reports whether a 401 says that the endpoint takes HTTP's basic authentication. It
// decides nothing but what is suggested.
func wantsPassword(h http.Header) bool {
	for _, challenge := range h.Values("WWW-Authenticate") {
		if scheme, _, _ := strings.Cut(strings.TrimSpace(challenge), " "); strings.EqualFold(scheme, "Basic") {
			return true
		}
	}
	return false
}

// wantsTLS reports whether a 400 says what Go, nginx, Apache and Tomcat say to plain HTTP at a TLS
// port. It decides nothing but what is suggested.
func wantsTLS(body []byte) bool {
	for _, says := range []string{
		"HTTP request to an HTTPS server", "plain HTTP request was sent to HTTPS port", "speaking plain HTTP to an SSL-enabled server port",
		"This combination of host and port requires TLS",
	} {
		if bytes.Contains(body, []byte(says)) {
			return true
		}
	}
	return false
}

// statusText is "503 Service Unavailable", without the reason phrase the endpoint chose.
func statusText(code int) string {
	if t := http.StatusText(code); t != "" {
		return fmt.Sprintf("%d %s", code, t)
	}
	return fmt.Sprintf("status %d", code)
}
