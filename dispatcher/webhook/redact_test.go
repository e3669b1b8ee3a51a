package webhook

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"waoutbox/outbox"
)

const (
	testSecret = "whsec_c2VjcmV0IGtleSBvZiB0aGUgdGVzdCE="
	testToken  = `Bearer a/b+c"d<e>&ü-0123456789`
)

// echoing returns a URL whose endpoint fails with what body makes of the request.
func echoing(t *testing.T, body func(*http.Request) string) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, body(r))
	})
}

// saying is echoing of a text that is known beforehand.
func saying(t *testing.T, text string) string {
	return echoing(t, func(*http.Request) string { return text })
}

// failed makes one attempt with a secret and custom headers and returns the excerpt.
func failed(t *testing.T, url string, headers map[string]string) string {
	t.Helper()
	r := request(url, testSecret, "{}")
	r.Webhook.Headers = headersOf(t, headers)
	res := sender(t).Send(t.Context(), r)
	if res.Class != outbox.ClassHTTP || len(res.Excerpt) > outbox.MaxExcerpt {
		t.Fatalf("%+v", res)
	}
	return string(res.Excerpt)
}

// An endpoint that repeats its request's headers gave `Authorization: Bearer …` into the excerpt,
// which is stored as it is.
//
// Mutation of response.go: an endpoint that echoes its request has the secret stored in the
// excerpt.
func TestExcerptHoldsNoSecretThatAnEndpointEchoes(t *testing.T) {
	latin1 := fromLatin1(testToken)
	ascii, err := json.Marshal(testToken)
	if err != nil {
		t.Fatal(err)
	}
	for name, echo := range map[string]string{
		"as it is":        testToken,
		"token alone":     strings.TrimPrefix(testToken, "Bearer "),
		"upper case":      strings.ReplaceAll(strings.ToUpper(testToken), "Ü", "ü"),
		"JSON":            string(ascii),
		"JSON, plain":     strings.NewReplacer(`"`, `\"`).Replace(testToken),
		"JSON, ASCII":     jsonASCII(strings.Trim(string(ascii), `"`)),
		"JSON, slashes":   strings.ReplaceAll(jsonASCII(strings.Trim(string(ascii), `"`)), "/", `\/`),
		"JSON of Latin 1": fmt.Sprintf("%q", latin1),
		"HTML":            html.EscapeString(testToken),
		"query":           url.QueryEscape(testToken),
		"query, lower":    strings.ToLower(url.QueryEscape(testToken)),
		"path":            url.PathEscape(testToken),
		"hexadecimal":     hex.EncodeToString([]byte(testToken)),
		"base64":          base64.StdEncoding.EncodeToString([]byte(testToken)),
		"base64 inside 1": base64.StdEncoding.EncodeToString([]byte("x" + testToken + "y")),
		"base64 inside 2": base64.URLEncoding.EncodeToString([]byte("xx" + testToken + "yy")),
		"secret":          testSecret,
		"secret's base64": strings.TrimPrefix(testSecret, secretPrefix),
		"secret's key":    "secret key of the test!",
		"secret in hex":   hex.EncodeToString([]byte("secret key of the test!")),
		"twice":           testToken + testToken,
	} {
		got := failed(t, saying(t, "{before "+echo+" after}"), map[string]string{"Authorization": testToken})
		// In base64 the characters around the secret depend on its neighbours too.
		bare := strings.NewReplacer("{before ", "", " after}", "", redacted, "").Replace(got)
		around := strings.HasPrefix(got, "{before ") && strings.HasSuffix(got, " after}")
		if !around || !strings.Contains(got, redacted) || len(bare) > 16 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestExcerptHoldsNoEchoOfTheWholeRequest(t *testing.T) {
	headers := map[string]string{
		"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("user:pass word")),
		"Cookie":        "session=0123456789abcdef; theme=dark",
		"X-Api-Key":     "k3y!", "X-Tenant": "7",
	}
	var standard string
	got := failed(t, echoing(t, func(r *http.Request) string {
		standard = strings.TrimPrefix(r.Header.Get("Webhook-Signature"), "v1,")
		user, password, _ := r.BasicAuth()
		cookie, err := r.Cookie("session")
		if err != nil {
			t.Error(err)
			return ""
		}
		all := []string{"user " + user, "password " + password, "session " + cookie.Value}
		for name, values := range r.Header {
			all = append(all, name+": "+strings.Join(values, ", "))
		}
		return strings.Join(all, "\n")
	}), headers)
	signature := Signature([]byte(testSecret), []byte("{}"))
	for _, secret := range []string{
		headers["Authorization"], headers["Cookie"], headers["X-Api-Key"], "X-Tenant: 7", "pass word", "0123456789abcdef",
		testSecret, signature, strings.TrimPrefix(signature, "sha256="), standard,
	} {
		if secret == "" || strings.Contains(got, secret) {
			t.Errorf("%q is in the excerpt:\n%s", secret, got)
		}
	}
	for _, plain := range []string{"X-Webhook-Id: evt_1", "X-Webhook-Sequence: 42", "X-Tenant: " + redacted, "user user"} {
		if !strings.Contains(got, plain) {
			t.Errorf("%q is not in the excerpt:\n%s", plain, got)
		}
	}
}

// A secret that the cut at 1 KiB would divide: not a byte of its beginning stays, wherever the cut
// falls, nor when the endpoint itself stops in its midst.
//
// Mutation of redact.go: an excerpt ends in the middle of a secret.
// Mutation of response.go: the excerpt of a response is kept whatever its length.
func TestExcerptEndsBeforeADividedSecret(t *testing.T) {
	const token = "S3CR3T-0123456789abcdef"
	for at := outbox.MaxExcerpt - len(token) - 1; at <= outbox.MaxExcerpt+1; at++ {
		got := failed(t, saying(t, strings.Repeat("-", at)+token+strings.Repeat("-", 4<<10)), map[string]string{"X-Token": token})
		rest := strings.TrimLeft(got, "-")
		if strings.ContainsAny(rest, "S3CR0123456789") || at > outbox.MaxExcerpt && rest != "" {
			t.Errorf("at %d: excerpt ends %q", at, rest)
		}
	}
	// Longer than all that is read.
	long := strings.Repeat("0123456789abcdef", maxResponse/16)
	if got := failed(t, saying(t, "token "+long), map[string]string{"X-Token": long}); got != "token "+redacted {
		t.Errorf("excerpt %q", got)
	}
	// The response breaks off.
	e := listen(t, nil, func(c net.Conn) {
		says("HTTP/1.1 400 No\r\nContent-Length: 1000\r\n\r\ntoken S3")(c)
		_ = c.Close()
	})
	if got := failed(t, e.url, map[string]string{"X-Token": token}); got != "token "+redacted {
		t.Errorf("excerpt %q", got)
	}
	// The endpoint shortens it.
	if got := failed(t, saying(t, "token "+token[:8]), map[string]string{"X-Token": token}); got != "token "+redacted {
		t.Errorf("excerpt %q", got)
	}
}

// net/http repeats in its errors what an endpoint sends instead of a response.
//
// Mutation of client.go: an endpoint that repeats the request line has the query stored.
// Mutation of errors.go: the message of an error is kept whatever its length.
func TestMessageHoldsNoSecretAndNoQuery(t *testing.T) {
	texts := map[string]string{
		"header line": "HTTP/1.1 200 OK\r\nBearer S3CR3T-0123456789abcdef\r\n\r\n",
		"status line": "POST /hook?token=hush-hush HTTP/1.1\r\n\r\n",
		// found by FuzzResponse: `malformed HTTP response "hush-hush0"`
		"value alone": "hush-hush0\r\n\r\n",
	}
	// Wherever the message is cut.
	for n := maxMessage - 100; n < maxMessage; n += 3 {
		texts[fmt.Sprint("long ", n)] = "HTTP/1.1 200 OK\r\n" + strings.Repeat("x", n) + " Bearer S3CR3T-0123456789abcdef\r\n\r\n"
	}
	texts["a query that is no value"] = "POST /hook?hush&hus HTTP/1.1\r\n\r\n"
	for name, text := range texts {
		e := listen(t, nil, says(text))
		query := "?token=hush-hush"
		if strings.Contains(text, "hush&hus") {
			query = "?hush&hus"
		}
		r := request(e.url+query, testSecret, "{}")
		r.Webhook.Headers = headersOf(t, map[string]string{"Authorization": "Bearer S3CR3T-0123456789abcdef"})
		res := sender(t).Send(t.Context(), r)
		if res.Class != outbox.ClassNetwork || strings.Contains(res.Message, "hush") || strings.Contains(res.Message, "S3C") {
			t.Errorf("%s: %+v", name, res)
		}
		if len(res.Message) > maxMessage+len("…") {
			t.Errorf("%s: %d bytes", name, len(res.Message))
		}
	}
}

// What an attempt sent is hidden, also when the webhook's headers have changed meanwhile.
func TestRotationDoesNotUncoverAnAttemptInFlight(t *testing.T) {
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	url := echoing(t, func(r *http.Request) string {
		arrived <- struct{}{}
		<-release
		return r.Header.Get("X-Token")
	})
	s := sender(t)
	results := make(chan string, 2)
	for _, token := range []string{"old-0123456789", "new-0123456789"} {
		r := request(url, "", "{}")
		r.Webhook.Headers = headersOf(t, map[string]string{"X-Token": token})
		go func() { results <- string(s.Send(t.Context(), r).Excerpt) }()
		<-arrived
	}
	close(release)
	for range 2 {
		if got := <-results; got != redacted {
			t.Errorf("excerpt %q", got)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("token", "before token after", true)
	f.Add("abab", "ababab", false)
	f.Add("7", "17 7", true)
	f.Add("ü", "\xc3\xbc", true)
	f.Fuzz(func(t *testing.T, secret, text string, whole bool) {
		r := newRedactor(nil, http.Header{"X": {secret}}, newSigner([]byte(secret)))
		got := string(r.redact([]byte(text), signatures{}, whole))
		rest := strings.ReplaceAll(got, redacted, "\x00")
		if len(secret) >= minFragment && !strings.Contains(secret, "\x00") && strings.Contains(rest, secret) {
			t.Errorf("%q in %q is left: %q", secret, text, got)
		}
		if !strings.Contains(got, redacted) && got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}
