package connection

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox/api"
)

const (
	// logoutTimeout is how long WhatsApp may take to remove this device.
	logoutTimeout = 10 * time.Second
)

// unpairing is the wish to give the account up, and what became of it.
type unpairing struct {
	result api.UnpairResult
	done   chan struct{} // closed when result is complete
}

// Unpair logs the account out of WhatsApp and forgets it, and returns when another one can be
// linked. Without an account it does nothing. Where WhatsApp cannot be reached the account is
// forgotten all the same, and the result's note says what is left to do on the phone. The end of
// ctx ends the waiting only.
func (c *Client) Unpair(ctx context.Context) (api.UnpairResult, error) {
	c.openToLogOut()
	c.awaitOnline(ctx)
	c.mu.Lock()
	if !c.running {
		c.mu.Unlock()
		return api.UnpairResult{}, c.notRunning(api.CodeServiceUnavail)
	}
	u := c.unpairing
	if u == nil {
		link := c.status.read()
		if link.Account == "" {
			c.mu.Unlock()
			return api.UnpairResult{}, nil
		}
		u = &unpairing{result: api.UnpairResult{Account: link.Account, Name: link.Name}, done: make(chan struct{})}
		c.unpairing = u
		if c.leaveLinked != nil {
			c.leaveLinked()
		}
	}
	c.mu.Unlock()
	select {
	case <-u.done:
		return u.result, nil
	case <-ctx.Done():
		return api.UnpairResult{}, api.Retryf(api.CodeTimeout, "the call ended before the account was forgotten, and that goes on: see waoutbox status")
	}
}

// openToLogOut opens a link that was closed on request: WhatsApp is told of a log-out.
func (c *Client) openToLogOut() {
	if !c.wanted.since().IsZero() {
		c.wanted.open(c.beginOpening)
	}
}

// runUntilUnpaired runs a linked session to its end, or until Unpair wants it ended.
func (c *Client) runUntilUnpaired(ctx context.Context, s *session) sessionEnd {
	linked, leave := context.WithCancel(ctx)
	defer leave()
	c.mu.Lock()
	c.leaveLinked = leave
	if c.unpairing != nil {
		leave()
	}
	c.mu.Unlock()
	end := c.runWhileOpen(linked, s)
	c.mu.Lock()
	c.leaveLinked = nil
	u := c.unpairing
	c.mu.Unlock()
	switch {
	case u == nil || end == endStopped && ctx.Err() != nil:
		return end
	case end == endLoggedOut: // by the phone, in this moment
		u.result.Told = true
		return end
	}
	return c.logOut(ctx, u)
}

// logOut tells WhatsApp that this device goes, and ends the session.
func (c *Client) logOut(ctx context.Context, u *unpairing) sessionEnd {
	c.mu.Lock()
	s := c.session
	c.mu.Unlock()
	told := false
	if s.cli.IsLoggedIn() {
		asking, cancel := context.WithTimeout(ctx, logoutTimeout)
		err := s.cli.Logout(asking)
		cancel()
		told = err == nil || errors.Is(err, errLeftToLink) // which comes after WhatsApp has agreed
		if !told {
			c.log.Warn("WhatsApp could not be told of the log-out", "error", masked(err.Error()))
		}
	}
	s.disconnect()
	removed := false // by WhatsApp's own word, which came as an event
	for evt, ok := s.events.Next(); ok; evt, ok = s.events.Next() {
		if _, is := evt.(*events.LoggedOut); is {
			removed = true
		}
	}
	if !removed {
		c.in.handle(&events.LoggedOut{Reason: events.ConnectFailureLoggedOut}, nil, c.source.Load())
	}
	u.result.Told = told || removed
	c.log.Info("logged out of WhatsApp as asked for", "told", u.result.Told)
	if !u.result.Told {
		u.result.Note = "WhatsApp could not be told, so the phone still lists this device: remove it there, under Settings > Linked devices."
	}
	c.alarms.clear(alarmOutdated, alarmBanned, alarmRejected, alarmLoggedOut, alarmReplaced)
	c.forgetAccount("")
	return endLoggedOut
}

// finishUnpairing tells who waits that the account is gone. note, if it is not "", says what is
// left to do here.
func (c *Client) finishUnpairing(note string) {
	c.mu.Lock()
	u := c.unpairing
	c.unpairing = nil
	c.mu.Unlock()
	if u == nil {
		return
	}
	if note != "" {
		u.result.Note = strings.TrimSpace(u.result.Note + " " + note)
	}
	close(u.done)
}
