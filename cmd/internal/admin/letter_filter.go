package admin

import (
	"slices"
	"strconv"
	"strings"

	"waoutbox/cmd/internal/admin/settings"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// checkedFilter returns f as it is compared with letters, or a sentence what is wrong with it: a
// filter that can match nothing is refused, and ids stand alone.
func (s *Service) checkedFilter(f api.DeadLetterFilter) (api.DeadLetterFilter, error) {
	if len(f.IDs) > 0 && f.Narrows() {
		return f, api.Errorf(api.CodeInvalidArguments, "ids name the dead letters themselves: leave out the ids, or the filters beside them").In("ids")
	}
	if f.Event != "" {
		if err := KnownEvent(f.Event, s.o.EventNames); err != nil {
			return f, err
		}
	}
	var err error
	if f.Chat != "" {
		if f.Chat, err = settings.Chat("chat", f.Chat); err != nil {
			return f, err
		}
	}
	if f.Reason != "" {
		if err := KnownReason(f.Reason); err != nil {
			return f, err
		}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return f, api.Errorf(api.CodeInvalidArguments, "since is not before until: no time lies between them").In("until")
	}
	return f, nil
}

// KnownReason refuses a reason that no dead letter can have.
func KnownReason(reason string) error {
	if n, err := strconv.Atoi(reason); err == nil && n >= 100 && n <= 999 && len(reason) == 3 {
		return nil
	}
	known := Reasons()
	if slices.Contains(known, reason) {
		return nil
	}
	return api.Errorf(api.CodeInvalidArguments, "unknown reason %q.%s Known: an HTTP status like 503, %s", reason, term.DidYouMean(reason, known), strings.Join(known, ", ")).In("reason")
}

// Reasons lists the reasons of dead letters besides HTTP statuses.
func Reasons() []string {
	return []string{
		string(outbox.ClassTimeout), string(outbox.ClassRefused), string(outbox.ClassReset), string(outbox.ClassDNS), string(outbox.ClassTLS),
		string(outbox.ClassNetwork), string(outbox.ClassInternal),
		api.ReasonUnregistered, api.ReasonSkipped, api.ReasonExpired, api.ReasonCorrupt,
	}
}

// recordWanted reports whether a record died when and of what f asks for.
func recordWanted(f api.DeadLetterFilter, rec outbox.Record) bool {
	return (f.Since.IsZero() || !rec.At.Before(f.Since)) && (f.Until.IsZero() || rec.At.Before(f.Until)) &&
		(f.Reason == "" || f.Reason == reasonLabel(rec))
}

// namesEvents reports whether f asks for something that only the events tell.
func namesEvents(f api.DeadLetterFilter) bool { return f.Event != "" || f.Chat != "" }

// eventWanted reports whether f asks for an event like this one.
func eventWanted(f api.DeadLetterFilter, ev outbox.Event) bool {
	return (f.Event == "" || f.Event == ev.Name) && (f.Chat == "" || f.Chat == ev.Chat || f.Chat == ev.ChatAlt)
}
