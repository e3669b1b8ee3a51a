package webhook

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
)

// https without root certificates fails at every endpoint because of this machine: the class was
// tls.
//
// Mutation of machine.go: missing root certificates are charged to the endpoint.
func TestMissingRootCertificatesAreOurs(t *testing.T) {
	if target := os.Getenv(childVar); target != "" {
		s := sender(t)
		res, _ := timedSend(t, s, request(target, "", "{}"), 10*time.Second)
		if res.Class != outbox.ClassLocal || !strings.Contains(res.Message, "root certificates") {
			t.Errorf("%+v", res)
		}
		return
	}
	config, _ := certificate(t)
	e := listen(t, config, func(net.Conn) {})
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	inChild(t, e.url, "SSL_CERT_FILE="+empty, "SSL_CERT_DIR="+dir)
	inChild(t, e.url, "SSL_CERT_FILE="+filepath.Join(empty, "unreadable"), "SSL_CERT_DIR="+dir)
}

// A machine without roots of its own (a minimal container) reaches an endpoint whose authority the
// webhook brings; another https webhook is held.
func TestAnAuthorityNeedsNoRootsOfTheMachine(t *testing.T) {
	if target := os.Getenv(childVar); target != "" {
		file, err := os.ReadFile(os.Getenv("WAOUTBOX_TEST_CA"))
		if err != nil {
			t.Fatal(err)
		}
		s := sender(t)
		r := request(target, "", "{}")
		if res, _ := timedSend(t, s, r, 10*time.Second); res.Class != outbox.ClassLocal {
			t.Errorf("without: %+v", res)
		}
		r.Webhook.CA = file
		if res, _ := timedSend(t, s, r, 10*time.Second); res.Class != outbox.ClassOK {
			t.Errorf("with: %+v", res)
		}
		return
	}
	own := newAuthority(t, "own")
	url := serveTLS(t, own.issue(t, nil), func(http.ResponseWriter, *http.Request) {})
	dir := t.TempDir()
	ca, empty := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "empty.pem")
	for name, content := range map[string][]byte{ca: own.pem, empty: nil} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	none := filepath.Join(dir, "none")
	if err := os.Mkdir(none, 0o700); err != nil {
		t.Fatal(err)
	}
	inChild(t, url, "SSL_CERT_FILE="+empty, "SSL_CERT_DIR="+none, "WAOUTBOX_TEST_CA="+ca)
}
