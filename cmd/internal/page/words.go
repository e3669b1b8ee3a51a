package page

import (
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/outbox/api/wording"
)

// queryOf is a query as it stands in a link: template.URL, since a template would escape the signs
// between its fields too.
func queryOf(q url.Values) template.URL {
	return template.URL(q.Encode()) //nolint:gosec // Encode escapes every name and value
}

func uintText(n uint64) string { return strconv.FormatUint(n, 10) }

func floatText(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// pathID is the id in the path of a page, or in the query of its stream.
func (c *call) pathID() string {
	if id := c.r.PathValue("id"); id != "" {
		return id
	}
	return c.r.URL.Query().Get("id")
}

// input is what was typed into a field of a filter.
func (c *call) input(name string) string { return strings.TrimSpace(c.r.FormValue(name)) }

// since returns the time that a choice like "1h" or "today" goes back to; zero is no bound.
func (c *call) since(choice string) time.Time {
	switch choice {
	case "1h":
		return c.clock.Now.Add(-time.Hour)
	case "today":
		y, m, d := c.clock.Now.In(c.clock.Zone).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, c.clock.Zone)
	}
	return time.Time{}
}

// option is one choice of a select.
type option struct {
	Value, Text string
	Chosen      bool
	Group       string // begins a group with this name
}

// options marks the one that is chosen.
func options(chosen string, all ...[2]string) []option {
	out := make([]option, 0, len(all))
	for _, o := range all {
		out = append(out, option{Value: o[0], Text: o[1], Chosen: o[0] == chosen})
	}
	return out
}

// chosen is one field of a filter: its name, what it is called in a sentence, and its choices; nil
// where it is typed.
type chosen struct {
	name, word string
	of         []option
}

// words says what a filter selects; "" is all.
func (c *call) words(fields ...chosen) string {
	var parts []string
	for _, f := range fields {
		text := c.input(f.name)
		if text == "" {
			continue
		}
		if i := slices.IndexFunc(f.of, func(o option) bool { return o.Value == text }); i >= 0 {
			text = f.of[i].Text
		} else if c.hide && f.word == "" { // it may be a name
			text = view.Hidden
		}
		parts = append(parts, f.word+c.text(view.Line(text)))
	}
	return strings.Join(parts, ", ")
}

// eventOptions are the names of all events.
func (c *call) eventOptions(any string) []option {
	all := [][2]string{{"", any}}
	for _, name := range c.s.o.Events {
		all = append(all, [2]string{name, name})
	}
	return options(c.input("event"), all...)
}

// cutLast cuts around the last sep.
func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// parseUint returns 0 for what is no number.
func parseUint(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func secondsOf(n int64) time.Duration { return time.Duration(n) * time.Second }

// words are those of a text that only spaces part.
func words(text string) []string { return strings.Split(text, " ") }

// isOption reports whether a word of a text is an option of a command.
func isOption(word string) bool { return strings.HasPrefix(word, "--") }

// replaysShown is for how long a replay that ended is shown.
const replaysShown = 10 * time.Minute

// said returns why something failed, with the commands that it names on this state.
func (c *call) said(err error) string { return wording.ForShell(err.Error(), c.s.o.Command()) }
