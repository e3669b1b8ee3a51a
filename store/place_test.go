package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// A file that is removed while it is in use takes no more events: they would be gone when it is
// closed. Before, they were stored, and acknowledged, in a file without a name. What else is
// written goes on, and with its name back all is well.
//
// Mutation of space.go: events are stored, and acknowledged, in a file that was removed while it is
// in use.
func TestARemovedFileTakesNoEvents(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("NOT RUN: Windows removes no file that is open")
	}
	dir := t.TempDir()
	path, away := filepath.Join(dir, store.OutboxFile), filepath.Join(dir, "away")
	db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	do(t, db, appendOf("a"))
	if err := os.Rename(path, away); err != nil {
		t.Fatal(err)
	}
	if got := causes(db.Stats()); got != "displaced" {
		t.Errorf("noticed before an append: %q", got)
	}
	if err := db.Do(t.Context(), appendOf("lost")); !errors.Is(err, store.Displaced) {
		t.Errorf("an append without a file: %v", err)
	}
	do(t, db, put("b"))
	if err := os.Rename(away, path); err != nil {
		t.Fatal(err)
	}
	within(t, func() bool { return causes(db.Stats()) == "" })
	do(t, db, appendOf("c"))
	if got := keys(t, db); got != "a b c" {
		t.Errorf("the file holds %q", got)
	}
}

// A removed file is written anew from what is open, with all of it; one that somebody put there
// instead stays, and a backup has what is open and not what lies there.
//
// Mutation of compact.go: a compaction takes the place of a file that somebody put there.
func TestARemovedFileIsWrittenAnew(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("NOT RUN: Windows removes no file that is open")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, store.OutboxFile)
	db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	do(t, db, bulk("x", 2000), appendOf("a"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want := content(t, db)
	ctx, end := context.WithCancel(t.Context())
	over := make(chan error, 1)
	p := store.DefaultCompactPolicy()
	p.Every = time.Millisecond
	go func() { over <- db.RunCompaction(ctx, p) }()
	within(t, func() bool { return db.Do(t.Context(), appendOf("b")) == nil })
	end()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if got := causes(db.Stats()); got != "" {
		t.Errorf("faults with the file back: %s", got)
	}
	want["b"], want["sequence"] = "b", content(t, db)["sequence"]
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(t.Context()); !errors.Is(err, store.Displaced) {
		t.Errorf("a compaction over another file: %v", err)
	}
	if got := causes(db.Stats()); got != "displaced" {
		t.Errorf("faults with another file in its place: %q", got)
	}
	saved := filepath.Join(dir, "saved")
	if err := db.CopyTo(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "something else" {
		t.Errorf("the other file now has %d bytes, %v", len(raw), err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	copied, err := store.Open(saved, store.DBOptions{Schema: storetest.Schema()})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	got := content(t, copied)
	if len(got) != len(want) || got["b"] != "b" || got["a"] != "a" {
		t.Errorf("the backup has %d keys, want %d", len(got), len(want))
	}
}

// What a removed file holds is not given up before the one that is written anew has its name.
// Before, it was closed first: when the new one could not be put there, all events were gone.
func TestARemovedFileIsKeptUntilItIsWrittenAnew(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("NOT RUN: Windows removes no file that is open")
	}
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	inTheWay := true
	db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema(), StepHook: func(step string) {
		if step == "closed" && inTheWay {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Error(err)
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	do(t, db, appendOf("a"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(t.Context()); err == nil {
		t.Error("it was written anew where something is in the way")
	}
	inTheWay = false
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(t.Context()); err != nil {
		t.Error(err)
	}
	do(t, db, appendOf("b"))
	if got := keys(t, db); got != "a b" {
		t.Errorf("the file holds %q", got)
	}
}

// A compacted file that takes the place of the one that is open was put there by nobody else.
// Before, a status at that moment could raise the alarm.
func TestACompactedFileIsNotDisplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	do(t, db, appendOf("a"))
	over := make(chan string)
	ctx, end := context.WithCancel(t.Context())
	for range 4 {
		go func() {
			found := ""
			for ctx.Err() == nil && found == "" {
				found = causes(db.Stats())
			}
			over <- found
		}()
	}
	for range 20 {
		if err := db.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	end()
	for range 4 {
		if found := <-over; found != "" {
			t.Errorf("a status said: %s", found)
		}
	}
}
