package settings

import (
	"slices"
	"strings"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// CheckEvents refuses an empty list of event names, and a name that is none of known. Nil is not
// given.
func CheckEvents(events *[]string, known []string) error {
	if events == nil {
		return nil
	}
	patterns := append(slices.Clone(known), outbox.Any)
	if len(*events) == 0 {
		return api.Errorf(api.CodeInvalidEvents, "events is empty: name at least one. Known: %s", strings.Join(patterns, ", "))
	}
	for _, name := range *events {
		if err := KnownEvent(name, patterns); err != nil {
			return err
		}
	}
	return nil
}

// KnownEvent refuses a name that is none of known, which would match nothing for ever.
func KnownEvent(name string, known []string) error {
	if slices.Contains(known, name) {
		return nil
	}
	return api.Errorf(api.CodeInvalidEvents, "unknown event %q.%s Known: %s", name, term.DidYouMean(name, known), strings.Join(known, ", "))
}

// normalEvents drops repeats; the pattern for everything swallows the names beside it.
func normalEvents(events []string) []string {
	if slices.Contains(events, outbox.Any) {
		return []string{outbox.Any}
	}
	var out []string
	for _, e := range events {
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}
