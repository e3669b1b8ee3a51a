package daemon

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// FuzzLogReader: whatever stands in the files of a log, its last lines are the whole ones at its
// end, and reading on gives what follows.
func FuzzLogReader(f *testing.F) {
	f.Add("1\n2\n", "3\r\n4", uint8(2), "\n5\n")
	f.Add("", "\n\n\n", uint8(9), "x")
	f.Add("x", "", uint8(1), "")
	f.Fuzz(func(t *testing.T, old, current string, n uint8, more string) {
		dir := t.TempDir()
		writeFile(t, dir+"/serve-2026-01-01T10-00-00.000.log", old)
		writeFile(t, logPath(dir), current)
		var all []string
		for _, text := range []string{old, current} {
			lines := strings.SplitAfter(text, "\n")
			for _, line := range lines[:len(lines)-1] {
				all = append(all, strings.TrimRight(line, "\r\n"))
			}
		}
		r := NewLogReader(dir)
		var got []string
		keep := func(line string) error { got = append(got, line); return nil }
		if err := r.Last(int(n), keep); err != nil {
			t.Fatal(err)
		}
		if want := all[max(0, len(all)-int(n)):]; !slices.Equal(got, want) {
			t.Errorf("of %q and %q the last %d are %q, want %q", old, current, n, got, want)
		}
		log, err := os.OpenFile(logPath(dir), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := log.WriteString(more); err != nil {
			t.Fatal(err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		got = nil
		if err := r.more(keep); err != nil {
			t.Fatal(err)
		}
		rest := current[strings.LastIndexByte(current, '\n')+1:] + more
		if want := strings.Count(rest, "\n"); len(got) != want {
			t.Errorf("%q, then %q: %q", current, more, got)
		}
	})
}
