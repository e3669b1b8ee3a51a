package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/cmd/internal/admin/replay"
	"waoutbox/outbox/api"
)

// TestReplayNamesEveryLetterOnceInOrder: over several pages, with more letters than one window,
// each is replayed exactly once.
func TestReplayNamesEveryLetterOnceInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(700)
		f.fate = func(id string) bool { return !strings.HasSuffix(id, "5") }
		res := invoke(t, f, "", "deadletter", "replay", "--all", "--rate", "0", "--keep-going", "--json")
		if res.code != exitFailed || res.out != `{"queued":700,"remaining":70,"missing":[],"delivered":630,"failed":70}`+"\n" {
			t.Errorf("exit %d, %s%s", res.code, res.out, res.err)
		}
		var asked []string
		for _, ids := range f.replays {
			if len(ids) > pageSize {
				t.Errorf("one call names %d letters", len(ids))
			}
			asked = append(asked, ids...)
		}
		var want []string
		for i := range 700 {
			want = append(want, fmt.Sprintf("dl_wh_9QRT_%d", 18031+i))
		}
		if !slices.Equal(asked, want) {
			t.Errorf("asked for %d letters, in another order or not once each", len(asked))
		}
		if f.mostOutstanding > replay.Window {
			t.Errorf("%d letters were outstanding, at most %d may be", f.mostOutstanding, replay.Window)
		}
	})
}

// TestReplayTakesNothingUncountedForDelivered: while counts cannot be read a letter that is not
// dead may still be owed. Before, there were no listings without counts; taking theirs for 0 would
// print "3 delivered, 0 failed".
func TestReplayTakesNothingUncountedForDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(3)
		f.fate = func(string) bool { return false }
		f.took, f.uncountedUntil = 2*time.Second, time.Now().Add(5*time.Second)
		if res := invoke(t, f, "", "deadletter", "replay", "--all"); res.code != exitFailed || !strings.HasPrefix(res.out, "0 delivered, 3 failed, 0 left.") {
			t.Errorf("exit %d, %s%s", res.code, res.out, res.err)
		}
		f = replayable(3)
		f.took, f.uncountedUntil = 2*time.Second, time.Now().Add(5*time.Second)
		if res := invoke(t, f, "", "deadletter", "replay", "--all"); res.code != exitOK || !strings.HasPrefix(res.out, "3 delivered, 0 failed, 0 left.") {
			t.Errorf("exit %d, %s%s", res.code, res.out, res.err)
		}
	})
}

func TestReplayKeepsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(101)
		f.took = time.Millisecond
		began := time.Now()
		if res := invoke(t, f, "", "deadletter", "replay", "--url", "wh_9QRT", "--rate", "10"); res.code != exitOK {
			t.Fatal(res)
		}
		if took := time.Since(began); took < 9*time.Second || took > 12*time.Second {
			t.Errorf("101 letters at 10/s took %v", took)
		}
	})
}

// TestReplayTouchesFewOfADeadEndpoint: ten fail, the others stay as they were.
func TestReplayTouchesFewOfADeadEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(300)
		f.fate, f.took = func(string) bool { return false }, 14*time.Second
		res := invoke(t, f, "", "deadletter", "replay", "--all", "--rate", "0")
		touched := 0
		for _, ids := range f.replays {
			touched += len(ids)
		}
		if res.code != exitFailed || touched != 10 {
			t.Errorf("exit %d, touched %d letters, want 10\n%s", res.code, touched, res.out)
		}
	})
}

// TestReplayStopsOnlyAtFailuresInARow: a success starts the count anew.
func TestReplayStopsOnlyAtFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(60)
		// nine failures, then one success
		f.fate = func(id string) bool { return strings.HasSuffix(id, "0") }
		res := invoke(t, f, "", "deadletter", "replay", "--all", "--rate", "0")
		if want := "6 delivered, 54 failed, 0 left.\n"; !strings.HasPrefix(res.out, want) || res.code != exitFailed {
			t.Errorf("exit %d, got %q, want %q", res.code, res.out, want)
		}
	})
}

// TestReplayWaitsForRoom: when the service takes fewer letters than it was asked for, the rest is
// asked for again and never counted as failed.
func TestReplayWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(50)
		f.room = 3
		res := invoke(t, f, "", "deadletter", "replay", "--all", "--rate", "0", "--json")
		if res.code != exitOK || !strings.HasPrefix(res.out, `{"queued":50,"remaining":0`) {
			t.Errorf("exit %d, %s%s", res.code, res.out, res.err)
		}
	})
}

