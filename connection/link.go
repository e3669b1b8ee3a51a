package connection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/webversion"
	"waoutbox/connection/wire"
	"waoutbox/outbox/api"
)

// sessionEnd says why a session is over.
type sessionEnd int

const (
	endStopped   sessionEnd = iota // Run's context ended
	endLoggedOut                   // the device is gone: a new one can be paired
	endReplaced                    // another client has the session: this one stays away
)

// connectionEnd says how one connection ended and how long to wait before the next.
type connectionEnd struct {
	over   bool // the session is over, for the reason end
	end    sessionEnd
	wait   time.Duration // the least wait
	failed bool          // it never logged in, or fell at once: back off
	// the server refused the login, which was told as a disconnection: the next attempt is told too
	refused bool
	cycled  bool // ended by us because the outbox refused an event
}

// runLinked keeps a linked device connected until its session is over.
func (c *Client) runLinked(ctx context.Context, s *session) sessionEnd {
	network, refusals := c.timings.reconnect(), c.timings.afterRefusal()
	c.status.set(api.LinkConnecting, "")
	up := s.paired && !s.loginAsked // the log-in is asked for on the connection that stands
	if s.loginAsked {
		s.disconnect()
	}
	untold := !s.paired // of an attempt pairing tells, and the translator after each Disconnected
	appended := c.in.appended.Load()
	for {
		if !up {
			// the wait after a refusal is over
			if l := c.status.read(); l.State == api.LinkDisconnected {
				c.status.set(api.LinkConnecting, l.Reason)
			}
			if untold {
				c.in.appendOwn(c.tr.Connecting())
				untold = false
			}
			c.unread.connecting()
			select {
			case <-c.tryNow: // this is it
			default:
			}
			if err := s.connect(ctx); err != nil {
				if ctx.Err() != nil {
					return endStopped
				}
				c.unreachable(err)
				c.tries.Add(1)
				c.reportLinked() // linked it is: the rest is told by the state
				if !c.waitToConnect(ctx, network, network.NextBackOff(), 0) {
					return endStopped
				}
				continue
			}
			c.silence.Connected(c.now()) // what was held back may arrive before the log-in is done
		}
		up = false
		began := c.now()
		o := c.watch(ctx, s)
		if o.over {
			return o.end
		}
		untold = untold || o.refused
		var wait time.Duration
		if o.failed {
			c.tries.Add(1)
		}
		if o.failed && c.now().Sub(began) < c.timings.stable {
			wait = network.NextBackOff()
		} else {
			network.Reset()
		}
		if n := c.in.appended.Load(); n != appended {
			appended = n
			refusals.Reset()
		}
		least := o.wait
		if o.cycled {
			s.disconnect()
			// events of the old one are refused from now on
			s = c.attach(c.newSession(c.link, s.dev))
			least = max(least, refusals.NextBackOff())
		}
		if !c.waitToConnect(ctx, network, wait, least) {
			return endStopped
		}
	}
}

// waitToConnect waits before the next attempt and reports false when ctx ended first. The wait is
// cut short, and the waits begin anew, when the network changed or the machine woke up; least, of
// wall-clock time, passes nevertheless, unless somebody asks for the next attempt.
func (c *Client) waitToConnect(ctx context.Context, waits backoff.BackOff, wait, least time.Duration) bool {
	now := c.now()
	soonest, until := now.Round(0).Add(least), now.Add(wait)
	for {
		now := c.now()
		left := max(soonest.Sub(now.Round(0)), until.Sub(now))
		if left <= 0 {
			return ctx.Err() == nil
		}
		t := time.NewTimer(left)
		select {
		case <-t.C:
		case <-c.doubts:
			waits.Reset()
			until = now
		case <-c.tryNow:
			waits.Reset()
			until, soonest = now, now.Round(0)
		case <-ctx.Done():
			t.Stop()
			return false
		}
		t.Stop()
	}
}

// tellDisconnected stores the end of a connection that the library did not tell.
func (c *Client) tellDisconnected(ctx context.Context) {
	evs, err := c.tr.Translate(ctx, &events.Disconnected{})
	if err != nil {
		c.log.Error("the end of the connection could not be translated", "error", err)
		return
	}
	c.in.appendOwn(evs...)
}

// forgetAccount leaves nothing in memory of who was linked. reason tells why nobody is, "" if there
// is nothing to say.
func (c *Client) forgetAccount(reason string) {
	c.status.setAccount(types.JID{}, types.JID{})
	c.status.set(api.LinkUnlinked, reason)
	c.restricted.Forget()
	c.silence.Forget()
	c.rhythm = rhythm{}
	c.directory.Forget()
	c.timers.Forget()
	c.status.note(noteSilence, "")
	c.status.note(noteUnread, "")
	c.alarms.clear(alarmAppState, alarmAppStateLost, alarmClosed)
	c.wanted.forget()
	c.tellRestriction()
	c.in.setMuted(true)
}

