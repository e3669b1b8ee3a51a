package connection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/liveness"
	"waoutbox/outbox/api"
)

// watch follows one connection from the websocket to its end.
func (c *Client) watch(ctx context.Context, s *session) connectionEnd {
	w := connectionWatch{c: c, s: s, timer: time.NewTimer(c.timings.login), again: time.NewTimer(time.Hour)}
	defer w.timer.Stop()
	w.again.Stop()
	defer w.again.Stop()
	looks := time.NewTicker(c.timings.silence)
	defer looks.Stop()
	for {
		select {
		case <-ctx.Done():
			return connectionEnd{over: true, end: endStopped}
		case <-w.timer.C:
			if w.reconnecting { // the library told nothing of the end: make one
				s.disconnect()
				c.tellDisconnected(ctx)
				c.status.set(api.LinkConnecting, w.endReason())
				return connectionEnd{failed: true, cycled: w.cycled}
			}
			c.log.Warn("login takes too long: connecting again", "doubt", w.doubted.Reason)
			w.ended = "WhatsApp answers the connection but not the login"
			w.cut()
		case doubt := <-c.doubts:
			w.doubt(ctx, doubt)
		case <-looks.C:
			w.lookForSilence(ctx)
		case <-w.again.C:
			w.askAgain()
		case alive := <-w.answer:
			w.answer = nil
			switch {
			case !alive:
				w.dead(w.doubted)
			case w.silent:
				c.log.Warn("WhatsApp answers and sends nothing: connecting again", "since", w.doubted.Since)
				w.ended = w.doubted.Reason
				w.reconnect()
			}
		case <-s.events.ready:
			if evt, ok := s.events.Next(); ok {
				if o, done := w.onEvent(ctx, evt); done {
					return o
				}
			}
		}
	}
}

// connectionWatch is what is known of the connection at hand.
type connectionWatch struct {
	c            *Client
	s            *session
	timer        *time.Timer // the login's limit, or reconnect's
	loggedIn     bool
	reconnecting bool
	cycled       bool
	streamError  string // the last stream error
	ended        string // why this side ended the connection
	// a question to WhatsApp that shows whether the connection lives, and why it was asked
	answer  <-chan bool
	doubted liveness.Suspicion
	silent  bool // asked because nothing arrives: the answer changes nothing
	// what could not be read is asked for again then, on another connection
	again *time.Timer
}

// reconnect ends a living connection so that it is made again. The end is told by Disconnected.
func (w *connectionWatch) reconnect() {
	if w.expectEnd() {
		w.s.cli.ResetConnection()
	}
}

// cut is reconnect for a connection that may be dead: nobody is asked to take part in its end.
func (w *connectionWatch) cut() {
	if w.expectEnd() {
		w.s.wire.Cut()
	}
}

// expectEnd sets the limit for Disconnected; false if the end is expected already.
func (w *connectionWatch) expectEnd() bool {
	if w.reconnecting {
		return false
	}
	w.reconnecting = true
	w.timer.Reset(w.c.timings.grace + 10*time.Second)
	return true
}

// doubt finds out whether the connection lives. A log-in under way shows it by its end.
func (w *connectionWatch) doubt(ctx context.Context, why liveness.Suspicion) {
	switch {
	case w.reconnecting || w.answer != nil:
	case !w.loggedIn && w.doubted.Reason == "":
		w.timer.Reset(w.c.timings.ping)
		w.doubted = why
	case w.loggedIn:
		w.c.log.Debug("the connection is in doubt: asking WhatsApp", "reason", why.Reason)
		w.answer, w.doubted = w.s.ping(ctx, w.c.timings.ping), why
	}
}

// lookForSilence asks WhatsApp, and has the connection made anew, when nothing has arrived for much
// longer than usual.
func (w *connectionWatch) lookForSilence(ctx context.Context) {
	w.c.keepRhythm(false)
	if !w.loggedIn || w.reconnecting || w.answer != nil {
		return
	}
	now := w.c.now()
	silence, odd := w.c.silence.Look(now)
	if !odd {
		return
	}
	text := fmt.Sprintf("nothing has arrived since %s, much longer than usual at this time", silence.Since.Local().Format("2006-01-02 15:04"))
	w.c.log.Warn("the connection is silent: asking WhatsApp", "since", silence.Since, "limit", silence.Limit)
	w.c.quiet.Store(true)
	w.c.status.note(noteSilence, text+"; the connection was made anew at "+now.Local().Format("15:04"))
	w.silent, w.doubted = true, liveness.Suspicion{Reason: text, Since: silence.Since}
	w.answer = w.s.ping(ctx, w.c.timings.ping)
}

// dead has a connection made again that carries nothing any more.
func (w *connectionWatch) dead(why liveness.Suspicion) {
	w.c.log.Warn("the connection to WhatsApp is dead: connecting again", "reason", why.Reason, "since", why.Since)
	w.c.tr.OutageSince(why.Since)
	w.ended = why.Reason
	w.cut()
}

