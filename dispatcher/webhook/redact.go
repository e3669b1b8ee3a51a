package webhook

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	// redacted stands where a secret stood.
	redacted = "[redacted]"
	// minFragment is the shortest text that is taken for a secret wherever it stands. A shorter
	// header value (a tenant's number) is hidden where it stands alone; otherwise every "1" of a
	// response would go.
	minFragment = 4
	// minSignature is the length of the shorter of the two signatures as text.
	minSignature = 44
)

// redactor removes from what an endpoint said all that came from its own request and must not be
// stored: the webhook's secrets, the longer values of its URL's query, the values of its custom
// headers, and the signatures of the attempt (beside the stored body one lets a weak secret be
// guessed). Each is found in the forms in which programs echo a request: as it is, escaped for
// JSON, HTML or URLs, in hexadecimal, and in base64 at any offset; case of ASCII letters does not
// matter. It is immutable and safe for concurrent use.
type redactor struct {
	long  [][]byte // in lower case
	short [][]byte // in lower case; found only between other than letters and digits
	max   int      // length of the longest
}

// newRedactor returns a redactor for the query of a webhook's URL, opened headers and secrets,
// which may be nil. A query often holds a token; its shorter values are none, and are left.
func newRedactor(query url.Values, headers http.Header, secrets ...*signer) *redactor {
	f := forms{}
	for _, values := range query {
		for _, v := range values {
			if len(v) >= minPart {
				f.addSecret(v)
			}
		}
	}
	for _, s := range secrets {
		if s != nil {
			f.addSecret(string(s.raw.key))
			f.addSecret(string(s.standard.key))
			f.addSecret(strings.TrimPrefix(string(s.raw.key), secretPrefix))
		}
	}
	for _, values := range headers {
		for _, v := range values {
			f.addHeader(v)
		}
	}
	return f.redactor()
}

func (r *redactor) longest() int { return r.max }

// redact returns text without the secrets; text itself stays as it is. sent are the signatures of
// the attempt. Unless whole, text was cut off at its end, where then no beginning of a secret may
// stand.
func (r *redactor) redact(text []byte, sent signatures, whole bool) []byte {
	least := minFragment
	if !whole {
		least = 1
	}
	lower := asciiLower(text)
	hidden := r.mark(lower, least, nil)
	if len(text) >= minSignature || !whole {
		hidden = sent.redactor().mark(lower, least, hidden)
	}
	if hidden == nil {
		return text
	}
	out := make([]byte, 0, len(text)+len(redacted))
	for i, c := range text {
		switch {
		case !hidden[i]:
			out = append(out, c)
		case i == 0 || !hidden[i-1]:
			out = append(out, redacted...)
		}
	}
	return out
}

// redactText is redact for a sentence of ours.
func (r *redactor) redactText(s string, sent signatures) string {
	return string(r.redact([]byte(s), sent, true))
}

// mark sets hidden where a secret stands in lower, or ends lower with at least so many bytes of its
// beginning. hidden may be nil, and stays nil when nothing is found.
func (r *redactor) mark(lower []byte, least int, hidden []bool) []bool {
	set := func(from, to int) {
		if hidden == nil {
			hidden = make([]bool, len(lower))
		}
		for i := from; i < to; i++ {
			hidden[i] = true
		}
	}
	for _, secret := range r.long {
		for at := 0; ; {
			i := bytes.Index(lower[at:], secret)
			if i < 0 {
				break
			}
			set(at+i, at+i+len(secret))
			at += i + 1 // occurrences may overlap
		}
		for i := max(0, len(lower)-len(secret)+1); i <= len(lower)-least; i++ {
			if lower[i] == secret[0] && bytes.HasPrefix(secret, lower[i:]) {
				set(i, len(lower))
				break
			}
		}
	}
	for _, value := range r.short {
		for at := 0; ; at++ {
			i := bytes.Index(lower[at:], value)
			if i < 0 {
				break
			}
			at += i
			if end := at + len(value); !isWord(lower, at-1) && !isWord(lower, end) {
				set(at, end)
			}
		}
	}
	return hidden
}

// isWord reports whether a letter or digit stands at i.
func isWord(lower []byte, i int) bool {
	if i < 0 || i >= len(lower) {
		return false
	}
	c := lower[i]
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= utf8.RuneSelf
}

// redactor returns a redactor for the signatures of an attempt.
func (s signatures) redactor() *redactor {
	f := forms{}
	_, plain, _ := strings.Cut(s.plain, "=")
	f.addEscaped(plain)
	for one := range strings.FieldsSeq(s.standard) {
		_, bare, _ := strings.Cut(one, ",")
		f.addEscaped(bare)
	}
	return f.redactor()
}

// asciiLower returns a copy in lower case of the same length.
func asciiLower(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return out
}
