package untrusted

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// EscapeJSON returns JSON with what would not be seen in its texts written as \u escapes: the
// values are the same.
func EscapeJSON(b []byte) []byte {
	return changeJSON(b, func(out []byte, r rune, raw []byte) []byte {
		switch {
		case raw[0] == '\\':
			return append(out, raw...)
		case r == utf8.RuneError && len(raw) == 1: // no JSON, and left so
			return append(out, raw...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			return fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		}
		return fmt.Appendf(out, `\u%04x`, r)
	})
}

// StripJSON returns JSON whose texts are as Strip leaves them.
func StripJSON(b []byte) []byte {
	return changeJSON(b, func(out []byte, r rune, raw []byte) []byte {
		switch r {
		case '\n':
			return append(out, raw...)
		case '\t':
			return append(out, ' ')
		}
		return out
	})
}

// changeJSON copies JSON, and has hidden write in the place of each rune of a text that would not
// be seen; raw is how it was written.
func changeJSON(b []byte, hidden func(out []byte, r rune, raw []byte) []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 && plain(string(b)) {
		return b
	}
	out := make([]byte, 0, len(b))
	inside, before := false, rune(0)
	for len(b) > 0 {
		r, n := next(b, inside)
		raw := b[:n]
		b = b[n:]
		if !inside || raw[0] == '"' {
			inside, before = inside != (raw[0] == '"'), 0
			out = append(out, raw...)
			continue
		}
		after, _ := next(b, true)
		if hides(r, before, after) {
			out = hidden(out, r, raw)
			continue
		}
		out, before = append(out, raw...), r
	}
	return out
}

// next returns the rune that b begins with, and how many bytes it takes; inside a text an escape is
// what it stands for.
func next(b []byte, inside bool) (r rune, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	if !inside || b[0] != '\\' || len(b) < 2 {
		return utf8.DecodeRune(b)
	}
	switch b[1] {
	case 'n':
		return '\n', 2
	case 't':
		return '\t', 2
	case 'b', 'f', 'r':
		return '\r', 2
	case 'u':
		if r, ok := unit(b); ok {
			if low, ok := unit(b[6:]); ok && utf16.IsSurrogate(r) {
				if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
					return both, 12
				}
			}
			return r, 6
		}
	}
	return rune(b[1]), 2
}

// unit reads \uXXXX.
func unit(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(v), err == nil
}
