package webhook

import (
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
)

// A redirect is one request, and says where it points: scheme, host and path, without credentials,
// query and header values. The message said "redirects are never followed; register the final URL".
//
// Mutation of response.go: a redirect's query, which often repeats ours, is stored.
func TestARedirectSaysWhereItPoints(t *testing.T) {
	const token = "S3CR3T-0123456789abcdef"
	for _, c := range []struct {
		location, want string
		cut            bool
	}{
		{location: "https://crm.example/new/hook", want: "https://crm.example/new/hook"},
		{location: "https://user:hush@crm.example/new?token=hush-hush#hush", want: "https://crm.example/new?…"},
		{location: "/login?next=/hook%3Ftoken%3Dhush-hush", want: "HERE/login?…"},
		{location: "elsewhere", want: "HERE/elsewhere"},
		{location: "//crm.example", want: "http://crm.example"},
		{location: "https://crm.example/" + token + "/x", want: "https://crm.example/[redacted]/x"},
		{location: "https://crm.example/hook/token=hush-hush", want: "https://crm.example/hook/[redacted]"},
		{location: "https://crm.example/a\u00e9%0a", want: "https://crm.example/a%C3%A9%0A"},
		{location: "https://crm.example/" + strings.Repeat("x", 8<<10), want: "https://crm.example/xxx", cut: true},
		{location: "", want: "nowhere"},
		{location: "mailto:a@b", want: "nowhere"},
		{location: "https://%zz/", want: "nowhere"},
	} {
		var posts atomic.Int32
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			posts.Add(1)
			if c.location != "" {
				w.Header().Set("Location", c.location)
			}
			w.WriteHeader(http.StatusPermanentRedirect)
		})
		r := request(url+"?token=hush-hush", testSecret, "{}")
		r.Webhook.Headers = headersOf(t, map[string]string{"X-Token": token})
		res := sender(t).Send(t.Context(), r)
		if res.Class != outbox.ClassRedirect || res.Status != 308 || posts.Load() != 1 {
			t.Errorf("%.60s: %+v, %d requests", c.location, res, posts.Load())
		}
		want := strings.ReplaceAll(c.want, "HERE", strings.TrimSuffix(url, "/hook"))
		if !strings.HasSuffix(res.Message, want) && !(strings.Contains(res.Message, want) && (c.cut || c.want == "nowhere")) {
			t.Errorf("%.60s: %s; want %s", c.location, res.Message, want)
		}
		if strings.Contains(res.Message, "hush") || strings.Contains(res.Message, "S3C") || len(res.Message) > maxMessage+len("…") {
			t.Errorf("%.60s: %s", c.location, res.Message)
		}
	}
}

