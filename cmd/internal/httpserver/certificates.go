package httpserver

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificates are the certificate and key of two files, read again when one of them changed: what
// renews certificates replaces the files and tells nobody. Safe for concurrent use.
type certificates struct {
	certFile, keyFile string
	log               *slog.Logger

	mu    sync.Mutex
	cert  *tls.Certificate
	seen  [2]fileStamp // of what cert was read from
	tried [2]fileStamp // of what could not be read last
}

// fileStamp tells one content of a file from the next.
type fileStamp struct {
	modified time.Time
	size     int64
}

func openCertificates(certFile, keyFile string, log *slog.Logger) (*certificates, error) {
	c := &certificates{certFile: certFile, keyFile: keyFile, log: log}
	seen, err := c.stamps()
	if err == nil {
		err = c.read(seen)
	}
	if err != nil {
		return nil, usagef("http-tls-cert and http-tls-key cannot be used: %v", err)
	}
	return c, nil
}

func (c *certificates) stamps() (s [2]fileStamp, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return s, err
		}
		s[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return s, nil
}

// read takes both files. The caller holds mu, or is alone.
func (c *certificates) read(seen [2]fileStamp) error {
	cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("%s with %s: %w", c.certFile, c.keyFile, err)
	}
	c.cert, c.seen = &cert, seen
	return nil
}

// current returns the certificate of the files as they are now. While they cannot be used, the one
// before stays: between the writing of the two they do not fit each other.
func (c *certificates) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, err := c.stamps()
	if err == nil && now == c.seen {
		return c.cert
	}
	if err == nil {
		err = c.read(now)
	}
	switch {
	case err == nil:
		c.log.Info("the certificate of the HTTP listener was renewed")
	case now != c.tried: // said once
		c.tried = now
		c.log.Warn("the certificate of the HTTP listener changed and cannot be used; the one before stays", "error", err)
	}
	return c.cert
}

func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil },
	}
}

// names reports whether the certificate is for that host.
func (c *certificates) names(host string) bool {
	leaf := c.current().Leaf
	return leaf != nil && leaf.VerifyHostname(host) == nil
}