// TestReplayBesideLiveTraffic: a backlog beside the replay, newer or older than its letters,
// changes nothing about what it knows. Before, an outcome was concluded from the oldest event that
// the webhook was owed, and with an older one it waited until it was interrupted and then claimed
// nothing.
func TestReplayBesideLiveTraffic(t *testing.T) {
	for _, oldest := range []int64{3, 3600} {
		synctest.Test(t, func(t *testing.T) {
			f := replayable(5)
			f.hooks[1].Pending, f.hooks[1].OldestPendingSeconds = 40, oldest
			began := time.Now()
			res := invoke(t, f, "", "deadletter", "replay", "--all")
			if res.code != exitOK || !strings.HasPrefix(res.out, "5 delivered") || time.Since(began) > 3*time.Second {
				t.Errorf("oldest %d s, after %v: exit %d, %s", oldest, time.Since(began), res.code, res.out)
			}
		})
	}
}

func TestReplayInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(500)
		f.took = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		var out, errs strings.Builder
		e := newEnv([]string{"deadletter", "replay", "--all", "--keep-going", "--state-dir", "/s"}, func(string) string { return "" }, strings.NewReader(""), &out, &errs)
		e.connect = f.connect(e)
		t.Cleanup(f.runs.Close)
		if code := e.run(ctx); code != exitFailed {
			t.Errorf("exit %d", code)
		}
		// 20 a second, in steps of 100 ms that may round to one or two dead letters.
		var left, moved int
		if _, err := fmt.Sscanf(out.String(), "0 delivered, 0 failed, %d left.\n%d still on the way", &left, &moved); err != nil || left+moved != 500 || moved < 96 || moved > 102 {
			t.Errorf("%d left and %d on the way (%v)", left, moved, err)
		}
		if want := fmt.Sprintf("0 delivered, 0 failed, %d left.\n%d still on the way; the service goes on with them.\n", left, moved); out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
		if want := "error: interrupted; the replay goes on in the service. Watch it: waoutbox --state-dir /s deadletter replay --watch. Stop it: waoutbox --state-dir /s deadletter replay --stop\n"; errs.String() != want {
			t.Errorf("got %q, want %q", errs.String(), want)
		}
	})
}

// TestReplayOfAWebhookThatIsPurgedMeanwhile ends, and says why: letters that are nowhere any more
// are not awaited.
func TestReplayOfAWebhookThatIsPurgedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(3)
		f.took = time.Hour
		time.AfterFunc(time.Second, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.hooks, f.replayed = f.hooks[:1], nil
		})
		res := invoke(t, f, "", "deadletter", "replay", "--all")
		if want := "0 delivered, 0 failed, 0 left.\n3 still on the way; the service goes on with them.\nIt ended early: the webhook is gone\nNext: waoutbox deadletter\n"; res.out != want || res.code != exitFailed {
			t.Errorf("exit %d, got %s, want %s", res.code, res.out, want)
		}
	})
}

func TestReplayMixesWebhooksAndLeavesRemovedOnesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(4)
		f.letters = append(letters("wh_7K2M", "http://localhost:5678/webhook/whatsapp", 2), f.letters...)
		gone := letters("wh_GONE", "https://gone.example/", 3)
		for i := range gone {
			gone[i].Removed = true
		}
		f.letters = append(f.letters, gone...)
		res := invoke(t, f, "", "deadletter", "replay", "--all")
		if want := "6 delivered, 0 failed, 0 left.\nNext: waoutbox status\n"; res.out != want {
			t.Errorf("got %q, want %q", res.out, want)
		}
		if want := "3 dead letters of a removed webhook left out. Add it again first: waoutbox webhook add wh_GONE\n"; res.err != want {
			t.Errorf("got %q, want %q", res.err, want)
		}
		for _, ids := range f.replays {
			for _, id := range ids {
				if strings.Contains(id, "GONE") {
					t.Errorf("%s was replayed", id)
				}
			}
		}
	})
}

// TestTheBarSaysInShortWhatAReplayWaitsFor: the bar has room for what a replay waits for and not
// for its reasons. Before, the sentence was cut within a word, and so was the bar's title.
func TestTheBarSaysInShortWhatAReplayWaitsFor(t *testing.T) {
	for waiting, want := range map[string]string{
		"the webhook is failing, so one delivery at a time is tried, a minute apart at most; the last error: 500": "the webhook is failing",
		"the webhook is held: its secret cannot be opened":                                                        "the webhook is held",
		"50 are in flight": "50 are in flight",
	} {
		w := watchedReplays{runs: []api.ReplayRun{{State: api.ReplayRunning, Waiting: waiting}}}
		if got := w.progressNote(); got != want {
			t.Errorf("progressNote() = %q, want %q", got, want)
		}
	}
}