// The wrong scheme is told in words: a TLS server responds to plain HTTP with an alert, which was
// `malformed HTTP response "\x15\x03\x01…"` of class network, or with a 400; a plain one answers a
// handshake with text, which was "first record does not look like a TLS handshake".
func TestTheWrongSchemeSaysWhichOneToUse(t *testing.T) {
	own := newAuthority(t, "own")
	config := own.issue(t, nil)
	polite := serveTLS(t, config, func(http.ResponseWriter, *http.Request) {})
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	alert := "\x15\x03\x01\x00\x02\x02\x0a"
	smtp := listen(t, nil, func(c net.Conn) { _, _ = io.WriteString(c, "220 mail.example ESMTP\r\n") })
	closes := listen(t, nil, func(c net.Conn) { _ = c.Close() })
	to := func(url, scheme string) string { return scheme + url[strings.Index(url, "://"):] }
	for name, c := range map[string]struct {
		url    string
		class  outbox.Class
		status int
		says   string
	}{
		"http to Go's TLS":      {to(polite, "http"), outbox.ClassHTTP, 400, "use https://"},
		"http to a TLS alert":   {listen(t, nil, says(alert)).url, outbox.ClassTLS, 0, "use https://"},
		"alert in two pieces":   {listen(t, nil, piecewise(alert)).url, outbox.ClassTLS, 0, "use https://"},
		"http to nginx":         {listen(t, nil, says("HTTP/1.1 400 Bad Request\r\nContent-Length: 62\r\n\r\n<center>The plain HTTP request was sent to HTTPS port</center>")).url, outbox.ClassHTTP, 400, "use https://"},
		"http to Tomcat":        {listen(t, nil, says("HTTP/1.1 400 \r\nContent-Length: 63\r\n\r\nBad Request\r\nThis combination of host and port requires TLS.\r\n")).url, outbox.ClassHTTP, 400, "use https://"},
		"another 400":           {listen(t, nil, says("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno")).url, outbox.ClassHTTP, 400, "400 Bad Request"},
		"https to plain HTTP":   {to(plain, "https"), outbox.ClassTLS, 0, "use http://"},
		"https to SMTP":         {to(smtp.url, "https"), outbox.ClassTLS, 0, "does not speak TLS"},
		"https to what closes":  {to(closes.url, "https"), outbox.ClassReset, 0, "TLS handshake"},
		"http to binary":        {listen(t, nil, says("\x16\x03\x01\x00\r\n\r\n")).url, outbox.ClassNetwork, 0, "malformed"},
		"http to what responds": {plain, outbox.ClassOK, 200, ""},
	} {
		res, _ := timedSend(t, sender(t), request(c.url, "", "{}"), 20*time.Second)
		if res.Class != c.class || res.Status != c.status || !strings.Contains(res.Message, c.says) {
			t.Errorf("%s: %+v; want class %s and %q", name, res, c.class, c.says)
		}
		if c.says == "400 Bad Request" && res.Message != c.says {
			t.Errorf("%s: %s", name, res.Message)
		}
	}
}

// piecewise is says, a byte at a time, as far as the network lets them stay apart.
func piecewise(text string) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		for _, b := range []byte(text) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
		}
	}
}

// Each kind of certificate that does not do is class tls, and says why.
func TestCertificatesThatDoNotDo(t *testing.T) {
	own, other := newAuthority(t, "own"), newAuthority(t, "other")
	for name, c := range map[string]struct {
		by     authority
		change func(*x509.Certificate)
		says   string
	}{
		"expired":     {own, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, "expired"},
		"not yet":     {own, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, "not yet valid"},
		"wrong host":  {own, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"crm.example"} }, "for another name than 127.0.0.1"},
		"no server's": {own, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, "usage"},
		"not ours":    {other, nil, "--ca-file"},
	} {
		var posts atomic.Int32
		url := serveTLS(t, c.by.issue(t, c.change), func(http.ResponseWriter, *http.Request) { posts.Add(1) })
		r := request(url, "", "{}")
		r.Webhook.CA = own.pem
		res := sender(t).Send(t.Context(), r)
		if res.Class != outbox.ClassTLS || res.Status != 0 || !strings.Contains(res.Message, c.says) || posts.Load() != 0 {
			t.Errorf("%s: %+v, %d POSTs; want %q", name, res, posts.Load(), c.says)
		}
	}
}

// n8n returns 200 to everything while it migrates its database at a start: what it got then its
// workflows have never seen. Before, such an event counted as delivered.
//
// Mutation of response.go: n8n's 200 while it starts, which no workflow sees, taken for a delivery.
func TestN8nThatStartsHasTakenNothing(t *testing.T) {
	const starting = "n8n is starting up. Please wait"
	for body, want := range map[string]outbox.Class{
		starting: outbox.ClassHTTP, "": outbox.ClassOK, "ok": outbox.ClassOK, starting + "!": outbox.ClassOK, `{"echo":"` + starting + `"}`: outbox.ClassOK,
	} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		res := sender(t).Send(t.Context(), request(url, testSecret, "{}"))
		if res.Class != want || res.Status != 200 || (res.Message == "") != (want == outbox.ClassOK) {
			t.Errorf("%q: %+v", body, res)
		}
	}
}
