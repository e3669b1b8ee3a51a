package connection

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/decryptions"
	"waoutbox/connection/guard"
	"waoutbox/connection/liveness"
	"waoutbox/connection/media"
	"waoutbox/connection/wire"
	"waoutbox/outbox/api"
)

// session is one client of the library: one device, from pairing or start to log-out or stop. Only
// the link's goroutine connects and disconnects it.
type session struct {
	cli    *whatsmeow.Client
	dev    *store.Device
	life   *lifetime
	events *linkEvents
	grace  time.Duration
	hooks  guard.Hooks
	wire   *wire.Transport // what the library connects through
	// where its events come from; nil for one that only tries to connect
	from atomic.Pointer[source]

	paired     bool // linked on this connection: the log-in follows
	loginAsked bool // and the server has asked for it already
	caughtUp   bool // what was announced of synced settings before it began is being fetched
	// the reason of the last refusal of a login on this connection, 0 if there was none
	failure atomic.Int64
	// a connection attempt did not return: the library's lock is held, leave it alone
	stuck atomic.Bool
}

// connect makes the connection and returns once it stands or failed. When ctx ends first it returns
// ctx's error, having waited at most grace for the library, whose handshake does not listen to a
// context.
func (s *session) connect(ctx context.Context) error {
	s.failure.Store(0)
	done := make(chan error, 1)
	go func() {
		done <- s.life.connect(func() error {
			held, release := wire.Hold(s.life.ctx, s.life.wanted)
			defer release()
			return s.contained("connecting", func() error {
				if err := s.cli.ConnectContext(held); err != nil {
					return err
				}
				return guard.Frames(s.cli, s.hooks)
			})
		})
	}()
	select {
	case err := <-done:
		if errors.Is(err, whatsmeow.ErrAlreadyConnected) {
			return nil
		}
		return err
	case <-ctx.Done():
	}
	s.life.abort() // there is no connection to acknowledge on
	select {
	case <-done: //nolint:errcheck // the end of ctx is what is returned
	case <-time.After(s.grace):
		s.stuck.Store(true)
	}
	return ctx.Err()
}

// disconnect ends the connection; the library waits up to 5 s for the event being handled. A peer
// that does not take part in it has closeLimit.
func (s *session) disconnect() {
	if s.stuck.Load() {
		return
	}
	cut := time.AfterFunc(closeLimit, s.wire.Cut)
	defer cut.Stop()
	guard.Disconnect(s.cli)
}

// closeLimit is how long the peer may take for its part of a connection's end.
const closeLimit = time.Second

// noteStanza sees every stanza before the library handles it.
func (s *session) noteStanza(n *waBinary.Node) {
	if n.Tag == "failure" {
		ag := n.AttrGetter()
		s.failure.Store(int64(ag.OptionalInt("reason")))
	}
	if versions, ok := announced(n); ok {
		s.events.push(versions)
	}
}

// ping asks WhatsApp whether the connection lives, and tells on the channel within limit.
func (s *session) ping(ctx context.Context, limit time.Duration) <-chan bool {
	asked, answer := make(chan bool, 1), make(chan bool, 1)
	ctx, cancel := context.WithTimeout(ctx, limit)
	go func() { // may wait for others that write to a dead connection
		alive := false
		// one that panicked does not live, and that was told
		_ = s.contained("asking whether the connection lives", func() error {
			//lint:ignore SA1019 the library's own keepalive, a moment earlier
			alive, _ = s.cli.DangerousInternals().SendKeepAlive(ctx)
			return nil
		})
		asked <- alive
	}()
	go func() {
		defer cancel()
		select {
		case alive := <-asked:
			answer <- alive
		case <-ctx.Done():
			answer <- false
		}
	}()
	return answer
}

// openSession makes the present session for a device.
func (c *Client) openSession(link context.Context, dev *store.Device) *session {
	c.showDevice(dev)
	return c.attach(c.newSession(link, dev))
}

// attach makes a session the present one: its events are stored from now on.
func (c *Client) attach(s *session) *session {
	from := &source{push: s.events.push, cut: s.reset}
	s.from.Store(from)
	c.source.Store(from)
	s.cli.AddEventHandlerWithSuccessStatus(func(evt any) bool {
		if c.source.Load() == from { // nothing left over names an account
			c.noteAccount(s, evt)
		}
		c.media.Note(evt)
		c.noteWriter(evt)
		stanza := c.arrivals.Told(evt)
		told := c.in.handle(evt, stanza, from)
		if told {
			c.arrivals.Stored(stanza)
			c.noteTimer(s, evt)
		}
		if _, isStar := evt.(*events.Star); isStar && !told {
			c.starRefused.Store(true)
		}
		return told
	})
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	return s
}

// newSession makes a client of the library, with the settings that lose nothing and no event
// handler.
func (c *Client) newSession(link context.Context, dev *store.Device) *session {
	s := &session{dev: dev, events: newLinkEvents(), grace: c.timings.grace, wire: c.wire}
	cli := whatsmeow.NewClient(dev, newLibraryLog(c.log, c.o.LogContent, committedFirst{c.arrivals, c, s}))
	s.life = newLifetime(link)
	cli.BackgroundEventCtx = s.life.ctx
	// receipts and notifications are acknowledged after the handler, not before
	cli.SynchronousAck = true
	cli.EnableDecryptedEventBuffer = true // a message that was decrypted but not stored comes again
	// the link's own goroutine does that, and after a log-in too
	cli.EnableAutoReconnect = false
	cli.DisableLoginAutoReconnect = true
	// a recipient who could not read a message gets it again even after a restart
	cli.UseRetryMessageStore = true
	cli.SetMaxParallelRetryReceiptHandling(4)
	cli.SetWebsocketHTTPClient(c.http)
	cli.SetPreLoginHTTPClient(c.http)
	cli.SetMediaHTTPClient(c.files)
	s.cli = cli
	s.hooks = guard.Hooks{
		Turn: c.turn, Order: guard.NewOrder(), Message: decryptions.OfMessage,
		Settings: func(ctx context.Context, n *waBinary.Node) { c.fetchAnnounced(ctx, s, n) },
		Stanza:   func(n *waBinary.Node) { s.noteStanza(n); c.noteArrival(n) },
		Notice:   c.arrivals.Handle,
		Panic: func(p guard.Panic) {
			c.libraryPanicked(p)
			if p.Frame {
				c.frameDropped(s, "the library panicked over it")
			}
		},
	}
	if err := guard.Handlers(cli, s.hooks); err != nil {
		c.log.Error("the library runs unguarded", "error", err)
	}
	return s
}

