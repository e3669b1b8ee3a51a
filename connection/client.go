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

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox/api"
)

// Device keeps the credentials of the linked account (store/device).
type Device interface {
	// Current answers the linked device, or a new one that is stored once it is paired.
	Current(ctx context.Context) (*store.Device, error)
	// Renew forgets the linked device and answers a new one.
	Renew(ctx context.Context) (*store.Device, error)
}

// Options are what a Client needs. Device, Appender, Sends and Log are required.
type Options struct {
	Device   Device
	Appender Appender
	Sends    Sends
	Messages Messages // optional: finds quoted messages
	Log      *slog.Logger
	Server   *Server // nil is WhatsApp
	Version  string  // shown on the phone's list of linked devices

	// DownSince is when the service was last up before this start, zero if unknown: the first catch-up reports the gap.
	DownSince time.Time
}

// Client is the WhatsApp link of one account: it keeps it up, stores what arrives before WhatsApp may forget it, pairs and sends.
// All methods are safe for concurrent use; pairing and sending work while Run does.
//
// The account is never marked as online: a phone whose companion is online gets no notifications, and that is not for a machine
// to decide. So delivery receipts are sent as inactive ones (the phone itself still shows its ticks), and WhatsApp sends presence
// of contacts only as far as it does so to a client in the background.
type Client struct {
	o       Options
	log     *slog.Logger
	http    *http.Client
	pace    pace
	now     func() time.Time
	status  *status
	alarms  *alarms
	tr      *Translator
	in      *ingest
	sends   *sends
	working sync.WaitGroup         // sends under way
	wanted  chan *round            // cap 1: a pairing round that was asked for
	ready   chan struct{}          // closed once Run knows whether an account is linked
	origin  atomic.Pointer[origin] // of the present session

	mu      sync.Mutex
	running bool
	cut     context.CancelFunc // ends the library's context
	session *session           // the present client of the library, nil before the first
	round   *round             // the latest pairing round
}

