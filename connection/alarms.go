package connection

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"waoutbox/outbox/api"
)

// The codes of the link's alarms, besides those of package translate. Stable: people watch for
// them.
const (
	// the outbox takes nothing, WhatsApp is not acknowledged
	alarmRefused = "append_refused"
	// an event was stored as a placeholder, or not at all
	alarmUntranslated = "event_untranslatable"
	// a stanza that the library could not use became an event with what could be read of it
	alarmIncomplete = "stanza_incomplete"
	// link and presence events that could not be stored in time
	alarmLost      = "events_lost"
	alarmLoggedOut = "logged_out"
	alarmReplaced  = "link_replaced"
	alarmClosed    = "link_closed"
	alarmOutdated  = "client_outdated"
	alarmBanned    = "account_banned"
	alarmRejected  = "login_refused"
	// messages to strangers are refused for a while
	alarmRestricted = "account_restricted"
	// the library dropped something that WhatsApp sent, and WhatsApp still has it
	alarmFrame = "frame_unreadable"
	// a recipient asked for a message again, and did not get it
	alarmNotResent = "message_not_resent"
	// synced settings cannot be read
	alarmAppState = "app_state_incomplete"
	// damaged synced settings were fetched whole, which tells no stars
	alarmAppStateLost = "app_state_lost"
	alarmDevice       = "device_store"
	// the library could not handle what WhatsApp sent
	alarmPanic = "library_panicked"
	// whatsapp.db takes nothing, WhatsApp is not acknowledged
	alarmSessionStore = "session_store_failed"
)

// alarms are what needs a person, one for each code. Safe for concurrent use.
type alarms struct {
	mu   sync.Mutex
	now  func() time.Time
	open map[string]api.Alarm
	ends map[string]time.Time // of those that end by themselves
}

// passedAfter is how long an alarm of something that happened is shown after the last time. Whoever
// writes to the account can make one happen: it must not stay for ever.
const passedAfter = 24 * time.Hour

func newAlarms(now func() time.Time) *alarms {
	return &alarms{now: now, open: make(map[string]api.Alarm), ends: make(map[string]time.Time)}
}

// raise opens an alarm, or renews the text of an open one, and reports whether it is new.
func (a *alarms) raise(code, message string) (isNew bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.ends, code)
	return a.put(code, message)
}

// raiseSince is raise for what was noticed before, by an earlier process.
func (a *alarms) raiseSince(code, message string, since time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open[code] = api.Alarm{Code: code, Message: message, Since: since.UTC()}
}

// happened is raise for what is over already: the alarm ends by itself a day after the last time.
func (a *alarms) happened(code, message string) (isNew bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end()
	a.ends[code] = a.now().Add(passedAfter)
	return a.put(code, message)
}

// end drops the alarms that end by themselves. Call with the lock held.
func (a *alarms) end() {
	for code, at := range a.ends {
		if !a.now().Before(at) {
			delete(a.open, code)
			delete(a.ends, code)
		}
	}
}

func (a *alarms) put(code, message string) (isNew bool) {
	old, open := a.open[code]
	since := old.Since
	if !open {
		since = a.now().UTC().Truncate(time.Millisecond)
	}
	a.open[code] = api.Alarm{Code: code, Message: message, Since: since}
	return !open
}

func (a *alarms) clear(codes ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range codes {
		delete(a.open, c)
		delete(a.ends, c)
	}
}

// up reports whether an alarm is open.
func (a *alarms) up(code string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end()
	_, open := a.open[code]
	return open
}

// list returns the open alarms, oldest first.
func (a *alarms) list() []api.Alarm {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end()
	out := make([]api.Alarm, 0, len(a.open))
	for _, al := range a.open {
		out = append(out, al)
	}
	slices.SortFunc(out, func(x, y api.Alarm) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.Code, y.Code))
	})
	return out
}
