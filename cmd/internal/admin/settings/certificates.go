package settings

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// maxCertificates bounds the certificates of a webhook, in bytes of PEM: a whole corporate chain is
// a tenth of it, and the configuration is read with every change.
const maxCertificates = 64 << 10

// Certificates reads certificate authorities in PEM and returns the certificates alone, as they are
// stored: no text between them, no keys. now decides which have expired, which is a warning. ""
// gives none.
func Certificates(text string, now time.Time) (stored []byte, warnings []string, err error) {
	refuse := func(format string, args ...any) ([]byte, []string, error) {
		return nil, nil, api.Errorf(api.CodeInvalidArguments, "ca-file: "+format, args...).In("ca")
	}
	if text == "" {
		return nil, nil, nil
	}
	if len(text) > maxCertificates {
		return refuse("it has %d bytes, the most is %d: give the authorities that sign this endpoint's certificate, not a whole bundle", len(text), maxCertificates)
	}
	var out bytes.Buffer
	blocks := 0
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		blocks++
		switch {
		case strings.Contains(block.Type, "PRIVATE KEY"):
			return refuse("it holds a private key, which stays where it is: give the certificates alone")
		case block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE":
			return refuse("it holds a %s, which is no certificate", term.Short(term.Clean(block.Type), 40))
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return refuse("certificate %d cannot be read: %v", blocks, err)
		}
		if now.After(cert.NotAfter) {
			warnings = append(warnings, fmt.Sprintf("the certificate of %s has expired at %s: endpoints are not trusted by it", subject(cert), cert.NotAfter.UTC().Format(time.RFC3339)))
		}
		// a buffer never fails
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})
	}
	if begun := strings.Count(text, "-----BEGIN "); begun > 0 && begun != blocks {
		return refuse("a part of it is damaged or cut off: %d of the %d certificates that begin in it can be read", blocks, begun)
	}
	if out.Len() == 0 {
		return refuse("there is no certificate in it: it must be PEM, with -----BEGIN CERTIFICATE----- (of a DER file: openssl x509 -inform der -in FILE)")
	}
	return out.Bytes(), warnings, nil
}

// DescribeCertificates says what the stored certificates are.
func DescribeCertificates(stored []byte) (out []api.Certificate) {
	for {
		var block *pem.Block
		if block, stored = pem.Decode(stored); block == nil {
			return out
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			out = append(out, api.Certificate{Subject: subject(cert), NotAfter: cert.NotAfter.UTC()})
		}
	}
}

// subject names a certificate for people.
func subject(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	case c.Subject.String() != "":
		return c.Subject.String()
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	}
	return "serial " + c.SerialNumber.String()
}