// onEvent reacts to one event of the library. Done tells that the connection is over.
func (w *connectionWatch) onEvent(ctx context.Context, evt any) (o connectionEnd, done bool) {
	c := w.c
	switch e := evt.(type) {
	case *events.Connected:
		w.loggedIn = true
		c.silence.Connected(c.now())
		if !w.reconnecting {
			w.timer.Stop()
		}
		c.alarms.clear(alarmOutdated, alarmBanned, alarmRejected, alarmLoggedOut)
		c.status.set(api.LinkConnected, "")
		c.reportLinked()
		c.sends.settleAcknowledged(ctx)
		c.beside("watching presences", func() { c.watchAgain(ctx, w.s) })
		if !w.s.caughtUp {
			w.s.caughtUp = true
			c.catchUpSettings(ctx, w.s)
		}
		c.log.Info("connected to WhatsApp")
		w.announceName(ctx)
	case *events.PushNameSetting:
		c.status.setName(e.Action.GetName())
		w.announceName(ctx)
	case appendRefused:
		w.cycled = true
		c.status.setReason("events cannot be stored, so the connection is cycled until they can")
		w.reconnect()
	case frameLost:
		w.onFrameLost(e)
	case *events.OfflineSyncCompleted:
		w.caughtUp()
	case *events.KeepAliveTimeout:
		w.dead(liveness.Suspicion{Reason: "WhatsApp did not answer any more", Since: e.LastSuccess})
	case *events.StreamError:
		w.streamError = e.Code
	case *events.Disconnected:
		if w.s.cli.IsConnected() { // of the connection before this one
			return connectionEnd{}, false
		}
		c.status.set(api.LinkConnecting, w.endReason())
		c.log.Info("connection to WhatsApp ended: connecting again", "stream_error", w.streamError)
		return connectionEnd{failed: true, cycled: w.cycled}, true
	case *events.ManualLoginReconnect: // paired: log in with the new device
		c.status.set(api.LinkConnecting, "")
		w.s.disconnect()
		return connectionEnd{}, true
	case *events.LoggedOut:
		reason := "the phone removed this device"
		if e.OnConnect {
			reason = fmt.Sprintf("WhatsApp refused the login (%d)", int(e.Reason))
		}
		w.s.disconnect()
		return connectionEnd{over: true, end: c.loggedOut(reason)}, true
	case *events.StreamReplaced:
		w.s.disconnect()
		reason := "another program uses this session (WhatsApp answered \"replaced\")"
		c.wanted.lose(func() {
			c.status.set(api.LinkDisconnected, reason)
			c.alarms.raise(alarmReplaced, "The link is down: "+reason+". Stop the other one, then run: waoutbox connect.")
		})
		c.log.Error("session replaced: staying disconnected")
		c.reportLinked()
		return connectionEnd{over: true, end: endReplaced}, true
	case *events.TemporaryBan:
		wait := min(max(e.Expire, time.Minute), 24*time.Hour)
		if e.Expire <= 0 {
			wait = c.timings.banned
		}
		return w.loginRefused(alarmBanned, wait, fmt.Sprintf("WhatsApp has banned the account %s (%s)", c.bannedUntil(e.Expire), e.Code),
			"Wait until it ends; the service tries again by itself. Sending less often helps.")
	case *events.ClientOutdated:
		w.s.disconnect()
		_, wait, result := c.outdated(ctx)
		return w.loginRefused("", wait, result, "")
	case *events.ConnectFailure:
		c.status.set(api.LinkConnecting, "")
		o, done = w.loginRefused(alarmRejected, 0, fmt.Sprintf("WhatsApp refused the login (%d)", int(e.Reason)), "It is tried again; if this stays, link again: waoutbox pair.")
		return o, done
	case settingsAnnounced:
		c.expectSettings(ctx, e)
	case *events.AppStateSyncError:
		c.log.Warn("app state could not be synced", "name", string(e.Name), "error", e.Error)
		c.beside("fetching synced settings", func() { c.mender.Mend(ctx, e.Name) })
	}
	return connectionEnd{}, false
}

// loginRefused ends a connection that the server refused, and says why. code is that of the alarm
// to raise, "" for none.
func (w *connectionWatch) loginRefused(code string, wait time.Duration, reason, mend string) (connectionEnd, bool) {
	w.s.disconnect()
	state := api.LinkDisconnected
	if wait < time.Minute {
		state = api.LinkConnecting
	}
	w.c.status.set(state, reason)
	if code != "" {
		w.c.alarms.raise(code, reason+". "+mend)
	}
	w.c.log.Error("login refused", "reason", reason, "next_try_in", wait)
	w.c.reportLinked()
	return connectionEnd{failed: true, refused: true, wait: wait}, true
}

func (w *connectionWatch) endReason() string {
	switch {
	case w.ended != "":
		return w.ended
	case w.cycled:
		return "events cannot be stored, so the connection is cycled until they can"
	case w.s.failure.Load() != 0:
		return fmt.Sprintf("WhatsApp refuses the login for now (%d)", w.s.failure.Load())
	case w.streamError != "":
		return "WhatsApp ended the connection (stream error " + w.streamError + ")"
	}
	return "the connection to WhatsApp broke off"
}

// announceName tells WhatsApp the account's name, which others would otherwise see as "-", without
// marking it as online.
func (w *connectionWatch) announceName(ctx context.Context) {
	if !w.loggedIn || w.c.status.read().Name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := w.s.cli.SendPresence(ctx, types.PresenceUnavailable)
	if err != nil && !errors.Is(err, whatsmeow.ErrNotConnected) {
		w.c.log.Debug("telling the account's name failed", "error", err)
	}
}
