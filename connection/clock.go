package connection

import (
	"context"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"

	"waoutbox/outbox/api"
)

const (
	// clockLook is how often the clock is looked at.
	clockLook = 10 * time.Second
	// clockSet is by how much the clock must have been set since it was compared to be compared
	// again, and by how much it must be wrong to be compared again every clockAgain.
	clockSet   = 30 * time.Second
	clockAgain = 10 * time.Minute
	// clockLimit is how long WhatsApp may take to tell its time.
	clockLimit = 10 * time.Second
)

// comparison is how this machine's clock compared with WhatsApp's. Safe for concurrent use.
type comparison struct {
	mu     sync.Mutex
	at     time.Time // with a monotonic reading; zero: never compared
	ahead  time.Duration
	hinted bool // a log-in brought a time that is far away
}

// learn takes what WhatsApp's clock said when this machine's said here.
func (c *comparison) learn(whatsApp, here time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.ahead, c.hinted = here, here.Round(0).Sub(whatsApp), false
}

// hint is learn for a time that is believed only where it is not far away: otherwise the clock must
// be compared again.
func (c *comparison) hint(whatsApp, here time.Time) {
	if here.Round(0).Sub(whatsApp).Abs() <= clockSet {
		c.learn(whatsApp, here)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hinted = true
}

// forget leaves a hint at that.
func (c *comparison) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hinted = false
}

func (c *comparison) read() (ahead time.Duration, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead, !c.at.IsZero()
}

// doubtful reports whether the clock must be compared again.
func (c *comparison) doubtful(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hinted || !c.at.IsZero() && compareAgain(now.Round(0).Sub(c.at.Round(0)), now.Sub(c.at), c.ahead)
}

// compareAgain reports whether a clock that was so far ahead must be compared again, after so much
// time by itself and by the monotonic one: when it was set, or was wrong a while ago. Whether it
// was set, or this machine was asleep, only another comparison tells.
func compareAgain(wall, mono, ahead time.Duration) bool {
	return (wall-mono).Abs() > clockSet || ahead.Abs() > clockSet && mono >= clockAgain
}

// ClockAhead returns by how much this machine's clock was ahead of WhatsApp's, negative behind,
// when they were last compared: within a minute after a log-in, or after the clock was set while
// the link is connected. WhatsApp's is in whole seconds. False while nothing is known.
func (c *Client) ClockAhead() (ahead time.Duration, known bool) { return c.clock.read() }

// noteClock compares the clock with the time that a log-in brings. That alone makes no clock wrong:
// WhatsApp is asked once more, as doctor asks.
func (c *Client) noteClock(n *waBinary.Node) {
	if n.Tag != "success" {
		return
	}
	if t := n.AttrGetter().OptionalUnixTime("t"); !t.IsZero() {
		c.clock.hint(t, c.now())
	}
}

// watchClock has the clock compared again where there is a reason to, until ctx ends.
func (c *Client) watchClock(ctx context.Context) {
	for pause(ctx, clockLook) {
		if c.clock.doubtful(c.now()) && c.status.read().State == api.LinkConnected {
			c.compareClock(ctx)
		}
	}
}

// compareClock asks WhatsApp for its time. Where that fails it is asked again.
func (c *Client) compareClock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, clockLimit)
	defer cancel()
	date, here, err := c.o.Route.Reach(ctx)
	switch {
	case err != nil:
		c.log.Debug("WhatsApp's time is not known", "error", err)
	case date.IsZero(): // nor will it be if asked again
		c.clock.forget()
	default:
		c.clock.learn(date, here)
	}
}
