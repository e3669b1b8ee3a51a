package boltbox_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

const (
	// seenChildEnv makes the test binary a process that appends and trims until it kills itself.
	seenChildEnv = "WAOUTBOX_TEST_SEEN_CHILD"
	// seenLives is how many processes die.
	seenLives = 40
)

func seenEvent(key string) outbox.Event {
	e := event(key)
	e.Body = nil
	if len(key)%5 == 0 {
		e.Stamp = 0
	}
	return e
}

// seenChild says which keys it appends, and as what once that is durable. Nobody subscribed, so a
// trim removes everything.
func seenChild(path string) int {
	ctx := context.Background()
	box, err := openToDie(ctx, path)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	for w := range 3 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				say("begins %s", key)
				seqs, err := box.Append(ctx, seenEvent(key), seenEvent(key+"b"))
				if err != nil {
					say("error %v", err)
					return
				}
				say("event %d %s", seqs[0], key)
				say("event %d %sb", seqs[1], key)
			}
		}()
	}
	for {
		if _, _, err := box.Trim(ctx, time.Now(), 1+rand.IntN(40)); err != nil {
			say("error %v", err)
			return 1
		}
	}
}

// A process that dies right before or right after a commit which seals keys, merges runs of them or
// removes their events leaves every key known, with its first sequence, whatever time it comes
// with; also a key of which nobody was told whether it was stored is appended once and no more.
func TestSeenKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	durable := map[string]outbox.Seq{}
	for life := range seenLives {
		begun := seenLife(t, path, life, durable)
		storetest.Check(t, path)
		db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema(), MinFree: 1})
		if err != nil {
			t.Fatal(err)
		}
		box := openBox(t, db, boltbox.SmallRuns(boltbox.Options{}))
		var evs []outbox.Event
		for key := range begun { // stored or not: from now on it is
			evs = append(evs, seenEvent(key), seenEvent(key+"b"))
		}
		seqs, keys := appendAll(t, box, evs), make([]string, len(evs))
		for i, e := range evs {
			keys[i] = strings.TrimPrefix(e.Key, "evt_")
			if _, ok := durable[keys[i]]; !ok {
				durable[keys[i]] = seqs[i]
			}
		}
		keys, evs = slices.Collect(maps.Keys(durable)), nil
		for _, key := range keys {
			e := seenEvent(key)
			e.Stamp++
			evs = append(evs, e)
		}
		given := map[outbox.Seq]string{}
		for i, seq := range appendAll(t, box, evs) {
			if seq != durable[keys[i]] {
				t.Errorf("life %d: %s, appended as %d, is appended again as %d", life, keys[i], durable[keys[i]], seq)
			}
			if other, ok := given[seq]; ok {
				t.Errorf("life %d: sequence %d was given to %s and to %s", life, seq, other, keys[i])
			}
			given[seq] = keys[i]
		}
		if st, err := box.Stats(t.Context()); err != nil || st.Undecodable != 0 {
			t.Errorf("life %d: %d records cannot be decoded, %v", life, st.Undecodable, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
	if len(durable) < 100 {
		t.Errorf("only %d keys were appended", len(durable))
	}
}

// appendAll appends events in calls of the largest size.
func appendAll(t testing.TB, box *boltbox.Box, evs []outbox.Event) (seqs []outbox.Seq) {
	t.Helper()
	for call := range slices.Chunk(evs, outbox.MaxBatch) {
		got, err := box.Append(t.Context(), call...)
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, got...)
	}
	return seqs
}

// seenLife runs a child until it dies, adds what it called durable, and returns the keys it began
// to append.
func seenLife(t *testing.T, path string, life int, durable map[string]outbox.Seq) map[string]bool {
	t.Helper()
	cmd := dyingChild(t, seenChildEnv, path, life)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	begun := map[string]bool{}
	for scan := bufio.NewScanner(out); scan.Scan(); {
		var seq outbox.Seq
		var key string
		if n, _ := fmt.Sscanf(scan.Text(), "event %d %s", &seq, &key); n == 2 {
			durable[key] = seq
		} else if n, _ := fmt.Sscanf(scan.Text(), "begins %s", &key); n == 1 {
			begun[key] = true
		} else {
			t.Errorf("the child says %q", scan.Text())
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Success() {
		t.Fatalf("the child did not die: %v", err)
	}
	return begun
}
