package connection

import (
	"bytes"
	"context"
	"time"
)

const (
	// rhythmName is under what the device store keeps how long the account is silent.
	rhythmName = "rhythm"
	// rhythmPause is the least time between two writes of it.
	rhythmPause = time.Hour
)

// rhythm is what is kept of the account's silences. Only the link's goroutine uses it.
type rhythm struct {
	kept []byte
	at   time.Time
}

// restoreRhythm takes up what was learned before the restart: without it a week passes before a
// silent connection is noticed as soon as before.
func (c *Client) restoreRhythm(ctx context.Context) {
	raw, err := c.o.Device.Kept(ctx, rhythmName)
	if err == nil && raw != nil {
		err = c.silence.Restore(raw)
	}
	if err != nil {
		c.log.Warn("how long the account is usually silent is not known", "error", masked(err.Error()))
		return
	}
	c.rhythm = rhythm{kept: raw, at: c.now()}
}

// keepRhythm keeps what has been learned, once an hour and at the end.
func (c *Client) keepRhythm(end bool) {
	now := c.now()
	if !end && now.Sub(c.rhythm.at) < rhythmPause && !c.rhythm.at.After(now) {
		return
	}
	c.rhythm.at = now
	raw := c.silence.Learned()
	if raw == nil || bytes.Equal(raw, c.rhythm.kept) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	if err := c.o.Device.Keep(ctx, rhythmName, raw); err != nil {
		c.log.Warn("how long the account is usually silent is not kept over a restart", "error", masked(err.Error()))
		return
	}
	c.rhythm.kept = raw
}
