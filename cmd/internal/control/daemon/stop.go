package daemon

import (
	"context"
	"time"

	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/explain"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// Stop asks the daemon to stop and waits until it has given the state's lock back, which is the
// last thing it does. It ends early with ctx's error; the daemon then goes on stopping. With no
// daemon it returns service_unavailable.
func Stop(ctx context.Context, c *control.Client) error {
	stopped, err := c.RequestStop(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		o, held, err := store.ReadOwner(c.StateDir())
		if err != nil {
			return api.Retryf(api.CodeServiceUnavail, "waoutbox (pid %d) was asked to stop, but its lock cannot be read: %v", stopped.PID, explain.State(err))
		}
		if !held || o.PID != 0 && o.PID != stopped.PID { // or the next owner is already there
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
