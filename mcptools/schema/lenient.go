package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// unquoted is the JSON that a string holds, when that begins with first and is whole; else raw as
// it is.
func unquoted(raw json.RawMessage, first byte) json.RawMessage {
	var text string
	if raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return raw
	}
	inner := bytes.TrimSpace([]byte(text))
	if len(inner) == 0 || inner[0] != first || !json.Valid(inner) {
		return raw
	}
	return inner
}

// plain is the text of a value that stands in quotes or not.
func plain(raw json.RawMessage) string {
	var text string
	if raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		return strings.TrimSpace(text)
	}
	return string(raw)
}

// isDigits reports whether a JSON number is written as a whole number, and so has one spelling as a
// string.
func isDigits(raw json.RawMessage) bool {
	return len(raw) > 0 && len(raw) <= 40 && strings.Trim(string(raw), "0123456789") == ""
}

// entries are the entries of a list, however it is written: as a list, as a string that holds one,
// as its only entry, or, of strings, as words with commas. No entry of any list here has a comma.
func (s *Schema) entries(raw json.RawMessage) ([]json.RawMessage, bool) {
	var list []json.RawMessage
	if inner := unquoted(raw, '['); inner[0] == '[' {
		return list, json.Unmarshal(inner, &list) == nil
	}
	if s.Items.Type != "string" {
		one := unquoted(raw, '{')
		return []json.RawMessage{one}, one[0] == '{'
	}
	if isDigits(raw) {
		return []json.RawMessage{raw}, true
	}
	var text string
	if raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return nil, false
	}
	if text = strings.TrimSpace(text); text == "" || strings.ContainsAny(text[:1], "[{") {
		return nil, false // a list that is not whole
	}
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		entry, err := json.Marshal(word)
		if err != nil {
			return nil, false
		}
		list = append(list, entry)
	}
	return list, len(list) > 0
}

// kindOf names a JSON value in words.
func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "the number " + short(string(raw))
	}
}

// valueOf is kindOf that shows a short string.
func valueOf(raw json.RawMessage) string {
	if text := plain(raw); raw[0] == '"' && len(text) <= maxWord {
		return fmt.Sprintf("%q", text)
	}
	return kindOf(raw)
}

// maxWord bounds, in bytes, what is compared and shown: names are short, and a long value is no
// typing error.
const maxWord = 64

// short is a word of the arguments as it is shown.
func short(s string) string {
	if len(s) <= maxWord {
		return s
	}
	n := maxWord
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// DidYouMean returns ` Did you mean "x"?` for the known word nearest to a mistyped one, or "".
// Neither case nor the marks between words count, and a word that ends in a known one is nearly it.
func DidYouMean(given string, known []string) string {
	if len(given) > maxWord {
		return ""
	}
	best, distance := "", 1+max(2, len(given)/3)
	for _, k := range known {
		d := levenshtein.ComputeDistance(plainWord(given), plainWord(k))
		if p := plainWord(k); len(p) > 2 && strings.HasSuffix(plainWord(given), p) {
			d = min(d, 1) // webhook_url for url
		}
		if d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}

func plainWord(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(s))
}
