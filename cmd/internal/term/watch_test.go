package term

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestWatchSize: each change of the size, in either direction, is told once, and nothing after the
// end.
func TestWatchSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cols, rows, told := 80, 24, 0
		go watchSize(ctx, func() (int, int) { return cols, rows }, func() { told++ })
		for i, to := range []struct{ cols, rows, told int }{{80, 24, 0}, {100, 24, 1}, {100, 24, 1}, {100, 10, 2}, {80, 24, 3}} {
			synctest.Wait()
			cols, rows = to.cols, to.rows
			<-time.After(3 * sizePoll)
			if synctest.Wait(); told != to.told {
				t.Errorf("step %d: told %d times, want %d", i, told, to.told)
			}
		}
		cancel()
		synctest.Wait()
		cols = 1
		<-time.After(3 * sizePoll)
		if told != 3 {
			t.Errorf("told %d times after the end", told)
		}
	})
}
