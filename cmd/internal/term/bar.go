package term

import (
	"fmt"
	"io"
	"strings"
)

// barWidth is the number of cells of a bar.
const barWidth = 22

// Bar is a progress line that redraws itself. On anything but a terminal it draws nothing: a log of bars helps nobody.
type Bar struct {
	w     io.Writer
	title string
	drawn bool
}

// NewBar makes a bar for w, or a silent one if live is false.
func NewBar(w io.Writer, live bool, title string) *Bar {
	if !live {
		w = nil
	}
	return &Bar{w: w, title: title}
}

// Draw shows done of total and a note behind it.
func (b *Bar) Draw(done, total int64, note string) {
	if b.w == nil {
		return
	}
	b.drawn = true
	fmt.Fprintf(b.w, "\r\x1b[2K%s  %s  %s/%s", b.title, cells(done, total), Count(done), Count(total))
	if note != "" {
		fmt.Fprintf(b.w, "  %s", note)
	}
}

// Clear takes the bar away; what follows starts on a clean line.
func (b *Bar) Clear() {
	if b.w != nil && b.drawn {
		fmt.Fprint(b.w, "\r\x1b[2K")
		b.drawn = false
	}
}

func cells(done, total int64) string {
	n := barWidth
	if total > 0 {
		n = int(min(max(done, 0), total) * barWidth / total)
	}
	return strings.Repeat("█", n) + strings.Repeat("░", barWidth-n)
}
