package connection

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/store"

	"waoutbox/connection/liveness"
	"waoutbox/outbox/api"
)

const (
	// connectLimit is how long Connect waits for the link to be up.
	connectLimit = 20 * time.Second
	// closeWait is how long Disconnect waits for the link to be down: what is being stored is.
	closeWait = 20 * time.Second
)

// Connect has the link connected again: one that Disconnect closed, that another program took over,
// or whose next try is far away. It returns once the link is up, or why it is not; what it asked
// for goes on. Without an account it returns the unlinked link.
func (c *Client) Connect(ctx context.Context) (api.Link, error) {
	release, link, err := c.beginChange(ctx)
	if release == nil {
		return link, err
	}
	tried := c.tries.Load()
	err = c.openLink(ctx)
	release()
	if err != nil {
		return api.Link{}, err
	}
	end := c.now().Add(connectLimit)
	for {
		link := c.Link()
		switch {
		case link.State == api.LinkConnected || link.Closed:
			return link, nil
		case link.State != api.LinkConnecting, c.tries.Load() != tried && link.Reason != "", !c.now().Before(end):
			return api.Link{}, c.whyNotUp(link)
		}
		if !pause(ctx, onlinePoll) {
			return api.Link{}, api.Retryf(api.CodeTimeout, "the call ended before the link was up, and that goes on: see waoutbox status")
		}
	}
}

// Disconnect closes the link, and returns once it is down. It stays closed, over restarts too,
// until Connect; the account stays linked, and WhatsApp keeps what arrives meanwhile. Without an
// account it returns the unlinked link.
func (c *Client) Disconnect(ctx context.Context) (api.Link, error) {
	release, link, err := c.beginChange(ctx)
	if release == nil {
		return link, err
	}
	defer release()
	if since := c.wanted.since(); since.IsZero() {
		now := c.now().UTC().Truncate(time.Millisecond)
		if err := c.keepClosed(ctx, now); err != nil {
			return api.Link{}, api.Retryf(api.CodeServiceUnavail, "the link was not closed, for whatsapp.db cannot be written (%s): make room on its disk or mend it, then try again", masked(err.Error()))
		}
		c.wanted.close(now)
	}
	ctx, cancel := context.WithTimeout(ctx, closeWait)
	defer cancel()
	c.wanted.untilDown(ctx)
	return c.Link(), nil
}

// beginChange waits for its turn to open or close the link. release is nil when there is nothing to
// do: the link does not run, or no account is linked.
func (c *Client) beginChange(ctx context.Context) (release func(), link api.Link, err error) {
	select {
	case <-c.ready:
	case <-ctx.Done():
	case <-time.After(startLimit):
	}
	c.mu.Lock()
	running := c.running
	c.mu.Unlock()
	if !running {
		return nil, api.Link{}, c.notRunning(api.CodeServiceUnavail)
	}
	if link := c.Link(); link.Account == "" {
		return nil, link, nil
	}
	select {
	case c.changing <- struct{}{}:
		return func() { <-c.changing }, api.Link{}, nil
	case <-ctx.Done():
		return nil, api.Link{}, api.Retryf(api.CodeTimeout, "the call ended while another one was opening or closing the link: see waoutbox status")
	}
}

// openLink has the link go on if it waits, and try at once if it was waiting for its next try.
func (c *Client) openLink(ctx context.Context) error {
	if since := c.wanted.since(); !since.IsZero() {
		if err := c.keepClosed(ctx, time.Time{}); err != nil {
			return api.Retryf(api.CodeServiceUnavail, "the link was not opened, for whatsapp.db cannot be written (%s): make room on its disk or mend it, then try again", masked(err.Error()))
		}
	}
	c.wanted.open(c.beginOpening)
	if c.alarms.up(alarmOutdated) && !c.alarms.up(alarmBanned) && c.status.read().State == api.LinkDisconnected {
		c.status.set(api.LinkConnecting, "")
		select {
		case c.tryNow <- struct{}{}:
		default: // asked for already
		}
		return nil
	}
	if l := c.status.read(); l.State == api.LinkConnecting && l.Reason != "" {
		c.doubt(liveness.Suspicion{Reason: "somebody wants the link connected", Since: c.now()})
	}
	return nil
}

