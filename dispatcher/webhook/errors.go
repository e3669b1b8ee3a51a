package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"waoutbox/outbox"
)

// maxMessage bounds an error text that is stored and shown.
const maxMessage = 240

// classify turns a transport error into its class and a sentence, by type. The sentence never holds the URL's query.
func classify(err error) (outbox.Class, string) {
	if a, ok := errors.AsType[*AddressError](err); ok {
		return outbox.ClassAddress, a.Error()
	}
	if isAny(err, errnoLocal) {
		return outbox.ClassLocal, "this machine has run out of descriptors, ports or memory: " + text(root(err))
	}
	if errors.Is(err, context.Canceled) {
		return outbox.ClassLocal, "the attempt was cut off by us"
	}
	if d, ok := errors.AsType[*net.DNSError](err); ok {
		return outbox.ClassDNS, dnsMessage(d)
	}
	if isTimeout(err) {
		return outbox.ClassTimeout, "no answer in time"
	}
	if isTLS(err) {
		return outbox.ClassTLS, "TLS: " + text(root(err))
	}
	switch {
	case isAny(err, errnoRefused):
		return outbox.ClassRefused, "connection refused" + by(err)
	case isAny(err, errnoReset), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return outbox.ClassReset, "the connection broke off before the answer"
	}
	return outbox.ClassNetwork, text(err)
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

func isTLS(err error) bool {
	if errors.Is(err, http.ErrSchemeMismatch) {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return true
	}
	// Alerts sent by the endpoint arrive as a net.OpError of the operation "remote error".
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
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

// root answers the innermost error of a chain.
func root(err error) error {
	for {
		in := errors.Unwrap(err)
		if in == nil {
			return err
		}
		err = in
	}
}

// text renders an error for storing: printable, one line, bounded.
func text(err error) string {
	s := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, err.Error())
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}
