package connection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"

	"waoutbox/connection/decryptions"
	"waoutbox/connection/directory"
	"waoutbox/connection/disappearing"
	"waoutbox/connection/guard"
	"waoutbox/connection/liveness"
	"waoutbox/connection/media"
	"waoutbox/connection/pairing"
	"waoutbox/connection/restrictions"
	"waoutbox/connection/stanzas"
	"waoutbox/connection/synced"
	"waoutbox/connection/translate"
	"waoutbox/connection/watchdog"
	"waoutbox/connection/webversion"
	"waoutbox/connection/wire"
	"waoutbox/outbox/api"
)

// Options are what a Client needs. Device, Appender, Sends and Log are required.
type Options struct {
	Device   Device
	Appender Appender
	Sends    Sends
	Messages Messages // optional: finds the messages that sends refer to
	Log      *slog.Logger
	// LogContent has the library's debug lines whole, with what people wrote, who they are, and
	// their numbers.
	LogContent bool
	Route      wire.Route   // how WhatsApp is reached
	Spool      *media.Spool // optional: without it no files are sent
	Version    string       // shown on the phone's list of linked devices
	MaxSends   int          // messages a minute, 0 is no limit

	// DownSince is when the service was last up before this start, zero if unknown: the first
	// catch-up reports the gap.
	DownSince time.Time
	// WasLinked says that an account was linked then, as WasLinked found: that none is any more is
	// told as a log-out.
	WasLinked bool
}

// Client is the WhatsApp link of one account: it keeps it up, stores what arrives before WhatsApp
// may forget it, pairs and sends. All methods are safe for concurrent use; pairing and sending work
// while Run does.
//
// The account is never marked as online: a phone whose companion is online gets no notifications,
// and that is not for a machine to decide. So delivery receipts are sent as inactive ones (the
// phone itself still shows its ticks), and WhatsApp sends presence of contacts only as far as it
// does so to a client in the background.
type Client struct {
	o          Options
	log        *slog.Logger
	http       *http.Client
	wire       *wire.Transport // below http
	turn       *guard.Turn     // of the messages that are read
	files      *http.Client    // for media
	timings    timings
	now        func() time.Time
	version    *webversion.Updater
	restricted restrictions.Restrictions
	silence    *watchdog.Watchdog
	rhythm     rhythm
	quiet      atomic.Bool // a silence is noted that may be nobody's fault
	clock      comparison
	unread     unread
	status     *status
	alarms     *alarms
	tr         *translate.Translator
	in         *ingest
	sends      *openSends
	media      *media.WhatsApp
	sending    sync.WaitGroup          // sends under way
	pairings   chan *pairing.Session   // cap 1: the pairing session that was asked for
	ready      chan struct{}           // closed once Run knows whether an account is linked
	doubts     chan liveness.Suspicion // cap 1: connections may be dead
	tryNow     chan struct{}           // cap 1: somebody wants the next try to connect at once
	source     atomic.Pointer[source]  // of the present session
	arrivals   *stanzas.Watch          // finds what arrives and becomes no event
	watched    watched
	wanted     request       // open, or closed on request
	changing   chan struct{} // cap 1: holds an element while the link is being opened or closed
	tries      atomic.Uint64 // tries to connect that failed
	directory  *directory.Directory
	timers     *disappearing.Timers // of chats
	lookups    *pace                // of numbers
	signals    *pace                // of marks as read, typing and watched presences
	mender     *synced.Mender
	fetching   sync.Mutex // held while synced settings are fetched and told
	// something of those could not be told
	starRefused atomic.Bool
	// of the present device
	decrypted atomic.Pointer[decryptions.Buffer]

	mu         sync.Mutex
	running    bool
	link       context.Context    // the library's, ended by cancelLink; set once by Run
	cancelLink context.CancelFunc // ends the library's context
	session    *session           // the present client of the library, nil before the first
	// ends the session of a linked account, nil while there is none
	leaveLinked context.CancelFunc
	unpairing   *unpairing       // wanted and not finished
	pairing     *pairing.Session // the latest
}

