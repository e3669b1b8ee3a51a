package wording_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"waoutbox/outbox/api/wording"
)

// FuzzSentence: whatever a sentence quotes, it stays a sentence for whoever reads it: valid text,
// not much longer, and what names no command as it was.
func FuzzSentence(f *testing.F) {
	for _, s := range []string{
		"resume it: waoutbox webhook resume wh_1", "see waoutbox --state-dir '/a b' deadletter list --url https://x/?a=b.", "`waoutbox status`", "waoutbox webhook add URL --header-file",
		"waoutbox deadletter replay dl_wh_1_2 dl_wh_1_3 --url wh_1", "waoutbox pair --cancel", "waoutbox event list --chat 1@s.whatsapp.net: x", "waoutbox webhook remove 'a' 'b", "waoutbox media get ID...",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		programs := wording.ForPrograms(s)
		agents := wording.ForAgents(s, func(string) bool { return true })
		nothing := wording.ForAgents(s, func(string) bool { return false })
		if nothing != s {
			t.Errorf("without tools %q is %q", s, nothing)
		}
		shell := wording.ForShell(s, "waoutbox --state-dir /x")
		if again := wording.ForShell(shell, "waoutbox --state-dir /x"); again != shell {
			t.Errorf("%q becomes %q, then %q", s, shell, again)
		}
		for _, got := range []string{programs, agents, shell} {
			if utf8.ValidString(s) && !utf8.ValidString(got) || len(got) > 40*len(s)+100 {
				t.Errorf("%q is %q", s, got)
			}
			if !strings.Contains(s, "waoutbox ") && got != s {
				t.Errorf("%q, which names no command, is %q", s, got)
			}
		}
	})
}
