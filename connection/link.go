package connection

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox/api"
)

// ending says why a session is over.
type ending int

const (
	endStopped   ending = iota // Run's context ended
	endLoggedOut               // the device is gone: a new one can be paired
	endReplaced                // another client has the session: this one stays away
)

// outcome says how one connection ended and how long to wait before the next.
type outcome struct {
	over   bool // the session is over: see ending
	ending ending
	wait   time.Duration // the least wait
	failed bool          // it never logged in, or fell at once: back off
	cycled bool          // cut by us because the outbox refused an event
}

// linked keeps a linked device connected until its session is over.
func (c *Client) linked(ctx context.Context, s *session) ending {
	network, refusals := c.pace.reconnect(), c.pace.refused()
	c.status.set(api.LinkConnecting, "")
	up := s.paired && !s.relogin // the log-in is asked for on the connection that stands
	switch {
	case s.relogin:
		s.disconnect()
	case !s.paired: // else pairing has told; later ones come with each Disconnected
		c.in.enter(c.tr.Connecting())
	}
	appended := c.in.appended.Load()
	for {
		var wait time.Duration
		if !up {
			if l := c.status.read(); l.State == api.LinkDisconnected { // the wait after a refusal is over
				c.status.set(api.LinkConnecting, l.Reason)
			}
			if err := s.connect(ctx); err != nil {
				if ctx.Err() != nil {
					return endStopped
				}
				if errors.Is(err, store.ErrDeviceDeleted) {
					return c.loggedOut("the account was logged out")
				}
				c.unreachable(err)
				c.paired() // linked it is: the rest is told by the state
				if !pause(ctx, network.NextBackOff()) {
					return endStopped
				}
				continue
			}
		}
		up = false
		began := c.now()
		o := c.watch(ctx, s)
		if o.over {
			return o.ending
		}
		if o.failed && c.now().Sub(began) < c.pace.steady {
			wait = network.NextBackOff()
		} else {
			network.Reset()
		}
		if n := c.in.appended.Load(); n != appended {
			appended = n
			refusals.Reset()
		}
		if o.cycled {
			s.disconnect()
			s = c.listen(c.bare(s.ctx, s.dev)) // events of the old one are refused from now on
			wait = max(wait, refusals.NextBackOff())
		}
		if !pause(ctx, max(wait, o.wait)) {
			return endStopped
		}
	}
}

// watch follows one connection from the websocket to its end.
func (c *Client) watch(ctx context.Context, s *session) outcome {
	w := watching{c: c, s: s, timer: time.NewTimer(c.pace.login)}
	defer w.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return outcome{over: true, ending: endStopped}
		case <-w.timer.C:
			if w.cutting { // the library told nothing of the end: make one
				s.disconnect()
				return outcome{failed: true, cycled: w.cycled}
			}
			c.log.Warn("login takes too long: connecting again", "limit", c.pace.login)
			c.status.because("WhatsApp answers the connection but not the login; trying again")
			w.cut()
		case <-s.mail.ready:
			if evt, ok := s.mail.next(); ok {
				if o, done := w.heard(ctx, evt); done {
					return o
				}
			}
		}
	}
}

// watching is what is known of the connection at hand.
type watching struct {
	c       *Client
	s       *session
	timer   *time.Timer // the login's limit, or the cut's
	in      bool        // logged in
	cutting bool
	cycled  bool
	stream  string // the last stream error
}

// cut ends the connection so that it is made again. The end is told by Disconnected.
func (w *watching) cut() {
	if w.cutting {
		return
	}
	w.cutting = true
	w.timer.Reset(w.c.pace.grace + 10*time.Second)
	w.s.cli.ResetConnection()
}

