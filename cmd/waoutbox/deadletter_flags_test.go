package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox/api"
)

// TestEveryCombinationOfFlags walks every subset of the flags of the deadletter commands, with and
// without ids: each does what it says, or is refused with exit 2 and a sentence that names a way
// out, and what is refused changes nothing. Before, `replay --all --since 2h --dry-run`, which the
// help gives as an example, was refused: "replay takes ids, or filters (--url, --event, --since),
// or --all: choose one".
func TestEveryCombinationOfFlags(t *testing.T) {
	filters := []string{"--url wh_9QRT", "--event message.received", "--chat 204813927440123@lid", "--reason 503", "--since 1h", "--until 29m30s"}
	for _, c := range []struct {
		command string
		flags   []string
		ids     bool
		refused func(given []string, ids bool) bool
	}{
		{"", filters, false, func([]string, bool) bool { return false }},
		{"list", append([]string{"--all"}, filters...), false, func([]string, bool) bool { return false }},
		{"replay", append([]string{"--all", "--dry-run", "--keep-going", "--rate 0"}, filters...), true, func(given []string, ids bool) bool {
			selecting := slices.DeleteFunc(slices.Clone(given), func(f string) bool { return f == "--dry-run" || f == "--keep-going" || f == "--rate 0" })
			return ids == (len(selecting) > 0)
		}},
		{"purge", append([]string{"--all", "--dry-run", "--yes"}, filters...), true, func(given []string, ids bool) bool {
			selecting := slices.DeleteFunc(slices.Clone(given), func(f string) bool { return f == "--dry-run" || f == "--yes" })
			if ids == (len(selecting) > 0) {
				return true
			}
			// nobody can be asked
			return !slices.Contains(given, "--yes") && !slices.Contains(given, "--dry-run")
		}},
	} {
		for set := range 1 << len(c.flags) {
			var given []string
			for i, f := range c.flags {
				if set&(1<<i) != 0 {
					given = append(given, f)
				}
			}
			checkFlags(t, c.command, given, false, c.refused(given, false))
			if c.ids {
				checkFlags(t, c.command, given, true, c.refused(given, true))
			}
		}
	}
}

// checkFlags runs one command line on twenty letters, of which the filters select some.
func checkFlags(t *testing.T, command string, given []string, ids, refused bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := replayable(20)
		f.took = 0
		want := selectedBy(f, given)
		line := strings.Fields("deadletter " + command)
		if ids {
			line = append(line, f.letters[3].ID)
			want = []string{f.letters[3].ID}
		}
		for _, flag := range given {
			line = append(line, strings.Fields(flag)...)
		}
		line = append(line, "--json")
		before := len(f.letters)
		res := invoke(t, f, "", line...)
		text := strings.Join(line, " ")
		dry := slices.Contains(given, "--dry-run")
		switch {
		case refused:
			if res.code != exitUsage || !strings.Contains(res.err, "invalid_arguments") || !strings.Contains(res.err, "--") || len(f.letters) != before || len(f.replays) > 0 {
				t.Errorf("%s: exit %d, %s%s, %d letters left", text, res.code, res.out, res.err, len(f.letters))
			}
			return
		case res.code != exitOK:
			t.Errorf("%s: exit %d, %s%s", text, res.code, res.out, res.err)
			return
		}
		left := before - len(want)
		if dry || command == "" || command == "list" {
			left = before
		}
		if len(f.letters) != left {
			t.Errorf("%s: %d letters left, want %d", text, len(f.letters), left)
		}
		n := len(want)
		var ok bool
		switch command {
		case "":
			ok = n == 0 && res.out == "" || n > 0 && strings.Contains(res.out, fmt.Sprintf(`"count":%d,`, n))
			ok = ok || strings.Contains(res.out, `"reason":"timeout"`) // more than one group
		case "list":
			ok = strings.Count(res.out, "\n") == n
		case "replay":
			ok = strings.HasPrefix(res.out, fmt.Sprintf(`{"queued":%d,"remaining":0,"missing":[]`, n))
		case "purge":
			ok = strings.HasPrefix(res.out, fmt.Sprintf(`{"purged":%d`, n))
		}
		if !ok {
			t.Errorf("%s: %s, want %d letters", text, res.out, n)
		}
	})
}

// selectedBy returns the ids that the filters select, worked out by itself.
func selectedBy(f *fakeService, given []string) (ids []string) {
	now := time.Now()
	for _, l := range f.letters {
		keep := true
		for _, flag := range given {
			switch name, _, _ := strings.Cut(flag, " "); name {
			case "--reason":
				keep = keep && l.LastError.Status == 503
			case "--until":
				keep = keep && l.FailedAt.Before(now.Add(-29*time.Minute-30*time.Second))
			}
		}
		if keep {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// TestFlagsOfReplaysThatRun: --watch, --status and --stop are about what runs, and stand alone but
// for --url and --all.
func TestFlagsOfReplaysThatRun(t *testing.T) {
	for _, mode := range []string{"--watch", "--status", "--stop"} {
		for _, with := range []string{"", "--url wh_9QRT", "--all", "--json"} {
			synctest.Test(t, func(t *testing.T) {
				if res := invoke(t, healthy(), "", append([]string{"deadletter", "replay", mode}, strings.Fields(with)...)...); res.code != exitOK {
					t.Errorf("%s %s: %+v", mode, with, res)
				}
			})
		}
		for _, with := range []string{"dl_wh_9QRT_1", "--event message.sent", "--since 1h", "--until 1h", "--chat 1@g.us", "--reason 503", "--rate 5", "--dry-run", "--keep-going", "--detach"} {
			synctest.Test(t, func(t *testing.T) {
				res := invoke(t, healthy(), "", append([]string{"deadletter", "replay", mode}, strings.Fields(with)...)...)
				if res.code != exitUsage || !strings.Contains(res.err, "--url") {
					t.Errorf("%s %s: %+v", mode, with, res)
				}
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		if res := invoke(t, healthy(), "", "deadletter", "replay", "--stop", "--url", "wh_NONE"); res.code != exitFailed || !strings.Contains(res.err, "wh_NONE") {
			t.Errorf("%+v", res)
		}
	})
}

// A filter that is given twice, or empty, would select what nobody meant.
func TestFiltersAreGivenOnce(t *testing.T) {
	for _, args := range []string{"--url wh_7K2M --url wh_9QRT", "--event message.sent --event message.received", "--url=", "--since=", "--reason=nonsense", "--reason 50", "--since 1h --until 2h", "--until tomorrow", "--event *"} {
		synctest.Test(t, func(t *testing.T) {
			f := replayable(3)
			for _, command := range []string{"", "list", "replay --all", "purge --all --yes"} {
				line := append(strings.Fields("deadletter "+command), strings.Fields(args)...)
				if res := invoke(t, f, "", line...); res.code != exitUsage || res.out != "" || len(f.letters) != 3 {
					t.Errorf("%q: %+v", line, res)
				}
			}
		})
	}
	// as a table shows them
	for text, want := range map[string]string{"503 Service Unavailable": "503", "connection refused": "refused", "timeout after 10 s": "timeout", "webhook was removed": api.ReasonUnregistered, "418": "418"} {
		if got := reasonTyped(text); got != want {
			t.Errorf("reasonTyped(%q) = %q, want %q", text, got, want)
		}
	}
}
