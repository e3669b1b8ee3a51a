package main

import (
	"strings"
	"testing"
)

// TestHelpFitsTheTerminal: no line of a help text is wider than the terminal, examples left out,
// which are copied as they stand. Lines of flags ran to 236 columns.
func TestHelpFitsTheTerminal(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"serve", "webhook add", "webhook test", "deadletter replay", "completion", "config set", "audit"} {
		res := invokeWith(t, healthy(), "", func(e *env) { e.width = 80 }, append(strings.Fields(args), "--help")...)
		examples := false
		for line := range strings.Lines(res.out) {
			line = strings.TrimRight(line, "\n")
			switch {
			case line == "Examples:":
				examples = true
			case line == "":
				examples = false
			case len([]rune(line)) > 80 && !examples && !strings.HasPrefix(line, "  waoutbox "):
				t.Errorf("%s --help: %d columns: %s", args, len([]rune(line)), line)
			}
		}
	}
	const text = "one two\nthree\n\n  set in\nas it is"
	if got := wrapText(text, 9); got != "one two\nthree\n\n  set in\nas it is" {
		t.Errorf("wrapped to %q", got)
	}
}
