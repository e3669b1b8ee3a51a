package connection

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types/events"
)

// session is one client of the library: one device, from pairing or start to log-out or stop. Only the link's goroutine connects
// and disconnects it.
type session struct {
	cli   *whatsmeow.Client
	dev   *store.Device
	ctx   context.Context    // the library connects and acknowledges only while it lives
	abort context.CancelFunc // ends ctx
	mail  *mailbox
	grace time.Duration

	paired  bool        // linked on this connection: the log-in follows
	relogin bool        // and the server has asked for it already
	lost    atomic.Bool // a connection attempt did not return: the library's lock is held, leave it alone
}

// connect makes the connection and returns once it stands or failed. When ctx ends first it returns ctx's error, having waited
// at most grace for the library, whose handshake does not listen to a context.
func (s *session) connect(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- s.cli.ConnectContext(s.ctx) }()
	select {
	case err := <-done:
		if errors.Is(err, whatsmeow.ErrAlreadyConnected) {
			return nil
		}
		return err
	case <-ctx.Done():
	}
	s.abort() // there is no connection to acknowledge on
	select {
	case <-done:
	case <-time.After(s.grace):
		s.lost.Store(true)
	}
	return ctx.Err()
}

// disconnect ends the connection; the library waits up to 5 s for the event being handled.
func (s *session) disconnect() {
	if !s.lost.Load() {
		s.cli.Disconnect()
	}
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// note tells what the translator must know before it is given the event.
func (c *Client) note(s *session, evt any) {
	switch e := evt.(type) {
	case *events.PairSuccess:
		c.status.account(e.ID, e.LID)
	case *events.Connected:
		c.status.account(s.cli.Store.GetJID(), s.cli.Store.GetLID())
	}
}
