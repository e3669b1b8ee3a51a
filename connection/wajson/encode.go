// Package wajson writes canonical JSON: the one text that
// JSON.stringify(JSON.parse(text)) gives back unchanged.
//
// Receivers verify a signature over either the raw body or the re-stringified
// payload, so every byte the service sends as JSON goes through this package.
// encoding/json escapes <, >, & and U+2028, prints some numbers differently and
// sorts no array-index keys, which is why it is not used for bodies.
//
// What cannot be said canonically (NaN, integers beyond 2^53-1, a duplicate or
// array-index key) is a programming error and panics; nothing that arrives from
// WhatsApp reaches those checks, because [Renderer] turns such values into strings.
package wajson

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// MaxSafeInteger is the largest integer a JavaScript number holds exactly.
// Larger integers travel as decimal strings.
const MaxSafeInteger = 1<<53 - 1

// JSON is one finished canonical value, made by this package. It has no white
// space around it and must not be changed.
type JSON []byte

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string: only the quote, the backslash and
// U+0000–U+001F are escaped, all else is raw. Invalid UTF-8 becomes U+FFFD, one for each maximal
// part of a character as the WHATWG Encoding Standard has it.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0 // everything before start is written
	for i := 0; i < len(s); {
		b := s[i]
		if b >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\uFFFD"...)
				size = maximalPart(s[i:])
				start = i + size
			}
			i += size
			continue
		}
		if b >= 0x20 && b != '"' && b != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&0xf])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// maximalPart returns how many bytes of s, which does not begin with a valid character, a decoder
// of the WHATWG Encoding Standard replaces by one U+FFFD: the longest beginning of some valid
// character, at least one byte.
func maximalPart(s string) int {
	lower, upper, more := byte(0x80), byte(0xBF), 0
	switch b := s[0]; {
	case b >= 0xC2 && b <= 0xDF:
		more = 1
	case b >= 0xE0 && b <= 0xEF:
		more = 2
		if b == 0xE0 {
			lower = 0xA0
		} else if b == 0xED {
			upper = 0x9F
		}
	case b >= 0xF0 && b <= 0xF4:
		more = 3
		if b == 0xF0 {
			lower = 0x90
		} else if b == 0xF4 {
			upper = 0x8F
		}
	}
	n := 1
	for n <= more && n < len(s) && s[n] >= lower && s[n] <= upper {
		n++
		lower, upper = 0x80, 0xBF
	}
	return n
}

// AppendInt appends n as plain digits. It panics beyond ±MaxSafeInteger:
// such a number must be sent as a string.
func AppendInt(dst []byte, n int64) []byte {
	if n > MaxSafeInteger || n < -MaxSafeInteger {
		panic(fmt.Sprintf("wajson: integer %d is beyond 2^53-1, send it as a string", n))
	}
	return strconv.AppendInt(dst, n, 10)
}

// AppendFloat appends f as ECMAScript's Number::toString prints it. It panics on
// NaN and infinities, which JSON cannot say.
func AppendFloat(dst []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case math.IsNaN(f) || math.IsInf(f, 0):
		panic(fmt.Sprintf("wajson: %v is no JSON number, send it as a string", f))
	case f == 0: // also -0, which JSON.stringify prints without its sign
		return append(dst, '0')
	case abs >= 1e-6 && abs < 1e21:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// Go pads the exponent to two digits, ECMAScript does not: 1e-07 → 1e-7.
	if n := len(dst); dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}
