package settings

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// certificate makes a certificate in PEM that signs itself.
func certificate(t *testing.T, name string, until time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: until.Add(-time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// TestCertificates: the certificates are kept, the text between them is not; one that has expired
// is said, and what could never work is refused, a private key above all.
func TestCertificates(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	good, key := certificate(t, "Good CA", now.Add(time.Hour))
	old, _ := certificate(t, "Old CA", now.Add(-time.Hour))
	stored, warnings, err := Certificates("# ours\r\n"+good+"\nand the one before\n"+old, now)
	if err != nil || string(stored) != good+old {
		t.Fatalf("stored %q, %v", stored, err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "Old CA has expired at 2026-05-01T11:00:00Z") {
		t.Errorf("warned: %q", warnings)
	}
	shown := DescribeCertificates(stored)
	if len(shown) != 2 || shown[0].Subject != "Good CA" || !shown[1].NotAfter.Equal(now.Add(-time.Hour)) {
		t.Errorf("shown: %+v", shown)
	}
	if stored, warnings, err := Certificates("", now); stored != nil || warnings != nil || err != nil {
		t.Errorf("none: %q, %q, %v", stored, warnings, err)
	}
	block, _ := pem.Decode([]byte(good))
	for what, c := range map[string][2]string{
		"no PEM":        {"hello", "no certificate in it"},
		"DER":           {string(block.Bytes), "openssl x509 -inform der"},
		"a private key": {good + key, "private key"},
		"a request":     {strings.ReplaceAll(good, "CERTIFICATE", "CERTIFICATE REQUEST"), "CERTIFICATE REQUEST, which is no certificate"},
		"damaged":       {good + strings.Replace(good, "MII", "MIA", 1), "certificate 2 cannot be read"},
		"cut off":       {good[:len(good)/2], "cut off: 0 of the 1"},
		"second cut":    {good + old[:len(old)-30], "1 of the 2"},
		"too large":     {strings.Repeat(good, 200), "the most is 65536"},
	} {
		_, _, err := Certificates(c[0], now)
		if api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), c[1]) || strings.Contains(err.Error(), key[40:60]) {
			t.Errorf("%s: %v, want %q", what, err, c[1])
		}
	}
	if bytes.Contains(stored, []byte("PRIVATE")) {
		t.Error("a key is stored")
	}
}
