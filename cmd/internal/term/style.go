package term

import (
	"io"
	"os"

	xterm "golang.org/x/term"
)

// Style colours text for one stream. The zero Style leaves text as it is.
type Style struct{ Color bool }

// StyleFor returns the style of a stream: colours only on a terminal, and neither with NO_COLOR set
// to anything nor with TERM=dumb (https://no-color.org).
func StyleFor(w io.Writer, getenv func(string) string) Style {
	return Style{Color: IsTerminal(w) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
}

func (s Style) wrap(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s Style) Bold(text string) string   { return s.wrap("1", text) }
func (s Style) Red(text string) string    { return s.wrap("31", text) }
func (s Style) Green(text string) string  { return s.wrap("32", text) }
func (s Style) Yellow(text string) string { return s.wrap("33", text) }

// IsTerminal reports whether v, a reader or a writer, is a terminal.
func IsTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && xterm.IsTerminal(int(f.Fd()))
}

// Size returns the columns and rows of a terminal, 0 and 0 for anything else.
func Size(w io.Writer) (cols, rows int) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, 0
	}
	cols, rows, err := xterm.GetSize(int(f.Fd()))
	if err != nil {
		return 0, 0
	}
	return cols, rows
}

// ReadSecret reads one line from a terminal without showing it.
func ReadSecret(r io.Reader) ([]byte, error) {
	f, ok := r.(*os.File)
	if !ok {
		return nil, os.ErrInvalid
	}
	return xterm.ReadPassword(int(f.Fd()))
}
