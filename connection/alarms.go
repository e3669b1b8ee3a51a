package connection

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"waoutbox/outbox/api"
)

// The codes of the link's alarms. Stable: people watch for them.
const (
	alarmRefused     = "append_refused"       // the outbox takes nothing, WhatsApp is not acknowledged
	alarmUntranslate = "event_untranslatable" // an event was stored as a stub, or not at all
	alarmLost        = "events_lost"          // link and presence events that could not be stored in time
	alarmLoggedOut   = "logged_out"
	alarmReplaced    = "link_replaced"
	alarmOutdated    = "client_outdated"
	alarmBanned      = "account_banned"
	alarmRejected    = "login_refused"
	alarmAppState    = "app_state_incomplete"
	alarmDevice      = "device_store"
	alarmUnread      = "session_store_failed" // whatsapp.db takes nothing, WhatsApp is not acknowledged
)

// alarms are what needs a person, one for each code. Safe for concurrent use.
type alarms struct {
	mu   sync.Mutex
	now  func() time.Time
	open map[string]api.Alarm
}

func newAlarms(now func() time.Time) *alarms {
	return &alarms{now: now, open: make(map[string]api.Alarm)}
}

// raise opens an alarm, or renews the text of an open one, and reports whether it is new.
func (a *alarms) raise(code, message string) (isNew bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
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
	}
}

// list answers the open alarms, oldest first.
func (a *alarms) list() []api.Alarm {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]api.Alarm, 0, len(a.open))
	for _, al := range a.open {
		out = append(out, al)
	}
	slices.SortFunc(out, func(x, y api.Alarm) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.Code, y.Code))
	})
	return out
}
