package webhook

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

const (
	// maxCA bounds a file of certificates, in bytes.
	maxCA = 256 << 10
	// certificateBlock is the one kind of PEM block that belongs there.
	certificateBlock = "CERTIFICATE"
)

// CheckCA says in a sentence why a webhook cannot trust the certificates in a PEM file, or nil. The
// file holds one or more certificates, of authorities or of the endpoint itself, and nothing else:
// a private key has no business in the state. The sentence repeats nothing of the file.
func CheckCA(file []byte) error {
	_, err := parseCA(file)
	return err
}

func parseCA(file []byte) ([]*x509.Certificate, error) {
	if len(file) > maxCA {
		return nil, fmt.Errorf("the file of certificates is larger than %d KiB: give only the authority's", maxCA>>10)
	}
	var all []*x509.Certificate
	for rest := file; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil && len(all) == 0:
			return nil, errors.New("the file holds no certificate: it must be PEM (-----BEGIN CERTIFICATE-----)")
		case block == nil && bytes.Contains(rest, []byte("-----BEGIN ")):
			return nil, fmt.Errorf("what follows certificate %d cannot be read as PEM: copy the file anew", len(all))
		case block == nil:
			return all, nil
		case block.Type != certificateBlock:
			return nil, errors.New("the file holds something else than certificates (a private key?): leave that out")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the file cannot be read: copy it anew", len(all)+1)
		}
		all = append(all, cert)
	}
}

// trusted returns the roots of one webhook: this machine's, and those in ca if that is not empty.
func (m *machine) trusted(ca []byte) (*x509.CertPool, error) {
	roots, err := m.rootCerts()
	if len(ca) == 0 {
		return roots, err
	}
	if errors.Is(err, errNoRoots) {
		roots, err = x509.NewCertPool(), nil // the webhook brings its own
	}
	if err != nil {
		return nil, err
	}
	certs, err := parseCA(ca)
	if err != nil {
		return nil, &localError{"the certificates of this webhook cannot be used", err}
	}
	own := roots.Clone()
	for _, c := range certs {
		own.AddCert(c)
	}
	return own, nil
}
