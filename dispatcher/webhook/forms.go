package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// minPart is the shortest part of a header's value that is hidden by itself, such as the token
// after Bearer or the value of a cookie.
const minPart = 8

// forms collects texts to hide.
type forms map[string]bool

func (f forms) redactor() *redactor {
	r := &redactor{}
	for s := range f {
		b := asciiLower([]byte(s))
		if len(b) < minFragment {
			r.short = append(r.short, b)
		} else {
			r.long = append(r.long, b)
		}
		r.max = max(r.max, len(b))
	}
	slices.SortFunc(r.long, bytes.Compare)
	r.long = slices.CompactFunc(r.long, bytes.Equal)
	return r
}

// addHeader adds the value of a header, its longer parts, and what is inside Basic credentials.
func (f forms) addHeader(v string) {
	f.addSecret(v)
	parts := strings.FieldsFunc(v, func(c rune) bool { return strings.ContainsRune(" ;,:=\"'", c) })
	if scheme, rest, ok := strings.Cut(v, " "); ok && strings.EqualFold(scheme, "basic") {
		if b, err := base64.StdEncoding.DecodeString(rest); err == nil {
			parts = append(parts, string(b))
			if _, password, _ := strings.Cut(string(b), ":"); len(password) >= minFragment {
				f.addSecret(password)
			}
		}
	}
	for _, p := range parts {
		if len(p) >= minPart {
			f.addSecret(p)
		}
	}
}

// addSecret adds a text in every form.
func (f forms) addSecret(s string) {
	f.addEscaped(s)
	if len(s) < minFragment {
		return
	}
	f[hex.EncodeToString([]byte(s))] = true
	for offset := range 3 {
		// The characters that depend on s alone when offset bytes stand before it.
		b := append(make([]byte, offset), s...)
		from, to := (offset*8+5)/6, len(b)*8/6
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if to-from >= minFragment {
				f.addEscaped(enc.EncodeToString(b)[from:to])
			}
		}
	}
}

// addEscaped adds a text as it is and as JSON, HTML and URLs escape it.
func (f forms) addEscaped(s string) {
	if s == "" {
		return
	}
	texts := []string{s}
	if latin1 := fromLatin1(s); latin1 != s {
		texts = append(texts, latin1) // as a server reads a header that is not ASCII
	}
	for _, t := range texts {
		f[t] = true
		f[html.EscapeString(t)] = true
		f[url.QueryEscape(t)] = true
		f[url.PathEscape(t)] = true
		for _, j := range []string{jsonText(t, true), jsonText(t, false)} {
			f[j] = true
			f[jsonASCII(j)] = true
			f[strings.ReplaceAll(jsonASCII(j), "/", `\/`)] = true
		}
	}
}

// jsonText is what encoding/json writes between the quotes.
func jsonText(s string, escapeHTML bool) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escapeHTML)
	if err := enc.Encode(s); err != nil {
		return s // no string does that
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(b.String(), "\n"), `"`), `"`)
}

// jsonASCII escapes what is not ASCII, as many encoders do.
func jsonASCII(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func fromLatin1(s string) string {
	runes := make([]rune, 0, len(s))
	for i := range len(s) {
		runes = append(runes, rune(s[i]))
	}
	return string(runes)
}