// loggedOut forgets who was linked.
func (c *Client) loggedOut(reason string) sessionEnd {
	c.log.Error("logged out of WhatsApp", "reason", reason)
	c.alarms.raise(alarmLoggedOut, loggedOutText(reason))
	c.forgetAccount(reason)
	c.failPairing(api.Errorf(api.CodePairingUnavail, "the account was logged out right after linking (%s): link again with waoutbox pair", reason))
	return endLoggedOut
}

func loggedOutText(reason string) string {
	return "The account is no longer linked: " + reason + ". Link it again: waoutbox pair"
}

// keepLoggedOut keeps over restarts that the account was logged out, once its device is forgotten.
func (c *Client) keepLoggedOut(ctx context.Context) {
	if !c.alarms.up(alarmLoggedOut) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
	defer cancel()
	link := c.status.read()
	if err := c.o.Device.SetLoggedOut(ctx, link.Reason, link.Since); err != nil {
		c.log.Warn("why no account is linked is not kept over a restart", "error", masked(err.Error()))
	}
}

// LinkLost is why an account that was linked is not any more where nobody logged it out.
const LinkLost = "the file whatsapp.db, which has the link, is gone (no backup has it); remove the device that the phone may still list"

// restoreLoggedOut takes up what was kept. It returns true where nothing was and the link is gone
// all the same, which nobody was told of.
func (c *Client) restoreLoggedOut(ctx context.Context, dev *store.Device) (lost bool) {
	if dev.ID != nil {
		return false
	}
	reason, since, err := c.o.Device.LoggedOut(ctx)
	if err != nil {
		c.log.Warn("why no account is linked is not known", "error", masked(err.Error()))
		return false
	}
	if lost = since.IsZero() && c.o.WasLinked; lost {
		reason, since = LinkLost, c.now()
	}
	if !since.IsZero() {
		c.alarms.raiseSince(alarmLoggedOut, loggedOutText(reason), since)
		c.status.setSince(api.LinkUnlinked, reason, since)
	}
	return lost
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
	where := c.o.Route.Where()
	if p, ok := errors.AsType[*wire.ProxyError](err); ok {
		if refusal := p.Refusal(); refusal != "" {
			return where + " cannot be reached: the proxy " + p.Proxy + " " + refusal
		}
		return where + " cannot be reached through the proxy " + p.Proxy + ": " + inWords(p.Err)
	}
	return where + " cannot be reached: " + inWords(err)
}

// The notes of the link's state, by what they are about.
const (
	noteRestricted = "restricted"
	noteSilence    = "silence"
	noteUnread     = "unread"
	noteVersion    = "version"
)

// versionLimit bounds a question for the current version.
const versionLimit = 20 * time.Second

// latestVersion asks WhatsApp's web site which version is current.
func (c *Client) latestVersion(ctx context.Context) (*store.WAVersionContainer, error) {
	ctx, cancel := context.WithTimeout(ctx, versionLimit)
	defer cancel()
	return whatsmeow.GetLatestVersion(ctx, c.http)
}

// outdated takes over the current version after WhatsApp refused this one, and raises the alarm
// when there is none to take over. It returns how long to wait before the next try, and what became
// of it, a sentence without its full stop.
func (c *Client) outdated(ctx context.Context) (renewed bool, wait time.Duration, result string) {
	refused := store.GetWAVersion()
	became, retry, err := c.version.Renew(ctx)
	if err != nil {
		c.log.Warn("renewing WhatsApp Web's version", "error", masked(err.Error()))
	}
	c.status.note(noteVersion, c.version.Note())
	text := fmt.Sprintf("WhatsApp no longer accepts version %s of its client (405)", refused)
	again := "is asked for at " + retry.Local().Format("15:04")
	switch became {
	case webversion.Renewed:
		c.log.Warn("WhatsApp refused this version: another is taken over", "refused", refused.String(), "version", store.GetWAVersion().String())
		return true, c.timings.renewed, fmt.Sprintf("%s, so that %s is used from now on", text, store.GetWAVersion())
	case webversion.Newest:
		text += " and names none that is newer; the current one " + again + " again"
	case webversion.TooSoon:
		text += "; the current one " + again
	case webversion.Failed:
		text += " and could not be asked for the current one, which " + again + " again"
	}
	c.alarms.raise(alarmOutdated, text+". Update waoutbox.")
	return false, min(max(retry.Sub(c.now()), c.timings.renewed), c.timings.banned), text
}