// New makes a client and starts nothing. It sets what the library keeps for the whole process: the
// trusted root key, the name shown on the phone, and libsignal's logger.
func New(o Options) (*Client, error) {
	if o.Device == nil || o.Appender == nil || o.Sends == nil || o.Log == nil {
		return nil, errors.New("make the WhatsApp client: Device, Appender, Sends and Log are required")
	}
	c := &Client{
		o: o, log: o.Log.With("component", "connection"), wire: o.Route.Transport(),
		timings: defaultTimings(), now: time.Now, turn: guard.NewTurn(),
		pairings: make(chan *pairing.Session, 1), ready: make(chan struct{}), doubts: make(chan liveness.Suspicion, 1), tryNow: make(chan struct{}, 1),
		changing: make(chan struct{}, 1),
	}
	c.http, c.files = &http.Client{Transport: c.wire}, &http.Client{Transport: o.Route.Media()}
	c.media = media.NewWhatsApp(c.connected, c.files)
	c.silence = watchdog.New(watchdog.Least, watchdog.Most)
	c.unread.waits = func() backoff.BackOff { return c.timings.unread() }
	c.restricted.Now = func() time.Time { return c.now() }
	c.version = webversion.New(webversion.Options{Store: o.Device, Latest: c.latestVersion, Now: c.now})
	c.status = newStatus(c.now)
	c.alarms = newAlarms(c.now)
	c.tr = translate.New(c.status.account, addressLookup{c}, c.now,
		translate.WithSecrets(c.secrets), translate.WithAlarm(c.reportLostMessage))
	c.tr.OutageSince(o.DownSince)
	c.timers = disappearing.New(o.Device)
	c.directory, c.lookups, c.signals = directory.New(c.now), newPace(o.MaxSends, c.now), newPace(signalsPerSend*o.MaxSends, c.now)
	c.sends = newOpenSends(o.Sends, c.tr, c.status.account, newPace(o.MaxSends, c.now), c.now, c.log)
	c.in = &ingest{
		log: c.log, tr: c.tr, appender: o.Appender, alarms: c.alarms,
		settle: func(ctx context.Context, evt any) error {
			return c.sends.settleFrom(ctx, evt, c.timings.receiptWait)
		},
		pass: c.turn.Pass, commit: c.beginCommit, committed: func(n *waBinary.Node) { c.arrivals.Committed(n) },
		lock: make(chan struct{}, 1), stopping: make(chan struct{}), endAcks: func() {}, muted: true,
	}
	c.arrivals = c.newWatch()
	c.mender = synced.NewMender(syncedLink{c}, func() backoff.BackOff { return c.timings.mend() })
	o.Route.Server.Trust()
	showAs("waoutbox", o.Version)
	silenceSignal(o.Log)
	quickenKeepAlive()
	return c, nil
}

// showAs sets the name and version on the phone's list of linked devices.
func showAs(name, version string) {
	if store.DeviceProps.GetOs() == name {
		return
	}
	var v [3]uint32
	for i, part := range strings.SplitN(version, ".", 3) {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			break
		}
		v[i] = uint32(n)
	}
	store.SetOSInfo(name, v)
}

// Link returns the state of the link at this moment.
func (c *Client) Link() api.Link {
	c.tellRestriction() // it may be over
	l := c.status.read()
	l.Closed = !c.wanted.since().IsZero()
	return l
}

// Alarms returns what needs a person, oldest first.
func (c *Client) Alarms() []api.Alarm {
	c.tellRestriction() // it may be over
	return c.alarms.list()
}

// Run owns the link until ctx ends: it connects, reconnects for ever, and waits unlinked for a
// pairing session where no account is linked. After a log-out it starts with a new device; after
// StreamReplaced it stays down and Link says why. When ctx ends it stops acknowledging, waits for
// the event in progress, disconnects, and returns nil. It may be called once.
func (c *Client) Run(ctx context.Context) error {
	c.mu.Lock()
	if c.running || c.session != nil {
		c.mu.Unlock()
		return errors.New("run the WhatsApp link: it runs already or has run")
	}
	// the library connects and acknowledges only while this lives
	link, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.running, c.link, c.cancelLink = true, link, cancel
	c.mu.Unlock()
	c.in.lock <- struct{}{}
	c.in.timings, c.in.endAcks = c.timings, c.endAcks
	<-c.in.lock

	var watching sync.WaitGroup
	watching.Go(func() {
		c.contained("watching the machine and its network", func() { liveness.Run(link, liveness.Taker(), c.doubt) })
	})
	watching.Go(func() { c.contained("watching the clock", func() { c.watchClock(link) }) })
	err := c.sends.load(ctx)
	if err == nil {
		err = c.runSessions(ctx, link)
	}
	c.stop()
	watching.Wait()
	return err
}

// runSessions runs one session after the other, until ctx ends.
func (c *Client) runSessions(ctx, link context.Context) error {
	dev, err := c.o.Device.Current(ctx)
	if err != nil {
		return fmt.Errorf("start the WhatsApp link: %w", err)
	}
	if err := c.version.Load(ctx); err != nil {
		c.log.Warn("WhatsApp Web's version is the program's own", "error", err)
	}
	c.status.note(noteVersion, c.version.Note())
	c.restoreRestriction(ctx)
	c.restoreRhythm(ctx)
	c.restoreClosed(ctx, dev)
	if c.restoreLoggedOut(ctx, dev) {
		c.in.appendOwn(c.tr.LoggedOut())
		c.keepLoggedOut(ctx)
	}
	s := c.openSession(link, c.guardDevice(dev))
	close(c.ready)
	for {
		switch c.runSession(ctx, s) {
		case endStopped:
			return nil
		case endReplaced, endLoggedOut:
		}
		if s = c.startOver(ctx); s == nil {
			return nil
		}
	}
}

