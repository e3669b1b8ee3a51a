// Package parent tells when the process that started this one has ended. Programs that talk over
// their stdin end with it; but its end never comes while some other process holds the pipe open,
// and then they would stay for ever.
package parent

import (
	"context"
	"errors"
	"time"
)

// ErrEnded is the cause of a context that ended because the parent did.
var ErrEnded = errors.New("the process that started this one has ended")

// poll is how often it is looked for: nothing waits for it, and a look costs nothing.
const poll = 2 * time.Second

// Watch returns a context that ends with ctx, with release, and within seconds after the process
// that started this one. Where that cannot be told, because it had ended before or the system does
// not say, it ends with ctx alone. Call it early: a parent that ended before is not noticed.
func Watch(ctx context.Context) (watched context.Context, release context.CancelFunc) {
	p, ok := find()
	if !ok {
		return context.WithCancel(ctx)
	}
	watched, end := context.WithCancelCause(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer p.close()
		tick := time.NewTicker(poll)
		defer tick.Stop()
		for !p.ended() {
			select {
			case <-watched.Done():
				return
			case <-tick.C:
			}
		}
		end(ErrEnded)
	}()
	return watched, func() { end(nil); <-over }
}
