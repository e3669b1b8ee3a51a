package control

import (
	"context"
	"time"

	"waoutbox/store"
)

// Stop asks the daemon to stop and waits until it has given the state's lock back, which is the last thing it does. It ends early with
// ctx's error; the daemon then goes on stopping. With no daemon it answers service_unavailable.
func (c *Client) Stop(ctx context.Context) error {
	stopped, err := call(ctx, c, routeStop, none{})
	if err != nil {
		return err
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		o, held, err := store.ReadOwner(c.stateDir)
		if err != nil {
			return unavailable("waoutbox (pid %d) was asked to stop, but its lock cannot be read: %v", stopped.PID, err)
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
