package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox/api"
)

// TestReplayNamesEveryLetterOnceInOrder: over several pages, with more letters than one window, each is replayed exactly once.
func TestReplayNamesEveryLetterOnceInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(700)
		f.fate = func(id string) bool { return !strings.HasSuffix(id, "5") }
		res := invoke(t, f, "", "deadletter", "replay", "--all", "--rate", "0", "--keep-going", "--json")
		if res.code != exitFailed || res.out != `{"queued":700,"remaining":70,"missing":[]}`+"\n" {
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
		if f.mostAway > fullWindow {
			t.Errorf("%d letters were outstanding, at most %d may be", f.mostAway, fullWindow)
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
		if res.code != exitFailed || touched != carefulWindow {
			t.Errorf("exit %d, touched %d letters, want %d\n%s", res.code, touched, carefulWindow, res.out)
		}
	})
}

// TestReplayStopsOnlyAtFailuresInARow: a success starts the count anew.
func TestReplayStopsOnlyAtFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(60)
		f.fate = func(id string) bool { return strings.HasSuffix(id, "0") } // nine failures, then one success
		res := invoke(t, f, "", "deadletter", "replay", "--all", "--rate", "0")
		if want := "6 delivered, 54 failed, 0 left.\n"; !strings.HasPrefix(res.out, want) || res.code != exitFailed {
			t.Errorf("exit %d, got %q, want %q", res.code, res.out, want)
		}
	})
}

// TestReplayWaitsForRoom: when the service takes fewer letters than it was asked for, the rest is asked for again and never counted
// as failed.
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

// TestReplayBesideLiveTraffic: a backlog of newer events does not keep the replay from seeing its own end; an older one does.
func TestReplayBesideLiveTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(5)
		f.hooks[1].Pending, f.hooks[1].OldestPendingSeconds = 40, 3
		began := time.Now()
		res := invoke(t, f, "", "deadletter", "replay", "--all")
		if res.code != exitOK || !strings.HasPrefix(res.out, "5 delivered") || time.Since(began) > 3*time.Second {
			t.Errorf("after %v: exit %d, %s", time.Since(began), res.code, res.out)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := replayable(5)
		f.hooks[1].Pending, f.hooks[1].OldestPendingSeconds = 1, 3600 // older than the letters: cannot be told from one of them
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e := newEnv([]string{"deadletter", "replay", "--all", "--state-dir", "/s"}, func(string) string { return "" }, strings.NewReader(""), new(strings.Builder), new(strings.Builder))
		e.connect = f.connect(e)
		if code := e.run(ctx); code != exitFailed {
			t.Errorf("exit %d: claims an outcome it cannot know", code)
		}
	})
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
		if code := e.run(ctx); code != exitFailed {
			t.Errorf("exit %d", code)
		}
		if want := "0 delivered, 0 failed, 396 left.\n104 still on the way; the daemon goes on with them.\n"; out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
		if want := "error: interrupted; what was queued goes on. Run it again to continue\n"; errs.String() != want {
			t.Errorf("got %q, want %q", errs.String(), want)
		}
	})
}

// TestReplayOfAWebhookThatIsPurgedMeanwhile ends: letters that are nowhere any more are missing, not awaited.
func TestReplayOfAWebhookThatIsPurgedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := replayable(3)
		f.took = time.Hour
		time.AfterFunc(time.Second, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.hooks, f.flying = f.hooks[:1], nil
		})
		res := invoke(t, f, "", "deadletter", "replay", "--all", "--json")
		if want := `{"queued":3,"remaining":0,"missing":["dl_wh_9QRT_18031","dl_wh_9QRT_18032","dl_wh_9QRT_18033"]}` + "\n"; res.out != want {
			t.Errorf("got %s, want %s", res.out, want)
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

func TestOwedNeedsAnOlderBacklog(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	letter := api.DeadLetter{FailedAt: now.Add(-time.Minute)}
	for _, tt := range []struct {
		pending, oldest int64
		want            bool
	}{{0, 0, false}, {1, 0, false}, {1, 58, false}, {1, 59, true}, {1, 60, true}, {1, 3600, true}} {
		if got := owed(api.Webhook{Pending: tt.pending, OldestPendingSeconds: tt.oldest}, letter, now); got != tt.want {
			t.Errorf("owed(pending %d, oldest %d s) = %v, want %v", tt.pending, tt.oldest, got, tt.want)
		}
	}
}
