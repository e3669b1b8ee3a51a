//go:build failpoints

package crash

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
	"waoutbox/store/failpoint"
	"waoutbox/store/storetest"
)

// openKilled lets processes open the state one after the other, each killed at a step further on,
// until one of them does not come to a step any more.
func (e *episode) openKilled(name failpoint.Point) (deaths int) {
	e.t.Helper()
	for {
		point := fmt.Sprintf("%s:%d", name, deaths+1)
		e.number++
		out, _ := e.command(lifeOpen, &killAt{point: point}).Output()
		if strings.Contains(string(out), "finished") {
			return deaths
		}
		if !strings.Contains(string(out), "died at "+string(name)) {
			e.t.Fatalf("a process to be killed at %s says %q", point, out)
		}
		deaths++
	}
}

// A process that dies while it makes the outbox leaves none, or a whole one.
func TestKillWhileAStateIsMade(t *testing.T) {
	r, deaths := newReceiver(t), 0
	for _, name := range []failpoint.Point{failpoint.MigrateApplied, failpoint.MigrateCommitted, failpoint.CreateMigrated, failpoint.CreateRenamed} {
		e := newEpisode(t, r, newSummary())
		deaths += e.openKilled(name)
		e.run(lifeBusy, &killAt{after: 100 * time.Millisecond})
		e.run(lifeFinish, nil)
		e.check()
	}
	if deaths < 4 {
		t.Errorf("only %d processes died", deaths)
	}
}

// A process that dies while it brings an older file to the newest format leaves one that the next
// brings there, with the content that it has without a kill: the files that are kept of each
// format, and the same with hundreds of webhooks and thousands of events.
func TestKillDuringMigration(t *testing.T) {
	files, err := filepath.Glob("../../../store/storetest/testdata/format-v*.db")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	deaths, moved := 0, 0
	for _, file := range slices.Clone(files) {
		if grown := filepath.Join(t.TempDir(), filepath.Base(file)); grow(t, file, grown) {
			files = append(files, grown)
		}
	}
	for _, file := range files {
		var contents []map[string]string
		for _, point := range []failpoint.Point{"", failpoint.MigrateApplied, failpoint.MigrateCommitted} {
			e := newEpisode(t, newReceiver(t), newSummary())
			path := filepath.Join(e.dir, "state", store.OutboxFile)
			copyFile(t, file, path)
			if point != "" {
				deaths += e.openKilled(point)
			}
			e.run(lifeOpen, nil)
			storetest.Check(t, path)
			found := content(t, path)
			id := fmt.Sprintf("meta/%x", "state") // of the log: random, so each file has its own
			if found[id] == "" {
				t.Errorf("%s, killed at %q: the log has no id", file, point)
			}
			delete(found, id)
			contents = append(contents, found)
		}
		for key := range contents[0] {
			if strings.HasPrefix(key, "removed/") {
				moved++
			}
		}
		for _, killed := range contents[1:] {
			if !maps.Equal(contents[0], killed) {
				t.Errorf("%s: with kills it has %d keys and values, without %d, or others", file, len(killed), len(contents[0]))
			}
		}
	}
	// the last migration moves none
	if deaths < 2*(len(files)-1) || len(files) < 7 || moved < 2*200 {
		t.Errorf("only %d processes died, over %d files, in which %d webhooks were moved", deaths, len(files), moved)
	}
}

// grow makes a file of an older format with much more in it, of what the kept one holds; false for
// the newest format, whose records know their own keys.
func grow(t *testing.T, kept, path string) bool {
	t.Helper()
	copyFile(t, kept, path)
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	older := false
	err = db.Update(func(tx *bbolt.Tx) (err error) {
		if older = tx.Bucket([]byte("reasons")) == nil; !older {
			return nil
		}
		put := func(bucket string, key, value []byte) {
			err = errors.Join(err, tx.Bucket([]byte(bucket)).Put(key, bytes.Clone(value)))
		}
		seq := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
		const events, webhooks = 3000, 300
		log := tx.Bucket([]byte("events"))
		for n := log.Sequence(); n < events; n++ {
			put("events", seq(n+1), log.Get(seq(n%6+1)))
		}
		err = errors.Join(err, log.SetSequence(events))
		const id = "wh_7K2M"
		for n := range uint64(webhooks) {
			of := fmt.Appendf(nil, "wh_%04d", n)
			hook, serr := outbox.DecodeSubscription(id, tx.Bucket([]byte("subs")).Get([]byte(id)))
			cursor, cerr := outbox.DecodeCursor(id, tx.Bucket([]byte("cursors")).Get([]byte(id)))
			err = errors.Join(err, serr, cerr)
			hook.ID, cursor.Dead = outbox.SubID(of), 20
			if n%3 > 0 { // removed, with dead letters or without
				hook.Removed, hook.Epochs = true, append(slices.Clone(hook.Epochs), outbox.Epoch{From: events})
				cursor.Next, cursor.Pending = events+1, 0
			}
			if n%3 == 1 {
				cursor.Dead = 0
			}
			put("subs", of, outbox.EncodeSubscription(hook))
			put("cursors", of, outbox.EncodeCursor(hook.ID, cursor))
			for i := range cursor.Dead {
				put("dead", append(append(of, 0), seq(10*n%events+i+1)...), tx.Bucket([]byte("dead")).Get(append([]byte(id+"\x00"), seq(3)...)))
			}
			if n%3 == 0 {
				put("pending", append(append(of, 0), seq(1)...), tx.Bucket([]byte("pending")).Get(append([]byte(id+"\x00"), seq(1)...)))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return older
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// content is every key and value of a database, by the names of their buckets.
func content(t *testing.T, path string) map[string]string {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all := map[string]string{}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			all[string(name)] = fmt.Sprint(b.Sequence())
			return b.ForEach(func(k, v []byte) error {
				all[fmt.Sprintf("%s/%x", name, k)] = fmt.Sprintf("%x", v)
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
