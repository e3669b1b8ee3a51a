// Package untrusted makes text that others wrote harmless where people or models read it: nothing
// of it moves the cursor, forges a line, turns other text around, or is there without being seen.
// HTML is escaped where HTML is made.
package untrusted

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape returns s with what would not be seen as it is as a visible escape, \u202e. Line ends too:
// one value stays one line.
func Escape(s string) string {
	return change(s, func(b *strings.Builder, r rune) {
		if r > 0xffff {
			fmt.Fprintf(b, `\U%08x`, r)
			return
		}
		fmt.Fprintf(b, `\u%04x`, r)
	})
}

// Strip returns s without what would not be seen; line ends stay, and a tab becomes a space.
func Strip(s string) string {
	return change(s, func(b *strings.Builder, r rune) {
		switch r {
		case '\n':
			b.WriteByte('\n')
		case '\t':
			b.WriteByte(' ')
		}
	})
}

// change copies s, and has hidden write in the place of each rune that would not be seen.
func change(s string, hidden func(b *strings.Builder, r rune)) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	before := rune(0) // the rune that was written last
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		after, _ := utf8.DecodeRuneInString(s[i+size:])
		if hides(r, before, after) {
			written := b.Len()
			hidden(&b, r)
			if b.Len() > written {
				before, _ = utf8.DecodeLastRuneInString(b.String())
			}
			continue
		}
		b.WriteString(s[i : i+size])
		before = r
	}
	return b.String()
}

// plain reports whether s is printable ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// hides reports whether r, between two other runes, is not seen as what it is.
func hides(r, before, after rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r <= 0x9f, r == unicode.ReplacementChar:
		return true
	case r < 0xa0:
		return false
	case r == '\u200d' || r == '\u200c': // joiners: in emoji, and between letters that join
		return !joins(before) && before != '\ufe0f' || !joins(after)
	case r == '\ufe0e' || r == '\ufe0f': // one after a symbol says how it is drawn
		return !drawn(before)
	}
	return !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) || unseen(r)
}

// unseen reports whether a rune that counts as printable is not seen.
func unseen(r rune) bool {
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || blank(r)
}

// blank reports whether a rune that counts as printable is nothing but room.
func blank(r rune) bool {
	return r == '\u034f' || r == '\u115f' || r == '\u1160' || r == '\u17b4' || r == '\u17b5' || r == '\u3164' || r == '\uffa0' || r == '\u2800'
}

// joins reports whether a joiner beside r has a meaning: in scripts whose letters join, and between
// the parts of an emoji.
func joins(r rune) bool {
	return r != unicode.ReplacementChar && unicode.IsPrint(r) && !unseen(r) && unicode.In(r, unicode.So, unicode.Sk, unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mongolian, unicode.Devanagari, unicode.Bengali,
		unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala,
		unicode.Khmer, unicode.Myanmar)
}

// drawn reports whether r is a symbol, a key or a digit that there is as an emoji too.
func drawn(r rune) bool {
	return unicode.In(r, unicode.So, unicode.Sm, unicode.Sk) || r == '#' || r == '*' || r >= '0' && r <= '9' || r == '©' || r == '®' || r == '‼' || r == '⁉'
}
