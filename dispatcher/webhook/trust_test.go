package webhook

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"waoutbox/outbox"
)

// An authority of the webhook's own is trusted for that webhook, beside the system's, at once when
// it is set and no longer when it is taken away; another webhook to the same endpoint does not get
// through. The setting was not used: class tls, "certificate signed by unknown authority".
//
// Mutation of trust.go: certificates of one webhook are trusted by all.
// Mutation of client.go: an authority that was taken away is trusted on.
func TestAnAuthorityCountsForItsWebhookOnly(t *testing.T) {
	own, other := newAuthority(t, "own"), newAuthority(t, "other")
	var posts atomic.Int32
	url := serveTLS(t, own.issue(t, nil), func(http.ResponseWriter, *http.Request) { posts.Add(1) })
	s := sender(t)
	send := func(sub outbox.SubID, ca []byte) (outbox.Class, string) {
		r := request(url, "secret", "{}")
		r.Sub, r.Webhook.CA = sub, ca
		res := s.Send(t.Context(), r)
		return res.Class, res.Message
	}
	for _, c := range []struct {
		sub  outbox.SubID
		ca   []byte
		want outbox.Class
	}{
		{"wh_1", nil, outbox.ClassTLS},
		{"wh_1", own.pem, outbox.ClassOK},
		{"wh_2", nil, outbox.ClassTLS},
		{"wh_2", other.pem, outbox.ClassTLS},
		{"wh_1", append(bytes.Clone(other.pem), own.pem...), outbox.ClassOK},
		{"wh_1", other.pem, outbox.ClassTLS},
		{"wh_1", own.pem, outbox.ClassOK},
		{"wh_1", nil, outbox.ClassTLS},
	} {
		before := posts.Load()
		class, message := send(c.sub, c.ca)
		if class != c.want {
			t.Errorf("%s with %d bytes of certificates: class %s (%s), want %s", c.sub, len(c.ca), class, message, c.want)
		}
		if c.want == outbox.ClassTLS && !strings.Contains(message, "--ca-file") {
			t.Errorf("the sentence does not say what helps: %s", message)
		}
		if arrived := posts.Load() - before; (arrived == 1) != (c.want == outbox.ClassOK) {
			t.Errorf("%s: %d POSTs arrived", class, arrived)
		}
	}
}

// The certificate of an endpoint may be given itself.
func TestTheEndpointsOwnCertificateIsTrusted(t *testing.T) {
	config, _ := certificate(t)
	url := serveTLS(t, config, func(http.ResponseWriter, *http.Request) {})
	r := request(url, "", "{}")
	r.Webhook.CA = pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: config.Certificates[0].Certificate[0]})
	if res := sender(t).Send(t.Context(), r); res.Class != outbox.ClassOK {
		t.Errorf("%+v", res)
	}
}

// With the same roots a change of something else keeps the client and its connections.
func TestClientsKeepTheirConnectionsWhileTheAuthorityIsTheSame(t *testing.T) {
	own := newAuthority(t, "own")
	from := map[string]bool{}
	url := serveTLS(t, own.issue(t, nil), func(_ http.ResponseWriter, r *http.Request) { from[r.RemoteAddr] = true })
	s := sender(t)
	for _, secret := range []string{"one", "two", "two"} {
		r := request(url, secret, "{}")
		r.Webhook.CA = bytes.Clone(own.pem)
		if res := s.Send(t.Context(), r); res.Class != outbox.ClassOK {
			t.Errorf("%+v", res)
		}
	}
	if len(from) != 1 {
		t.Errorf("%d connections for three attempts", len(from))
	}
}

// Certificates that were damaged hold the webhook: it is not sent to under other roots.
func TestCertificatesThatCannotBeReadHold(t *testing.T) {
	own := newAuthority(t, "own")
	url := serveTLS(t, own.issue(t, nil), func(http.ResponseWriter, *http.Request) {})
	r := request(url, "", "{}")
	r.Webhook.CA = []byte("damaged")
	if res := sender(t).Send(t.Context(), r); res.Class != outbox.ClassLocal || !strings.Contains(res.Message, "certificate") {
		t.Errorf("%+v, want it held", res)
	}
}

// TLS 1.0 and 1.1 are not spoken.
//
// Mutation of client.go: old TLS will do.
func TestOldTLSIsRefused(t *testing.T) {
	own := newAuthority(t, "own")
	config := own.issue(t, nil)
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	url := serveTLS(t, config, func(http.ResponseWriter, *http.Request) {})
	r := request(url, "", "{}")
	r.Webhook.CA = own.pem
	if res := sender(t).Send(t.Context(), r); res.Class != outbox.ClassTLS || !strings.Contains(res.Message, "version") {
		t.Errorf("%+v, want class %s", res, outbox.ClassTLS)
	}
}

func TestCheckCA(t *testing.T) {
	a := newAuthority(t, "own")
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"one":         {a.pem, ""},
		"two":         {append(bytes.Clone(a.pem), a.pem...), ""},
		"with text":   {append([]byte("# our authority\n"), a.pem...), ""},
		"empty":       {nil, "no certificate"},
		"DER":         {a.cert.Raw, "no certificate"},
		"with a key":  {append(bytes.Clone(a.pem), private...), "private key"},
		"key first":   {append(bytes.Clone(private), a.pem...), "private key"},
		"torn":        {append(bytes.Clone(a.pem), a.pem[:len(a.pem)/2]...), "copy the file anew"},
		"no X.509":    {pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: []byte("hush")}), "certificate 1 of the file"},
		"far too big": {bytes.Repeat(a.pem, maxCA/len(a.pem)+1), "larger than"},
	} {
		err := CheckCA(c.file)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hush")) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
