package term

import (
	"context"
	"sync/atomic"
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
		var cols, rows, told atomic.Int32
		cols.Store(80)
		rows.Store(24)
		go watchSize(ctx, func() (int, int) { return int(cols.Load()), int(rows.Load()) }, func() { told.Add(1) })
		for i, to := range []struct{ cols, rows, told int32 }{{80, 24, 0}, {100, 24, 1}, {100, 24, 1}, {100, 10, 2}, {80, 24, 3}} {
			synctest.Wait()
			cols.Store(to.cols)
			rows.Store(to.rows)
			<-time.After(3 * sizePoll)
			if synctest.Wait(); told.Load() != to.told {
				t.Errorf("step %d: told %d times, want %d", i, told.Load(), to.told)
			}
		}
		cancel()
		synctest.Wait()
		cols.Store(1)
		<-time.After(3 * sizePoll)
		if told.Load() != 3 {
			t.Errorf("told %d times after the end", told.Load())
		}
	})
}
