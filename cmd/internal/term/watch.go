package term

import (
	"context"
	"io"
	"time"
)

// sizePoll is how often a terminal's size is looked at: for a person at once. Not every system
// tells of a change by a signal.
const sizePoll = 100 * time.Millisecond

// WatchSize calls changed after each change of the terminal's size, until ctx ends.
func WatchSize(ctx context.Context, w io.Writer, changed func()) {
	watchSize(ctx, func() (cols, rows int) { return Size(w) }, changed)
}

// watchSize is WatchSize for what size returns.
func watchSize(ctx context.Context, size func() (cols, rows int), changed func()) {
	tick := time.NewTicker(sizePoll)
	defer tick.Stop()
	cols, rows := size()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if c, r := size(); c != cols || r != rows {
			cols, rows = c, r
			changed()
		}
	}
}
