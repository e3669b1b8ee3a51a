package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestOtherWords: what somebody types who knows another program leads to a command that is there,
// and stands for none that is.
func TestOtherWords(t *testing.T) {
	t.Parallel()
	root := hintsRoot()
	n := 0
	for path, words := range otherWords() {
		cmd, rest, err := root.Find(strings.Fields(path))
		if err != nil || len(rest) > 0 {
			t.Errorf("there is no command %q", path)
			continue
		}
		for typed, meant := range words {
			n++
			if slices.ContainsFunc(cmd.Commands(), func(c *cobra.Command) bool {
				return c.Name() == typed || c.HasAlias(typed)
			}) {
				t.Errorf("%q %q is a command", path, typed)
			}
			res := invoke(t, healthy(), "", append(strings.Fields(path), typed)...)
			if res.code != exitUsage {
				t.Errorf("waoutbox %s %s: exit %d", path, typed, res.code)
			}
			for _, line := range meant {
				if fault := commandFault(root, line); fault != "" || !strings.Contains(res.err, "waoutbox "+line) {
					t.Errorf("waoutbox %s %s: %q, which names %q: %s", path, typed, res.err, line, fault)
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d words", n)
	}
}

// TestTypedMistakes holds what is said of mistakes that somebody makes who is new to it. Each of
// these said something that did not help: that a flag is unknown where the command was, that a
// URL begins with https:// and nothing of the one that was typed, that there is no such webhook.
func TestTypedMistakes(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"deadletter retry --all":                    `unknown command "retry" for "waoutbox deadletter". What does that here: waoutbox deadletter replay`,
		"webhook update wh_7K2M --event x":          `What does that here: waoutbox webhook add`,
		"webhook help":                              "waoutbox webhook --help",
		"send +15550100123 hello":                   "waoutbox send text",
		"list":                                      "waoutbox webhook list, waoutbox event list, waoutbox deadletter list",
		"pair --number +49151":                      "Did you mean --phone?",
		"config set max-in-flight=8":                "the value is a word of its own: waoutbox config set max-in-flight 8",
		"config set whatsapp-root-key=0123secret":   "needs the name of a setting and its value",
		"event list --count 5":                      "Did you mean --limit?",
		"webhook add http://localhost:1 --events x": "Did you mean --event?",
	} {
		res := invoke(t, healthy(), "", strings.Fields(typed)...)
		if res.code != exitUsage || !strings.Contains(res.err, want) || strings.Contains(res.err, "0123secret") {
			t.Errorf("waoutbox %s: exit %d, %q, want %q", typed, res.code, res.err, want)
		}
	}
}