// heard reacts to one event of the library. Done tells that the connection is over.
func (w *watching) heard(ctx context.Context, evt any) (o outcome, done bool) {
	c := w.c
	switch e := evt.(type) {
	case *events.Connected:
		w.in = true
		if !w.cutting {
			w.timer.Stop()
		}
		c.alarms.clear(alarmOutdated, alarmBanned, alarmRejected, alarmLoggedOut)
		c.status.set(api.LinkConnected, "")
		c.paired()
		c.sends.settleAcknowledged(ctx)
		c.log.Info("connected to WhatsApp")
		w.introduce(ctx)
	case *events.PushNameSetting:
		c.status.name(e.Action.GetName())
		w.introduce(ctx)
	case refused:
		w.cycled = true
		c.status.because("events cannot be stored, so the connection is cycled until they can")
		w.cut()
	case *events.KeepAliveTimeout:
		if c.now().Sub(e.LastSuccess) > keepAliveLimit {
			c.log.Warn("WhatsApp does not answer keepalives: connecting again", "since", e.LastSuccess)
			w.cut()
		}
	case *events.StreamError:
		w.stream = e.Code
	case *events.Disconnected:
		if w.s.cli.IsConnected() { // of the connection before this one
			return outcome{}, false
		}
		c.status.set(api.LinkConnecting, w.why())
		c.log.Info("connection to WhatsApp ended: connecting again", "stream_error", w.stream)
		return outcome{failed: true, cycled: w.cycled}, true
	case *events.ManualLoginReconnect: // paired: log in with the new device
		c.status.set(api.LinkConnecting, "")
		w.s.disconnect()
		return outcome{}, true
	case *events.LoggedOut:
		reason := "the phone removed this device"
		if e.OnConnect {
			reason = fmt.Sprintf("WhatsApp refused the login (%d)", int(e.Reason))
		}
		w.s.disconnect()
		return outcome{over: true, ending: c.loggedOut(reason)}, true
	case *events.StreamReplaced:
		w.s.disconnect()
		reason := "another program uses this session (WhatsApp answered \"replaced\")"
		c.status.set(api.LinkDisconnected, reason)
		c.alarms.raise(alarmReplaced, "The link is down: "+reason+". Stop the other one, then restart this service.")
		c.log.Error("session replaced: staying disconnected")
		c.paired()
		return outcome{over: true, ending: endReplaced}, true
	case *events.TemporaryBan:
		wait := min(max(e.Expire, time.Minute), 24*time.Hour)
		if e.Expire <= 0 {
			wait = c.pace.banned
		}
		return w.turnedAway(alarmBanned, wait, fmt.Sprintf("WhatsApp has banned the account for a while (%s)", e.Code),
			"Wait until it ends; the service tries again by itself. Sending less often helps.")
	case *events.ClientOutdated:
		wait := c.pace.banned
		if c.newerVersion(ctx) {
			wait = time.Second
		}
		return w.turnedAway(alarmOutdated, wait, "WhatsApp no longer accepts this version of the client (405)", "Update waoutbox.")
	case *events.ConnectFailure:
		c.status.set(api.LinkConnecting, "")
		o, done = w.turnedAway(alarmRejected, 0, fmt.Sprintf("WhatsApp refused the login (%d)", int(e.Reason)), "It is tried again; if this stays, link again: waoutbox pair.")
		return o, done
	case *events.AppStateSyncError:
		c.log.Warn("app state could not be synced", "name", string(e.Name), "error", e.Error)
		c.alarms.raise(alarmAppState, "WhatsApp's app state could not be read, so starred messages may be missing. It is tried again with the next change.")
	case *events.AppStateSyncComplete:
		c.alarms.clear(alarmAppState)
	}
	return outcome{}, false
}

// turnedAway ends a connection that the server refused, and says why.
func (w *watching) turnedAway(code string, wait time.Duration, reason, mend string) (outcome, bool) {
	w.s.disconnect()
	state := api.LinkDisconnected
	if wait < time.Minute {
		state = api.LinkConnecting
	}
	w.c.status.set(state, reason)
	w.c.alarms.raise(code, reason+". "+mend)
	w.c.log.Error("login refused", "reason", reason, "next_try_in", wait)
	w.c.paired()
	return outcome{failed: true, wait: wait}, true
}

func (w *watching) why() string {
	switch {
	case w.cycled:
		return "events cannot be stored, so the connection is cycled until they can"
	case w.stream != "":
		return "WhatsApp ended the connection (stream error " + w.stream + ")"
	}
	return "the connection to WhatsApp broke off"
}

// introduce tells WhatsApp the account's name, which others would otherwise see as "-", without marking it as online.
func (w *watching) introduce(ctx context.Context) {
	if !w.in || w.c.status.read().Name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := w.s.cli.SendPresence(ctx, types.PresenceUnavailable); err != nil && !errors.Is(err, whatsmeow.ErrNotConnected) {
		w.c.log.Debug("introducing the account failed", "error", err)
	}
}

// loggedOut forgets who was linked.
func (c *Client) loggedOut(reason string) ending {
	c.log.Error("logged out of WhatsApp", "reason", reason)
	c.alarms.raise(alarmLoggedOut, "The account is no longer linked: "+reason+". Link it again: waoutbox pair.")
	c.status.account(types.JID{}, types.JID{})
	c.status.set(api.LinkUnlinked, reason)
	c.in.hush(true)
	c.failRound(api.Errorf(api.CodePairingUnavail, "the account was logged out right after linking (%s): link again with waoutbox pair", reason))
	return endLoggedOut
}

// unreachable says why connecting failed.
func (c *Client) unreachable(err error) {
	reason := c.cannotReach(err)
	if c.status.read().Reason != reason {
		c.log.Warn("connecting failed: trying again", "error", err)
	}
	c.status.set(api.LinkConnecting, reason)
}

// cannotReach puts a connection error into words.
func (c *Client) cannotReach(err error) string {
	where := "WhatsApp"
	if c.o.Server != nil {
		where = c.o.Server.URL()
	}
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return where + " cannot be reached: connection refused"
	case errors.As(err, &dns):
		return where + " cannot be reached: no address for " + dns.Name + " (is this machine online?)"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return where + " cannot be reached: no answer"
	}
	return where + " cannot be reached: " + err.Error()
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// newerVersion asks WhatsApp's web site which version is current and takes it over for this process. It reports whether that
// is another version than the refused one.
func (c *Client) newerVersion(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	latest, err := whatsmeow.GetLatestVersion(ctx, c.http)
	if err != nil {
		c.log.Warn("asking for WhatsApp's current version failed", "error", masked(err.Error()))
		return false
	}
	if !store.GetWAVersion().LessThan(*latest) {
		return false
	}
	c.log.Info("taking over WhatsApp's current version", "version", strconv.Itoa(int(latest[2])))
	store.SetWAVersion(*latest)
	return true
}