// New makes a client and starts nothing. It sets what the library keeps for the whole process: the trusted root key, the name
// shown on the phone, and libsignal's logger.
func New(o Options) (*Client, error) {
	if o.Device == nil || o.Appender == nil || o.Sends == nil || o.Log == nil {
		return nil, errors.New("make the WhatsApp client: Device, Appender, Sends and Log are required")
	}
	c := &Client{
		o: o, log: o.Log.With("component", "connection"), http: o.Server.httpClient(), pace: defaultPace(), now: time.Now,
		wanted: make(chan *round, 1), ready: make(chan struct{}),
	}
	c.status = newStatus(c.now)
	c.alarms = newAlarms(c.now)
	c.tr = NewTranslator(c.status.who, altLookup{c}, c.now, WithSecrets(c.secrets), WithAlarm(c.translated))
	c.tr.OutageSince(o.DownSince)
	c.sends = &sends{ledger: o.Sends, tr: c.tr, now: c.now, log: c.log, open: make(map[string]*openSend), keys: make(map[string]*openSend)}
	c.in = &ingest{
		log: c.log, tr: c.tr, fallback: c.tr.stub, appender: o.Appender, alarms: c.alarms,
		proofs: func(ctx context.Context, r *events.Receipt) error { return c.sends.proven(ctx, r, c.pace.proof) },
		gate:   make(chan struct{}, 1), stopping: make(chan struct{}), cut: func() {}, quiet: true,
	}
	o.Server.trust()
	showAs("waoutbox", o.Version)
	silenceSignal(o.Log)
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

// Link answers the state of the link at this moment.
func (c *Client) Link() api.Link { return c.status.read() }

// Alarms answers what needs a person, oldest first.
func (c *Client) Alarms() []api.Alarm { return c.alarms.list() }

// Run owns the link until ctx ends: it connects, reconnects for ever, and waits unlinked for a pairing round where no account is
// linked. After a log-out it starts with a new device; after StreamReplaced it stays down and Link says why. When ctx ends it
// stops acknowledging, waits for the event in progress, disconnects, and returns nil. It may be called once.
func (c *Client) Run(ctx context.Context) error {
	c.mu.Lock()
	if c.running || c.session != nil {
		c.mu.Unlock()
		return errors.New("run the WhatsApp link: it runs already or has run")
	}
	link, cut := context.WithCancel(context.WithoutCancel(ctx)) // the library connects and acknowledges only while this lives
	c.running, c.cut = true, cut
	c.mu.Unlock()
	c.in.gate <- struct{}{}
	c.in.pace, c.in.cut = c.pace, c.hangUp
	<-c.in.gate

	err := c.sends.load(ctx)
	if err == nil {
		err = c.links(ctx, link)
	}
	c.stop()
	return err
}

// links runs one session after the other.
func (c *Client) links(ctx, link context.Context) error {
	dev, err := c.o.Device.Current(ctx)
	if err != nil {
		return fmt.Errorf("start the WhatsApp link: %w", err)
	}
	retry := c.pace.reconnect()
	s := c.open(link, c.guarded(dev))
	close(c.ready)
	for {
		switch c.live(ctx, s) {
		case endStopped:
			return nil
		case endReplaced:
			<-ctx.Done()
			return nil
		case endLoggedOut:
		}
		for {
			if dev, err = c.o.Device.Renew(ctx); err == nil {
				break
			}
			if ctx.Err() != nil {
				return nil
			}
			c.log.Error("new device store entry failed: trying again", "error", err)
			c.alarms.raise(alarmDevice, "The logged-out account could not be removed from whatsapp.db ("+masked(err.Error())+"); it is tried again. Check the disk.")
			pause(ctx, retry.NextBackOff())
		}
		c.alarms.clear(alarmDevice)
		s = c.open(link, c.guarded(dev))
	}
}

// hangUp ends the connection, and with it acknowledging. The connection goes first: the library trips over itself when its context
// ends under a living one.
func (c *Client) hangUp() {
	c.mu.Lock()
	s, cut := c.session, c.cut
	c.mu.Unlock()
	if s != nil {
		s.disconnect()
	}
	cut()
}

// stop ends everything Run started. The order matters: acknowledging ends before anything is given up.
func (c *Client) stop() {
	c.mu.Lock()
	c.running = false
	r := c.round
	c.mu.Unlock()
	if r != nil {
		r.fail(api.Retryf(api.CodePairingUnavail, "the service is stopping: start it and pair again"))
	}
	c.in.close(c.pace.grace)
	c.working.Wait()
	c.http.CloseIdleConnections()
	state := c.status.read()
	if state.Account != "" {
		c.status.set(api.LinkDisconnected, "the service has stopped")
	} else {
		c.status.set(api.LinkUnlinked, "")
	}
}

// open makes the present session for a device.
func (c *Client) open(link context.Context, dev *store.Device) *session {
	c.status.account(dev.GetJID(), dev.GetLID())
	c.status.name(dev.PushName)
	return c.listen(c.bare(link, dev))
}

// listen makes a session the present one and hears its events.
func (c *Client) listen(s *session) *session {
	from := &origin{post: s.mail.post}
	c.origin.Store(from)
	s.cli.AddEventHandlerWithSuccessStatus(func(evt any) bool {
		c.note(s, evt)
		return c.in.handle(evt, from)
	})
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	return s
}

// bare makes a client of the library that nobody listens to, with the settings that lose nothing.
func (c *Client) bare(link context.Context, dev *store.Device) *session {
	cli := whatsmeow.NewClient(dev, newLibraryLog(c.log))
	cli.BackgroundEventCtx = link
	cli.SynchronousAck = true             // receipts and notifications are acknowledged after the handler, not before
	cli.EnableDecryptedEventBuffer = true // a message that was decrypted but not stored comes again
	cli.EnableAutoReconnect = false       // the link's own goroutine does that, and after a log-in too
	cli.DisableLoginAutoReconnect = true
	cli.UseRetryMessageStore = true // a recipient who could not read a message gets it again even after a restart
	cli.SetMaxParallelRetryReceiptHandling(4)
	cli.SetWebsocketHTTPClient(c.http)
	cli.SetPreLoginHTTPClient(c.http)
	cli.SetMediaHTTPClient(c.media())
	c.mu.Lock()
	defer c.mu.Unlock()
	return &session{cli: cli, dev: dev, ctx: link, abort: c.cut, mail: newMailbox(), grace: c.pace.grace}
}

// media is the client for uploads and downloads, whose answers may take longer than the websocket's.
func (c *Client) media() *http.Client {
	if c.o.Server != nil {
		return c.http
	}
	return &http.Client{Transport: http.DefaultTransport}
}

// live runs one session to its end.
func (c *Client) live(ctx context.Context, s *session) ending {
	if c.status.read().Account == "" {
		if s = c.unlinked(ctx, s); s == nil {
			return endStopped
		}
	}
	c.in.hush(false)
	return c.linked(ctx, s)
}

// secrets gives the translator the library's client.
func (c *Client) secrets() Secrets {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return nil
	}
	return c.session.cli
}

// translated hears of events that lost their message.
func (c *Client) translated(a Alarm) {
	c.log.Error("event delivered without its message", "code", a.Code, "event_id", a.EventID, "detail", a.Message, "error", a.Err)
	c.alarms.raise(a.Code, "At least one event was not delivered whole: "+a.Message+".")
}

// altLookup asks the library's store for a user's other address.
type altLookup struct{ c *Client }

func (a altLookup) AltJID(ctx context.Context, jid types.JID) types.JID {
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
