package httpserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Mutation of listen.go: other machines reach it in clear text, unasked.
func TestListenRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cert, key := writeCertificate(t, t.TempDir(), 1)
	for _, c := range []struct {
		name  string
		s     Settings
		usage bool
		want  string
	}{
		{"a taken port", Settings{Address: taken.Addr().String()}, false, "the setting http"},
		{"every address", Settings{Address: "0.0.0.0:0"}, true, "http-insecure"},
		{"every address of both kinds", Settings{Address: ":0"}, true, "http-tls-cert"},
		{"a cert without its key", Settings{Address: "127.0.0.1:0", CertFile: cert}, true, "http-tls-key"},
		{"a key that is none", Settings{Address: "127.0.0.1:0", CertFile: cert, KeyFile: cert}, true, "http-tls-cert"},
		{"a cert that is not there", Settings{Address: "127.0.0.1:0", CertFile: cert + "x", KeyFile: key}, true, "http-tls-cert"},
		{"no port", Settings{Address: "127.0.0.1"}, true, "127.0.0.1:8080"},
	} {
		c.s.Log = slog.New(slog.DiscardHandler)
		l, err := Listen(c.s)
		if err == nil {
			l.Close()
			t.Errorf("%s: no error", c.name)
			continue
		}
		if _, usage := errors.AsType[*UsageError](err); usage != c.usage || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v (usage %v)", c.name, err, usage)
		}
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"127.0.0.1:0": "http://127.0.0.1:", "localhost:0": "http://localhost:", "0.0.0.0:0": "http://127.0.0.1:", ":0": "http://127.0.0.1:", "[::]:0": "http://[::1]:"} {
		l, err := Listen(Settings{Address: address, Insecure: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := l.URL(); !strings.HasPrefix(got, want) || strings.HasSuffix(got, ":0") {
			t.Errorf("%s: %s", address, got)
		}
		if open := strings.Contains(address, "0.0.0.0") || strings.HasPrefix(address, ":") || strings.HasPrefix(address, "[::]"); l.Open() != open {
			t.Errorf("%s: open %v", address, l.Open())
		}
		if l.Reachable() != l.Open() {
			t.Errorf("%s without TLS: reachable %v, open %v", address, l.Reachable(), l.Open())
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A renewed certificate is taken without a restart; while its two files do not fit each other, the
// one before stays.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, 1)
	r := start(t, Settings{CertFile: cert, KeyFile: key}, Options{API: say("api")})
	serial := func() int64 {
		t.Helper()
		conn, err := tls.Dial("tcp", r.s.o.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if !strings.HasPrefix(r.url, "https://") || serial() != 1 {
		t.Errorf("%s, certificate %d", r.url, serial())
	}
	if resp, body := r.get("GET", "/v1/x", func(q *http.Request) { withToken(r.token)(q); q.Host = "wa.example.org" }); resp.StatusCode != 200 || body != "api" {
		t.Errorf("by the certificate's name: %d %s", resp.StatusCode, body)
	}
	if resp, _ := r.get("GET", "/healthz", func(q *http.Request) { q.Host = "other.example.org" }); resp.StatusCode != 403 {
		t.Errorf("by another name: %d", resp.StatusCode)
	}
	other := t.TempDir()
	newCert, newKey := writeCertificate(t, other, 2)
	move := func(from, to string) {
		t.Helper()
		// another second: some file systems count no finer
		at := time.Now().Add(time.Duration(len(to)) * time.Second)
		if err := errors.Join(os.Chtimes(from, at, at), os.Rename(from, to)); err != nil {
			t.Fatal(err)
		}
	}
	move(newCert, cert)
	if got := serial(); got != 1 {
		t.Errorf("half renewed: certificate %d", got)
	}
	move(newKey, key)
	if got := serial(); got != 2 {
		t.Errorf("renewed: certificate %d", got)
	}
	if _, err := tls.Dial("tcp", r.s.o.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
}

func writeCertificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"wa.example.org"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err = errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile
}
