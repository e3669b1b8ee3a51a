package view

import (
	"bytes"
	"encoding/json"
	"strings"

	"waoutbox/cmd/internal/term"
)

// Token is a piece of pretty-printed JSON: Class colours it, "" is punctuation.
type Token struct{ Class, Text string }

// Classes of page.css.
const (
	classKey    = "json-key"
	classString = "json-str"
	classNumber = "json-num"
)

// Pretty prints JSON for people, in pieces. What is no JSON comes back as one piece.
func Pretty(body string) []Token {
	var b bytes.Buffer
	if json.Indent(&b, []byte(body), "", "  ") != nil {
		return []Token{{Text: cleanText(body)}}
	}
	var out []Token
	for line := range strings.SplitSeq(b.String(), "\n") {
		out = append(out, prettyLine(line)...)
	}
	return out
}

// prettyLine takes one line of indented JSON apart: a key, a value, punctuation.
func prettyLine(line string) []Token {
	rest := strings.TrimLeft(line, " ")
	out := []Token{{Text: line[:len(line)-len(rest)]}}
	if strings.HasPrefix(rest, `"`) {
		end := stringEnd(rest)
		if after, ok := strings.CutPrefix(rest[end:], ": "); ok {
			out = append(out, Token{classKey, term.Clean(rest[:end])}, Token{Text: ": "})
			rest = after
		}
	}
	value := strings.TrimSuffix(rest, ",")
	class := ""
	switch {
	case strings.HasPrefix(value, `"`):
		class = classString
	case value != "" && !strings.ContainsAny(value[:1], "{}[]"):
		class = classNumber
	}
	return append(out, Token{class, term.Clean(value)}, Token{Text: strings.TrimPrefix(rest, value) + "\n"})
}

// stringEnd is the length of the JSON string that s begins with.
func stringEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}
