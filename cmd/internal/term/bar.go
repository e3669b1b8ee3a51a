package term

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
)

const (
	// barWidth is the number of cells of a bar.
	barWidth = 22
	// barTick is how often a bar is redrawn.
	barTick = 100 * time.Millisecond
	// barMarks are the columns beside title, bar and text: two blanks, " [", "]", and the last one,
	// behind which a terminal would begin a new line
	barMarks = 6
)

// Bar is a progress line that redraws itself until Clear. On anything but a terminal it draws
// nothing: a log of bars helps nobody. Draw and Clear are for one goroutine.
type Bar struct {
	w       io.Writer // nil: silent
	title   string
	pw      progress.Writer // nil while nothing is drawn
	tracker *progress.Tracker
	ended   chan struct{} // closed when the drawing has ended

	mu   sync.Mutex
	text string // what stands behind the bar
}

// NewBar makes a bar for w, or a silent one if live is false.
func NewBar(w io.Writer, live bool, title string) *Bar {
	if !live {
		w = nil
	}
	return &Bar{w: w, title: title}
}

// Draw shows done of total and a note behind it, from the next redrawing on.
func (b *Bar) Draw(done, total int64, note string) {
	if b.w == nil {
		return
	}
	text := Count(done) + "/" + Count(total)
	if note != "" {
		text += "  " + note
	}
	title := b.title
	if cols, _ := Size(b.w); cols > 0 { // a line that wraps is drawn again and again
		title, text = fitBar(title, text, cols)
	}
	b.mu.Lock()
	b.text = text
	b.mu.Unlock()
	if b.pw == nil {
		b.begin()
	}
	b.tracker.UpdateMessage(title)
	b.tracker.UpdateTotal(max(total, 1)) // 0 would be an unknown one
	b.tracker.SetValue(min(max(done, 0), max(total, 1)))
}

// fitBar shortens what stands before and behind a bar so that all of it fits a line.
func fitBar(title, text string, cols int) (shortTitle, shortText string) {
	room := max(cols-barWidth-barMarks, 0)
	title = Middle(title, max(room-len([]rune(text)), 12))
	return title, Short(text, max(room-len([]rune(title)), 0))
}

func (b *Bar) begin() {
	b.tracker = &progress.Tracker{Message: b.title, Total: 1, AutoStopDisabled: true}
	b.tracker.Units = progress.Units{Formatter: func(int64) string {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.text
	}}
	b.pw = progress.NewWriter()
	b.pw.SetOutputWriter(b.w)
	b.pw.SetUpdateFrequency(barTick)
	b.pw.SetTrackerLength(barWidth)
	b.pw.SetTrackerPosition(progress.PositionRight)
	b.pw.SetStyle(progress.Style{
		Chars:      progress.StyleChars{Finished: "█", Finished25: "░", Finished50: "░", Finished75: "░", Unfinished: "░"},
		Options:    progress.StyleOptions{Separator: " "},
		Visibility: progress.StyleVisibility{Tracker: true, Value: true},
	})
	b.pw.AppendTracker(b.tracker)
	pw, ended := b.pw, make(chan struct{})
	b.ended = ended
	go func() {
		defer close(ended)
		pw.Render()
	}()
}

// Clear ends the drawing and takes the bar away; what follows starts on a clean line.
func (b *Bar) Clear() {
	if b.pw == nil {
		return
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ended := false; !ended; {
		b.pw.Stop() // does nothing before the drawing has begun
		select {
		case <-b.ended:
			ended = true
		case <-tick.C:
		}
	}
	b.pw = nil
	fmt.Fprint(b.w, "\x1b[1A\x1b[2K\r") // the last redrawing ended with a line end
}
