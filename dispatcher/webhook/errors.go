package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"unicode"

	"waoutbox/dispatcher/webhook/http1"
	"waoutbox/outbox"
)

// maxMessage bounds an error text that is stored and shown, in bytes.
const maxMessage = 240

// classify turns a transport error into its class and a sentence, by type. The sentence is one line
// and not yet bounded; it may repeat what the endpoint sent.
func classify(err error) (outbox.Class, string) {
	if a, ok := errors.AsType[*AddressError](err); ok {
		return outbox.ClassAddress, a.Error()
	}
	if s, ok := localMessage(err); ok {
		return outbox.ClassLocal, s
	}
	if d, ok := errors.AsType[*net.DNSError](err); ok {
		return outbox.ClassDNS, dnsMessage(d)
	}
	handshake, inHandshake := errors.AsType[*handshakeError](err)
	brokeOff := isAny(err, errnoReset) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case isTimeout(err) && inHandshake:
		return outbox.ClassTimeout, "the TLS handshake did not end in time"
	case isTimeout(err):
		return outbox.ClassTimeout, "no response in time"
	case brokeOff && inHandshake:
		return outbox.ClassReset, "the connection broke off during the TLS handshake: check the port"
	case inHandshake:
		return outbox.ClassTLS, "TLS: " + tlsMessage(handshake.err)
	case errors.Is(err, http1.ErrTLSAlert):
		return outbox.ClassTLS, "TLS: the endpoint expects TLS at this port: use https:// in the URL"
	case isTLS(err): // after the handshake
		return outbox.ClassTLS, "TLS: " + text(root(err))
	case isAny(err, errnoRefused):
		return outbox.ClassRefused, "connection refused" + by(err)
	case brokeOff:
		return outbox.ClassReset, "the connection broke off before the response"
	}
	return outbox.ClassNetwork, text(err)
}

// localMessage says what on this machine failed an attempt; false when that is not where it failed.
// A missing route (ENETUNREACH, EHOSTUNREACH) is not counted here: a router on the way reports it
// in the same words.
func localMessage(err error) (string, bool) {
	if l, ok := errors.AsType[*localError](err); ok {
		return l.Error(), true
	}
	if errors.Is(err, context.Canceled) {
		return "the attempt was cut off by us", true
	}
	for _, g := range []struct {
		numbers []error
		says    string
	}{
		{errnoExhausted, "this machine has run out of descriptors or memory: "},
		{errnoNoPort, "this machine has no free port, or no address to send from: "},
		{errnoForbidden, "a firewall or sandbox of this machine forbids the connection: "},
		{errnoNoNetwork, "this machine has no network for that address: "},
	} {
		if isAny(err, g.numbers) {
			return g.says + text(root(err)), true
		}
	}
	if _, ok := errors.AsType[x509.SystemRootsError](err); ok {
		return "the root certificates of this machine cannot be read", true
	}
	return "", false
}

// isLocal reports whether err comes from this machine alone.
func isLocal(err error) bool {
	_, ok := localMessage(err)
	return ok
}

func isAny(err error, of []error) bool {
	return slices.ContainsFunc(of, func(e error) bool { return errors.Is(err, e) })
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// tlsMessage says why a handshake failed, and what helps.
func tlsMessage(err error) string {
	if h, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		if string(h.RecordHeader[:]) == "HTTP/" {
			return "the endpoint speaks plain HTTP at this port: use http:// in the URL"
		}
		return "the endpoint does not speak TLS at this port: check the port, or use http:// in the URL"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the endpoint's certificate is signed by an authority that is not known here:" +
			" if it is your own, give its certificate with --ca-file"
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the endpoint's certificate is for another name than " + name.Host + ": " + text(root(err))
	}
	return text(root(err))
}

// isTLS reports whether err is one of TLS after the handshake: an alert of either side.
func isTLS(err error) bool {
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	// Alerts that the endpoint sent, and those that it is sent for what it broke, arrive as a
	// net.OpError of an operation of that name.
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "remote error" || op.Op == "local error")
}

func dnsMessage(d *net.DNSError) string {
	if d.IsNotFound {
		return d.Name + " does not resolve"
	}
	return d.Name + " could not be looked up: " + text(errors.New(d.Err))
}

// by names the address that was dialled, which is no secret.
func by(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		return " by " + op.Addr.String()
	}
	return ""
}

// root returns the innermost error of a chain.
func root(err error) error {
	for {
		in := errors.Unwrap(err)
		if in == nil {
			return err
		}
		err = in
	}
}

// text renders an error on one line, of printable characters.
func text(err error) string { return printable(err.Error()) }

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// bounded cuts a sentence to what is stored and shown of it.
func bounded(s string) string {
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}
