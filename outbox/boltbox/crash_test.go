package boltbox_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// childEnv makes the test binary a process that writes to the named outbox until it is killed.
const childEnv = "WAOUTBOX_TEST_CHILD"

// crashEvent is an event whose body follows from its key, so that a torn or swapped one is noticed.
func crashEvent(key string) outbox.Event {
	e := event(key)
	e.Body = bytes.Repeat([]byte(key+" "), 1+len(key)*int(key[len(key)-1])%200)
	return e
}

// child appends in several goroutines and moves one lane along, printing every step once it is
// durable.
func child(path string) int {
	ctx := context.Background()
	db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema(), MinFree: 1})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	// so that dedupe keys are sealed, and runs of them merged, in nearly every commit
	box, err := boltbox.Open(ctx, db, boltbox.SmallRuns(boltbox.Options{}))
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
	run := fmt.Sprint(os.Getpid())
	for w := range 3 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%s-%d-%d", run, w, i)
				seqs, err := box.Append(ctx, crashEvent(key), crashEvent(key+"b"))
				if err != nil {
					say("error %v", err)
					return
				}
				say("event %d %s", seqs[0], key)
				say("event %d %sb", seqs[1], key)
			}
		}()
	}
	next, _, _, err := box.Load(ctx, "wh_a")
	for err == nil {
		if err = box.Wait(ctx, next); err != nil {
			break
		}
		var evs []outbox.Event
		if evs, next, err = box.Read(ctx, "wh_a", next, 4096); err != nil {
			break
		}
		c := outbox.Change{Sub: "wh_a", Next: next}
		for _, e := range evs {
			state := outbox.Pending
			if e.Seq%2 == 0 {
				state = outbox.Dead
			}
			c.Set = append(c.Set, outbox.Record{Seq: e.Seq, State: state, Reason: e.Key})
		}
		if err = box.Commit(ctx, c); err == nil {
			say("next %d", next)
		}
	}
	say("error %v", err)
	return 1
}

// A process that is killed at any moment loses nothing it called durable, and tears nothing.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema(), MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	subscribe(t, openBox(t, db, boltbox.Options{}), "wh_a", outbox.Any)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	durable := map[outbox.Seq]string{}
	var next outbox.Seq
	for range 6 {
		killed(t, path, 20+rand.IntN(200), func(line string) {
			var seq outbox.Seq
			var key string
			if n, _ := fmt.Sscanf(line, "event %d %s", &seq, &key); n == 2 {
				if other, ok := durable[seq]; ok {
					t.Errorf("sequence %d was given to %s and to %s", seq, other, key)
				}
				durable[seq] = key
			} else if n, _ := fmt.Sscanf(line, "next %d", &seq); n == 1 {
				next = seq
			} else {
				t.Errorf("the child says %q", line)
			}
		})
		storetest.Check(t, path)
		afterCrash(t, path, durable, next)
	}
	if len(durable) < 100 || next < 10 {
		t.Errorf("only %d events were appended and next came to %d", len(durable), next)
	}
}

// killed runs a child, hands its first lines over, and kills it in the middle of its work. Lines it
// printed before it died count.
func killed(t *testing.T, path string, lines int, line func(string)) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(out)
	for n := 0; scan.Scan(); n++ {
		if n == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		line(scan.Text())
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Success() {
		t.Fatalf("the child was not killed: %v", err)
	}
}

func afterCrash(t *testing.T, path string, durable map[outbox.Seq]string, next outbox.Seq) {
	t.Helper()
	db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema(), MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	box := openBox(t, db, boltbox.SmallRuns(boltbox.Options{}))
	ctx := t.Context()
	for seq, key := range durable {
		e, err := box.Event(ctx, seq)
		if err != nil || e.Key != "evt_"+key {
			t.Errorf("durable event %d (%s) is %q, %v", seq, key, e.Key, err)
		}
	}
	st, err := box.Stats(ctx)
	if err != nil || st.Undecodable != 0 {
		t.Errorf("%d records cannot be decoded, %v", st.Undecodable, err)
	}
	for seq := outbox.Seq(1); seq <= st.Last; seq++ {
		e, err := box.Event(ctx, seq)
		if err != nil || !bytes.Equal(e.Body, crashEvent(strings.TrimPrefix(e.Key, "evt_")).Body) {
			t.Errorf("event %d (%s) is torn: %v", seq, e.Key, err)
		}
	}
	got, _, pending, err := box.Load(ctx, "wh_a")
	if err != nil || got < next {
		t.Errorf("next is %d, %v; %d was durable", got, err, next)
	}
	// every odd one below next
	if want := int64(got-1) - int64(got-1)/2; int64(len(pending)) != want {
		t.Errorf("%d pending records below %d, want %d", len(pending), got, want)
	}
	ss := st.Subs["wh_a"]
	if ss.Dead != int64(got-1)/2 || ss.Pending != int64(len(pending))+int64(st.Last)-int64(got-1) {
		t.Errorf("Stats = %+v with next %d and last %d", ss, got, st.Last)
	}
	// redelivered after the crash: not appended again, also what nobody was told of
	var again []outbox.Event
	for seq := outbox.Seq(1); seq <= st.Last; seq++ {
		if e, err := box.Event(ctx, seq); err == nil { // an error is reported above
			e.Stamp++
			again = append(again, e)
		}
	}
	for i, seq := range appendAll(t, box, again) {
		if seq != again[i].Seq {
			t.Errorf("appending %s again gave %v; want %d", again[i].Key, seq, again[i].Seq)
		}
	}
}

func subscribe(t testing.TB, box *boltbox.Box, id outbox.SubID, events ...string) outbox.Subscription {
	t.Helper()
	s, err := box.PutSub(t.Context(), outbox.Subscription{ID: id, Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: events}}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// soon fails the test when ch is not closed in time.
func soon(t testing.TB, ch <-chan error) error {
	t.Helper()
	select {
	case err := <-ch:
		return err
	case <-time.After(time.Minute):
		t.Fatal("it takes too long")
		return nil
	}
}