// startOver forgets the device of the session that is over and makes a session with a new one; nil
// when ctx ended first. While the device store cannot be written it tries on, and pairing fails.
func (c *Client) startOver(ctx context.Context) *session {
	retry := c.timings.reconnect()
	c.useDecrypted(nil) // its device is about to be forgotten
	for {
		dev, err := c.o.Device.Renew(ctx)
		if err == nil {
			c.alarms.clear(alarmDevice)
			c.keepLoggedOut(ctx)
			s := c.openSession(c.link, c.guardDevice(dev))
			c.finishUnpairing("")
			return s
		}
		if ctx.Err() != nil {
			return nil
		}
		why := "the account that is no longer linked could not be removed from whatsapp.db (" + masked(err.Error()) + ")"
		if c.alarms.raise(alarmDevice, "T"+why[1:]+"; it is tried again. Make room on its disk or mend it.") {
			c.log.Error("device store entry not renewed: trying again", "error", masked(err.Error()))
		}
		c.failPairing(api.Retryf(api.CodePairingUnavail, "%s: make room on its disk or mend it, then pair again", why))
		c.finishUnpairing("T" + why[1:] + "; it is tried again. Make room on its disk or mend it.")
		if !c.pauseUntilAsked(ctx, retry.NextBackOff()) {
			return nil
		}
	}
}

// pauseUntilAsked waits for d, or until somebody wants to pair, and reports false when ctx ended
// first.
func (c *Client) pauseUntilAsked(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return true
		case p := <-c.pairings:
			if p.Ended() {
				continue
			}
			select { // for who runs it, if it is not over by then
			case c.pairings <- p:
			default: // a newer one
			}
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// endAcks ends the connection, and with it acknowledging. The connection goes first: the library
// trips over itself when its context ends under a living one.
func (c *Client) endAcks() {
	c.mu.Lock()
	s, cancel := c.session, c.cancelLink
	c.mu.Unlock()
	if s != nil {
		s.disconnect()
	}
	cancel()
}

// stop ends everything Run started. The order matters: acknowledging ends before anything is given
// up.
func (c *Client) stop() {
	c.mu.Lock()
	c.running = false
	p := c.pairing
	c.mu.Unlock()
	c.wanted.stop()
	defer c.finishUnpairing("The service stopped meanwhile: run it again.")
	if p != nil {
		p.Fail(api.Retryf(api.CodePairingUnavail, "the service is stopping: start it and pair again"))
	}
	c.in.close(c.timings.grace)
	c.sending.Wait()
	c.flushDecrypted()
	if c.status.read().Account != "" {
		c.keepRhythm(true)
	}
	c.useDecrypted(nil) // its store is about to be closed
	c.http.CloseIdleConnections()
	c.files.CloseIdleConnections()
	state := c.status.read()
	if state.Account != "" {
		c.status.set(api.LinkDisconnected, "the service has stopped")
	} else {
		c.status.set(api.LinkUnlinked, "")
	}
}

// Look reads whether an account is linked, so that Link tells before Run does. Call it before Run.
func (c *Client) Look(ctx context.Context) error {
	dev, err := c.o.Device.Current(ctx)
	if err != nil {
		return fmt.Errorf("read whether an account is linked: %w", err)
	}
	c.showDevice(dev)
	c.restoreLoggedOut(ctx, dev)
	return nil
}

// showDevice has the state tell whose device it is.
func (c *Client) showDevice(dev *store.Device) {
	c.status.setAccount(dev.GetJID(), dev.GetLID())
	c.status.setName(dev.PushName)
	if c.status.read().Account != "" { // an account is linked: never unlinked for a moment
		c.status.set(api.LinkConnecting, "")
	}
}

// notRunning says that there is no session: not yet, or not any more.
func (c *Client) notRunning(code api.Code) *api.Error {
	select {
	case <-c.ready:
		return api.Retryf(code, "the WhatsApp link is not running: start the service and try again")
	default:
		return api.Retryf(code, "the WhatsApp link is being started: try again in a moment")
	}
}

// runSession runs one session to its end.
func (c *Client) runSession(ctx context.Context, s *session) sessionEnd {
	if c.status.read().Account == "" {
		if s = c.waitForPairing(ctx, s); s == nil {
			return endStopped
		}
	}
	c.in.setMuted(false)
	return c.runUntilUnpaired(ctx, s)
}

// secrets gives the translator the library's client.
func (c *Client) secrets() translate.Secrets {
	if cli := c.libraryClient(); cli != nil {
		return cli
	}
	return nil
}

// libraryClient is the library's client of the present session, nil before the first.
func (c *Client) libraryClient() *whatsmeow.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return nil
	}
	return c.session.cli
}

// reportLostMessage logs and raises an alarm for an event that lost its message.
func (c *Client) reportLostMessage(a translate.Alarm) {
	c.log.Error("event delivered without its message",
		"code", a.Code, "event_id", a.EventID, "detail", a.Message, "error", a.Err)
	c.alarms.happened(a.Code, "At least one event was not delivered whole: "+a.Message+".")
}
