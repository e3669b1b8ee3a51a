package webhook

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"waoutbox/outbox"
)

// Whatever an endpoint says, an attempt ends, its class follows from what net/http reads, and
// nothing that is kept holds the secret, a header's value or the query, nor is it longer than it
// may be.
func FuzzResponse(f *testing.F) {
	const token = "S3CR3T-0123456789abcdef"
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: https://u:p@crm.example/" + token + "?token=hush-hush\r\n\r\n",
		"HTTP/1.1 308 Permanent Redirect\r\nLocation: //%zz/\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 400 No\r\n\r\nX-Token: " + token + "\r\n" + testSecret,
		"HTTP/1.1 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
		"HTTP/1.1 429 Slow\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 503 No\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n\r\n",
		"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: x\r\n\r\n",
		"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00broken",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"HTTP/1.1 200 OK\r\nX " + token + "\r\n\r\n",
		"POST /hook?token=hush-hush HTTP/1.1\r\n\r\n",
		"\x15\x03\x01\x00\x02\x02\x0a", "\x15", "", "HTTP/1.1 ", "SSH-2.0-x\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		s := New(Options{Unseal: func(b []byte, _ string) ([]byte, error) { return b, nil }})
		defer s.Close()
		r := request("http://127.0.0.1:9/hook?token=hush-hush", testSecret, "{}")
		r.Webhook.Headers = []byte(`{"X-Token":"` + token + `"}`)
		c, err := s.client(r.Sub, &r.Webhook)
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		c.dial = func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer close(served)
				defer theirs.Close()
				if _, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
					_, _ = theirs.Write(response) // as much as is read
				}
			}()
			return ours, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		res := s.Send(ctx, r)
		<-served
		kept := res.Message + "\n" + string(res.Excerpt)
		for _, secret := range []string{token, testSecret, "hush-hush"} {
			if strings.Contains(strings.ToLower(kept), strings.ToLower(secret)) {
				t.Errorf("%q is kept: %q", secret, kept)
			}
		}
		if len(res.Excerpt) > outbox.MaxExcerpt || len(res.Message) > maxMessage+len("…") || !utf8.ValidString(res.Message) ||
			strings.ContainsFunc(res.Message, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("kept %d bytes, %q", len(res.Excerpt), res.Message)
		}
		if ok := res.Status >= 200 && res.Status <= 299; ok != (res.Class == outbox.ClassOK) || ok != (res.Message == "") {
			t.Errorf("status %d is class %s: %q", res.Status, res.Class, res.Message)
		}
		if res.RetryAfter < 0 || res.RetryAfter > maxRetryAfter || res.RetryAfter > 0 && res.Status != 429 && res.Status != 503 {
			t.Errorf("status %d waits %v", res.Status, res.RetryAfter)
		}
		if want := finalStatus(response); res.Status != want && res.Class != outbox.ClassTLS && len(response) < maxResponseHeader {
			t.Errorf("status %d, net/http reads %d", res.Status, want)
		}
	})
}

// finalStatus is the status of the first response that is none in between, as net/http reads it; 0
// without one.
func finalStatus(response []byte) int {
	in := bufio.NewReader(bytes.NewReader(response))
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: http.MethodPost}) //nolint:bodyclose // of bytes in memory
		switch {
		case err != nil:
			return 0
		case res.StatusCode == 101 || res.StatusCode < 100 || res.StatusCode > 199:
			return res.StatusCode
		}
	}
}

// A Retry-After is from none to a day, whatever it says, and a number of seconds means that.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"0", "7", "-1", "99999999999999999999", "9223372037", "1.5", "Fri, 31 Dec 9999 23:59:59 GMT",
		"Thu, 01 Jan 1970 00:00:00 GMT", "Friday, 31-Dec-99 23:59:59 GMT", "Fri Dec 31 23:59:59 1999", "7, 9", " 7", "\xff"} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, v string) {
		got := retryAfter(v, now)
		if got < 0 || got > maxRetryAfter {
			t.Errorf("%q: %v", v, got)
		}
		if n, err := strconv.ParseInt(v, 10, 32); err == nil {
			if want := min(max(0, time.Duration(n)*time.Second), maxRetryAfter); got != want {
				t.Errorf("%q: %v, want %v", v, got, want)
			}
		}
	})
}

// Whatever is told of an attempt in its head, it is one valid request with that body, or none.
func FuzzHead(f *testing.F) {
	f.Add("evt_1", "message.received", "15550100999@s.whatsapp.net", "Bearer x", []byte("{}"), uint64(7), 2, 0)
	f.Add("evt\r\nX: y", "", "\x00", " x ", []byte(nil), uint64(1<<63), -1, 3)
	f.Add("ü", "\t", "\x7f", "\xff", []byte("{}\r\n\r\n"), uint64(0), 0, 1)
	f.Fuzz(func(t *testing.T, key, name, account, custom string, body []byte, seq uint64, attempt, replay int) {
		r := request("http://127.0.0.1:9/hook", "", string(body))
		r.Event.Key, r.Event.Name, r.Event.Account, r.Event.Seq = key, name, account, outbox.Seq(seq)
		r.Attempt, r.Replay = attempt, replay
		plain, err := parseHeaders(headersOf(t, map[string]string{"X-Custom": custom}))
		if err != nil {
			return // it holds the webhook
		}
		cred := &credentials{headers: plain, sign: newSigner([]byte("s"))}
		b, _, err := newHead(mustParse(t, r.Webhook.URL), "waoutbox/test", r.Sub, cred).append(nil, &r, cred, time.Now())
		if err != nil {
			return // nothing is sent
		}
		in := bufio.NewReader(bytes.NewReader(append(b, body...)))
		q, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		got, err := io.ReadAll(q.Body)
		if err != nil || !bytes.Equal(got, body) || in.Buffered() > 0 {
			t.Errorf("body %q, %v, %d bytes after it", got, err, in.Buffered())
		}
		dump, err := httputil.DumpRequest(q, false)
		if err != nil || len(q.Header) > 17 {
			t.Errorf("%d headers, %v:\n%s", len(q.Header), err, dump)
		}
		custom = plain["X-Custom"][0] // JSON has made it valid UTF-8
		for header, want := range map[string]string{"X-Webhook-Id": key, "Webhook-Id": key, "X-Webhook-Event": name, "X-Custom": custom} {
			if got := q.Header.Get(header); got != strings.Trim(want, " \t") {
				t.Errorf("%s: %q, want %q", header, got, want)
			}
		}
	})
}
