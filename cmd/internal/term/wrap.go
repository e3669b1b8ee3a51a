package term

import (
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Wrap breaks one line of text at its blanks, so that it takes at most width columns; what follows
// the first line is set in by hang columns. A word, an id or a URL is never broken, nor is a
// command of this program: it is longer than a line then, and can be copied whole. Blanks within a
// line stay as they are. 0 leaves the text as it is.
func Wrap(s string, width, hang int) string {
	if width == 0 || columns(s) <= width {
		return s
	}
	if hang > width/2 { // next to nothing would be left
		hang = 2
	}
	var out strings.Builder
	at := 0
	for s = strings.TrimRight(s, " "); s != ""; {
		rest := strings.TrimLeft(s, " ")
		blanks := len(s) - len(rest)
		n := unbroken(rest)
		took := columns(rest[:n])
		if at > hang && at+blanks+took > width {
			out.WriteString("\n" + strings.Repeat(" ", hang))
			at, blanks = hang, 0
		}
		out.WriteString(strings.Repeat(" ", blanks) + rest[:n])
		at, s = at+blanks+took, rest[n:]
	}
	return out.String()
}

// columns is how many columns a text takes on a terminal.
func columns(s string) int { return text.StringWidthWithoutEscSequences(s) }

// unbroken is how many bytes of a text, which begins with no blank, stay together: a word, or a
// command with its arguments, up to the end of its part of the sentence.
func unbroken(s string) int {
	n := wordEnd(s)
	if strings.TrimLeft(s[:n], "(`") != "waoutbox" {
		return n
	}
	for n < len(s) && !strings.ContainsRune(".,;:)`", rune(s[n-1])) && !strings.HasPrefix(s[n:], "  ") {
		n += 1 + wordEnd(s[n+1:])
	}
	return n
}

// wordEnd is where the first blank of a text is, or its end.
func wordEnd(s string) int {
	if i := strings.IndexByte(s, ' '); i >= 0 {
		return i
	}
	return len(s)
}
