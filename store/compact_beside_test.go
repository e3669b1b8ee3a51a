package store_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/store"
)

// A copy never holds up what the copy is for: a commit that fails meanwhile opens the file again,
// Close ends it, and an append whose page needs the file to be mapped anew, for which bbolt waits
// until nobody reads, waits about a second.
//
// Mutation of compact.go: a commit waits for as long as a copy takes.
func TestACopyGivesWay(t *testing.T) {
	t.Run("to a failed commit", func(t *testing.T) {
		var fail atomic.Bool
		var db *store.DB
		failed := make(chan error, 1)
		var once sync.Once
		db, _ = wasteful(t, store.DBOptions{
			CommitHook: func(commit func() error) error {
				if fail.CompareAndSwap(true, false) {
					return errors.New("input/output error")
				}
				return commit()
			},
			StepHook: func(s string) {
				if s != "begun" {
					return
				}
				once.Do(func() {
					fail.Store(true)
					go func() { failed <- db.Do(context.Background(), put("x")) }()
					for fail.Load() {
						runtime.Gosched()
					}
				})
			},
		})
		if err := db.Compact(t.Context()); err == nil {
			t.Error("a file that was opened again was replaced by a copy of what was before")
		}
		if err := <-failed; !errors.Is(err, store.Unknown) {
			t.Errorf("the failed write: %v", err)
		}
		if err := db.Compact(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
	t.Run("to Close", func(t *testing.T) {
		var db *store.DB
		closed := make(chan error, 1)
		var once sync.Once
		db, path := wasteful(t, store.DBOptions{StepHook: func(s string) {
			if s == "begun" {
				once.Do(func() { go func() { closed <- db.Close() }(); <-db.Done() })
			}
		}})
		if err := db.Compact(t.Context()); err == nil {
			t.Error("it was compacted while it was closed")
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if got := names(t, filepath.Dir(path)); got != store.OutboxFile {
			t.Errorf("in the directory lies %s", got)
		}
	})
	t.Run("to a growing map", func(t *testing.T) {
		var db *store.DB
		appended := make(chan error, 1)
		var once sync.Once
		chunks := 0 // copied while the append waited
		db, _ = wasteful(t, store.DBOptions{
			StepHook: func(s string) {
				if s == "chunk" { // the copy reads the map now
					chunks++
					once.Do(func() {
						big := appendOf("big")
						big.Apply = func(tx *bbolt.Tx) error {
							return tx.Bucket([]byte("items")).Put([]byte("big"), make([]byte, 80<<20))
						}
						go func() { appended <- db.Do(context.Background(), big) }()
						untilMapWaits()
					})
				}
				if s == "chunk" || s == "copied" { // a slow disk
					select {
					case err := <-appended:
						appended <- err
					case <-time.After(1200 * time.Millisecond):
					}
				}
			},
		})
		do(t, db, bulk("more", 20_000)) // in the free pages: six chunks altogether
		err := db.Compact(t.Context())
		if err := <-appended; err != nil {
			t.Errorf("the append: %v", err)
		}
		if err != nil && !errors.Is(err, store.Busy) {
			t.Errorf("Compact: %v", err)
		}
		if chunks > 2 {
			t.Errorf("the copy went on for %d chunks while a write waited for it", chunks)
		}
		if n := len(content(t, db)["big"]); n != 80<<20 {
			t.Errorf("what was appended has %d bytes", n)
		}
	})
}

// A commit that waits until the copy reads the file no more, and a copy that comes to a point where
// it begins another read, or must wait for the committer, do not wait for each other: without a
// time for giving up, both stood still for ever, and so did Close.
//
// Mutation of compact.go: a copy that must begin another read, or wait for the committer, waits for
// a commit that waits for the copy.
func TestACopyAndAGrowingMapDoNotWaitForEachOther(t *testing.T) {
	for _, at := range []string{"chunk", "copied", "verified"} {
		t.Run(at, func(t *testing.T) {
			var db *store.DB
			appended := make(chan error, 1)
			var once sync.Once
			db, _ = wasteful(t, store.DBOptions{StepHook: func(s string) {
				if s != at {
					return
				}
				once.Do(func() {
					big := appendOf("big")
					big.Apply = func(tx *bbolt.Tx) error {
						return tx.Bucket([]byte("items")).Put([]byte("big"), make([]byte, 80<<20))
					}
					go func() { appended <- db.Do(context.Background(), big) }()
					untilMapWaits()
				})
			}})
			compacted := make(chan error, 1)
			go func() { compacted <- db.Compact(context.Background()) }()
			for range 2 {
				select {
				case err := <-compacted:
					if !errors.Is(err, store.Busy) {
						t.Errorf("Compact: %v", err)
					}
				case err := <-appended:
					if err != nil {
						t.Errorf("the append: %v", err)
					}
				case <-time.After(30 * time.Second):
					panic("a commit and a copy wait for each other") // Close would wait, too
				}
			}
			if n := len(content(t, db)["big"]); n != 80<<20 {
				t.Errorf("what was appended has %d bytes", n)
			}
		})
	}
}

// untilMapWaits returns when a goroutine of bbolt waits to map a file anew.
func untilMapWaits() {
	buf := make([]byte, 4<<20)
	for {
		for g := range bytes.SplitSeq(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
			if bytes.Contains(g, []byte("bbolt.(*DB).mmap(")) && bytes.Contains(g, []byte("(*RWMutex).Lock")) {
				return
			}
		}
		runtime.Gosched()
	}
}
