package term

import (
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	// what an alarm is like
	const sentence = "wh_9QRT is failing: its last 20 deliveries became dead letters. When its endpoint works again, let them go at once with: waoutbox --state-dir '/srv/my state' webhook test wh_9QRT; see https://example.com/"
	for _, c := range []struct {
		text        string
		width, hang int
		want        string
	}{
		{sentence, 0, 6, sentence},
		{"short", 80, 6, "short"},
		{"a line of words", 8, 2, "a line\n  of\n  words"},
		{"17:00:01  dead        kept,   whole", 24, 10, "17:00:01  dead\n          kept,   whole"},
		{"     set in a little", 12, 5, "     set in\n     a\n     little"},
		{"\x1b[31mALARM\x1b[0m one two", 9, 6, "\x1b[31mALARM\x1b[0m one\n  two"},
		{"世界 世界 世界", 9, 0, "世界 世界\n世界"},
		{"an-id-that-is-longer-than-the-line then", 10, 2, "an-id-that-is-longer-than-the-line\n  then"},
		{"run (waoutbox stop) or waoutbox start  (again)", 15, 0, "run\n(waoutbox stop)\nor\nwaoutbox start\n(again)"},
		{"ends with waoutbox", 12, 0, "ends with\nwaoutbox"},
		{"two words ", 5, 0, "two\nwords"},
	} {
		if got := Wrap(c.text, c.width, c.hang); got != c.want {
			t.Errorf("in %d columns %q is %q, want %q", c.width, c.text, got, c.want)
		}
	}
	const command = "waoutbox --state-dir '/srv/my state' webhook test wh_9QRT;"
	for width := 30; width < 120; width++ {
		got := Wrap(sentence, width, 6)
		if !strings.Contains(got, command) || !strings.Contains(got, "https://example.com/") {
			t.Errorf("in %d columns something is broken:\n%s", width, got)
		}
		for line := range strings.SplitSeq(got, "\n") {
			if columns(line) > width && !strings.Contains(line, command) {
				t.Errorf("in %d columns a line takes %d: %s", width, columns(line), line)
			}
		}
		if strings.Join(strings.Fields(got), " ") != sentence {
			t.Errorf("in %d columns it is another text:\n%s", width, got)
		}
	}
}