// doubt has the link find out whether its connection lives.
func (c *Client) doubt(why liveness.Suspicion) {
	select {
	case c.doubts <- why:
	default:
	}
}

// noteArrival has the watchdog know of what comes from people; what WhatsApp itself says shows only
// that the connection lives.
func (c *Client) noteArrival(n *waBinary.Node) {
	switch n.Tag {
	case "message", "receipt", "notification", "call", "presence", "chatstate":
	default:
		return
	}
	now := c.now()
	if c.silence.Arrived(now) {
		c.log.Error("WhatsApp had held back what arrives now: the connection before was silent")
		c.status.note(noteSilence, "at "+now.Local().Format("15:04")+" a silent connection was made anew, and brought what WhatsApp had held back")
		return
	}
	if c.quiet.Swap(false) {
		c.status.note(noteSilence, "")
	}
}

const (
	// onlineLimit is how long what needs WhatsApp waits for a link that is being made.
	onlineLimit = 10 * time.Second
	onlinePoll  = 50 * time.Millisecond
)

// awaitOnline waits until the link knows its account and, if it has one, while it is being
// connected without anything having gone wrong: a command that has just started the service needs
// the link that comes a moment later. startLimit and onlineLimit bound it.
func (c *Client) awaitOnline(ctx context.Context) {
	select {
	case <-c.ready:
	case <-ctx.Done():
	case <-time.After(startLimit):
	}
	end := c.now().Add(onlineLimit)
	for l := c.status.read(); l.State == api.LinkConnecting && l.Reason == "" && c.now().Before(end); l = c.status.read() {
		if !pause(ctx, onlinePoll) {
			return
		}
	}
}

// connected returns the library's client while it is logged in. It waits as awaitOnline does.
func (c *Client) connected(ctx context.Context) (*whatsmeow.Client, error) {
	c.awaitOnline(ctx)
	c.mu.Lock()
	s, running := c.session, c.running
	c.mu.Unlock()
	if !running || s == nil {
		return nil, c.notRunning(api.CodeNotConnected)
	}
	if link := c.status.read(); link.State != api.LinkConnected {
		return nil, notConnected(link)
	}
	return s.cli, nil
}

// MediaServers returns WhatsApp's media servers as the link knows them.
func (c *Client) MediaServers() *media.WhatsApp { return c.media }

// reset ends the connection, so that nothing is acknowledged on it once it returns; the library
// tells of the end, and the link connects again. A peer that does not take part in it has
// closeLimit.
func (s *session) reset() {
	if s.stuck.Load() {
		return
	}
	cut := time.AfterFunc(closeLimit, s.wire.Cut)
	defer cut.Stop()
	s.cli.ResetConnection()
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

// noteAccount keeps who is linked before the translator is given the event that tells of it, and
// that the account's groups have changed.
func (c *Client) noteAccount(s *session, evt any) {
	switch e := evt.(type) {
	case *events.PairSuccess:
		noteLinked(s.dev)
		c.status.setAccount(e.ID, e.LID)
	case *events.NotifyAccountReachoutTimelock:
		c.noteTimelock(e)
	case *events.Connected:
		c.status.setAccount(s.cli.Store.GetJID(), s.cli.Store.GetLID())
	case *events.GroupInfo, *events.JoinedGroup:
		c.directory.Forget()
	}
}

// linkEvents carries what the event handler saw to the goroutine that owns the link. Pushing never
// blocks. Safe for concurrent use.
type linkEvents struct {
	mu    sync.Mutex
	items []any
	ready chan struct{} // cap 1: has a value while there may be items
}

func newLinkEvents() *linkEvents { return &linkEvents{ready: make(chan struct{}, 1)} }

// push adds an event that the link must know of.
func (q *linkEvents) push(evt any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = append(q.items, evt)
	q.signal()
}

// Ready has a value while there may be events.
func (q *linkEvents) Ready() <-chan struct{} { return q.ready }

// Next takes the oldest event; false if there is none.
func (q *linkEvents) Next() (any, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return nil, false
	}
	evt := q.items[0]
	q.items = q.items[1:]
	if len(q.items) > 0 {
		q.signal()
	}
	return evt, true
}

func (q *linkEvents) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// addressLookup asks the library's store for a user's other address.
type addressLookup struct{ c *Client }

func (a addressLookup) AltJID(ctx context.Context, jid types.JID) types.JID {
	a.c.mu.Lock()
	s := a.c.session
	a.c.mu.Unlock()
	if s == nil || s.cli.Store.LIDs == nil {
		return types.JID{}
	}
	alt, err := s.cli.Store.GetAltJID(ctx, jid)
	if err != nil {
		a.c.log.Warn("address look-up failed", "error", err)
		return types.JID{}
	}
	return alt
}
