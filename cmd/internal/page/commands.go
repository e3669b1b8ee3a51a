package page

import (
	"strings"
	"time"

	"waoutbox/cmd/internal/term"
)

// flags are those of a span of time, after those of a name and a value each; what is empty has
// none.
func flags(since, until time.Time, named ...string) (words []string) {
	for i := 0; i < len(named); i += 2 {
		if named[i+1] != "" {
			words = append(words, named[i], term.Quote(named[i+1]))
		}
	}
	if !since.IsZero() {
		words = append(words, "--since", moment(since))
	}
	if !until.IsZero() {
		words = append(words, "--until", moment(until))
	}
	return words
}

// lists is the command that lists the same as a page.
func (c *call) lists(what string, flags []string) string {
	return c.text(c.s.o.Command(append([]string{what, "list"}, flags...)...))
}

// moment is a time as forms and commands take it, to the millisecond.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z") }

// quoted are ids as a command takes them, those of more than a page in part: nobody copies more.
func quoted(ids []string) string {
	out := make([]string, 0, len(ids))
	for _, id := range ids[:min(len(ids), lettersShown)] {
		out = append(out, term.Quote(id))
	}
	if len(ids) > lettersShown {
		out = append(out, "…")
	}
	return strings.Join(out, " ")
}