// beginOpening shows a link that is down until somebody asks for it as one that is being connected.
func (c *Client) beginOpening(waited bool) {
	// one that is down and does not wait yet goes on all the same
	if waited || c.alarms.up(alarmClosed) || c.alarms.up(alarmReplaced) {
		c.alarms.clear(alarmClosed, alarmReplaced)
		c.status.set(api.LinkConnecting, "")
	}
}

// keepClosed keeps over restarts since when the link is closed; the zero time: it is open.
func (c *Client) keepClosed(ctx context.Context, since time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
	defer cancel()
	return c.o.Device.SetClosed(ctx, since)
}

// restoreClosed takes up what was kept.
func (c *Client) restoreClosed(ctx context.Context, dev *store.Device) {
	if dev.ID == nil {
		return
	}
	since, err := c.o.Device.Closed(ctx)
	if err != nil {
		c.log.Warn("whether the link was closed is not known: it is opened", "error", masked(err.Error()))
		return
	}
	if !since.IsZero() {
		c.log.Warn("the link stays closed, as somebody asked for: waoutbox connect opens it", "since", since)
		c.wanted.close(since)
	}
}

// whyNotUp says why the link did not come up.
func (c *Client) whyNotUp(link api.Link) *api.Error {
	reason := link.Reason
	if reason == "" {
		reason = "WhatsApp has not let it in yet"
	}
	switch {
	case link.State == api.LinkUnlinked:
		return api.Errorf(api.CodeConnectFailed, "the account is no longer linked (%s): link it again with waoutbox pair", reason)
	case c.alarms.up(alarmReplaced):
		return api.Retryf(api.CodeReplaced, "%s: stop the other one, then connect again", reason)
	case c.alarms.up(alarmOutdated):
		return api.Errorf(api.CodeClientOutdated, "%s: update waoutbox", reason)
	case link.State == api.LinkDisconnected:
		return api.Errorf(api.CodeConnectFailed, "the link is not up: %s", reason)
	}
	return api.Retryf(api.CodeConnectFailed, "the link is not up yet: %s. It is tried again by itself", reason)
}

// runWhileOpen keeps a linked device connected while people want it to be, until its session is
// over.
func (c *Client) runWhileOpen(ctx context.Context, s *session) sessionEnd {
	for {
		run, asked, open := c.wanted.run(ctx)
		replaced := false
		if open {
			end := c.runLinked(run, s)
			c.wanted.ended()
			if ctx.Err() != nil || end == endLoggedOut {
				return end
			}
			replaced = end == endReplaced
			if !replaced {
				s.disconnect()
				c.in.appendOwn(c.tr.Closed())
				c.log.Info("the link was closed on request")
			}
			// what the old one still has to say is refused
			s = c.attach(c.newSession(c.link, s.dev))
		}
		if since := c.wanted.since(); !since.IsZero() {
			c.showClosed(since)
		} else if !replaced {
			continue // opened again meanwhile
		}
		if !c.wanted.wait(ctx, asked) {
			return endStopped
		}
	}
}

// showClosed tells people that the link is closed because somebody asked for it.
func (c *Client) showClosed(since time.Time) {
	reason := "it was closed on request at " + since.Local().Format("2006-01-02 15:04") + ", and stays so until it is connected again"
	c.status.set(api.LinkDisconnected, reason)
	c.alarms.clear(alarmReplaced)
	c.alarms.raise(alarmClosed, "The link is down: "+reason+". No events arrive meanwhile; WhatsApp keeps them for some weeks at most. Connect it: waoutbox connect.")
	c.reportLinked()
}
